//! The backlog: what a user has not got yet, from the store to its session.
//!
//! Taking takes nothing away. A page is pushed, the next one is taken when there is room for it,
//! and what arrives live meanwhile is held; when nothing waits any more, the held messages follow
//! and the session is live. What the session was sent already is recognised by its id.

use super::ask::{Answer, Ask, Done, Waiting};
use super::block;
use super::effect::Effect;
use super::hub::Hub;
use super::ids::{GroupId, MessageId, SessionId, UserId};
use super::orphan::Orphan;
use super::pending::Pending;
use super::session::{CatchingUp, Debt, Held, HeldMessage, Visit};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

impl Hub {
    /// Somebody says that the user has something waiting.
    pub(super) fn take_for(&mut self, user: UserId, out: &mut Vec<Effect>) {
        if let Some(&id) = self.users.get(&user) {
            self.take_again(id, out);
        }
    }

    pub(super) fn take_again(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        // Who is entering takes its backlog later anyway.
        let Some(online) = self.online_mut(id) else { return };
        match &mut online.catching_up {
            Some(catching_up) => catching_up.again = true,
            None => self.begin_catching_up(id),
        }
        self.continue_backlog(id, out);
    }

    /// From now on live messages are held; what was sent until now and could be in a page is noted.
    fn begin_catching_up(&mut self, id: SessionId) {
        let online = self.session(id).and_then(|session| session.online()).expect("looked at before");
        let mut sent: FxHashSet<MessageId> = online.owed.iter().copied().collect();
        sent.extend(online.live.iter().chain(online.taken.iter()));
        let unconfirmed = online.v2.iter().flat_map(|v2| &v2.unconfirmed);
        sent.extend(unconfirmed.map(|sent| sent.envelope.mid()));
        let mut caps = Vec::new();
        for (&group, place) in &online.groups {
            let seat = self.seats.get(&group).expect("a member has a seat");
            sent.extend(seat.beyond(place).filter(|mid| !online.missing.contains_key(mid)));
            caps.push((group, seat.place_of(place)));
        }
        let online = self.online_mut(id).expect("looked at before");
        for (group, cap) in caps {
            online.groups.get_mut(&group).expect("its own group").cap = Some(cap);
        }
        online.catching_up = Some(Box::new(CatchingUp::new(None, Held::default(), sent)));
        self.catching_up.push(id);
    }

    /// Time has passed: goes on with every backlog that is not through.
    pub(super) fn continue_backlogs(&mut self, out: &mut Vec<Effect>) {
        let mut ids = std::mem::take(&mut self.catching_up);
        ids.sort_unstable();
        ids.dedup();
        for &id in &ids {
            if !self.is_catching_up(id) {
                continue;
            }
            if !self.has_room(id) {
                out.push(Effect::Probe { session: id });
            }
            self.continue_backlog(id, out);
        }
        ids.retain(|&id| self.is_catching_up(id));
        self.catching_up.append(&mut ids);
    }

    fn is_catching_up(&self, id: SessionId) -> bool {
        let session = self.session(id).filter(|session| !session.closing);
        session.and_then(|session| session.online()).is_some_and(|online| online.catching_up.is_some())
    }

    /// Whether so little is under way to a session that more of its backlog may follow. A crowd of
    /// readers with long backlogs must not be cut for them: half of what each may have under way
    /// when all together have too much.
    fn has_room(&self, id: SessionId) -> bool {
        let half_bytes = self.limits.outbox_squeezed_bytes as u64 / 2;
        self.session(id).is_some_and(|session| {
            let paced = session.reads_single_frames() && session.window.len() >= self.limits.paced_backlog;
            !session.closing && session.unacked_bytes() < half_bytes && !paced
        })
    }

    /// Goes on with a backlog as far as it can without waiting.
    pub(super) fn continue_backlog(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        if !self.has_room(id) {
            return;
        }
        let Some(catching_up) = self.online_mut(id).and_then(|online| online.catching_up.as_mut()) else {
            return;
        };
        if catching_up.taking || catching_up.failed {
            return;
        }
        if !self.push_rest(id, out) {
            return;
        }
        let now = self.now;
        let online = self.online_mut(id).expect("looked at above");
        online.settle_page();
        let catching_up = online.catching_up.as_mut().expect("looked at above");
        let waits = !online.missing.is_empty() && now < catching_up.patience;
        if catching_up.spilling > 0 {
            // What was held is being put into the backlog.
        } else if !catching_up.complete || catching_up.again {
            self.take_page(id, out);
        } else if !waits {
            self.caught_up(id, out);
        }
    }

    /// Pushes what is left of a page; whether that is all. A client that reads one frame at a time gets
    /// some of it, and more when its TCP has acknowledged these.
    fn push_rest(&mut self, id: SessionId, out: &mut Vec<Effect>) -> bool {
        let most = match self.session(id).expect("looked at before") {
            session if session.reads_single_frames() => self.limits.paced_backlog,
            _ => usize::MAX,
        };
        let online = self.online_mut(id).expect("looked at before");
        let mut rest = std::mem::take(&mut online.catching_up.as_mut().expect("looked at before").rest);
        while self.session(id).is_some_and(|session| session.window.len() < most)
            && let Some(waiting) = rest.pop_front()
        {
            self.push_waiting(id, waiting, out);
        }
        let through = rest.is_empty();
        let online = self.online_mut(id).expect("looked at before");
        online.catching_up.as_mut().expect("looked at before").rest = rest;
        through
    }

    fn take_page(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let (messages, bytes) = (self.limits.page_messages, self.limits.page_bytes);
        let session = self.session(id).expect("looked at before");
        let online = session.online().expect("looked at before");
        let have = online.groups.iter().map(|(&group, place)| {
            let seat = self.seats.get(&group).expect("a member has a seat");
            (group, seat.place_of(place))
        });
        let mut have: Vec<(GroupId, u64)> = have.collect();
        have.sort_unstable();
        let (user, visit) = (online.user, online.visit);
        let online = self.online_mut(id).expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        if catching_up.complete {
            // From the front, for what came to lie before the pages of the last round.
            catching_up.after = MessageId(0);
        }
        if catching_up.after == MessageId(0) {
            catching_up.again = false;
        }
        catching_up.taking = true;
        catching_up.complete = false;
        let after = catching_up.after;
        catching_up.asked = have.iter().map(|&(group, _)| group).collect();
        let ticket = self.pending.insert(Pending::Take { session: id, visit });
        out.push(Effect::Ask { ticket, ask: Ask::Take { user, after, have, messages, bytes } });
    }

    pub(super) fn taken(&mut self, id: SessionId, visit: Visit, answer: Answer, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id) else { return };
        let Some(online) = session.online_mut().filter(|online| online.visit == visit) else { return };
        let catching_up = online.catching_up.as_mut().expect("a Take is out only while catching up");
        catching_up.taking = false;
        if std::mem::take(&mut catching_up.stale) && answer.is_ok() {
            return self.continue_backlog(id, out);
        }
        match answer {
            Ok(Done::Taken { messages, complete, heads }) => {
                if let Some(last) = messages.iter().rfind(|waiting| waiting.pos.is_none()) {
                    catching_up.after = last.envelope.mid();
                }
                let mut fresh = VecDeque::from(messages);
                let (sent, held) = (&catching_up.sent, &mut catching_up.held);
                let (blocked, user) = (&online.blocked, online.user);
                let mut refused: Vec<MessageId> = Vec::new();
                fresh.retain(|waiting| {
                    let refuses = block::refuses(blocked, &waiting.envelope);
                    refused.extend(refuses.then(|| waiting.envelope.mid()));
                    !refuses && (sent.contains(&waiting.envelope.mid()) || !held.takes(waiting))
                });
                catching_up.rest = fresh;
                catching_up.complete = complete;
                catching_up.heads = heads;
                self.settle(id, user, refused, out);
                self.greet(id, out);
                self.compare_groups(id, out);
                self.continue_backlog(id, out);
            }
            Ok(_) => unreachable!("Take is answered with Taken"),
            Err(code) if catching_up.greeting.is_some() => self.refuse_login(id, code, out),
            Err(_) => self.take_later(id, out),
        }
    }

    /// A page names all groups of the user. Those that it was asked for and does not name were
    /// dissolved before their channel was joined; those that it names and that are new here were
    /// joined by another connection, which was gone before the answer.
    fn compare_groups(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let online = self.session(id).and_then(|session| session.online()).expect("looked at before");
        let catching_up = online.catching_up.as_ref().expect("looked at before");
        let named: FxHashSet<GroupId> = catching_up.heads.iter().map(|&(group, _)| group).collect();
        let absent: Vec<GroupId> =
            catching_up.asked.iter().copied().filter(|group| !named.contains(group)).collect();
        let new: Vec<GroupId> =
            named.into_iter().filter(|group| !online.groups.contains_key(group)).collect();
        absent.into_iter().for_each(|group| self.leave_group(id, group, out));
        new.into_iter().for_each(|group| self.join_group(id, group, 0, out));
    }

    /// The store is busy. What is live goes on meanwhile.
    fn take_later(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let online = self.online_mut(id).expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        (catching_up.again, catching_up.failed) = (true, true);
        let held = std::mem::take(&mut catching_up.held).messages;
        for held in held {
            let online = self.online_mut(id).expect("looked at before");
            let catching_up = online.catching_up.as_mut().expect("looked at before");
            if catching_up.note_sent(held.envelope.mid()) {
                self.push_held(id, held, out);
            }
        }
    }

    fn push_held(&mut self, id: SessionId, held: HeldMessage, out: &mut Vec<Effect>) {
        let HeldMessage { envelope, debt, given } = held;
        if given {
            self.online_mut(id).expect("looked at before").taken.note(envelope.mid());
        }
        self.push(id, envelope, debt, out);
    }

    /// Asks those questions again that the store was too busy for.
    pub(super) fn retry_backlogs(&mut self, out: &mut Vec<Effect>) {
        for id in self.catching_up.clone() {
            if let Some(catching_up) = self.online_mut(id).and_then(|online| online.catching_up.as_mut()) {
                catching_up.failed = false;
                self.continue_backlog(id, out);
            }
        }
    }

    /// What was held and became too much is in the backlog now.
    pub(super) fn spilled(&mut self, id: SessionId) {
        if let Some(catching_up) = self.online_mut(id).and_then(|online| online.catching_up.as_mut()) {
            catching_up.spilling = catching_up.spilling.saturating_sub(1);
            catching_up.again = true;
        }
    }

    fn push_waiting(&mut self, id: SessionId, waiting: Waiting, out: &mut Vec<Effect>) {
        let mid = waiting.envelope.mid();
        let online = self.online_mut(id).expect("is online");
        online.missing.remove(&mid);
        let catching_up = online.catching_up.as_mut().expect("is catching up");
        if catching_up.sent.contains(&mid) {
            if waiting.pos.is_none() && !online.owed.contains(&mid) {
                self.settle_sent(id, mid, out);
            }
        } else if !catching_up.held.takes(&waiting) {
            catching_up.note_sent(mid);
            online.taken.note(mid);
            let debt = waiting.pos.map_or(Debt::Owed, |pos| Debt::Behind(pos - 1));
            self.push(id, waiting.envelope, debt, out);
        }
    }

    /// A message was pushed live and came to lie in the backlog all the same: somebody else heard
    /// it too, and could not deliver it.
    fn settle_sent(&mut self, id: SessionId, mid: MessageId, out: &mut Vec<Effect>) {
        let session = self.session_mut(id).expect("is online");
        let user = session.user().expect("is online");
        let in_window = session.find_sent(mid);
        let arrived = in_window.map(|sent| sent.debt = Debt::Owed).is_none();
        session.online_mut().expect("is online").owed.insert(mid);
        if arrived {
            let settle = Orphan::Settle { user, mids: vec![mid], progress: Vec::new() };
            self.adopt_for(Some(id), settle, out);
        }
    }

    /// Nothing waits any more: what was held goes out, and the session is live.
    fn caught_up(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let online = self.online_mut(id).expect("looked at before");
        let catching_up = online.catching_up.take().expect("looked at before");
        let mut sent = catching_up.sent;
        for held in catching_up.held.messages {
            if sent.insert(held.envelope.mid()) {
                self.push_held(id, held, out);
            }
        }
        let online = self.online_mut(id).expect("looked at before");
        let mut groups: Vec<GroupId> = Vec::new();
        for (&group, place) in &mut online.groups {
            place.from = place.from.max(place.cap.take().expect("was catching up"));
            groups.push(group);
        }
        groups.into_iter().for_each(|group| self.start_seat(group));
    }

    /// A seat that is behind all of its members starts where the last of them is, once all have
    /// their backlogs.
    pub(super) fn start_seat(&mut self, group: GroupId) {
        let Some(seat) = self.seats.get(&group) else { return };
        let from = |&id: &SessionId| {
            let place = self.session(id)?.online()?.groups.get(&group)?;
            place.cap.is_none().then_some(place.from.max(seat.synced))
        };
        let from: Option<Vec<u64>> = seat.members.iter().map(from).collect();
        if let Some(last) = from.and_then(|from| from.into_iter().min()).filter(|&last| last > seat.synced) {
            self.seats.get_mut(&group).expect("looked at above").start_at(last);
        }
    }
}
