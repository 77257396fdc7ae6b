//! What must be true when nothing is under way: nobody lacks anything, all know the same, and hubs and
//! bus hold nothing more than that takes.

use super::oracle::Stay;
use super::world::World;
use crate::trace;
use chatd::chat::model::ids::{GroupId, MessageId, UserId};
use chatd::chat::model::retention::Retention;
use chatd::chat::port::event::Channel;
use std::collections::HashSet;

impl World {
    /// Nothing is under way, and everybody reads: nothing waits anywhere, and all know the same.
    pub fn check_rest(&mut self) {
        self.check_hubs();
        let online: Vec<(UserId, usize)> =
            self.oracle.online_stays().map(|stay| (stay.user, stay.conn)).collect();
        for (at, &(user, conn)) in online.iter().enumerate() {
            let twice = online[..at].iter().any(|(other, _)| *other == user);
            assert!(!twice, "(c) {user:?} is online twice when all is well again");
            assert_eq!(
                self.bus.listeners(Channel::User(user)),
                [self.conns[conn].core],
                "who listens for {user:?}"
            );
            let owed = self.store.owed.get(&user).cloned().unwrap_or_default();
            if !owed.is_empty() {
                trace!(self, "{:?}", self.cores[self.conns[conn].core].hub);
            }
            let with_reader = |mid: &&MessageId| self.is_with_its_reader(conn, **mid);
            let refused =
                |mid: &&MessageId| self.store.has_refused(user, self.store.messages[*mid].0.sender());
            let missed = |mid: &&MessageId| self.was_missed(conn, **mid);
            // Word that it is confirmed may be lost; then it comes once more.
            let spared = self.plan.keep == Retention::Undelivered && self.oracle.faulty;
            let unheard = |mid: &&MessageId| spared && self.oracle.confirmed.contains(&(user, **mid));
            let stranded =
                |mid: &&MessageId| !(with_reader(mid) || refused(mid) || missed(mid) || unheard(mid));
            let owed: Vec<MessageId> = owed.iter().filter(stranded).copied().collect();
            // What is lost without a word is found at the next login; what its group says after it
            // brings it before.
            let owed_silently = self.lost_silently;
            assert!(
                owed.is_empty() || owed_silently,
                "(b) {user:?} is online and owed {:?}",
                self.tell(&owed)
            );
            for &group in self.store.groups.keys() {
                let mut behind: Vec<MessageId> =
                    self.store.behind(user, group, 0).into_iter().map(|(_, mid)| mid).collect();
                // A cursor stays before what is not confirmed, as far before as its core knew when it
                // pushed that.
                if self.oracle.is_unconfirmed_in(conn, group) {
                    behind.clear();
                }
                assert!(
                    behind.is_empty(),
                    "(b) {user:?} is online and behind in {group:?}: {:?}",
                    self.tell(&behind)
                );
            }
        }
        for (channel, cores) in self.bus.channels() {
            let cores_of = |users: &mut dyn Iterator<Item = UserId>| {
                let mut cores: Vec<usize> = users
                    .filter_map(|user| online.iter().find(|(other, _)| *other == user))
                    .map(|&(_, conn)| self.conns[conn].core)
                    .collect();
                cores.sort_unstable();
                cores.dedup();
                cores
            };
            let right = match channel {
                Channel::Cores => unreachable!("nobody joins it"),
                Channel::User(user) => cores_of(&mut std::iter::once(user)),
                Channel::Group(group) => cores_of(&mut self.store.groups[&group].members.keys().copied()),
            };
            // Who was online twice for a while may have left a group in the session that did not
            // stay; the other one hears of it when it takes its backlog next.
            let hears_too_much = self.plan.has_parted()
                && matches!(channel, Channel::Group(_))
                && right.iter().all(|core| cores.contains(core));
            assert!(cores == right || hears_too_much, "(i) {cores:?} listen to {channel:?}, not {right:?}");
        }
        self.check_answered();
        self.check_shut_out();
        self.check_presence();
        self.check_asked();
        self.note_members();
        self.oracle.resting = true;
        self.ask_for_friends(&online);
        self.rest();
        self.oracle.resting = false;
        self.check_hubs();
    }

    /// Whether a message was lost on its way to a core that was cut off, and stored only when its
    /// reader had looked for it: it comes with the next look.
    fn was_missed(&self, conn: usize, mid: MessageId) -> bool {
        let Some(stay) = self.oracle.online(conn) else { return false };
        let online_us = self.oracle.stays[stay].online_us.unwrap_or(0);
        let looked_us = online_us.max(self.health[self.conns[conn].core].linked_us);
        self.oracle.lost_in_transit.contains(&mid)
            && self.oracle.kept_us.get(&mid).is_some_and(|&kept_us| kept_us > looked_us)
    }

    /// What somebody who is online has said and wants an answer to was answered.
    fn check_answered(&self) {
        for written in self.oracle.texts.iter().filter(|written| written.text.wants_ack) {
            let Some(said) = written.said.as_ref().filter(|said| !said.repeated) else { continue };
            let Some(stay) = said.stay.map(|stay| &self.oracle.stays[stay]) else { continue };
            let (oracle, number) = (&self.oracle, written.text.number);
            let answered = oracle.acked.contains_key(&number)
                || oracle.refused.contains(&number)
                || oracle.told_busy.contains(&number);
            assert!(answered || stay.ended_us.is_some(), "(h) text {number} is not answered");
        }
    }

    fn note_members(&mut self) {
        let now_us = self.now_us;
        let members: HashSet<(UserId, GroupId)> = self
            .store
            .groups
            .iter()
            .flat_map(|(&group, found)| found.members.keys().map(move |&user| (user, group)))
            .collect();
        self.oracle.member_since.retain(|key, _| members.contains(key));
        for key in members {
            self.oracle.member_since.entry(key).or_insert(now_us);
        }
    }

    fn check_hubs(&self) {
        for (number, core) in self.cores.iter().enumerate() {
            let census = core.hub.census();
            let leftover = (
                census.in_flight,
                census.store_first_users,
                census.store_retries,
                census.untold_groups,
                census.claims,
            );
            assert_eq!(leftover, (0, 0, 0, 0, 0), "(g) core {number}: {census:?}");
            assert_eq!(census.unacked_bytes, 0, "(g) core {number}: {census:?}");
            let online = |stay: &&Stay| self.conns[stay.conn].core == number;
            assert_eq!(census.users, self.oracle.online_stays().filter(online).count(), "(g) core {number}");
        }
    }

    /// Nobody is there.
    pub fn check_empty(&self) {
        for (number, core) in self.cores.iter().enumerate() {
            assert!(core.hub.is_idle(), "(g) core {number} is not idle: {:?}", core.hub.census());
            assert_eq!(core.hub.census(), Default::default(), "(g) core {number}");
        }
        assert!(self.bus.channels().is_empty(), "(g) somebody listens: {:?}", self.bus.channels());
    }

    fn ask_for_friends(&mut self, online: &[(UserId, usize)]) {
        for &(user, conn) in online {
            if self.conns[conn].is_usable() {
                self.ask_friends(conn, user);
            }
        }
    }

    /// A friend list at rest: the store's friends, and those are online who are.
    pub fn check_friends(&mut self, conn: usize, frame: &[u8]) {
        if !self.oracle.resting {
            return;
        }
        let Some(stay) = self.oracle.online(conn) else { return };
        let user = self.oracle.stays[stay].user;
        let mut right = String::new();
        for person in self.store.friends_of(user) {
            let online = !person.hides && self.oracle.online_stays().any(|stay| stay.user == person.id);
            let state = if online { "online" } else { "offline" };
            let entry = if self.people[conn].phone.is_some() {
                format!("{{\"id\":{},\"name\":\"{}\",\"state\":\"{state}\"}}", person.id, person.name)
            } else {
                format!(
                    "\"{{\\\"id\\\":{},\\\"name\\\":\\\"{}\\\",\\\"state\\\":\\\"{state}\\\"}}\"",
                    person.id, person.name
                )
            };
            right.push_str(if right.is_empty() { "" } else { "," });
            right.push_str(&entry);
        }
        let complete = if self.people[conn].phone.is_some() { "\"complete\":true," } else { "" };
        let right = format!("{{{complete}\"errno\":0,\"friends\":[{right}],\"msgid\":13}}");
        assert_eq!(String::from_utf8_lossy(frame), right, "(i) friends of {user:?}");
        self.oracle.tally.count("friend lists checked");
    }
}
