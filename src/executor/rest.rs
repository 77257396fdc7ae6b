//! Which cores of this server have nothing left to do: a core that stops waits for the others, which
//! may still need it as the home of their channels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One flag a core; each core writes its own.
#[derive(Clone, Debug)]
pub(super) struct AtRest(Arc<[AtomicBool]>);

impl AtRest {
    /// Nobody of so many is at rest yet.
    pub(super) fn new(cores: usize) -> Self {
        Self((0..cores).map(|_| AtomicBool::new(false)).collect())
    }

    /// Whether this core is; whether all of them are.
    pub(super) fn tell(&self, core: usize, is_idle: bool) -> bool {
        self.0[core].store(is_idle, Ordering::SeqCst);
        self.0.iter().all(|core| core.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_at_rest_when_each_is() {
        let rest = AtRest::new(2);
        assert!(!rest.tell(0, true));
        assert!(!rest.tell(0, false));
        assert!(!rest.tell(1, true), "one has found something to do");
        assert!(rest.tell(0, true));
    }
}
