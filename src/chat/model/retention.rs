//! Which messages are stored, by the choice of whoever runs the server.

/// What happens to one-to-one messages that are delivered at once. All others are always stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Retention {
    /// They are stored too: the history has everything.
    #[default]
    All,
    /// One whose reader confirmed it in time needs no row: the history has gaps, and says so.
    Undelivered,
}
