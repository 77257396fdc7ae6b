//! Which of the cluster's core numbers belong to this server: what tells another core from another server.

use chatd_chat::model::ids::CoreId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const WORDS: usize = (CoreId::MAX as usize + 1) / u64::BITS as usize;

/// The numbers of all cores of one server. Shared by them; no lock.
///
/// A number that changes hands while a message is under way may put that message on the wrong path,
/// and nothing else depends on it.
#[derive(Clone, Debug, Default)]
pub struct LocalCores(Arc<[AtomicU64; WORDS]>);

impl LocalCores {
    /// A core of this server goes by this number.
    pub fn add(&self, core: CoreId) {
        self.word(core).fetch_or(bit(core), Ordering::Relaxed);
    }

    /// It does not any more.
    pub fn remove(&self, core: CoreId) {
        self.word(core).fetch_and(!bit(core), Ordering::Relaxed);
    }

    /// Whether it is one of this server's.
    pub fn has(&self, core: CoreId) -> bool {
        self.word(core).load(Ordering::Relaxed) & bit(core) != 0
    }

    fn word(&self, core: CoreId) -> &AtomicU64 {
        &self.0[usize::from(core.0 & CoreId::MAX) / u64::BITS as usize]
    }
}

fn bit(core: CoreId) -> u64 {
    1 << (u32::from(core.0) % u64::BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_told_from_every_other() {
        let local_cores = LocalCores::default();
        for core in [0, 63, 64, CoreId::MAX] {
            local_cores.clone().add(CoreId(core));
        }
        let found: Vec<u16> = (0..=CoreId::MAX).filter(|&core| local_cores.has(CoreId(core))).collect();
        assert_eq!(found, [0, 63, 64, CoreId::MAX]);
        local_cores.remove(CoreId(64));
        assert!(!local_cores.has(CoreId(64)) && local_cores.has(CoreId(63)));
    }
}
