//! What a token is: 256 random bits as text, which only its user has, and what is stored of it.
//!
//! Never keeps a token's text and never prints one. Which tokens there are, the stores know.

use crate::chat::ask::{Secret, Token, TokenId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET_BYTES: usize = 32;
const DAY_US: u64 = 86_400_000_000;

/// What is stored of a token: enough to know it again, and not enough to be it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Print {
    /// The token's name: the beginning of `hash`, as a number that SQL can hold.
    pub id: TokenId,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
}

/// Makes a token.
pub fn make() -> (Token, Print) {
    let mut random = [0; SECRET_BYTES];
    let mut filled = 0;
    while filled < SECRET_BYTES {
        // So few bytes are given whole, once the machine has any; a signal may come before that.
        let given = rustix::rand::getrandom(&mut random[filled..], rustix::rand::GetRandomFlags::empty());
        filled += given.unwrap_or(0);
    }
    let secret = Secret(URL_SAFE_NO_PAD.encode(random).into());
    let print = print_of(&secret);
    (Token { id: print.id, secret }, print)
}

/// What is stored of the token with this text, if there is one.
pub fn print_of(secret: &Secret) -> Print {
    let hash: [u8; 32] = Sha256::digest(secret.0.as_bytes()).into();
    let beginning = u64::from_le_bytes(hash[..8].try_into().expect("eight bytes"));
    Print { id: TokenId(beginning >> 1), hash }
}

/// Times at which tokens are used, in microseconds since the Unix epoch: each is later than the one
/// before, whatever the clock does.
#[derive(Debug, Default)]
pub struct Uses {
    last: u64,
}

impl Uses {
    /// Now.
    pub fn next(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last = u64::try_from(now.as_micros()).unwrap_or(u64::MAX >> 1).max(self.last + 1);
        self.last
    }
}

/// The last use that is too long ago at `now`, if tokens are good for `days`.
pub fn stale_at(now: u64, days: u64) -> u64 {
    now.saturating_sub(days.saturating_mul(DAY_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_different_and_have_256_bits() {
        let ((one, print), (other, _)) = (make(), make());
        assert_ne!(one.secret, other.secret);
        assert_ne!(one.id, other.id);
        assert_eq!(URL_SAFE_NO_PAD.decode(&*one.secret.0).unwrap().len(), 32);
        assert_eq!(print_of(&one.secret), print);
        assert!(i64::try_from(print.id.0).is_ok());
        assert!(!format!("{one:?} {print:?}").contains(&*one.secret.0));
    }

    #[test]
    fn a_print_is_the_sha_256_of_the_text() {
        let print = print_of(&Secret("abc".into()));
        let hex: String = print.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn uses_only_grow() {
        let mut uses = Uses { last: u64::MAX >> 2 };
        assert!(uses.next() > u64::MAX >> 2);
        let last = uses.next();
        assert!(uses.next() > last);
        assert_eq!(stale_at(last, 0), last);
        assert_eq!(stale_at(5 * DAY_US, 2), 3 * DAY_US);
        assert_eq!(stale_at(5 * DAY_US, u64::MAX), 0);
    }
}
