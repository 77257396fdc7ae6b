//! The words of an argument: names that may stand in quotes, places, and how long something holds.

use chatd_client::{Joining, Role};
use std::time::Duration;

/// How long something is to hold, as it is typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Term {
    /// For so long.
    For(Duration),
    /// Until the clock shows this hour and minute.
    At(i8, i8),
    /// For ever.
    Ever,
}

/// Longest term, in days: beyond it, whoever types it means for ever.
const DAYS: u64 = 36_500;

/// `30m`, `2h`, `7d`, `2w`, `14:30`, `ever`.
pub fn term(text: &str) -> Option<Term> {
    if matches!(text, "ever" | "forever") {
        return Some(Term::Ever);
    }
    let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some((hour, minute)) = text.split_once(':') {
        let (hour, minute): (u64, u64) = (number(hour)?, number(minute)?);
        let shown = hour < 24 && minute < 60;
        return Some(Term::At(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?)).filter(|_| shown);
    }
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let seconds =
        number(count)?.checked_mul(seconds).filter(|seconds| (1..=DAYS * 86_400).contains(seconds))?;
    Some(Term::For(Duration::from_secs(seconds)))
}

/// A role's name.
pub fn role(text: &str) -> Option<Role> {
    match text {
        "owner" => Some(Role::Owner),
        "admin" => Some(Role::Admin),
        "normal" => Some(Role::Normal),
        _ => None,
    }
}

/// How a group is joined.
pub fn joining(text: &str) -> Option<Joining> {
    match text {
        "open" => Some(Joining::Open),
        "ask" => Some(Joining::Ask),
        "closed" => Some(Joining::Closed),
        _ => None,
    }
}

/// The first word, and the rest without the blanks before it. What is in quotes is one word; a quote in it is written twice.
pub fn first(text: &str) -> (&str, &str) {
    let text = text.trim();
    let quoted_from = if text.starts_with("#\"") { 1 } else { 0 };
    let end = if text[quoted_from..].starts_with('"') {
        closing(&text[quoted_from + 1..]).map(|end| quoted_from + 1 + end + 1)
    } else {
        None
    };
    let end = end.or_else(|| text.find(char::is_whitespace)).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Where the quote is that closes: one that stands alone, with a blank or nothing behind it.
fn closing(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text[at..].find('"')?;
        match text[at + 1..].chars().next() {
            Some('"') => at += 2,
            None => return Some(at),
            Some(c) if c.is_whitespace() => return Some(at),
            Some(_) => return None,
        }
    }
}

/// The last word, if it means something, and what is before it. Names may have blanks in them.
pub fn last<T>(text: &str, means: impl Fn(&str) -> Option<T>) -> Option<(&str, T)> {
    let (before, word) = text.trim().rsplit_once(char::is_whitespace)?;
    Some((before.trim_end(), means(word)?))
}

/// A group before the rest: `#tea` or `#"tea room"`.
pub fn group(text: &str) -> (Option<&str>, &str) {
    match text.trim() {
        text if text.starts_with('#') => {
            let (group, rest) = first(text);
            (Some(group), rest)
        }
        text => (None, text),
    }
}

/// A place before the rest: a number, or a dot for the last one there is.
pub fn place(text: &str) -> (Option<u64>, &str) {
    let (word, rest) = first(text);
    match word {
        "." => (None, rest),
        _ => match word.parse() {
            Ok(pos) => (Some(pos), rest),
            Err(_) => (None, text.trim()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_typed_as_people_say_them() {
        let seconds = |seconds| Some(Term::For(Duration::from_secs(seconds)));
        for (text, meant) in [
            ("30m", seconds(1_800)),
            ("2h", seconds(7_200)),
            ("7d", seconds(604_800)),
            ("1w", seconds(604_800)),
            ("14:30", Some(Term::At(14, 30))),
            ("0:05", Some(Term::At(0, 5))),
            ("ever", Some(Term::Ever)),
            ("forever", Some(Term::Ever)),
        ] {
            assert_eq!(term(text), meant, "{text}");
        }
        for text in [
            "",
            "m",
            "0m",
            "-1h",
            "+1h",
            "2",
            "2x",
            "24:00",
            "1:60",
            "99999999999999999999d",
            "9999999d",
            "é",
            "2é",
        ] {
            assert_eq!(term(text), None, "{text}");
        }
    }

    #[test]
    fn names_may_stand_in_quotes() {
        for (text, word, rest) in [
            ("ben hello you", "ben", "hello you"),
            ("  ben  ", "ben", ""),
            ("\"amy lee\" hi", "\"amy lee\"", "hi"),
            ("\"a\"\"b c\" hi", "\"a\"\"b c\"", "hi"),
            ("\"open end", "\"open", "end"),
            ("\"a\"b c", "\"a\"b", "c"),
            ("#\"tea room\" ben", "#\"tea room\"", "ben"),
            ("", "", ""),
        ] {
            assert_eq!(first(text), (word, rest), "{text}");
        }
        assert_eq!(group("#tea ben"), (Some("#tea"), "ben"));
        assert_eq!(group("ben"), (None, "ben"));
        assert_eq!(last("amy lee 2h", term), Some(("amy lee", Term::For(Duration::from_secs(7_200)))));
        assert_eq!((last("amy lee", term), last("2h", term)), (None, None));
    }

    #[test]
    fn places_are_numbers_and_a_dot_is_the_last_one() {
        assert_eq!(place("12 hello"), (Some(12), "hello"));
        assert_eq!(place(". 12 apples"), (None, "12 apples"));
        assert_eq!(place("hello 12"), (None, "hello 12"));
        assert_eq!((place("12"), place("")), ((Some(12), ""), (None, "")));
    }
}
