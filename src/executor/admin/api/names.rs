//! Who is who: what was found of accounts lately, so that whoever sends a message is not looked up each time.

use chatd_chat::model::act::{AccountName, Actor};
use rustc_hash::FxHashMap;
use std::time::{Duration, Instant};

/// Accounts that are known at most; beyond that all are forgotten.
const KNOWN: usize = 16_384;
/// How long what was found is believed: another server may have made an account worthless meanwhile.
const BELIEVED: Duration = Duration::from_secs(30);

/// Accounts that were found lately.
#[derive(Debug, Default)]
pub(super) struct Names(FxHashMap<AccountName, (Actor, Instant)>);

impl Names {
    pub(super) fn get(&self, name: &AccountName, now: Instant) -> Option<Actor> {
        let (actor, until) = self.0.get(name)?;
        (now < *until).then(|| actor.clone())
    }

    pub(super) fn learn(&mut self, name: AccountName, actor: Actor, now: Instant) {
        if self.0.len() >= KNOWN {
            self.0.clear();
        }
        self.0.insert(name, (actor, now + BELIEVED));
    }

    /// Something was done that may have made an account worthless.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
