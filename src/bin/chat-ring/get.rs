//! `get`: where keys go, and where next.

use crate::asked::{Asked, Balanced};
use crate::change::changed;
use crate::keys;
use crate::options::Get;
use crate::show::{visible, written};
use chat_ring::Choice;
use std::io::{self, BufWriter, Write};

/// Addresses are aligned; what is longer stands out.
const KEY_WIDTH: usize = 15;

/// Writes a line for each key.
///
/// # Errors
/// A sentence.
pub fn run(asked: &Asked, get: &Get) -> Result<(), String> {
    if get.keys.is_empty() && get.file.is_none() {
        return Err("get what? Name keys, or a file of them with --keys".to_owned());
    }
    let balanced = Balanced::new(&changed(&asked.upstream, &get.changes)?, &asked.hash)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut tell = |key: &[u8]| -> Result<(), String> {
        let route = balanced.balancing.route(&balanced.key(key)?);
        let names: Vec<&str> = route.iter().map(|&server| balanced.label(Choice::Server(server))).collect();
        let line = if get.tsv { separated(&balanced, key, &names) } else { sentence(&balanced, key, &names) };
        written(out.write_all(&line))
    };
    for key in &get.keys {
        tell(key.as_bytes())?;
    }
    if let Some(file) = &get.file {
        keys::read(file, tell)?;
    }
    written(out.flush())
}

fn separated(balanced: &Balanced, key: &[u8], names: &[&str]) -> Vec<u8> {
    let nobody = [balanced.label(Choice::RoundRobin)];
    let names = if names.is_empty() { &nobody } else { names };
    [key, b"\t", names.join("\t").as_bytes(), b"\n"].concat()
}

fn sentence(balanced: &Balanced, key: &[u8], names: &[&str]) -> Vec<u8> {
    let key = visible(&String::from_utf8_lossy(key));
    let line = match names {
        [] => format!("{key:KEY_WIDTH$}  {}\n", balanced.label(Choice::RoundRobin)),
        [only] => format!("{key:KEY_WIDTH$}  {only}\n"),
        [first, next @ ..] => format!("{key:KEY_WIDTH$}  {first}  then {}\n", next.join(", ")),
    };
    line.into_bytes()
}
