//! What the second dialect promises: what an acknowledgement means, what history holds, who is
//! online, and whose messages do not arrive. `docs/guarantees.md` is the measure.

use super::heard::Heard;
use super::modern::Asked;
use super::plan::Phase;
use super::world::World;
use chatd::chat::model::envelope::Target;
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::{GroupId, MessageId, UserId};
use chatd::chat::model::retention::Retention;
use std::collections::HashMap;

impl World {
    /// A message is acknowledged: it is in the store, or its reader has said that it has it.
    pub fn acknowledged(&mut self, heard: &Heard) {
        let number = heard.about().expect("an ACK has the cid of its message");
        let (sender, text) = self.oracle.text(number).expect("it was written");
        let mid = heard.mid().expect("an ACK has the message's id");
        let spared = match text.target {
            Target::User(to) if self.plan.keep == Retention::Undelivered => Some(to),
            _ => None,
        };
        let kept = self.store.cids.get(&(sender, format!("c{number}"))).copied();
        let with_reader = spared.is_some_and(|to| self.oracle.confirmed.contains(&(to, mid)));
        let is_kept = kept == Some(mid);
        assert!(
            is_kept || with_reader,
            "(e) text {number} is acknowledged as {mid:?}, and stored as {kept:?}"
        );
        let under = self.stored_under(mid);
        assert!(
            !is_kept || under == Some(number),
            "(e) text {number} is acknowledged as {mid:?}, which is {under:?}"
        );
        let pos = self.store.messages.get(&mid).and_then(|(_, pos)| *pos);
        let told = heard.number("pos");
        assert!(
            told == pos || (with_reader && told.is_none()),
            "(e) text {number} is at {pos:?}, not {told:?}"
        );
        let before = self.oracle.acked.insert(number, mid);
        // What was confirmed has no row, and said again it is a new message.
        assert!(
            before.is_none_or(|before| before == mid) || spared.is_some(),
            "(e) text {number} is acknowledged as {before:?} and as {mid:?}"
        );
        self.oracle.tally.count(if is_kept { "acknowledged" } else { "acknowledged without a row" });
    }

    /// Nothing of a blocked sender's arrives.
    pub fn check_refused(&self, conn: usize, number: u64) {
        // Of two sessions, one does not know what the other one asked for.
        let was_parted = self.plan.has_parted();
        let Some((sender, text)) = self.oracle.text(number) else { return };
        let Some(device) = self.devices.get(&self.reader(conn)) else { return };
        if matches!(text.target, Target::User(_)) && self.people[conn].phone.is_some() && !was_parted {
            assert!(!device.blocks(sender.get().into()), "(j) text {number} of a blocked sender arrives");
        }
    }

    /// Whether what is at this place tells of what was done to a group: nobody here understands that.
    fn is_event(&self, conversation: Conversation, pos: u64) -> bool {
        let Conversation::Group(group) = conversation else { return false };
        let mid = self.store.groups.get(&group).and_then(|group| group.messages.get(pos as usize - 1));
        mid.is_some_and(|mid| self.store.messages[mid].0.is_event())
    }

    /// A page of history is what was asked for.
    pub fn check_page(&mut self, conn: usize, heard: &Heard) {
        let user = UserId::new(self.reader(conn) as u64).unwrap();
        let conversation = match (heard.number("with"), heard.number("groupid")) {
            (Some(other), _) => Conversation::With(UserId::new(other).unwrap()),
            (_, group) => Conversation::Group(GroupId::new(group.expect("with or groupid")).unwrap()),
        };
        let mut cid = heard.cid().split('.');
        let (why, span, limit) = (cid.next().unwrap(), cid.next().unwrap(), cid.next().unwrap());
        let (place, limit): (u64, u64) = (span[1..].parse().unwrap(), limit.parse().unwrap());
        let rows = heard.list("messages");
        assert!(rows.len() as u64 <= limit, "(k) more than was asked for");
        let places: Vec<u64> = rows.iter().map(|row| row.number("pos").expect("a row has a place")).collect();
        assert!(
            places.windows(2).all(|two| (two[0] + 1..two[1]).all(|pos| self.is_event(conversation, pos))),
            "(k) a gap in {places:?} of {conversation:?}"
        );
        if let (Some(&first), Some(&last)) = (places.first(), places.last()) {
            match &span[..1] {
                "b" => assert!(last < place, "(k) {places:?} before {place}"),
                // A member's history begins where it joined.
                "a" if matches!(conversation, Conversation::With(_)) => {
                    assert_eq!(first, place + 1, "(k) {places:?} after {place}");
                }
                "a" => assert!(first > place, "(k) {places:?} after {place}"),
                _ => {}
            }
        }
        let whole = matches!(conversation, Conversation::Group(_)) || self.plan.keep == Retention::All;
        assert_eq!(heard.is_partial(), !whole, "(k) whether {conversation:?} is complete");
        for (row, &place) in rows.iter().zip(&places) {
            let number = row.said().expect("what is in a row was said");
            let mid = row.mid().expect("a row has an id");
            self.check_row(user, conversation, row, number, mid);
            self.sees(conn, number, Some(mid));
            let known =
                self.reading(conn).history.entry(conversation).or_default().insert(place, (mid, number));
            assert!(
                known.is_none_or(|known| known == (mid, number)),
                "(k) {conversation:?} has {known:?} and {number} at {place}"
            );
        }
        self.oracle.tally.count("pages of history");
        if why == "H" && !rows.is_empty() && self.conns[conn].is_usable() {
            let last = *places.last().unwrap();
            self.ask_history(conn, conversation, Asked::After(last), limit, "H");
        }
    }

    fn check_row(&self, user: UserId, of: Conversation, row: &Heard, number: u64, mid: MessageId) {
        let (sender, text) = self.oracle.text(number).expect("it was written");
        let right = match (of, text.target) {
            (Conversation::Group(group), Target::Group(to)) => group == to,
            (Conversation::With(other), Target::User(to)) => {
                (sender, to) == (user, other) || (sender, to) == (other, user)
            }
            _ => false,
        };
        assert!(right, "(k) text {number} is in {of:?} of {user:?}");
        assert_eq!(row.number("id"), Some(sender.get().into()), "(k) the sender of text {number}");
        let name = if text.wants_ack { format!("c{number}") } else { format!("mid:{}", mid.0) };
        assert_eq!(row.cid(), name, "(k) text {number}");
        if let Some(&acked) = self.oracle.acked.get(&number) {
            let spared = self.plan.keep == Retention::Undelivered && matches!(of, Conversation::With(_));
            assert!(acked == mid || spared, "(k) text {number} is {mid:?} and was acknowledged as {acked:?}");
        }
    }

    /// Everybody who can reads on where it stopped, to the end.
    pub fn read_all(&mut self, conns: &[usize]) {
        for &conn in conns {
            if self.people[conn].phone.is_none() || !self.conns[conn].is_usable() {
                continue;
            }
            let user = UserId::new(self.people[conn].user as u64).unwrap();
            for other in 1..=self.plan.users as u64 {
                let conversation = Conversation::With(UserId::new(other).unwrap());
                let (last, limit) = (self.last_place(conn, conversation), self.rng.between(1, 40));
                self.ask_history(conn, conversation, Asked::After(last), limit, "H");
            }
            for group in self.groups_of(user) {
                let (conversation, limit) = (Conversation::Group(group), self.rng.between(1, 40));
                self.device(conn).history.remove(&conversation);
                self.ask_history(conn, conversation, Asked::After(0), limit, "H");
            }
        }
        self.rest();
        for &conn in conns {
            if self.people[conn].phone.is_some() && self.conns[conn].is_usable() {
                self.check_history(conn);
            }
        }
    }

    /// What was acknowledged is in the history, once, and so is what was merely said if all is kept.
    fn check_history(&mut self, conn: usize) {
        let user = UserId::new(self.people[conn].user as u64).unwrap();
        let groups = self.groups_of(user);
        let none = HashMap::new();
        let history = self.devices.get(&self.people[conn].user).map_or(&none, |device| &device.history);
        for (conversation, rows) in history {
            let is_member = |group: &GroupId| groups.contains(group);
            if matches!(conversation, Conversation::Group(group) if !is_member(group)) {
                continue;
            }
            let mut numbers: Vec<u64> = rows.values().map(|&(_, number)| number).collect();
            numbers.sort_unstable();
            let twice = numbers.windows(2).find(|two| two[0] == two[1]);
            assert!(twice.is_none(), "(k) text {twice:?} is twice in {conversation:?} of {user:?}");
        }
        let has = |of: Conversation, number: u64| {
            history.get(&of).is_some_and(|rows| rows.values().any(|&(_, other)| other == number))
        };
        for number in 0..self.oracle.texts_written() {
            let (sender, text) = self.oracle.text(number).expect("counted");
            if !self.is_kept_for_good(number) {
                continue;
            }
            let of = match text.target {
                Target::User(to) if sender == user => Conversation::With(to),
                Target::User(to) if to == user => Conversation::With(sender),
                Target::Group(group)
                    if groups.contains(&group) && self.is_since_joined(user, group, number) =>
                {
                    Conversation::Group(group)
                }
                _ => continue,
            };
            assert!(has(of, number), "(k) text {number} is not in {of:?} of {user:?}");
        }
        self.oracle.tally.count("histories read whole");
    }

    /// Whether the promises say that a text is in the history.
    fn is_kept_for_good(&self, number: u64) -> bool {
        let (sender, text) = self.oracle.text(number).expect("counted");
        let direct = matches!(text.target, Target::User(_));
        if direct && self.plan.keep == Retention::Undelivered {
            // Its reader has it, or it has a row: that is looked at elsewhere.
            return false;
        }
        if self.oracle.acked.contains_key(&number) {
            return true;
        }
        // What was pushed and never acknowledged may have died with its server before it was stored.
        let died = self.plan.phases.contains(&Phase::Deaths);
        let refused = self.oracle.refused.contains(&number);
        // Of what has no cid, only so much waits for a busy store.
        let too_much = !text.wants_ack && self.plan.phases.contains(&Phase::BusyStore);
        let refused =
            refused || matches!(text.target, Target::User(to) if self.store.may_be_unwanted(to, sender));
        direct && !died && !too_much && !refused && self.oracle.was_received(number)
    }

    /// Whether a text was said in a group after a member had joined it, as the store has it.
    pub fn is_since_joined(&self, user: UserId, group: GroupId, number: u64) -> bool {
        let found = &self.store.groups[&group];
        let joined = found.members[&user].joined as usize;
        let before = found.messages[..joined].iter();
        !self.tell(before).contains(&number)
    }

    /// Who is online is what everybody was told.
    pub fn check_presence(&mut self) {
        let online: Vec<(UserId, usize)> = self.oracle.online_conns().collect();
        // What was done without an answer, and what dies with a server, nobody is told.
        let is_silent = |&phase: &Phase| matches!(phase, Phase::BusyStore | Phase::Deaths | Phase::Silence);
        let tells_all = !self.plan.phases.iter().any(is_silent);
        for &(user, conn) in &online {
            let Some(phone) = &self.people[conn].phone else { continue };
            for friend in self.store.friends_of(user) {
                let told = phone.friends.get(&u64::from(friend.id.get()));
                assert!(
                    told.is_some() || !tells_all,
                    "(l) {user:?} on conn {conn} was not told of {friend:?}"
                );
                let Some(&told) = told else { continue };
                let is_online = !friend.hides && online.iter().any(|&(other, _)| other == friend.id);
                assert_eq!(told, is_online, "(l) {user:?} on conn {conn} was told about {:?}", friend.id);
                self.oracle.tally.count("friends seen as they are");
                if friend.hides {
                    self.oracle.tally.count("friends who hide");
                }
            }
        }
    }

    /// What a session of the second dialect was sent and has not confirmed may be owed to it still.
    pub fn is_with_its_reader(&self, conn: usize, mid: MessageId) -> bool {
        self.people[conn].phone.is_some() && self.oracle.is_unconfirmed(conn, mid)
    }
}
