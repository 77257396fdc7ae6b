//! What a token is: 256 random bits as text, which only its user has, and what is stored of it.
//!
//! Never keeps a token's text and never prints one. Which tokens there are, the stores know.

use super::expiry;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatd_chat::model::ids::Millis;
use chatd_chat::model::token::{PasswordPrint, Secret, Token, TokenId};
use chatd_chat::port::store::StoreReply;
use sha2::{Digest, Sha256};

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

/// The reply that tells of a token, which is in the place of another or not.
pub fn issued(token: Token, before: Option<TokenId>) -> StoreReply {
    match before {
        None => StoreReply::Issued(token),
        Some(before) => StoreReply::Reissued(token, before),
    }
}

/// What is stored of the token with this text, if there is one.
pub fn print_of(secret: &Secret) -> Print {
    let hash: [u8; 32] = Sha256::digest(secret.0.as_bytes()).into();
    let beginning = u64::from_le_bytes(hash[..8].try_into().expect("eight bytes"));
    Print { id: TokenId(beginning >> 1), hash }
}

/// The print of a stored password: the beginning of the SHA-256 of its PHC string, which has a salt.
pub fn password_print(phc: &str) -> PasswordPrint {
    let hash: [u8; 32] = Sha256::digest(phc.as_bytes()).into();
    PasswordPrint(u64::from_le_bytes(hash[..8].try_into().expect("eight bytes")))
}

/// Times at which tokens are used, in microseconds since the Unix epoch: each is later than the one
/// before, unless somebody has set the clock back by more than [`NEAR_US`].
#[derive(Debug, Default)]
pub struct Uses {
    last: u64,
}

/// Two uses that seem to be so close together and in the wrong order were in the right one.
const NEAR_US: u64 = 1_000_000;

impl Uses {
    /// Now.
    pub fn next(&mut self) -> u64 {
        self.after(expiry::used_us())
    }

    fn after(&mut self, now: u64) -> u64 {
        // A time that was far ahead for a moment is not carried on: it would outlive the moment.
        let near = (now..now.saturating_add(NEAR_US)).contains(&self.last);
        self.last = if near { self.last + 1 } else { now };
        self.last
    }
}

/// Whether that is over, by the wall clock.
pub fn has_expired(expires: Option<Millis>) -> bool {
    expires.is_some_and(|expires| expires.0 <= expiry::judged_us() / 1_000)
}

/// The last use that is too long ago now, if tokens are good for `days`.
pub fn stale_at(days: u64) -> u64 {
    days_before(expiry::judged_us(), days)
}

fn days_before(now: u64, days: u64) -> u64 {
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
    fn uses_grow_and_do_not_outrun_the_clock() {
        let mut uses = Uses::default();
        let (first, second) = (uses.next(), uses.next());
        assert!(first < second);
        let now = 50 * DAY_US;
        let times = [now, now, now - 1, now + 1, now + 40 * DAY_US, now + 2].map(|now| uses.after(now));
        // The last one: 40 days ahead for a moment are over when they are.
        assert_eq!(times, [now, now + 1, now + 2, now + 3, now + 40 * DAY_US, now + 2]);
        assert_eq!(days_before(now, 0), now);
        assert_eq!(days_before(5 * DAY_US, 2), 3 * DAY_US);
        assert_eq!(days_before(5 * DAY_US, u64::MAX), 0);
    }
}
