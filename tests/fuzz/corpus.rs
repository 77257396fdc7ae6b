//! The corpora: one file a target, an input a line, with everything escaped that is not plain text.
//!
//! A line is what `u8::escape_ascii` gives: readable, and one input a line shows well in a difference.

use std::fs;
use std::path::{Path, PathBuf};

/// The file of a target's corpus.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{name}.txt"))
}

/// The inputs of a target's corpus.
///
/// # Panics
/// If it cannot be read.
pub fn read(name: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("the corpus {name}: {error}"));
    text.lines().filter(|line| !line.starts_with('#')).map(unescape).collect()
}

/// An input as a line.
pub fn escape(bytes: &[u8]) -> String {
    let line = bytes.escape_ascii().to_string();
    // A line that begins so is a comment.
    if line.starts_with('#') { line.replacen('#', "\\x23", 1) } else { line }
}

/// The input of a line.
///
/// # Panics
/// If the line is none that [`escape`] gives.
pub fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.as_bytes();
    loop {
        rest = match *rest {
            [] => return bytes,
            [b'\\', b'x', high, low, ref after @ ..] => {
                bytes.push(digit(high, line) << 4 | digit(low, line));
                after
            }
            [b'\\', letter, ref after @ ..] => {
                bytes.push(match letter {
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'n' => b'\n',
                    other => other,
                });
                after
            }
            [byte, ref after @ ..] => {
                bytes.push(byte);
                after
            }
        };
    }
}

fn digit(byte: u8, line: &str) -> u8 {
    char::from(byte).to_digit(16).unwrap_or_else(|| panic!("an escape of {line}")) as u8
}
