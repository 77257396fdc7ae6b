//! A password: in memory only, never shown, overwritten when it is dropped.

use std::fmt;
use zeroize::Zeroizing;

/// A password. Its memory is overwritten when it is dropped; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// What was typed. There is no other way to get at it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }
}

impl From<&str> for Secret {
    fn from(typed: &str) -> Self {
        Self(Zeroizing::new(typed.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
