//! Watched users: who watches whom, and what notices and looks say of them. Newer beats older, whichever comes first.

use super::{LAST_LOOK_AT, LOOKS, LOOKS_IN_ALL, Presence, Suspicion, Watched};
use crate::connection::Walk;
use crate::model::envelope::{Notice, Whereabouts};
use crate::model::ids::{ConnectionId, CoreId, Monotonic, UserId};
use rustc_hash::FxHashMap;

impl Presence {
    /// Watches users for a session. Gives back those that are not known.
    pub(in crate::social) fn watch(&mut self, session: ConnectionId, users: &[UserId]) -> Vec<UserId> {
        let mut unknown = Vec::new();
        for &user in users {
            let watched = self.watched.or_default(user);
            if watched.watchers.is_empty() {
                // A look that was made before may be older than a notice that came meanwhile.
                watched.learned = self.learned;
            }
            watched.watchers.push(session);
            if watched.online.is_none() {
                unknown.push(user);
            }
        }
        unknown
    }

    /// Watches them no more; those that nobody watches are forgotten.
    pub(in crate::social) fn unwatch(&mut self, session: ConnectionId, users: &[UserId]) {
        for user in users {
            let Some(watched) = self.watched.get_mut(*user) else { continue };
            if let Some(at) = watched.watchers.iter().position(|&watcher| watcher == session) {
                watched.watchers.swap_remove(at);
            }
            if watched.watchers.is_empty() {
                self.watched.remove(*user);
                self.unverified.remove(user);
            }
        }
    }

    /// Whether a watched user is online, as far as is known.
    pub(in crate::social) fn is_online(&self, user: UserId) -> bool {
        self.state_of(user) == Some(true)
    }

    /// The same, and `None` while that is being found out.
    pub(in crate::social) fn state_of(&self, user: UserId) -> Option<bool> {
        self.watched.get(user).and_then(|watched| watched.online)
    }

    /// Numbers a look that is about to be made.
    pub(in crate::social) fn begin_query(&self) -> u64 {
        self.learned
    }

    /// From now on these are looked at, a part at a time: whoever of them is not known for sure is looked for.
    pub(super) fn suspect(&mut self, suspicion: Suspicion) {
        let slots = self.watched.slots.len();
        match self.suspicions.iter_mut().find(|(other, _)| suspicion.replaces(*other)) {
            Some((other, walk)) => {
                *other = suspicion;
                walk.begin(slots);
            }
            None => {
                let mut walk = Walk::default();
                walk.begin(slots);
                self.suspicions.push((suspicion, walk));
            }
        }
    }

    /// Looks at so many of those.
    pub(super) fn go_on_suspecting(&mut self, mut slots: usize) {
        let Self { watched, suspicions, unverified, .. } = self;
        while slots > 0
            && let Some((suspicion, walk)) = suspicions.first_mut()
        {
            slots -= 1;
            match walk.next(watched.slots.len()) {
                Some(slot) => {
                    if let Some((user, watched)) = &mut watched.slots[slot]
                        && suspicion.falls_on(watched)
                    {
                        unverified.insert(*user);
                    }
                }
                None => drop(suspicions.remove(0)),
            }
        }
    }

    /// Takes in a notice; whether watchers are to be told.
    pub(super) fn learn(&mut self, core: CoreId, notice: Notice) -> bool {
        self.learned += 1;
        let Notice { user, epoch, whereabouts } = notice;
        let Some(watched) = self.watched.get_mut(user) else { return false };
        let is_late = epoch < watched.epoch;
        if whereabouts == Whereabouts::Elsewhere {
            // Whoever has it tells when it goes; but that core may die, and has told of an older login, or of none.
            if !is_late || watched.holder == Some(core) {
                watched.forget_holder();
                self.unverified.insert(user);
            }
            return false;
        }
        let online = whereabouts == Whereabouts::Here;
        if is_late || (!online && watched.epoch == 0 && watched.online != Some(false)) {
            // It is late, or about a login that this core has not heard of: perhaps not the last one.
            if watched.online != Some(online) {
                self.unverified.insert(user);
                // A look that agrees with what was known may have been too early.
                watched.looks = 0;
                // Nor does it have a later one.
                if watched.holder == Some(core) {
                    watched.holder = None;
                }
            }
            return false;
        }
        (watched.epoch, watched.learned, watched.looks) = (epoch, self.learned, 0);
        watched.holder = online.then_some(core);
        watched.online.replace(online) != Some(online)
    }

    /// Takes in that a look has found a user or not; whether watchers are to be told. `begun` is
    /// what was learned before the look: what was learned since is newer. Looks less than `apart_ms`
    /// apart count once.
    pub(super) fn see(
        &mut self,
        user: UserId,
        online: bool,
        begun: u64,
        now: Monotonic,
        apart_ms: u64,
    ) -> bool {
        // The last look is not one that came by the way, for another reason: those may all meet one slow login.
        let is_last = self.reconciled.is_multiple_of(LAST_LOOK_AT);
        let counted = if is_last { LOOKS_IN_ALL } else { LOOKS };
        let Some(watched) = self.watched.get_mut(user).filter(|watched| watched.learned <= begun) else {
            return false;
        };
        if !online {
            watched.looks = 0;
        } else if watched.looks == 0 || now.since(watched.looked_at) >= apart_ms {
            (watched.looks, watched.looked_at) = (watched.looks.max(counted.min(watched.looks + 1)), now);
        }
        if watched.online != Some(online) {
            watched.holder = None;
        }
        watched.online.replace(online) != Some(online)
    }
}

impl Watched {
    /// It is not known any more who will tell that it goes.
    pub(super) fn forget_holder(&mut self) {
        (self.holder, self.looks) = (None, 0);
    }
}

/// All watched users, in slots that can be walked over.
///
/// Invariant: `at` names each filled slot once, and `free` each other one.
#[derive(Debug, Default)]
pub(super) struct WatchedUsers {
    at: FxHashMap<UserId, u32>,
    slots: Vec<Option<(UserId, Watched)>>,
    free: Vec<u32>,
}

impl WatchedUsers {
    pub(super) fn get(&self, user: UserId) -> Option<&Watched> {
        let slot = self.slots.get(*self.at.get(&user)? as usize)?;
        slot.as_ref().map(|(_, watched)| watched)
    }

    pub(super) fn get_mut(&mut self, user: UserId) -> Option<&mut Watched> {
        let slot = self.slots.get_mut(*self.at.get(&user)? as usize)?;
        slot.as_mut().map(|(_, watched)| watched)
    }

    /// One who is watched from now on, if it was not.
    fn or_default(&mut self, user: UserId) -> &mut Watched {
        let Self { at, slots, free } = self;
        let slot = *at.entry(user).or_insert_with(|| {
            free.pop().unwrap_or_else(|| {
                slots.push(None);
                slots.len() as u32 - 1
            })
        });
        let (_, watched) = slots[slot as usize].get_or_insert_with(|| (user, Watched::default()));
        watched
    }

    fn remove(&mut self, user: UserId) {
        if let Some(slot) = self.at.remove(&user) {
            self.slots[slot as usize] = None;
            self.free.push(slot);
        }
    }
}
