//! Devices: tokens with a name, and the read markers that a user's devices share.

use super::ids::Millis;
use super::token::TokenId;
use std::fmt;

/// A device of a user: one of its tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// The token's name, which is no secret.
    pub token: TokenId,
    /// What the device calls itself; empty if it has not said.
    pub name: String,
    /// When the token was made; 0 if that was before it was noted down.
    pub created: Millis,
    /// When it was last used to log in.
    pub used: Millis,
    /// By what it is reached while it is away, if its application has said so. No client is told.
    pub push: Option<PushToken>,
}

/// A read marker after a request to move it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marker {
    /// The place up to which the user has read.
    pub pos: u64,
    /// Whether the request moved it.
    pub moved: bool,
}

/// By what a push service reaches a device.
#[derive(Clone, PartialEq, Eq)]
pub struct PushToken {
    /// Of which service, as the application calls it: 1 to `push_kind_chars` characters.
    pub kind: Box<str>,
    /// Opaque, 1 to `push_token_bytes` bytes. Whoever has it may be able to disturb the user.
    pub token: Box<str>,
}

impl fmt::Debug for PushToken {
    /// Never the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushToken").field("kind", &self.kind).finish()
    }
}
