//! Who may register, as whoever runs the server chose.

use super::source::Source;
use std::fmt;
use std::sync::Arc;

/// What the addresses of a machine for itself begin with: 127.0.0.0/8.
const LOOPBACK: u32 = 127;

/// By what somebody new is let in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Registration {
    /// Everybody may.
    #[default]
    Open,
    /// Whoever connects from this machine, or through a proxy on it that says nothing else.
    Here,
    /// Whoever has an invitation.
    Invited(Invitations),
    /// Nobody: users are made otherwise.
    Closed,
}

/// Texts of which each lets people register. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitations(Arc<[Box<str>]>);

impl fmt::Debug for Invitations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitations({})", self.0.len())
    }
}

impl Invitations {
    /// Those of a file: one a line, without what is empty or begins with `#`.
    pub fn of_lines(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(Into::into).collect())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|text| &**text)
    }

    /// Whether this is one of them. How long that takes tells how many there are and how long they are, and no more.
    fn has(&self, text: &str) -> bool {
        let differs = |one: &str| {
            let bytes = one.bytes().zip(text.bytes());
            bytes.fold(u8::from(one.len() != text.len()), |differs, (a, b)| differs | (a ^ b))
        };
        self.0.iter().fold(false, |has, one| has | (differs(one) == 0))
    }
}

impl Registration {
    /// Whether somebody may register who comes from there, with this invitation.
    pub(crate) fn admits(&self, from: Source, invitation: Option<&str>) -> bool {
        match self {
            Registration::Open => true,
            Registration::Here => match from {
                Source::Proxy => true,
                Source::V4(address) => address >> 24 == LOOPBACK,
                Source::V6(_) => false,
            },
            Registration::Invited(invitations) => invitation.is_some_and(|text| invitations.has(text)),
            Registration::Closed => false,
        }
    }

    /// What whoever may not is told.
    pub(crate) fn refusal(&self) -> &'static str {
        match self {
            Registration::Invited(_) => "this server takes nobody without an invitation: token",
            Registration::Open | Registration::Here | Registration::Closed => {
                "nobody can register here: ask whoever runs this server"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_register_is_as_it_was_chosen() {
        let invited = Invitations::of_lines("# ours\n\nspring-2026-harbour\n  autumn \n");
        assert_eq!(invited.iter().collect::<Vec<_>>(), ["spring-2026-harbour", "autumn"]);
        let invited = Registration::Invited(invited);
        let far = Source::V4(1);
        for (policy, from, invitation, may) in [
            (&Registration::Open, far, None, true),
            (&Registration::Here, Source::Proxy, None, true),
            (&Registration::Here, Source::V4(0x7f00_0009), None, true),
            (&Registration::Here, far, None, false),
            (&Registration::Here, Source::V6(0), Some("spring-2026-harbour"), false),
            (&Registration::Closed, Source::Proxy, Some("spring-2026-harbour"), false),
            (&invited, far, Some("spring-2026-harbour"), true),
            (&invited, far, Some("autumn"), true),
            (&invited, far, Some("autumnal"), false),
            (&invited, far, Some("autum"), false),
            (&invited, far, Some(""), false),
            (&invited, Source::Proxy, None, false),
        ] {
            assert_eq!(policy.admits(from, invitation), may, "{policy:?} {from:?} {invitation:?}");
        }
        assert!(!format!("{invited:?}").contains("spring"));
    }
}
