//! Who may ask: whoever has a token, or may open the socket.

use std::fmt;
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};

/// Bytes of a token at least.
const TOKEN_BYTES: usize = 20;
/// Bytes of a token at most, and of its name.
const MOST_BYTES: usize = 256;

/// The tokens that are good, each with a name for the log. Never printed. Of several clones each has what any was given.
#[derive(Clone, Default)]
pub struct Tokens(Arc<RwLock<Named>>);

/// Tokens by their names.
type Named = Vec<(String, String)>;

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} of them)", self.count())
    }
}

/// Why a text has no tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoTokens {
    /// There is none in it.
    Empty,
    /// The one in this line is too short, too long, or has characters that no header carries.
    Bad(usize),
}

impl fmt::Display for NoTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoTokens::Empty => f.write_str("it has no token: one a line, with a name before it or without"),
            NoTokens::Bad(line) => write!(
                f,
                "line {line}: a token has {TOKEN_BYTES} to {MOST_BYTES} characters of ASCII and no blanks, and one \
                 word before it at most, its name"
            ),
        }
    }
}

impl Tokens {
    /// Reads them: one a line, `TOKEN` or `NAME TOKEN`. Empty lines and those that begin with `#` do not count.
    ///
    /// # Errors
    /// If there is none, or one that can be guessed.
    pub fn read(text: &str) -> Result<Self, NoTokens> {
        let mut tokens = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, token) = match line.split_whitespace().collect::<Vec<_>>()[..] {
                [token] => (number.to_string(), token),
                [name, token] if name.len() <= MOST_BYTES => (name.to_owned(), token),
                _ => return Err(NoTokens::Bad(number)),
            };
            let is_good = (TOKEN_BYTES..=MOST_BYTES).contains(&token.len());
            if !is_good || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(NoTokens::Bad(number));
            }
            tokens.push((name, token.to_owned()));
        }
        if tokens.is_empty() { Err(NoTokens::Empty) } else { Ok(Self(Arc::new(RwLock::new(tokens)))) }
    }

    /// Those of `others` are good from now on, and no others: what is asked for next needs one of them.
    pub fn replace(&self, others: &Self) {
        let others = others.with(Clone::clone);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = others;
    }

    /// How many there are. None: then nobody may ask.
    pub fn count(&self) -> usize {
        self.with(Vec::len)
    }

    /// The name of a token that is good. How long that takes tells nothing of the tokens but how long they are.
    pub(super) fn name_of(&self, said: &[u8]) -> Option<String> {
        self.with(|named| {
            let mut found = None;
            for (name, token) in named {
                if is_same(said, token.as_bytes()) {
                    found = Some(name.clone());
                }
            }
            found
        })
    }

    fn with<T>(&self, look: impl FnOnce(&Named) -> T) -> T {
        // Whoever has failed over them has left them whole.
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether both are the same, in a time that depends on `token`'s length alone.
fn is_same(said: &[u8], token: &[u8]) -> bool {
    let mut differs = u8::from(said.len() != token.len());
    for (at, byte) in token.iter().enumerate() {
        differs |= black_box(byte ^ said.get(at).unwrap_or(&0));
    }
    black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_all_of_it() {
        let text = "# ours\n\nshop 0123456789abcdefghij\n  9876543210abcdefghij  \n";
        let tokens = Tokens::read(text).expect("two tokens");
        assert_eq!(tokens.name_of(b"0123456789abcdefghij").as_deref(), Some("shop"));
        assert_eq!(tokens.name_of(b"9876543210abcdefghij").as_deref(), Some("4"));
        for other in ["", "0123456789abcdefghi", "0123456789abcdefghij0", "0123456789abcdefghiJ", "shop"] {
            assert_eq!(tokens.name_of(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(format!("{tokens:?}"), "Tokens(2 of them)");
    }

    #[test]
    fn each_clone_has_what_any_was_given() {
        let tokens = Tokens::read("shop 0123456789abcdefghij").expect("a token");
        let other = tokens.clone();
        tokens.replace(&Tokens::read("till 9876543210abcdefghij").expect("a token"));
        assert_eq!(other.name_of(b"0123456789abcdefghij"), None);
        assert_eq!(other.name_of(b"9876543210abcdefghij").as_deref(), Some("till"));
    }

    #[test]
    fn what_can_be_guessed_is_no_token() {
        assert_eq!(Tokens::read("\n# none\n").err(), Some(NoTokens::Empty));
        assert_eq!(Tokens::read("short").err(), Some(NoTokens::Bad(1)));
        assert_eq!(Tokens::read("\na b 0123456789abcdefghij").err(), Some(NoTokens::Bad(2)));
        assert_eq!(Tokens::read("0123456789abcdefgh\u{e9}j").err(), Some(NoTokens::Bad(1)));
    }
}
