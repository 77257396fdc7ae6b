//! What may be a name, of a user or of a group.
//!
//! Which names are one is for the store to say.

/// Whether nothing is to be seen of a character, and it is no blank that people type: zero width, soft
/// hyphen, controls of direction, fillers, blank of Braille, marks of byte order, and what Unicode says is no
/// character. They make names that look like others, or like nothing.
pub fn is_invisible(c: char) -> bool {
    let is_no_character = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    is_no_character
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Joiners and the choice between two forms of a sign: between others that have a use for them, in a
/// sequence of emoji or a word of a script that joins its letters, they are part of what is seen.
fn is_part_of(c: char, before: Option<char>, after: Option<char>) -> bool {
    let is_joiner = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    let joins = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !c.is_whitespace() && !is_joiner(c));
    match c {
        c if is_joiner(c) => joins(before) && joins(after),
        '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(|c| !c.is_whitespace() && !is_invisible(c)),
        _ => false,
    }
}

/// A name without the blanks at its ends, or what is wrong with it.
///
/// # Errors
/// A sentence for whoever chose it.
pub fn check(name: &str, most_chars: usize) -> Result<&str, String> {
    let name = name.trim();
    let chars: Vec<char> = name.chars().take(most_chars + 1).collect();
    if chars.is_empty() || chars.len() > most_chars {
        return Err(format!("a name has 1 to {most_chars} characters"));
    }
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        if c.is_control() || is_invisible(c) && !is_part_of(c, before, chars.get(at + 1).copied()) {
            return Err("a name has no control characters and none that cannot be seen".to_owned());
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_at_the_ends_are_taken_off() {
        for name in ["amy", " amy", "amy ", "\t amy\u{3000}\r\n", "\u{a0}amy"] {
            assert_eq!(check(name, 3), Ok("amy"), "{name:?}");
        }
        for name in ["", " ", "\u{3000}\t", "amys", "a m y"] {
            assert!(check(name, 3).is_err(), "{name:?}");
        }
        assert_eq!(check("a b", 3), Ok("a b"));
    }

    #[test]
    fn what_cannot_be_seen_is_no_name_and_in_no_name() {
        for c in [
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{2060}',
            '\u{ad}',
            '\u{202e}',
            '\u{2066}',
            '\u{200f}',
            '\u{2800}',
            '\u{feff}',
            '\u{3164}',
            '\u{e0041}',
            '\u{2028}',
            '\u{fdd0}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{10ffff}',
            '\0',
            '\u{7f}',
            '\u{85}',
        ] {
            for name in [c.to_string(), format!("{c}{c}"), format!("a{c}b"), format!("x{c}"), format!("{c}x")]
            {
                // Some are blanks to Unicode.
                assert_eq!(check(&name, 50).is_ok(), name.trim() == "x", "{name:?}");
            }
        }
        for name in ["\u{fe0f}", "\u{fe0f}x", "a \u{fe0f}", "李\u{200d}\u{200d}李", "李\u{200d}"] {
            assert!(check(name, 50).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_belongs_to_a_sign_stays() {
        for name in
            ["👩\u{200d}👩\u{200d}👧\u{200d}👦", "❤\u{fe0f}", "می\u{200c}خواهم", "李小龙", "O'Brien\"\\"]
        {
            assert_eq!(check(name, 50), Ok(name));
        }
    }
}
