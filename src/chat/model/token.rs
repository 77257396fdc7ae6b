//! Passwords and tokens: secrets in clear text, which are never printed, and the names of tokens.

use super::ids::Millis;
use std::fmt;

/// A password in clear text on its way to the hashing pool. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// A session's token in clear text: whoever has it is the user. Never printed, stored as a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Box<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Names a token without being it: safe to compare, to publish and to print.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TokenId(pub u64);

/// Tells one stored password from every other, without being it: a new password has another print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasswordPrint(pub u64);

/// What a login was proven by. Between the proof and the login's effect there are queues, so the store looks at it
/// again when the login takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The password that was compared.
    Password(PasswordPrint),
    /// The token that was found.
    Token(TokenId),
    /// Another application's word, which is good until then.
    Application(Millis),
}

impl Proof {
    /// The token that it is, if it is one.
    pub fn token(self) -> Option<TokenId> {
        match self {
            Proof::Token(token) => Some(token),
            Proof::Password(_) | Proof::Application(_) => None,
        }
    }

    /// Until when it is good, if that is known.
    pub fn expires(self) -> Option<Millis> {
        match self {
            Proof::Application(expires) => Some(expires),
            Proof::Password(_) | Proof::Token(_) => None,
        }
    }
}

/// A token as its user gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Its name.
    pub id: TokenId,
    /// Its text.
    pub secret: Secret,
}
