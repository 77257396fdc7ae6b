//! Texts that people have written into files, with whatever editor.

use std::io;
use std::path::Path;

/// What stands in a file, without the byte order mark that some editors put before it.
///
/// # Errors
/// If it cannot be read, or is no text.
pub fn text(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path).map(unmarked)
}

fn unmarked(text: String) -> String {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::unmarked;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        for (text, left) in
            [("\u{feff}a\r\nb", "a\r\nb"), ("a\u{feff}", "a\u{feff}"), ("", ""), ("\u{feff}", "")]
        {
            assert_eq!(unmarked(text.to_owned()), left, "{text:?}");
        }
    }
}
