//! The backlog: what a user has not got yet, from the store to the session and out of the store.
//!
//! Taking takes nothing away. A message leaves the backlog when the reader's TCP has acknowledged
//! it, so a message may come twice and is not lost. What a closed connection had not acknowledged
//! goes back, and whoever holds the user then is told to take again.

use super::ask::{Answer, Ask, Done, Progress, Waiting};
use super::effect::{Effect, Frame};
use super::envelope::{Envelope, Kind, Storing};
use super::event::Channel;
use super::hub::Hub;
use super::ids::{GroupId, MessageId, SessionId, UserId};
use super::pending::Pending;
use super::session::{CatchingUp, Held, Pause, Phase, Sent, Visit};
use super::wire::code::Code;
use super::wire::frame::Terminator;
use super::wire::lists::{self, Room};
use super::wire::reply::{self, Refusal};

/// Something for the store that no client waits for, repeated until the store is not busy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Orphan {
    /// A direct message that its reader may not have got.
    Keep { envelope: Envelope },
    /// Stored group messages that their reader may not have got.
    Owe { user: UserId, mids: Vec<MessageId> },
    /// What a reader has got.
    Settle { user: UserId, mids: Vec<MessageId>, progress: Vec<Progress> },
}

/// How many messages a client that reads one frame at a time gets one a tick, before its backlog
/// comes as fast as it can.
const PACED: u8 = 20;
/// How large a login answer such a client can read.
const SMALL_FRAME_BYTES: usize = 1_000;

impl Hub {
    /// Sends a message to a session, and remembers it until TCP has acknowledged it.
    pub(super) fn push(&mut self, id: SessionId, envelope: Envelope, owed: bool, out: &mut Vec<Effect>) {
        let session = self.session_mut(id).expect("looked at before");
        let user = session.user().expect("messages are for users");
        if session.closing {
            // Too late for the socket: it goes back to the backlog with all that is in the window.
            session.window.push_back(Sent { end: u64::MAX, user, envelope, owed });
            return;
        }
        let length = envelope.body().len() as u64 + 1;
        session.queued += length;
        if let Some(online) = session.online_mut() {
            online.remember(envelope.mid());
            if owed {
                online.owed.insert(envelope.mid());
            }
        }
        let end = session.queued;
        session.window.push_back(Sent { end, user, envelope: envelope.clone(), owed });
        let first = !std::mem::replace(&mut session.in_unacked, true);
        self.unacked_bytes += length;
        if first {
            self.unacked.push(id);
        }
        out.push(Effect::Send { session: id, frame: Frame::Push(envelope) });
        self.check_outbox(id, out);
    }

    /// Looks at what TCP has acknowledged when much is under way, and cuts who does not read.
    pub(super) fn check_outbox(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        const LOOK_BYTES: u64 = 16 << 10;
        const LOOK_MESSAGES: usize = 64;
        let budget = if self.unacked_bytes > self.limits.outbox_core_bytes as u64 {
            self.limits.outbox_squeezed_bytes as u64
        } else {
            self.limits.outbox_bytes as u64
        };
        let session = self.session_mut(id).expect("looked at before");
        if session.closing {
            return;
        }
        if session.unacked_bytes() > budget {
            let text = Code::TooSlow.text();
            let refusal = Refusal { code: Code::TooSlow, text, re: None, cid: None, retry_after_ms: None };
            let frame = Frame::Reply(reply::error(refusal));
            out.push(Effect::Send { session: id, frame });
            return self.close(id, out);
        }
        let since_look = session.queued - session.probed;
        if since_look > LOOK_BYTES || session.window.len() % LOOK_MESSAGES == LOOK_MESSAGES - 1 {
            session.probed = session.queued;
            out.push(Effect::Probe { session: id });
        }
    }

    pub(super) fn acked(&mut self, id: SessionId, bytes: u64, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id) else { return };
        let before = session.acked;
        let mut arrived: Vec<(UserId, MessageId)> = Vec::new();
        for sent in session.acknowledge(bytes) {
            if sent.owed {
                arrived.push((sent.user, sent.envelope.mid()));
            }
        }
        let acknowledged = session.acked - before;
        self.unacked_bytes -= acknowledged;
        for of_one_user in arrived.chunk_by(|a, b| a.0 == b.0) {
            let mids: Vec<MessageId> = of_one_user.iter().map(|&(_, mid)| mid).collect();
            self.adopt_for(
                Some(id),
                Orphan::Settle { user: of_one_user[0].0, mids, progress: Vec::new() },
                out,
            );
        }
        self.continue_backlog(id, out);
    }

    /// Those with nothing under way need not be looked at any more.
    pub(super) fn probe_unacked(&mut self, out: &mut Vec<Effect>) {
        let looked_at = std::mem::take(&mut self.unacked);
        for id in looked_at {
            let Some(session) = self.session_mut(id) else { continue };
            if session.unacked_bytes() == 0 {
                session.in_unacked = false;
                session.window.shrink_to(0);
                if let Some(online) = session.online_mut() {
                    online.recent = Default::default();
                }
            } else {
                session.probed = session.queued;
                self.unacked.push(id);
                out.push(Effect::Probe { session: id });
            }
        }
    }

    /// Hands a live message to the session of its reader: at once, or after its backlog.
    pub(super) fn push_or_hold(&mut self, id: SessionId, envelope: Envelope, out: &mut Vec<Effect>) {
        let limit = self.limits.held_bytes;
        let session = self.session_mut(id).expect("users and seats point to sessions");
        let owed = envelope.kind() == Kind::Direct && envelope.storing() == Storing::Always;
        match &mut session.phase {
            Phase::Entering(entering) => {
                if hold(&mut entering.held, envelope.clone(), limit) {
                    return;
                }
                // Its backlog is not taken yet, and will have this too.
                if envelope.kind() == Kind::Direct {
                    return self.adopt(Orphan::Keep { envelope }, out);
                }
                let group = envelope.group();
                let pushes = self.seats.get(&group).map_or(0, |seat| seat.pushes);
                let Some(session) = self.session_mut(id) else { return };
                if let Phase::Entering(entering) = &mut session.phase
                    && let Some(place) = entering.groups.get_mut(&group)
                {
                    place.since = pushes;
                }
            }
            Phase::Online(online) => {
                if let Some(catching_up) = &mut online.catching_up {
                    if !hold(&mut catching_up.held, envelope.clone(), limit) {
                        self.spill(id, envelope, out);
                    }
                } else if !(owed && online.has(envelope.mid())) {
                    self.push(id, envelope, owed, out);
                }
            }
            Phase::Anonymous => unreachable!("an anonymous session is nobody's"),
        }
    }

    /// Too much waits for the backlog to be through: all of it joins the backlog.
    fn spill(&mut self, id: SessionId, last: Envelope, out: &mut Vec<Effect>) {
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("is online");
        let catching_up = online.catching_up.as_mut().expect("is catching up");
        let mut spilled = std::mem::take(&mut catching_up.held).messages;
        spilled.push_back(last);
        catching_up.again = true;
        for envelope in spilled {
            if envelope.kind() == Kind::Direct {
                let online =
                    self.session_mut(id).and_then(|session| session.online_mut()).expect("is online");
                online.catching_up.as_mut().expect("is catching up").spilling += 1;
                self.adopt_for(Some(id), Orphan::Keep { envelope }, out);
            } else {
                self.miss(id, envelope.group(), envelope.mid(), None);
            }
        }
    }

    /// Somebody says that the user has something waiting.
    pub(super) fn take_for(&mut self, user: UserId, out: &mut Vec<Effect>) {
        if let Some(&id) = self.users.get(&user) {
            self.take_again(id, out);
        }
    }

    pub(super) fn take_again(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        // Who is entering takes its backlog later anyway.
        let Some(online) = self.session_mut(id).and_then(|session| session.online_mut()) else { return };
        match &mut online.catching_up {
            Some(catching_up) => catching_up.again = true,
            None => {
                online.catching_up = Some(Box::new(CatchingUp::new(None, Held::default())));
                self.catching_up.push(id);
            }
        }
        self.continue_backlog(id, out);
    }

    pub(super) fn continue_backlogs(&mut self, out: &mut Vec<Effect>) {
        for id in std::mem::take(&mut self.catching_up) {
            let catching_up = |hub: &mut Self| {
                let online = hub.session_mut(id).and_then(|session| session.online_mut());
                online.is_some_and(|online| online.catching_up.is_some())
            };
            if catching_up(self) {
                self.push_paced(id, out);
                self.continue_backlog(id, out);
            }
            if catching_up(self) && !self.catching_up.contains(&id) {
                self.catching_up.push(id);
            }
        }
    }

    /// One message of the page, for a client that reads one frame at a time.
    fn push_paced(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("is online");
        let catching_up = online.catching_up.as_mut().expect("is catching up");
        if catching_up.paced == 0 {
            return;
        }
        catching_up.paced -= 1;
        if let Some(waiting) = catching_up.rest.pop_front() {
            self.push_waiting(id, waiting, out);
        }
    }

    /// Goes on with a backlog as far as it can without waiting.
    pub(super) fn continue_backlog(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let half_bytes = self.limits.outbox_bytes as u64 / 2;
        let Some(session) = self.session_mut(id) else { return };
        let roomy = session.unacked_bytes() < half_bytes && !session.closing;
        let Some(online) = session.online_mut() else { return };
        let Some(catching_up) = &mut online.catching_up else { return };
        if catching_up.taking || !roomy || (catching_up.paced > 0 && !catching_up.rest.is_empty()) {
            return;
        }
        for waiting in std::mem::take(&mut catching_up.rest) {
            self.push_waiting(id, waiting, out);
        }
        self.settle_heads(id);
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("as above");
        let catching_up = online.catching_up.as_mut().expect("as above");
        if !catching_up.complete || catching_up.again {
            self.take_page(id, out);
        } else if catching_up.spilling == 0 {
            self.caught_up(id, out);
        }
    }

    fn take_page(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let (messages, bytes) = (self.limits.page_messages, self.limits.page_bytes);
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        if std::mem::take(&mut catching_up.again) {
            catching_up.after = MessageId(0);
            catching_up.paged.clear();
        }
        let online = self.session(id).and_then(|session| session.online()).expect("looked at before");
        let paged = &online.catching_up.as_ref().expect("looked at before").paged;
        let mut have: Vec<(GroupId, u64)> = Vec::with_capacity(online.groups.len());
        for (&group, place) in &online.groups {
            let seat = self.seats.get(&group).expect("a member has a seat");
            have.push((group, seat.place_of(place).max(paged.get(&group).copied().unwrap_or(0))));
        }
        have.sort_unstable();
        let (user, visit) = (online.user, online.visit);
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        catching_up.taking = true;
        catching_up.complete = false;
        let after = catching_up.after;
        let ticket = self.pending.insert(Pending::Take { session: id, visit });
        out.push(Effect::Ask { ticket, ask: Ask::Take { user, after, have, messages, bytes } });
    }

    pub(super) fn taken(&mut self, id: SessionId, visit: Visit, answer: Answer, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id) else { return };
        let Some(online) = session.online_mut().filter(|online| online.visit == visit) else { return };
        let catching_up = online.catching_up.as_mut().expect("a Take is out only while catching up");
        catching_up.taking = false;
        match answer {
            Ok(Done::Taken { messages, complete, heads }) => {
                if let Some(last) = messages.last() {
                    catching_up.after = last.envelope.mid();
                }
                catching_up.rest = messages.into();
                catching_up.complete = complete;
                catching_up.heads = heads;
                self.greet(id, out);
                self.continue_backlog(id, out);
            }
            Ok(_) => unreachable!("Take is answered with Taken"),
            Err(code) if catching_up.greeting.is_some() => self.refuse_login(id, code, out),
            // Time goes on and asks again.
            Err(_) => catching_up.again = true,
        }
    }

    /// The login answer, with as much of the first page as there is room for.
    fn greet(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let (login_bytes, push_bytes) = (self.limits.login_bytes, self.limits.push_bytes);
        let session = self.session_mut(id).expect("looked at before");
        let one_frame_a_read = session.terminator == Terminator::Nul;
        let online = session.online_mut().expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        let Some(greeting) = catching_up.greeting.take() else { return };
        let frame_bytes = if one_frame_a_read { SMALL_FRAME_BYTES } else { login_bytes };
        let room = Room { lists_bytes: login_bytes - SMALL_FRAME_BYTES, frame_bytes };
        let presence = |user| greeting.online.contains(&user);
        let waiting = catching_up.rest.iter().map(|waiting| &waiting.envelope);
        let answer = lists::logged_in(online.user, &online.name, &greeting.roster, &presence, waiting, room);
        let answered: Vec<Waiting> = catching_up.rest.drain(..answer.messages).collect();
        if one_frame_a_read && !(catching_up.rest.is_empty() && catching_up.complete) {
            catching_up.paced = PACED;
        }
        self.send_with(id, answer.bytes, answered, out);
        if answer.friends < greeting.roster.friends.len() {
            let friends = lists::friend_list(&greeting.roster.friends, &presence, push_bytes);
            self.reply(id, friends, out);
        }
        self.resume(id, Pause::Answering, out);
    }

    /// Sends one frame that holds several messages: when it is acknowledged, all of them are.
    fn send_with(&mut self, id: SessionId, bytes: Vec<u8>, messages: Vec<Waiting>, out: &mut Vec<Effect>) {
        let end = self.session(id).expect("looked at before").queued + bytes.len() as u64 + 1;
        for Waiting { envelope, pos } in messages {
            let session = self.session_mut(id).expect("looked at before");
            let user = session.user().expect("is online");
            let online = session.online_mut().expect("is online");
            let owed = pos.is_none();
            online.catching_up.as_mut().expect("is catching up").pushed.insert(envelope.mid());
            if owed {
                online.owed.insert(envelope.mid());
            }
            session.window.push_back(Sent { end, user, envelope, owed });
        }
        self.reply(id, bytes, out);
    }

    fn push_waiting(&mut self, id: SessionId, waiting: Waiting, out: &mut Vec<Effect>) {
        let Waiting { envelope, pos } = waiting;
        let mid = envelope.mid();
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("is online");
        let was_missing = online.missing.remove(&mid).is_some();
        let pushed_here = match pos {
            None => online.has(mid),
            // What the seat pushed to everybody reached this session too, unless it is missing.
            Some(_) => online.has(mid) || self.seat_pushed(id, &envelope),
        };
        if pushed_here && !was_missing {
            return;
        }
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("is online");
        online.catching_up.as_mut().expect("is catching up").pushed.insert(mid);
        self.push(id, envelope, pos.is_none(), out);
    }

    /// The groups stand where the page that is through has left them.
    fn settle_heads(&mut self, id: SessionId) {
        let Some(online) = self.session_mut(id).and_then(|session| session.online_mut()) else { return };
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        let heads = std::mem::take(&mut catching_up.heads);
        for (group, head) in heads {
            catching_up.paged.insert(group, head);
            online.missing.retain(|_, &mut (of, pos)| of != group || pos.is_none_or(|pos| pos > head));
            let missing = online.missing.values().any(|&(of, _)| of == group);
            let Some(place) = online.groups.get_mut(&group) else { continue };
            if !missing {
                place.from = place.from.max(head);
                place.cap = place.cap.map(|cap| cap.max(head));
            }
        }
    }

    /// Nothing waits any more: what was held goes out, and the session is live.
    fn caught_up(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("looked at before");
        let catching_up = online.catching_up.take().expect("looked at before");
        let missing: Vec<GroupId> = online.missing.values().map(|&(group, _)| group).collect();
        let mut caught_up = Vec::new();
        for (&group, place) in &mut online.groups {
            if !missing.contains(&group) && place.cap.take().is_some() {
                caught_up.push((group, place.from));
            }
        }
        for (group, from) in caught_up {
            self.start_seat(group, from);
        }
        for envelope in catching_up.held.messages {
            let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("is online");
            if catching_up.pushed.contains(&envelope.mid()) || online.has(envelope.mid()) {
                continue;
            }
            let owed = envelope.kind() == Kind::Direct && envelope.storing() == Storing::Always;
            self.push(id, envelope, owed, out);
        }
    }

    /// A seat that is behind one of its members starts where the last of them is, once all have
    /// their backlogs.
    fn start_seat(&mut self, group: GroupId, from: u64) {
        let seat = self.seats.get(&group).expect("a member has a seat");
        if from <= seat.synced {
            return;
        }
        let place = |&id: &SessionId| {
            self.session(id)?.online()?.groups.get(&group).filter(|place| place.cap.is_none())
        };
        let places: Option<Vec<u64>> =
            seat.members.iter().map(|id| place(id).map(|place| place.from)).collect();
        if let Some(last) = places.and_then(|places| places.into_iter().min()) {
            self.seats.get_mut(&group).expect("looked at above").start_at(last);
        }
    }

    /// A message that its reader may not have got goes back to the backlog.
    pub(super) fn keep_for(&mut self, user: UserId, envelope: Envelope, out: &mut Vec<Effect>) {
        let orphan = match envelope.kind() {
            Kind::Direct => Orphan::Keep { envelope },
            _ => Orphan::Owe { user, mids: vec![envelope.mid()] },
        };
        self.adopt(orphan, out);
    }

    pub(super) fn adopt(&mut self, orphan: Orphan, out: &mut Vec<Effect>) {
        self.adopt_for(None, orphan, out);
    }

    /// Asks the store, and asks again while it is busy. `session` hears when it is done.
    fn adopt_for(&mut self, session: Option<SessionId>, orphan: Orphan, out: &mut Vec<Effect>) {
        let ask = match orphan.clone() {
            Orphan::Keep { envelope } => Ask::Keep { envelope },
            Orphan::Owe { user, mids } => Ask::Owe { user, mids },
            Orphan::Settle { user, mids, progress } => Ask::Settle { user, mids, progress },
        };
        let ticket = self.pending.insert(Pending::Orphan { session, orphan });
        out.push(Effect::Ask { ticket, ask });
    }

    pub(super) fn orphan_answered(
        &mut self,
        session: Option<SessionId>,
        orphan: Orphan,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        if answer == Err(Code::Busy) {
            if self.orphans.len() < self.limits.orphans {
                self.orphans.push_back((session, orphan));
            }
            return;
        }
        match orphan {
            Orphan::Keep { envelope } => {
                if let Some(id) = session {
                    self.spilled(id);
                }
                self.nudge(envelope.user(), out);
            }
            Orphan::Owe { user, .. } => self.nudge(user, out),
            Orphan::Settle { mids, .. } => {
                let online =
                    session.and_then(|id| self.session_mut(id)).and_then(|session| session.online_mut());
                if let Some(online) = online {
                    for mid in mids {
                        online.owed.remove(&mid);
                    }
                }
            }
        }
    }

    fn spilled(&mut self, id: SessionId) {
        let online = self.session_mut(id).and_then(|session| session.online_mut());
        if let Some(catching_up) = online.and_then(|online| online.catching_up.as_mut()) {
            catching_up.spilling = catching_up.spilling.saturating_sub(1);
            catching_up.again = true;
        }
    }

    /// Whoever holds the user is to take again.
    fn nudge(&mut self, user: UserId, out: &mut Vec<Effect>) {
        match self.users.get(&user) {
            Some(&id) if self.session(id).is_some_and(|session| session.online().is_some()) => {
                self.take_again(id, out);
            }
            _ => {
                let envelope = Envelope::waiting(user);
                out.push(Effect::Publish { ticket: None, channel: Channel::User(user), envelope });
            }
        }
    }

    pub(super) fn retry_orphans(&mut self, out: &mut Vec<Effect>) {
        for (session, orphan) in std::mem::take(&mut self.orphans) {
            self.adopt_for(session, orphan, out);
        }
    }
}

/// Keeps a message back, unless too much is kept back already.
fn hold(held: &mut Held, envelope: Envelope, limit_bytes: usize) -> bool {
    let bytes = envelope.bytes().len();
    if held.bytes + bytes > limit_bytes {
        return false;
    }
    held.bytes += bytes;
    held.messages.push_back(envelope);
    true
}
