//! Corpora between their two forms: a file that is read, and a directory that libFuzzer works in.
//!
//! `corpus unpack TARGET DIRECTORY` · `corpus pack TARGET DIRECTORY`: what is there already stays, in its order, and of what
//! is new the shortest are added, as long as the file has [`BYTES`] at most.

use chatd_fuzz::corpus::{self, escape, file};
use chatd_fuzz::{Target, target};
use std::collections::HashSet;
use std::path::Path;
use std::{env, fs, io};

/// Bytes of a corpus's file, up to which inputs are added.
const BYTES: usize = 64 << 10;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["unpack", name, directory] => unpack(target(name), Path::new(directory)),
        ["pack", name, directory] => pack(target(name), Path::new(directory)),
        _ => panic!("corpus unpack|pack TARGET DIRECTORY"),
    }
}

fn unpack(target: Target, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (at, input) in corpus::read(target.name).iter().enumerate() {
        fs::write(directory.join(format!("{at:04}")), input)?;
    }
    // In libFuzzer's own form.
    let word = |word: &&[u8]| word.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let words: String = target.dictionary.iter().map(|it| format!("\"{}\"\n", word(it))).collect();
    fs::write(directory.with_extension("dict"), words)
}

fn pack(target: Target, directory: &Path) -> io::Result<()> {
    let mut text = fs::read_to_string(file(target.name))?;
    let known: HashSet<Vec<u8>> = corpus::read(target.name).into_iter().collect();
    let mut new = Vec::new();
    for entry in fs::read_dir(directory)? {
        let input = fs::read(entry?.path())?;
        if input.len() <= target.bytes && !known.contains(&input) && target.try_run(&input).is_ok() {
            new.push(input);
        }
    }
    new.sort_by_key(|input| (input.len(), input.clone()));
    let mut added = 0;
    for line in new.iter().map(|input| escape(input)) {
        if text.len() + line.len() >= BYTES {
            break;
        }
        text.push_str(&line);
        text.push('\n');
        added += 1;
    }
    println!("{}: {} known, {added} of {} new ones added", target.name, known.len(), new.len());
    fs::write(file(target.name), text)
}
