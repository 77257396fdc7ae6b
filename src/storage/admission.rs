//! Users whom another application vouches for: what every store is told of them, and what they are called here.

use crate::token::password_print;
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::name;
use chatd_chat::model::token::TokenId;
use chatd_chat::port::store::{Admitted, StoreReply, Verified};
use sha2::{Digest, Sha256};
use std::iter;

/// Whom an application vouches for, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admission {
    /// What the application calls the user: unique, whatever the user is called here.
    pub external: String,
    /// What the user is called, if the application says so.
    pub name: Option<String>,
    /// Until when its word is good, by the wall clock; `None` if it was asked about a password, which does not end.
    pub expires: Option<Millis>,
    /// The session that goes on with it, and its token; `None` for a login.
    pub renews: Option<(UserId, Option<TokenId>)>,
}

/// What a user is called of whom nothing is known any more, with something at its end where that is taken.
pub const ERASED: &str = "erased";

impl Admission {
    /// What is answered to whoever is let in as this user. Who came with a password comes in as with one of this server: a
    /// user of an application has none, and that can change.
    pub fn let_in(&self, user: UserId, name: String) -> StoreReply {
        match self.expires {
            Some(expires) => StoreReply::Admitted(Admitted { user, name, expires }),
            None => StoreReply::Verified(Verified { user, name, print: password_print("") }),
        }
    }
}

/// Names with a number at their end that are tried before one that nobody has thought of.
const NUMBERED: u32 = 20;

/// What a new user may be called, the best first: what the application says, or `user`, and the same with something at
/// its end. The last one is nobody's, as far as 64 bits of a hash go.
pub fn names(external: &str, name: Option<&str>, limits: &Limits) -> impl Iterator<Item = String> {
    let most = limits.name_chars;
    let name = name.and_then(|name| name::check(name, most).ok()).unwrap_or("user").to_owned();
    let hash = Sha256::digest(external.as_bytes());
    let unique: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let suffixes = (2..=NUMBERED).map(|number| number.to_string()).chain(iter::once(unique));
    let with = {
        let name = name.clone();
        move |suffix: String| {
            let room = most.saturating_sub(suffix.chars().count() + 1);
            let base: String = name.chars().take(room).collect();
            format!("{}-{suffix}", base.trim_end())
        }
    };
    iter::once(name).chain(suffixes.map(with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_application_says_or_the_same_with_a_suffix() {
        let limits = Limits { name_chars: 8, ..Limits::default() };
        let told: Vec<String> = names("u-1", Some(" Amelia "), &limits).collect();
        assert_eq!(told[..3], ["Amelia", "Amelia-2", "Amelia-3"]);
        assert_eq!(told[9], "Ameli-10");
        assert!(told.iter().take(20).all(|name| name.chars().count() <= 8), "{told:?}");
        for bad in [None, Some(""), Some("  "), Some("a\u{202e}b"), Some("much too long a name")] {
            assert_eq!(names("u-1", bad, &limits).next().as_deref(), Some("user"), "{bad:?}");
        }
        assert_ne!(names("u-1", None, &limits).last(), names("u-2", None, &limits).last());
    }
}
