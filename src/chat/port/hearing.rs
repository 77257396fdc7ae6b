//! Hearing: whether this core hears what others publish, and since when it has missed nothing.
//!
//! Moments number what happens to that: a channel is joined, the bus is back. What was read of the store at a moment is
//! what a channel goes on from if it was joined by then and was not lost since.

/// Whether this core hears what others publish.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// The bus is lost, or split.
    is_lost: bool,
    /// Nothing has come over it for long.
    is_silent: bool,
    moment: u64,
    /// The moment since which it was not lost.
    since: u64,
}

impl Hearing {
    /// This moment.
    pub(crate) fn moment(&self) -> u64 {
        self.moment
    }

    /// A channel is joined: what is read from now on, it goes on from.
    pub(crate) fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    pub(crate) fn lose(&mut self) {
        (self.is_lost, self.is_silent) = (true, false);
    }

    pub(crate) fn regain(&mut self) {
        (self.is_lost, self.is_silent) = (false, false);
        self.since = self.next_moment();
    }

    /// Others may take this core for dead, and wait for it no more; or that is over.
    pub(crate) fn set_silent(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Whether nothing that was published was missed since what was read at `moment`.
    pub(crate) fn has_all_since(&self, moment: u64) -> bool {
        !self.is_lost && !self.is_silent && moment >= self.since
    }
}
