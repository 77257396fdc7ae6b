//! Devices: tokens with a name, and the read markers that a user's devices share.

use super::ids::Millis;
use super::token::TokenId;

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
}

/// A read marker after a request to move it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marker {
    /// The place up to which the user has read.
    pub pos: u64,
    /// Whether the request moved it.
    pub moved: bool,
}
