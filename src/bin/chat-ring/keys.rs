//! Keys from a file: the first word of each line, as in an access log. Lines without one are passed
//! over.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Calls `each` with every key, as long as it wants more. `-` is standard input.
///
/// # Errors
/// A sentence, if the file cannot be read or `each` has one.
pub fn read(path: &Path, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
    let broken = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    let mut file: Box<dyn BufRead> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::with_capacity(1 << 16, File::open(path).map_err(broken)?)),
    };
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line).map_err(broken)? > 0 {
        if let Some(key) = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()) {
            each(key)?;
        }
        line.clear();
    }
    Ok(())
}
