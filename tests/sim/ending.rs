//! What must be true of a contest, and in the end.

use super::oracle::{Stay, numbers};
use super::world::World;
use chatd::chat::model::envelope::{Envelope, Target};
use chatd::chat::model::ids::{MessageId, UserId};
use chatd::chat::port::event::Event;

impl World {
    /// Exactly one of several simultaneous logins wins.
    pub fn check_contest(&mut self, user: usize, conns: &[usize]) {
        // Who was cut for reading slowly has made room for another, and so has who vanished.
        if conns.iter().any(|&at| self.oracle.cut.contains(&at) || self.conns[at].broken) {
            return;
        }
        // So has whoever replaced the winner and was no contestant.
        let begun = |stay: &&Stay| conns.contains(&stay.conn);
        let begun_us = self.oracle.stays.iter().filter(begun).map(|stay| stay.begun_us).min();
        if self.oracle.stays.iter().any(|stay| {
            stay.user.get() as usize == user && !conns.contains(&stay.conn) && Some(stay.begun_us) >= begun_us
        }) {
            return;
        }
        let here = |conn: usize| self.people[conn].online && self.conns[conn].is_usable();
        let won = conns.iter().filter(|&&conn| here(conn)).count();
        assert_eq!(won, 1, "(c) of {} logins as {user} so many win", conns.len());
        for &conn in conns {
            if !here(conn) && !self.people[conn].replaces {
                let frame = String::from_utf8_lossy(self.conns[conn].first_frame());
                let refused = "{\"errmsg\":\"this account is using, input another!\",\"errno\":2,";
                assert!(frame.starts_with(refused));
            }
        }
        self.oracle.tally.count("contests");
    }

    /// Everybody has been online at last: nobody lacks anything.
    pub fn check_all_received(&mut self) {
        for written in &self.oracle.texts {
            let Some(said) = &written.said else { continue };
            let Target::User(to) = written.text.target else { continue };
            let key = (written.sender, format!("c{}", written.text.number));
            let kept = self.store.cids.contains_key(&key);
            let refused = self.store.has_refused(to, written.sender);
            let restricted = self.store.has_restricted(to, written.sender);
            let unsure = said.busy || said.may_be_lost || restricted;
            let promised = if written.text.wants_ack { kept } else { !unsure };
            let promised = promised && !refused;
            let received = self.oracle.received.contains(&(to, written.text.number));
            assert!(received || !promised, "(a) text {} never came to {to:?}", written.text.number);
        }
        for group in self.store.groups.values().filter(|group| !group.dissolved) {
            for (at, mid) in group.messages.iter().enumerate() {
                let envelope = &self.store.messages[mid].0;
                // What is done to a group has no text.
                let Some(&number) = numbers(envelope.body()).first() else { continue };
                for (&user, seat) in &group.members {
                    let for_user = envelope.sender() != user && at as u64 >= seat.joined;
                    let received = self.oracle.received.contains(&(user, number));
                    assert!(received || !for_user, "(a) text {number} never came to {user:?}");
                }
            }
        }
    }

    /// What a reader of the second dialect had not confirmed when its session ended came again.
    pub fn check_came_again(&mut self) {
        let most = self.plan.limits.unconfirmed;
        if most < 1_000 || self.plan.limits.unconfirmed_bytes < 10_000 {
            return;
        }
        let oracle = &self.oracle;
        let mut came_again = 0;
        // Of more, the oldest may count as confirmed.
        let few = |stay: &&Stay| stay.ended_us.is_some() && stay.mids.len() <= most;
        for stay in oracle.stays.iter().filter(few) {
            for &number in stay.unconfirmed.values() {
                let written = &oracle.texts[number as usize];
                let gone = match written.text.target {
                    Target::User(_) => self.store.may_be_unwanted(stay.user, written.sender),
                    Target::Group(group) => {
                        let dissolved = self.store.groups[&group].dissolved;
                        // Said again, it is in the group where it was first: perhaps before this member.
                        let repeated = written.said.as_ref().is_some_and(|said| said.repeated);
                        // Who joined while it was under way has heard it, and it is not for it.
                        let found = &self.store.groups[&group].members;
                        let before = !found.contains_key(&stay.user)
                            || !self.is_since_joined(stay.user, group, number);
                        dissolved || repeated || before || self.store.left.contains(&(stay.user, group))
                    }
                };
                // What died with a server before it was stored is promised to nobody.
                let promised = oracle.acked.contains_key(&number) || !oracle.faulty;
                // In a session of the seed dialect, its TCP has said that it is there.
                let of_seed = |other: &Stay| {
                    other.user == stay.user
                        && self.people[other.conn].phone.is_none()
                        && other.got.contains(&number)
                };
                // Two sessions of it, on cores that did not hear each other: in the other the oldest of too many counted
                // as confirmed.
                let of_many = |other: &Stay| {
                    other.user == stay.user && other.mids.len() > most && other.got.contains(&number)
                };
                let has = oracle.confirmed_texts.contains(&(stay.user, number));
                if gone
                    || !promised
                    || has
                    || oracle.stays.iter().any(|other| of_seed(other) || of_many(other))
                {
                    continue;
                }
                let again = oracle.stays.iter().any(|later| {
                    later.user == stay.user && later.begun_us > stay.begun_us && later.got.contains(&number)
                });
                assert!(
                    again,
                    "(n) {:?} has not confirmed text {number}, and it never came again",
                    stay.user
                );
                came_again += 1;
            }
        }
        *self.oracle.tally.0.entry("came again, as it was not confirmed").or_default() += came_again;
    }

    /// Whoever has come with the token of a live session is in its place.
    pub fn check_moved(&mut self, moved: &[(usize, usize)]) {
        for &(from, to) in moved {
            if self.oracle.cut.contains(&from) || self.oracle.cut.contains(&to) {
                continue;
            }
            let is_here = self.people[to].online && self.conns[to].is_usable();
            assert!(is_here, "(c) conn {to} came with the token of conn {from}, and is not let in");
            assert!(!self.conns[from].is_usable(), "(c) conn {from} is not replaced by conn {to}");
            self.oracle.tally.count("moved");
        }
    }

    /// What the store thinks that the user has not got.
    pub fn waiting(&self, user: UserId) -> Vec<u64> {
        let owed = self.store.owed.get(&user).into_iter().flatten().copied();
        let behind = self.store.groups.keys().flat_map(|&group| self.store.behind(user, group, 0));
        let mids: Vec<MessageId> = owed.chain(behind.map(|(_, mid)| mid)).collect();
        self.tell(&mids)
    }

    /// What a group gets before it is stored can not be written down as got.
    pub fn is_stored_or_direct(&self, number: u64) -> bool {
        let Target::Group(group) = self.oracle.texts[number as usize].text.target else { return true };
        self.tell(&self.store.groups[&group].messages).contains(&number)
    }

    pub fn tell<'a>(&self, mids: impl IntoIterator<Item = &'a MessageId>) -> Vec<u64> {
        let body = |mid: &MessageId| -> &Envelope { &self.store.messages[mid].0 };
        // What is done to groups has no text.
        mids.into_iter().filter_map(|mid| numbers(body(mid).body()).first().copied()).collect()
    }

    pub fn drain(&mut self) {
        for core in 0..self.cores.len() {
            self.feed(core, Event::Drain);
        }
    }
}
