//! Refusals: what a user does not want to hear, as each of its connections knows it. Most users want everything, and cost a
//! pointer.

use super::Connection;
use crate::model::consent::{Settings, WhoWrites};
use crate::model::envelope::{Envelope, Kind};
use crate::model::ids::UserId;
use rustc_hash::FxHashSet;

/// What a user does not want to hear, and not to tell.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// Whose direct messages it refuses, and who learns nothing of it.
    blocked: FxHashSet<UserId>,
    writers: Writers,
    /// Whether nobody is told how far it has read.
    keeps_receipts: bool,
}

/// Whose direct messages a user takes, but for those whom it blocks.
#[derive(Debug, Default)]
enum Writers {
    #[default]
    Everybody,
    Friends(FxHashSet<UserId>),
    Nobody,
}

impl Writers {
    fn take(&self, sender: UserId) -> bool {
        match self {
            Writers::Everybody => true,
            Writers::Friends(friends) => friends.contains(&sender),
            Writers::Nobody => false,
        }
    }
}

impl Connection {
    /// Whether its user blocks this one.
    pub(crate) fn refuses_from(&self, user: UserId) -> bool {
        self.refusals.get().is_some_and(|refusals| refusals.blocked.contains(&user))
    }

    /// Whom its user blocks, by id.
    pub(crate) fn blocked(&self) -> Vec<UserId> {
        let blocked = self.refusals.get().into_iter().flat_map(|refusals| &refusals.blocked);
        let mut blocked: Vec<UserId> = blocked.copied().collect();
        blocked.sort_unstable();
        blocked
    }

    /// Whether a stored message is not for its user: that one blocks its sender.
    pub(crate) fn refuses(&self, envelope: &Envelope) -> bool {
        let refuses = |refusals: &Refusals| {
            envelope.kind() == Kind::Direct && refusals.blocked.contains(&envelope.sender())
        };
        self.refusals.get().is_some_and(refuses)
    }

    /// Whether a message that nobody has stored yet is not for its user. What the store took is, whatever the user has chosen
    /// since.
    pub(crate) fn declines(&self, envelope: &Envelope) -> bool {
        let declines = |refusals: &Refusals| {
            let sender = envelope.sender();
            envelope.kind() == Kind::Direct
                && self.user() != Some(sender)
                && (refusals.blocked.contains(&sender) || !refusals.writers.take(sender))
        };
        self.refusals.get().is_some_and(declines)
    }

    /// Whether its user takes what this one says to it.
    pub(crate) fn takes_from(&self, sender: UserId) -> bool {
        let takes =
            |refusals: &Refusals| !refusals.blocked.contains(&sender) && refusals.writers.take(sender);
        self.refusals.get().is_none_or(|refusals| self.user() == Some(sender) || takes(refusals))
    }

    /// Whether its user tells this one how far it has read.
    pub(crate) fn tells_what_it_read(&self, user: UserId) -> bool {
        let tells = |refusals: &Refusals| !refusals.keeps_receipts && !refusals.blocked.contains(&user);
        self.refusals.get().is_none_or(tells)
    }

    /// Its user is known from now on to block these, to have chosen this, and to have these friends; whether that may keep out
    /// what came before.
    pub(crate) fn set_refusals(
        &mut self,
        blocked: &[UserId],
        settings: Settings,
        friends: &[UserId],
    ) -> bool {
        self.refusals.take();
        if !blocked.is_empty() {
            self.refusals.or_default().blocked = blocked.iter().copied().collect();
        }
        self.choose(settings, friends)
    }

    /// What its user has chosen.
    pub(crate) fn chosen(&self) -> Settings {
        let Some(refusals) = self.refusals.get() else { return Settings::default() };
        let who_writes = match refusals.writers {
            Writers::Everybody => WhoWrites::All,
            Writers::Friends(_) => WhoWrites::Friends,
            Writers::Nobody => WhoWrites::None,
        };
        Settings { who_writes, read_receipts: !refusals.keeps_receipts }
    }

    /// Its user has chosen this; whether that may keep out what came before.
    pub(crate) fn choose(&mut self, settings: Settings, friends: &[UserId]) -> bool {
        if settings == Settings::default() && self.refusals.get().is_none() {
            return false;
        }
        let refusals = self.refusals.or_default();
        refusals.keeps_receipts = !settings.read_receipts;
        refusals.writers = match settings.who_writes {
            WhoWrites::All => Writers::Everybody,
            WhoWrites::Friends => Writers::Friends(friends.iter().copied().collect()),
            WhoWrites::None => Writers::Nobody,
        };
        settings.who_writes != WhoWrites::All
    }

    /// Its user blocks this one.
    pub(crate) fn block(&mut self, user: UserId) {
        self.refusals.or_default().blocked.insert(user);
    }

    /// It does so no more.
    pub(crate) fn unblock(&mut self, user: UserId) {
        if let Some(refusals) = self.refusals.get_mut() {
            refusals.blocked.remove(&user);
        }
    }

    /// This one is on its user's list of friends from now on.
    pub(crate) fn note_friend(&mut self, friend: UserId) {
        if let Some(Refusals { writers: Writers::Friends(friends), .. }) = self.refusals.get_mut() {
            friends.insert(friend);
        }
    }

    /// It is not any more; whether that may keep out what came before.
    pub(crate) fn note_stranger(&mut self, friend: UserId) -> bool {
        match self.refusals.get_mut() {
            Some(Refusals { writers: Writers::Friends(friends), .. }) => friends.remove(&friend),
            Some(_) | None => false,
        }
    }
}
