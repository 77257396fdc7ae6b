//! How figures, names and tables are written, on terminals and elsewhere.

use std::io::{self, IsTerminal, Write};
use unicode_width::UnicodeWidthStr;

/// A text with what could touch a terminal made visible. Keys come from logs, which strangers write.
pub fn visible(text: &str) -> String {
    text.chars().flat_map(|c| if is_plain(c) { vec![c] } else { c.escape_unicode().collect() }).collect()
}

fn is_plain(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !c.is_control() && !turns
}

/// A part of a whole: `47.3 %`.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match part {
        0 => "0 %".to_owned(),
        _ if percent < 0.05 => "< 0.1 %".to_owned(),
        _ => format!("{percent:.1} %"),
    }
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One and many: `1 server`, `2 servers`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Set {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows in columns as wide as they have to be, two spaces apart.
pub fn table(set: &[Set], rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..set.len()).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for ((cell, set), width) in row.iter().zip(set).zip(&widths) {
            let space = " ".repeat(width - cell.width());
            match set {
                Set::Left => line.extend([cell, space.as_str(), "  "]),
                Set::Right => line.extend([space.as_str(), cell, "  "]),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Writes to standard output.
///
/// # Errors
/// A sentence, if it cannot be written.
pub fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What came of writing to standard output. If whoever reads it has seen enough and left, the program
/// ends here, content.
///
/// # Errors
/// A sentence, if it could not be written.
pub fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(|error| format!("standard output: {error}")),
    }
}

/// Whether standard output shows colours.
pub fn has_colours() -> bool {
    let told = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && !told && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_never_hide_that_there_is_something() {
        assert_eq!(
            [percent(0, 5), percent(1, 3), percent(1, 1 << 32), percent(5, 5)],
            ["0 %", "33.3 %", "< 0.1 %", "100.0 %"]
        );
        assert_eq!(percent(0, 0), "–");
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([counted(1, "server"), counted(2, "server")], ["1 server", "2 servers"]);
    }

    #[test]
    fn columns_stand_below_each_other_whatever_the_script() {
        let rows = [["名", "1"], ["abc", "100"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&[Set::Left, Set::Right], &rows), "名     1\nabc  100\n");
    }

    #[test]
    fn what_could_touch_a_terminal_is_seen() {
        assert_eq!(visible("a\x1b[2J\u{202e}b\tä名"), "a\\u{1b}[2J\\u{202e}b\\u{9}ä名");
    }
}
