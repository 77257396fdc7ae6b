//! Text of others made safe to show: whatever could touch the terminal becomes a visible escape.
//!
//! Escaped are control characters (C0, DEL, C1: escape sequences begin with one), line and paragraph
//! separators, everything that changes the direction of text, everything that has no width and is
//! not seen, and marks that are heaped upon a letter. Letters of every script, wide characters and
//! emoji stay as they are.

use std::borrow::Cow;
use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// Marks that may sit on one letter; scripts need three, heaps that run over other lines need more.
const MARKS: usize = 4;
const JOINER: char = '\u{200d}';
const NON_JOINER: char = '\u{200c}';

/// The text as it may be shown.
pub fn visible(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let (mut before, mut marks) = (None, 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|&(_, next)| next);
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let heaped = marks > 0 && (before.is_none() || marks > MARKS);
        let shown = !heaped && (!is_hidden(c) || joins(before, c, after));
        if !shown {
            out.push_str(&text[copied..at]);
            escape(&mut out, c);
            copied = at + c.len_utf8();
        }
        before = Some(c).filter(|_| shown);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The text on at most `most` characters, safe to show; a `…` says that there was more.
pub fn short(text: &str, most: usize) -> String {
    let seen = visible(text);
    match seen.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &seen[..at]),
        None => seen.into_owned(),
    }
}

/// Whether this must not reach a terminal, whatever stands beside it.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_mark(c: char) -> bool {
    !is_hidden(c) && c.width() == Some(0)
}

/// Whether a joiner does here what it is for: it makes one emoji of several, or shapes the letters
/// of a script that needs it.
fn joins(before: Option<char>, c: char, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let shaped = |c: char| matches!(c, '\u{620}'..='\u{6ff}' | '\u{900}'..='\u{dff}');
    match c {
        JOINER if is_emoji(before) && is_emoji(after) => true,
        JOINER | NON_JOINER => shaped(before) && shaped(after),
        _ => false,
    }
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2190}'..='\u{2bff}' | '\u{fe0f}')
}

fn escape(out: &mut String, c: char) {
    let written = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
        _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
    written.expect("a String takes what is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_touch_a_terminal_is_seen_and_does_nothing() {
        for (hostile, shown) in [
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\r\nb\tc\0\x7f", "a\\r\\nb\\tc\\x00\\x7f"),
            ("\u{202e}live\u{2069}\u{200f}", "\\u{202e}live\\u{2069}\\u{200f}"),
            ("b\u{200b}ob\u{feff}\u{200c}\u{200d}", "b\\u{200b}ob\\u{feff}\\u{200c}\\u{200d}"),
            ("a\u{2028}b\u{2029}\u{85}", "a\\u{2028}b\\u{2029}\\u{85}"),
            ("\u{e0041}\u{3164}", "\\u{e0041}\\u{3164}"),
        ] {
            assert_eq!(visible(hostile), shown);
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "plain",
            "你好，世界",
            "🙂 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ❤️",
            "naïve e\u{301} Tiếng Việt",
            "می‌خواهم שלום مرحبا",
            "นี่ ที่",
            "क्‍ष",
        ] {
            assert!(
                matches!(visible(text), Cow::Borrowed(same) if same == text),
                "{text}: {}",
                visible(text)
            );
        }
    }

    #[test]
    fn heaps_of_marks_are_cut_down() {
        let heap = format!("z{}", "\u{308}".repeat(50));
        assert_eq!(visible(&heap).matches('\u{308}').count(), MARKS);
        assert_eq!(visible("\u{301}a"), "\\u{301}a");
    }

    #[test]
    fn nothing_hidden_is_ever_shown() {
        for c in (0..=0x10_ffffu32).filter_map(char::from_u32).filter(|&c| is_hidden(c)) {
            assert!(!visible(&format!("a{c}b")).contains(c), "{:x}", u32::from(c));
        }
    }

    #[test]
    fn long_names_are_cut_where_they_are_seen() {
        assert_eq!(short("abcdef", 3), "abc…");
        assert_eq!(short("你好世界", 4), "你好世界");
    }
}
