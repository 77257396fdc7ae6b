//! Words: what a text is found by, the same for every store.
//!
//! A text is folded: compatibility composition (NFKC), without case and without characters that cannot be seen. Then
//! each of its words stands behind a blank. In scripts that put no blanks between words (those of China, Japan, Korea,
//! Thailand, Laos, Cambodia and Burma) a run of letters counts as one word, and is found by any part of it; other words
//! are found by their beginnings.

use crate::names;
use chatd_chat::model::envelope::said::said;
use memchr::memmem::Finder;
use unicode_normalization::char::is_combining_mark;

/// What stands in front of each word.
const BLANK: char = ' ';

/// Appends the words of a message, from the frame that it is pushed as: none if that has no text.
pub fn fold_body(body: &[u8], out: &mut String) {
    let text = said(body);
    if text.len() == body.len() {
        return;
    }
    let begin = out.len();
    if text.is_ascii() {
        fold_ascii(text, out);
    } else if let Ok(text) = std::str::from_utf8(text) {
        fold_text(&unescaped(text), out);
    }
    debug_assert!(out.len() == begin || out[begin..].starts_with(BLANK), "a word stands behind a blank");
}

/// What an encoder escapes is part of no word.
fn unescaped(text: &str) -> String {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        if c == '\\' {
            if chars.next() == Some('u') {
                chars.by_ref().take(4).for_each(drop);
            }
            out.push(BLANK);
        } else {
            out.push(c);
        }
    }
    out
}

/// The same as [`fold_text`] of what is [`unescaped`], in one go.
fn fold_ascii(text: &[u8], out: &mut String) {
    let (mut in_word, mut at) = (false, 0);
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte.is_ascii_alphanumeric() {
            if !in_word {
                out.push(BLANK);
            }
            in_word = true;
            out.push(char::from(byte.to_ascii_lowercase()));
        } else {
            in_word = false;
            if byte == b'\\' {
                at += if text.get(at) == Some(&b'u') { 5 } else { 1 };
            }
        }
    }
}

/// Appends the words of a text.
fn fold_text(text: &str, out: &mut String) {
    let mut before = Part::Gap;
    for c in names::fold_letters(text).chars() {
        let part = Part::of(c, before);
        if part != Part::Gap {
            if part != before {
                out.push(BLANK);
            }
            out.push(c);
        }
        before = part;
    }
}

/// What a character is part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Gap,
    Word,
    /// Of a run of letters between which there are no blanks.
    Dense,
}

impl Part {
    fn of(c: char, before: Self) -> Self {
        if is_dense(c) {
            Part::Dense
        } else if is_combining_mark(c) && before != Part::Gap {
            before
        } else if c.is_alphanumeric() || is_combining_mark(c) {
            Part::Word
        } else {
            Part::Gap
        }
    }
}

/// Whether it is a letter of a script without blanks between words.
fn is_dense(c: char) -> bool {
    let is_in_range = matches!(u32::from(c),
        0x0E01..=0x0EFF // Thai and Lao
        | 0x1000..=0x109F | 0xA9E0..=0xA9FF | 0xAA60..=0xAA7F // Burmese
        | 0x1780..=0x17FF // Khmer
        | 0x1100..=0x11FF | 0xA960..=0xA97F | 0xAC00..=0xD7FF // Hangul
        | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3038..=0x303B
        | 0x3040..=0x30FF | 0x31F0..=0x31FF | 0x1AFF0..=0x1B16F // Hiragana and Katakana
        | 0x3100..=0x312F | 0x31A0..=0x31BF // Bopomofo
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF); // Han
    is_in_range && (c.is_alphanumeric() || is_combining_mark(c))
}

/// What is looked for: all of these words.
pub struct Words {
    /// The longest first: it is the rarest, more likely than not.
    finders: Vec<Finder<'static>>,
}

impl Words {
    /// The words of a question; `None` if it has none.
    pub fn of(question: &str) -> Option<Self> {
        let mut folded = String::new();
        fold_text(question, &mut folded);
        let needle = |word: &str| {
            let is_dense = word.chars().next().is_some_and(is_dense);
            if is_dense { word.to_owned() } else { format!("{BLANK}{word}") }
        };
        let mut needles: Vec<String> = folded.split_whitespace().map(needle).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        let finders: Vec<_> =
            needles.iter().map(|needle| Finder::new(needle.as_bytes()).into_owned()).collect();
        (!finders.is_empty()).then_some(Self { finders })
    }

    /// Whether a text, which is folded, has all of them.
    pub fn are_in(&self, folded: &[u8]) -> bool {
        self.finders.iter().all(|finder| finder.find(folded).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        fold_text(text, &mut out);
        out
    }

    fn finds(question: &str, text: &str) -> bool {
        Words::of(question).is_some_and(|words| words.are_in(folded(text).as_bytes()))
    }

    #[test]
    fn words_are_found_by_their_beginnings_whatever_their_case_width_or_composition() {
        for (question, text) in [
            ("tea", "Tea at four?"),
            ("FOU te", "Tea at four?"),
            ("t", "Tea"),
            ("ｔｅａ", "TEA"),
            ("strasse", "Die Straße"),
            ("cafe\u{301}", "Café"),
            ("don't", "I don't"),
            ("4", "4pm"),
            ("\u{e9}t\u{e9}", "l'E\u{301}TE\u{301}"),
            ("soft", "so\u{ad}ft"),
            ("привет", "ПРИВЕТ, мир"),
            ("हिन्दी", "हिन्दी में"),
        ] {
            assert!(finds(question, text), "{question:?} is in {text:?}: {:?}", folded(text));
        }
        for (question, text) in [
            ("ea", "Tea"),
            ("tea four", "Tea at five"),
            ("teas", "tea"),
            ("cafe", "Café"),
            ("ривет", "привет"),
        ] {
            assert!(!finds(question, text), "{question:?} is not in {text:?}: {:?}", folded(text));
        }
    }

    #[test]
    fn scripts_without_blanks_are_found_anywhere() {
        for (question, text) in [
            ("天", "今天天气很好"),
            ("天气", "今天天气很好"),
            ("氣", "天氣"),
            ("ガ", "ｶﾞﾗｽ"),
            ("らす", "がらす"),
            ("국어", "한국어"),
            ("ไทย", "ภาษาไทย"),
            ("abc漢", "ABC漢字"),
            ("漢字 def", "漢字def"),
            ("漢字def", "def と 漢字"),
            ("ラーメン", "豚骨ラーメン屋"),
        ] {
            assert!(finds(question, text), "{question:?} is in {text:?}: {:?}", folded(text));
        }
        for (question, text) in [("气天", "今天天气很好"), ("字漢", "漢字"), ("天好", "今天天气很好")]
        {
            assert!(!finds(question, text), "{question:?} is not in {text:?}");
        }
    }

    #[test]
    fn a_question_without_a_word_is_none() {
        for question in ["", " ", "?!", "\u{200b}", "—", "\0", "\u{3000}", "🙂"] {
            assert!(Words::of(question).is_none(), "{question:?}");
        }
    }

    #[test]
    fn a_body_is_folded_as_its_text_is() {
        for text in
            ["Tea, at four!", "a\"b\\c", "x\ny\u{1}z", "ÄB\"c", "漢\\字", "\\u0041", "", "trailing\\", "é\n1"]
        {
            let mut body = Vec::new();
            let user = |id| chatd_chat::model::ids::UserId::new(id).unwrap();
            chatd_chat::wire::reply::one_chat(&mut body, user(1), "amy", user(2), text, "t");
            let mut out = String::new();
            fold_body(&body, &mut out);
            assert_eq!(out, folded(text), "{text:?}");
        }
        let mut out = String::new();
        fold_body(br#"{"groupid":1,"msgid":51,"what":"joined"}"#, &mut out);
        assert_eq!(out, "", "a frame without a text has no words");
    }
}
