//! Whether this server is usable, and if not, why: what `/readyz` says.

use crate::bus::BusState;
use crate::observer::Pulse;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says what is wrong with something, if anything is.
pub type Check = Box<dyn Fn() -> Option<&'static str> + Send + Sync>;

/// What is known besides the cores: they are asked.
pub struct Health {
    draining: AtomicBool,
    store: Check,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("draining", &self.draining).finish_non_exhaustive()
    }
}

impl Health {
    /// `store` says what is wrong with the store, from any thread and without waiting.
    pub fn new(store: Check) -> Self {
        Self { draining: AtomicBool::new(false), store }
    }

    /// The server is stopping: not ready from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(super) fn store_trouble(&self) -> Option<&'static str> {
        (self.store)()
    }

    /// Why the server is not ready, in one line; `pulses` of its `cores` are those that answered.
    pub(super) fn trouble(&self, pulses: &[Pulse], cores: usize) -> Option<String> {
        if self.is_draining() {
            return Some("the server is draining".to_owned());
        }
        if let Some(trouble) = self.store_trouble() {
            return Some(trouble.to_owned());
        }
        for core in 0..cores {
            match pulses.iter().find(|pulse| pulse.core == core) {
                None => return Some(format!("core {core} does not answer")),
                Some(Pulse { bus: BusState::Lost, .. }) => {
                    return Some(format!("core {core} has lost the bus"));
                }
                Some(Pulse { bus: BusState::Split, .. }) => {
                    return Some(
                        "the cluster is split: not all servers of its database hear each other".to_owned(),
                    );
                }
                Some(Pulse { bus: BusState::Up, .. }) => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(core: usize, bus: BusState) -> Pulse {
        Pulse { core, bus }
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_said() {
        let health = Health::new(Box::new(|| None));
        let (well, lost) = (pulse(0, BusState::Up), pulse(1, BusState::Lost));
        assert_eq!(health.trouble(&[well], 1), None);
        assert_eq!(health.trouble(&[well], 2).as_deref(), Some("core 1 does not answer"));
        assert_eq!(health.trouble(&[well, lost], 2).as_deref(), Some("core 1 has lost the bus"));
        let split = health.trouble(&[pulse(0, BusState::Split)], 1);
        assert!(split.is_some_and(|trouble| trouble.contains("the cluster is split")));
        let down = Health::new(Box::new(|| Some("the store is down")));
        assert_eq!(down.trouble(&[well], 1).as_deref(), Some("the store is down"));
        down.drain();
        assert_eq!(down.trouble(&[well], 1).as_deref(), Some("the server is draining"));
    }
}
