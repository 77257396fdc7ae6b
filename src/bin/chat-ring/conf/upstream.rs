//! The upstreams of a configuration: their servers, and by what they choose.
//!
//! What nginx would refuse is noted and not refused here, where it does not stand in the way of an
//! answer: configurations of its relatives and of its commercial edition are read too.

use super::blocks::{ConfError, Directive, Place};
use super::refused::Reader;
use super::variables;
use std::collections::BTreeSet;
use std::fmt;

/// Where an upstream stands. The hashing is the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Module {
    /// TCP and UDP.
    Stream,
    /// HTTP.
    Http,
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Module::Stream => "stream",
            Module::Http => "http",
        })
    }
}

/// `hash KEY` or `hash KEY consistent`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hash {
    /// What is hashed, as it is written: `$remote_addr`.
    pub key: String,
    /// Whether it is the ring.
    pub consistent: bool,
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "hash {}{}",
            super::words::written(&self.key),
            if self.consistent { " consistent" } else { "" }
        )
    }
}

/// A line `server`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerLine {
    /// The text after `server`.
    pub name: String,
    /// 1 where nothing is said.
    pub weight: u32,
    /// Left out for now.
    pub down: bool,
    /// Only for when none of the others is up.
    pub backup: bool,
    /// What else is said, kept as it is: max_fails, fail_timeout, max_conns.
    pub others: Vec<String>,
}

/// One line of an upstream's block, in order.
#[derive(Clone, Debug)]
pub enum Line {
    /// A server.
    Server(ServerLine),
    /// By what it chooses. Where there are several, nginx takes the last one.
    Hash(Hash),
    /// Anything else.
    Other(Directive),
}

/// An upstream.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub module: Module,
    /// The lines of its block.
    pub lines: Vec<Line>,
    /// Its first line.
    pub place: Place,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Upstream {
    /// By what it chooses, if by a key.
    pub fn hash(&self) -> Option<&Hash> {
        self.lines.iter().rev().find_map(|line| match line {
            Line::Hash(hash) => Some(hash),
            _ => None,
        })
    }

    /// Its servers, the backup ones too.
    pub fn servers(&self) -> impl Iterator<Item = &ServerLine> {
        self.lines.iter().filter_map(|line| match line {
            Line::Server(server) => Some(server),
            _ => None,
        })
    }
}

/// All upstreams of a configuration, in order.
///
/// # Errors
/// If a weight is none, or a line says nothing.
pub fn all(directives: &[Directive]) -> Result<Vec<Upstream>, ConfError> {
    let mut found: Vec<Upstream> = Vec::new();
    let (mut modules, mut seconds) = (Vec::new(), Vec::new());
    for directive in directives {
        let module = match directive.name() {
            "stream" => Module::Stream,
            "http" => Module::Http,
            _ => continue,
        };
        let block = directive.block.as_deref().unwrap_or(&[]);
        let defined = variables::defined(block);
        for within in block.iter().filter(|within| within.name() == "upstream") {
            let mut upstream = upstream(within, module, &defined)?;
            let same =
                |other: &Upstream| other.module == module && other.name.eq_ignore_ascii_case(&upstream.name);
            if found.iter().any(same) {
                let what = format!("nginx refuses a second upstream {} in {module}", upstream.name);
                upstream.note(&within.place, vec![what]);
            }
            found.push(upstream);
        }
        if modules.contains(&module) {
            seconds.push((directive.place.clone(), format!("nginx refuses a second {module}")));
        }
        modules.push(module);
    }
    // It is so of the whole configuration, whichever upstream is asked about.
    if let Some(first) = found.first_mut() {
        seconds.into_iter().for_each(|(place, what)| first.note(&place, vec![what]));
    }
    Ok(found)
}

fn upstream(
    directive: &Directive,
    module: Module,
    defined: &BTreeSet<String>,
) -> Result<Upstream, ConfError> {
    let refused = |place: &Place, what: String| Err(ConfError::Line(place.clone(), what));
    let ([name], Some(block)) = (directive.arguments(), &directive.block) else {
        return refused(&directive.place, "an upstream is written `upstream NAME { … }`".to_owned());
    };
    let mut upstream = Upstream {
        name: name.clone(),
        module,
        lines: Vec::new(),
        place: directive.place.clone(),
        notes: Vec::new(),
    };
    let mut reader = Reader::new(module);
    for within in block {
        let line = match (within.name(), within.arguments()) {
            ("server", [name, parameters @ ..]) => match server(name, parameters) {
                Ok((server, notes)) => {
                    upstream.note(&within.place, notes);
                    Line::Server(server)
                }
                Err(what) => return refused(&within.place, what),
            },
            ("hash", [key]) => Line::Hash(Hash { key: key.clone(), consistent: false }),
            ("hash", [key, word]) if word == "consistent" => {
                Line::Hash(Hash { key: key.clone(), consistent: true })
            }
            ("server" | "hash", _) => {
                return refused(
                    &within.place,
                    format!("not a line that nginx takes: {}", within.words.join(" ")),
                );
            }
            ("ip_hash" | "least_conn" | "random" | "least_time" | "sticky", _)
                if upstream.hash().is_some() =>
            {
                let what = format!("{} beside hash: nginx goes by what comes last", within.name());
                upstream.note(&within.place, vec![what]);
                Line::Other(within.clone())
            }
            _ => Line::Other(within.clone()),
        };
        upstream.note(&within.place, reader.refusals(&line, within));
        if let Line::Hash(hash) = &line {
            let second = "a second `hash`: nginx takes this one";
            let notes = upstream.hash().map(|_| second.to_owned()).into_iter();
            let notes = notes.chain(variables::refusal(&hash.key, module, defined)).collect();
            upstream.note(&within.place, notes);
        }
        upstream.lines.push(line);
    }
    Ok(upstream)
}

impl Upstream {
    fn note(&mut self, place: &Place, what: Vec<String>) {
        self.notes.extend(what.into_iter().map(|what| format!("{place}: {what}")));
    }
}

/// What follows `server`, and what is to be said of it.
fn server(name: &str, parameters: &[String]) -> Result<(ServerLine, Vec<String>), String> {
    let mut server =
        ServerLine { name: name.to_owned(), weight: 1, down: false, backup: false, others: Vec::new() };
    let mut notes = Vec::new();
    for parameter in parameters {
        let (word, value) = match parameter.split_once('=') {
            Some((word, value)) => (word, Some(value)),
            None => (parameter.as_str(), None),
        };
        match (word, value) {
            ("down", None) => server.down = true,
            ("backup", None) => server.backup = true,
            ("weight", Some(value)) => server.weight = weight(value)?,
            ("max_fails" | "max_conns", Some(value)) if !is_number(value) => {
                return Err(format!("{parameter}: that is no number"));
            }
            ("max_fails" | "fail_timeout" | "max_conns", Some(_)) => server.others.push(parameter.clone()),
            ("down" | "backup", Some(_)) | ("weight" | "max_fails" | "fail_timeout" | "max_conns", None) => {
                return Err(format!("{parameter}: nginx knows no such parameter"));
            }
            _ => {
                notes.push(format!("{parameter} is nothing that chat-ring reckons with"));
                server.others.push(parameter.clone());
            }
        }
    }
    Ok((server, notes))
}

/// A weight as nginx takes it.
///
/// # Errors
/// If it takes none.
pub fn weight(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(weight) if weight > 0 && is_number(text) => Ok(weight),
        _ => Err(format!("weight={text}: a weight is a number from 1 on")),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
