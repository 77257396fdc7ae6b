//! Names: which of them are one name.
//!
//! A name is kept as it was written and compared by its folded form: without blanks at its ends and
//! characters that cannot be seen, several blanks as one, in compatibility composition (NFKC), without case. So names
//! that differ only in case, width, composition or blanks that nobody counts are one. What may be a name is for the
//! core to say.

use caseless::default_case_fold_str;
use tracing::warn;
use unicode_normalization::UnicodeNormalization;

/// Characters of a name that are looked at: no name that is stored has as many.
const CHARS_MOST: usize = 255;

/// What two names have in common if they are one.
pub fn fold(name: &str) -> String {
    let seen: String =
        name.trim().chars().filter(|&c| !chatd_chat::model::name::is_invisible(c)).take(CHARS_MOST).collect();
    // Whatever kind of blank it is, and however many of them: a page shows one.
    compose(&seen).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What two texts have in common that differ only in case, width, composition and characters that cannot be seen.
pub fn fold_letters(text: &str) -> String {
    // Some that cannot be seen end a word all the same.
    let ends_a_word = |c| matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2800}');
    let seen = text.chars().map(|c| if ends_a_word(c) { ' ' } else { c });
    compose(&seen.filter(|&c| !chatd_chat::model::name::is_invisible(c)).collect::<String>())
}

fn compose(seen: &str) -> String {
    let composed: String = seen.nfkc().collect();
    // Folding may undo a composition, and composing may bring a letter that has a case.
    let folded: String = default_case_fold_str(&composed).nfkc().collect();
    default_case_fold_str(&folded).nfkc().collect()
}

/// The folded form of one whose folded form belongs to another that was there before: no name's.
pub fn clashing(id: u32) -> String {
    format!("\0{id}")
}

/// Two that were there before names were folded, and have the same folded form: the older one, and another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clash {
    /// Users, by their ids.
    Users(u32, u32),
    /// Groups, by their ids.
    Groups(u32, u32),
}

impl Clash {
    /// Says so, to whoever runs the server: their ids, never their names.
    pub fn report(self) {
        let (what, older, other) = match self {
            Self::Users(older, other) => ("users", older, other),
            Self::Groups(older, other) => ("groups", older, other),
        };
        warn!(
            "the names of {what} {older} and {other} are one now, but for case, width or composition: \
             {older} is found by it in any form, {other} as it is written"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_width_and_composition_make_no_difference() {
        for same in [
            &["amy", "Amy", "AMY", " amy ", "ａｍｙ", "ＡＭＹ", "a\u{200d}my", "\u{feff}amy", "amy\u{3000}"]
                [..],
            &["\u{e9}", "e\u{301}", "\u{c9}", "E\u{301}"],
            &["straße", "STRASSE", "Straſse", "STRAẞE"],
            &["Ω", "ω", "\u{2126}"],
            &["ﬁsh", "fish", "FISH"],
            &["①", "1"],
            &["ｶﾞ", "ガ", "カ\u{3099}"],
            &["한", "\u{1112}\u{1161}\u{11ab}"],
            &["Ǆ", "ǆ", "ǅ", "DŽ"],
            &["ΑΣ", "ας", "ασ"],
            &["👩\u{200d}👩\u{200d}👧", "👩👩👧"],
            &["am y", "am  y", "am \u{200b} y", "am\u{2003}\u{a0}y", "am\u{1680}y", "AM\u{3000} Y"],
        ] {
            for name in same {
                assert_eq!(fold(name), fold(same[0]), "{name:?} and {:?}", same[0]);
                assert_eq!(fold(&fold(name)), fold(name), "{name:?}: folding is done");
            }
        }
        let different =
            ["amy", "ami", "am y", "ämy", "李小龙", "李小龍", "аmy", "1", "I", "ı", "", "\0", "\0 7"];
        let mut folded = different.map(fold).to_vec();
        folded.sort_unstable();
        folded.dedup();
        assert_eq!(folded.len(), different.len());
    }

    /// MySQL has 2,048 bytes for it, and an index.
    #[test]
    fn no_name_has_a_long_folded_form() {
        let longest = ('\0'..=char::MAX).map(|c| fold(c.encode_utf8(&mut [0; 4])).len()).max();
        assert!(longest.is_some_and(|longest| longest * 50 <= 2_048), "{longest:?}");
    }

    #[test]
    fn a_clash_is_nobodys_name() {
        assert_ne!(clashing(7), clashing(8));
        assert!(clashing(7).starts_with('\0'));
    }
}
