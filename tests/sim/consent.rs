//! What the simulated store knows of friends, of who asks for a friendship, of blocked users, and of what users have chosen.

use super::store::Store;
use chatd::chat::model::consent::{
    FriendAnswer, FriendAsk, NewFriend, Parting, SavedSettings, Settings, SettingsChange, WhoWrites,
};
use chatd::chat::model::ids::UserId;
use chatd::chat::port::store::{Acquaintances, StoreReply, StoreResult};
use chatd::chat::wire::code::Code;
use std::collections::{BTreeMap, BTreeSet};

/// An ask that waits. Of one that was dropped nobody learns but its asker.
struct Waiting {
    note: String,
    cid: Option<String>,
    dropped: bool,
}

#[derive(Default)]
pub struct Consent {
    /// By who is asked, and by whom.
    asks: BTreeMap<(UserId, UserId), Waiting>,
    settings: BTreeMap<UserId, Settings>,
    /// Who ever took fewer messages than all.
    restricted: BTreeSet<UserId>,
    /// Who ever was on whose list, and which two ever parted.
    were_friends: BTreeSet<(UserId, UserId)>,
    parted: BTreeSet<(UserId, UserId)>,
}

/// Asks of one user that wait, made or to be answered.
pub const MOST_ASKS: usize = 3;

impl Store {
    pub fn acquaintances(&self, user: UserId) -> StoreReply {
        let blocked = self.remembered.blocked.iter().filter(|(of, _)| *of == user).map(|&(_, whom)| whom);
        let (friends, settings) = (self.friends_of(user), self.settings_of(user));
        StoreReply::Acquaintances(Box::new(Acquaintances { friends, blocked: blocked.collect(), settings }))
    }

    pub fn add_friend(&mut self, user: UserId, friend: UserId) -> StoreResult {
        self.person(friend).ok_or(Code::NoSuchUser)?;
        self.consent.were_friends.insert((user, friend));
        if !self.friends.insert((user, friend)) {
            return Err(Code::Exists);
        }
        let hides = self.blocks(friend, user);
        Ok(if hides { StoreReply::Hidden(vec![friend]) } else { StoreReply::Done })
    }

    pub fn del_friend(&mut self, user: UserId, friend: UserId, parting: Parting) -> StoreResult {
        if !self.friends.remove(&(user, friend)) {
            return Err(Code::NoSuchUser);
        }
        self.consent.parted.extend([(user, friend), (friend, user)]);
        self.consent.were_friends.extend([(user, friend), (friend, user)]);
        let both = parting == Parting::BothLists && self.friends.remove(&(friend, user));
        Ok(if both { StoreReply::Parted } else { StoreReply::Done })
    }

    pub fn block(&mut self, user: UserId, blocked: UserId) -> StoreResult {
        self.person(blocked).ok_or(Code::NoSuchUser)?;
        self.remembered.ever_blocked.insert((user, blocked));
        if !self.remembered.blocked.insert((user, blocked)) {
            return Err(Code::Exists);
        }
        self.ask_no_more(user, blocked);
        Ok(StoreReply::Done)
    }

    pub fn unblock(&mut self, user: UserId, blocked: UserId) -> StoreResult {
        if !self.remembered.blocked.remove(&(user, blocked)) {
            return Err(Code::NoSuchUser);
        }
        if self.consent.asks.get(&(user, blocked)).is_some_and(|ask| ask.dropped) {
            self.consent.asks.remove(&(user, blocked));
        }
        Ok(StoreReply::Done)
    }

    pub fn are_friends(&self, one: UserId, other: UserId) -> bool {
        self.friends.contains(&(one, other)) && self.friends.contains(&(other, one))
    }

    /// Whether `asker` asks `user`, which knows of it.
    pub fn asks(&self, asker: UserId, user: UserId) -> bool {
        self.consent.asks.get(&(user, asker)).is_some_and(|ask| !ask.dropped)
    }

    pub fn ask_friend(&mut self, user: UserId, friend: UserId, note: &str, cid: Option<&str>) -> StoreResult {
        let name = self.person(friend).ok_or(Code::NoSuchUser)?.name;
        if self.are_friends(user, friend) {
            return Err(Code::Exists);
        }
        if self.asks(friend, user) {
            return Ok(self.befriend_both(user, friend, name));
        }
        if let Some(before) = self.consent.asks.get(&(friend, user)) {
            let is_again = before.cid.is_some() && before.cid.as_deref() == cid;
            return if is_again { Ok(StoreReply::Done) } else { Err(Code::Exists) };
        }
        let all = &self.consent.asks;
        let made = all.keys().filter(|(_, asker)| *asker == user).count();
        let asked = all.iter().filter(|((of, _), ask)| *of == friend && !ask.dropped).count();
        if made >= MOST_ASKS || asked >= MOST_ASKS {
            return Err(Code::TooMany);
        }
        let dropped = self.blocks(friend, user);
        let ask = Waiting { note: note.to_owned(), cid: cid.map(str::to_owned), dropped };
        self.consent.asks.insert((friend, user), ask);
        Ok(if dropped { StoreReply::Done } else { StoreReply::Asked })
    }

    pub fn answer_friend(&mut self, user: UserId, friend: UserId, answer: FriendAnswer) -> StoreResult {
        let name = self.person(friend).ok_or(Code::NoSuchUser)?.name;
        if answer == FriendAnswer::No {
            if self.asks(friend, user) {
                self.consent.asks.remove(&(user, friend));
            }
            self.consent.asks.remove(&(friend, user));
            return Ok(StoreReply::Done);
        }
        if self.asks(friend, user) {
            return Ok(self.befriend_both(user, friend, name));
        }
        if self.are_friends(user, friend) { Ok(StoreReply::Done) } else { Err(Code::NoSuchUser) }
    }

    fn befriend_both(&mut self, user: UserId, friend: UserId, name: String) -> StoreReply {
        self.friends.extend([(user, friend), (friend, user)]);
        self.consent.were_friends.extend([(user, friend), (friend, user)]);
        self.ask_no_more(user, friend);
        let (hides, is_hidden) = (self.blocks(friend, user), self.blocks(user, friend));
        StoreReply::Befriended(NewFriend { name, hides, is_hidden })
    }

    fn ask_no_more(&mut self, one: UserId, other: UserId) {
        self.consent.asks.remove(&(one, other));
        self.consent.asks.remove(&(other, one));
    }

    pub fn asking(&self, user: UserId) -> Vec<FriendAsk> {
        let mine = self.consent.asks.iter().filter(|((of, _), ask)| *of == user && !ask.dropped);
        let ask = |(&(_, asker), ask): (&(UserId, UserId), &Waiting)| FriendAsk {
            asker,
            name: self.person(asker).expect("a user").name,
            note: ask.note.clone(),
        };
        mine.map(ask).collect()
    }

    pub fn settings_of(&self, user: UserId) -> Settings {
        self.consent.settings.get(&user).copied().unwrap_or_default()
    }

    pub fn save_settings(&mut self, user: UserId, change: SettingsChange) -> StoreResult {
        let before = self.settings_of(user);
        let settings = change.applied_to(before);
        self.consent.settings.insert(user, settings);
        if settings.who_writes != WhoWrites::All {
            self.consent.restricted.insert(user);
        }
        Ok(StoreReply::Settings(SavedSettings { settings, changed: settings != before }))
    }

    /// Whether a user does not take what a sender says.
    pub fn refuses(&self, user: UserId, sender: UserId) -> bool {
        let takes = match self.settings_of(user).who_writes {
            WhoWrites::All => true,
            WhoWrites::Friends => self.friends.contains(&(user, sender)),
            WhoWrites::None => false,
        };
        user != sender && (!takes || self.blocks(user, sender))
    }

    /// Whether what a sender says may ever have been too much for a user.
    pub fn has_restricted(&self, user: UserId, sender: UserId) -> bool {
        user != sender && self.consent.restricted.contains(&user)
    }

    /// The same, or refused.
    pub fn may_be_unwanted(&self, user: UserId, sender: UserId) -> bool {
        self.has_refused(user, sender) || self.has_restricted(user, sender)
    }

    /// Whether somebody ever was on a user's list of friends.
    pub fn was_friend(&self, user: UserId, friend: UserId) -> bool {
        self.consent.were_friends.contains(&(user, friend)) || self.friends.contains(&(user, friend))
    }

    /// Whether one of two ever took the other off its list.
    pub fn has_parted(&self, one: UserId, other: UserId) -> bool {
        self.consent.parted.contains(&(one, other))
    }
}
