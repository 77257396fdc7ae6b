//! The tables of one core, and the single match over what can happen.
//!
//! Owns every session of its core. Performs nothing: what is to be done goes into a list of
//! effects. The rules themselves live beside this file, one idea each: `said` (what a client may
//! say), `connection`, `account` and `enter` (logins), `direct` and `late` (one-to-one), `group`
//! and `seat`, `friend`, `backlog`.

use super::anonymous::Anonymous;
use super::ask::Done;
use super::awaited::Awaited;
use super::counts::Counts;
use super::effect::Effect;
use super::envelope::{Envelope, Kind};
use super::event::{Channel, Event};
use super::ids::{CoreId, GroupId, MessageClock, MessageId, Millis, Monotonic, Now, SessionId, UserId};
use super::keep::Keep;
use super::late::Late;
use super::limits::Limits;
use super::local_time::LocalTime;
use super::orphan::Orphan;
use super::pending::{Pending, PendingTable};
use super::presence::Presence;
use super::rename::Renamed;
use super::seat::Seats;
use super::session::{Online, Phase, Session, Visit};
use super::settling::Settling;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// What one core knows and decides.
#[derive(Debug)]
pub struct Hub {
    pub(super) limits: Limits,
    pub(super) keeping: Keep,
    pub(super) clock: MessageClock,
    pub(super) core: CoreId,
    /// The moment of the event that is being handled: what deadlines are measured by.
    pub(super) now: Monotonic,
    /// The same by the wall clock: for `ts`, message ids and texts only.
    pub(super) wall: Millis,
    pub(super) time: LocalTime,
    /// When the bytes of this turn were read, for the envelopes made of them.
    pub(super) read_us: u32,
    pub(super) sessions: Vec<Option<Box<Session>>>,
    /// Users whose channel this core has joined or is joining, and for which session.
    pub(super) users: FxHashMap<UserId, SessionId>,
    pub(super) seats: Seats,
    pub(super) pending: PendingTable,
    pub(super) late: FxHashMap<UserId, Late>,
    pub(super) presence: Presence,
    pub(super) awaited: Awaited,
    pub(super) renamed: Renamed,
    /// Messages for the history, and who sent them, until they are enough.
    pub(super) records: Vec<(SessionId, Envelope)>,
    /// What senders are ahead of the store.
    pub(super) settling: Settling,
    /// What could not be put into a backlog because the store was busy.
    pub(super) orphans: VecDeque<(Option<SessionId>, Orphan)>,
    /// Users who are to be told that something waits for them, and the bus was down.
    pub(super) to_nudge: FxHashSet<UserId>,
    /// Places of stored group messages that the other cores are to be told with the next notice.
    pub(super) stored: FxHashMap<GroupId, Vec<(MessageId, u64)>>,
    /// The last of these places that they were told; to be told once more, after a while.
    pub(super) told: FxHashMap<GroupId, (MessageId, u64)>,
    /// Logins under way whose claim has a deadline.
    pub(super) claims: Vec<(SessionId, Visit)>,
    /// Numbers the seats, so that a late `Joined` is not taken for a newer one's.
    pub(super) seats_made: u64,
    /// Seats whose channel could not be joined, by group and number.
    pub(super) to_rejoin: Vec<(GroupId, u64)>,
    /// Sessions that something was sent to since TCP was last looked at.
    pub(super) unacked: Vec<SessionId>,
    /// Sessions whose backlog goes on with time.
    pub(super) catching_up: Vec<SessionId>,
    /// Connections that are not logged in and are not about to be, oldest first.
    pub(super) anonymous: Anonymous,
    /// Numbers the pings.
    pub(super) pings: u64,
    /// Bytes sent and not acknowledged, over all sessions.
    pub(super) unacked_bytes: u64,
    pub(super) scratch: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) next_probe: Monotonic,
    pub(super) next_seen: Monotonic,
    pub(super) next_ping: Monotonic,
    pub(super) next_notice: Monotonic,
    /// The last message id of this core when another core was last found dead.
    pub(super) gone_after: MessageId,
    pub(super) draining: bool,
    pub(super) counts: Counts,
}

/// How much a hub holds of everything, for whoever watches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Connections.
    pub sessions: usize,
    /// Users who are logged in here, or about to be.
    pub users: usize,
    /// Groups with a member here.
    pub groups: usize,
    /// Of the users, those whose login is under way.
    pub entering: usize,
    /// Tickets that are out.
    pub pending: usize,
    /// Users whose messages are on the detour through the store.
    pub late: usize,
    /// Messages that wait in those detours.
    pub late_messages: usize,
    /// Live messages that wait for their reader's backlog to be through.
    pub held_messages: usize,
    /// Things for backlogs that wait for a busy store.
    pub orphans: usize,
    /// Groups with stored messages that the other cores are still to be told of.
    pub stored: usize,
    /// Claims that are not decided.
    pub claims: usize,
    /// Bytes sent and not acknowledged.
    pub unacked_bytes: u64,
}

/// What an ERROR or an ACK answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) session: SessionId,
    pub(super) re: u32,
    pub(super) cid: Option<&'a str>,
}

impl Hub {
    /// The hub of `core`, which has nobody yet.
    pub fn new(core: CoreId, limits: Limits) -> Self {
        Self {
            limits,
            keeping: Keep::default(),
            clock: MessageClock::new(core),
            core,
            now: Monotonic(0),
            wall: Millis(0),
            time: LocalTime::default(),
            read_us: 0,
            sessions: Vec::new(),
            users: FxHashMap::default(),
            seats: Seats::default(),
            pending: PendingTable::default(),
            late: FxHashMap::default(),
            presence: Presence::default(),
            awaited: Awaited::default(),
            renamed: Renamed::default(),
            records: Vec::new(),
            settling: Settling::default(),
            orphans: VecDeque::new(),
            to_nudge: FxHashSet::default(),
            stored: FxHashMap::default(),
            told: FxHashMap::default(),
            claims: Vec::new(),
            seats_made: 0,
            to_rejoin: Vec::new(),
            unacked: Vec::new(),
            catching_up: Vec::new(),
            anonymous: Anonymous::default(),
            pings: 0,
            unacked_bytes: 0,
            scratch: Vec::new(),
            body: Vec::new(),
            next_probe: Monotonic(0),
            next_seen: Monotonic(0),
            next_ping: Monotonic(0),
            next_notice: Monotonic(0),
            gone_after: MessageId(0),
            draining: false,
            counts: Counts::default(),
        }
    }

    /// The same, keeping what it is told to.
    pub fn keeping(mut self, keeping: Keep) -> Self {
        self.keeping = keeping;
        self
    }

    /// The same, started at `wall` and giving ids after `stored`, the greatest that the store knows.
    pub fn after(mut self, stored: MessageId, wall: Millis) -> Self {
        self.clock.begin_after(stored, wall);
        self
    }

    /// Whether nothing is left to do: no sessions, no answers to come, nothing to be kept.
    pub fn is_idle(&self) -> bool {
        self.sessions.iter().all(Option::is_none)
            && self.pending.len() == 0
            && self.orphans.is_empty()
            && self.to_nudge.is_empty()
            && self.late.is_empty()
            && self.awaited.is_empty()
            && self.records.is_empty()
            && self.stored.is_empty()
    }

    /// How much there is of everything.
    pub fn census(&self) -> Census {
        Census {
            sessions: self.sessions.iter().flatten().count(),
            users: self.users.len(),
            groups: self.seats.len(),
            entering: self.counts.entering as usize,
            pending: self.pending.len(),
            late: self.late.len(),
            late_messages: self.late.values().map(|late| late.queue.len()).sum(),
            held_messages: self.held_messages(),
            orphans: self.orphans.len(),
            stored: self.stored.len(),
            claims: self.claims.len(),
            unacked_bytes: self.unacked_bytes,
        }
    }

    /// What it has counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What comes from now on was read from its sockets at `read_us`: the low 32 bits of the
    /// microseconds since the Unix epoch. Measuring only; nothing is decided by it.
    pub fn note_read(&mut self, read_us: u32) {
        self.read_us = read_us;
    }

    /// Takes in one event at `now` and says what is to be done about it.
    ///
    /// `now.monotonic` never goes back; `now.wall` may. Effects are to be performed in their order, and
    /// before the next event is handled.
    pub fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Vec<Effect>) {
        self.now = self.now.max(now.monotonic);
        self.wall = now.wall;
        match event {
            Event::Said { session, terminator, request } => self.said(session, terminator, request, out),
            Event::Arrived { channel, envelope } => self.arrived(channel, envelope, out),
            Event::Counted { ticket, heard } => match self.pending.take(ticket) {
                Some(Pending::Direct { session, envelope }) => {
                    self.direct_counted(session, envelope, heard, out)
                }
                Some(Pending::Claim { session, visit }) => self.claim_counted(session, visit, heard, out),
                Some(Pending::LateNotice { user }) => self.late_noticed(user, heard, out),
                Some(Pending::Nudge { user }) => self.nudged(user, heard),
                Some(Pending::News { news }) => self.news_counted(news, heard),
                Some(Pending::Word { reader, mids }) => self.word_counted(reader, mids, heard, out),
                Some(Pending::StoredNotice { group, last }) => self.stored_noticed(group, last, heard),
                _ => {}
            },
            Event::Answered { ticket, answer } => {
                if let Some(pending) = self.pending.take(ticket) {
                    self.answered(pending, answer, out);
                }
            }
            Event::Acked { session, bytes } => self.acked(session, bytes, out),
            Event::Joined { ticket, result } => match self.pending.take(ticket) {
                Some(Pending::JoinUser { session, visit }) => self.user_joined(session, visit, result, out),
                Some(Pending::JoinGroup { group, seat }) => self.group_joined(group, seat, result, out),
                _ => {}
            },
            Event::Present { ticket, online } => match self.pending.take(ticket) {
                Some(Pending::LoginLook { session, visit, users, begun }) => {
                    self.login_looked(session, visit, (users, begun), online, out)
                }
                Some(Pending::Doubtful { users, begun }) => self.doubtful_looked(users, begun, online, out),
                Some(Pending::Listed(listed)) => self.people_looked(*listed, online, out),
                _ => {}
            },
            Event::Rejoined { core } => self.rejoined(core, out),
            Event::CoreGone { core } => {
                self.core_gone(core, out);
                self.take_for_all(out);
            }
            Event::Garbled { session, fault } => self.garbled(session, &fault, out),
            Event::Overdue { session } => self.overdue(session, out),
            Event::Shed { session } => self.shed(session, out),
            Event::Opened { session, from } => self.opened(session, from, out),
            Event::Ended { session } => {
                if let Some(ended) = self.session_mut(session) {
                    ended.ended = true;
                    self.finish_if_ended(session, out);
                }
            }
            Event::Closed { session, acked } => self.closed(session, acked, out),
            Event::Tick { utc_offset_s } => self.tick(utc_offset_s, out),
            Event::Drain => self.drain(out),
        }
    }

    fn arrived(&mut self, channel: Channel, envelope: Envelope, out: &mut Vec<Effect>) {
        match (channel, envelope.kind()) {
            (Channel::User(_), Kind::Direct) => {
                self.clock.observe(envelope.mid());
                self.direct_arrived(envelope, out);
            }
            (Channel::Group(_), Kind::Group) => {
                self.clock.observe(envelope.mid());
                self.group_arrived(envelope, out);
            }
            (Channel::User(_), Kind::Claim | Kind::Held | Kind::Yield) => self.claim_arrived(&envelope, out),
            (Channel::User(user), Kind::Reclaim) => self.reclaimed(user, Visit(envelope.mid().0), out),
            (Channel::User(_), kind @ (Kind::Confirmed | Kind::Unconfirmed)) => {
                self.word(envelope.sender(), kind, envelope.mids(), out);
            }
            (Channel::User(user), Kind::Waiting) => self.take_for(user, out),
            (Channel::Group(group), Kind::Stored) => {
                for (mid, pos) in envelope.stored_pairs() {
                    self.group_stored(group, mid, pos, out);
                }
            }
            (Channel::Group(group), Kind::Dissolved) => self.drop_group(group, out),
            (Channel::Cores, Kind::Presence) => self.presence_arrived(&envelope, out),
            (Channel::Cores, Kind::Farewell) => self.farewell(envelope.mid().core()),
            // An envelope on a channel that it does not belong to is another version's, or a forgery.
            _ => {}
        }
    }

    fn answered(&mut self, pending: Pending, answer: super::ask::Answer, out: &mut Vec<Effect>) {
        if answer == Ok(Done::IdTaken) {
            return self.keep_renamed(pending, out);
        }
        // Who is shown it may answer, and is to get a greater id.
        if let Some(seen) = answer.as_ref().ok().and_then(Done::greatest_mid) {
            self.clock.observe(seen);
        }
        match pending {
            Pending::Keep { session, envelope } => self.kept(session, &envelope, answer, out),
            Pending::Record { records } => self.recorded(records, &answer, out),
            Pending::KeepLate { session, envelope } => self.kept_late(session, &envelope, answer, out),
            Pending::Take { session, visit } => self.taken(session, visit, answer, out),
            Pending::Register { session } => self.registered(session, answer, out),
            Pending::Verify { session, demand } => self.verified(session, demand, answer, out),
            Pending::Resume { session, secret } => self.resumed(session, secret, answer, out),
            Pending::Roster { session, visit } => self.roster(session, visit, answer, out),
            Pending::LogOut { session, user, revoking } => {
                self.token_revoked(session, user, revoking, answer, out);
            }
            Pending::Roll(roll) => self.rolled(*roll, answer, out),
            Pending::People(asked) => self.people_answered(*asked, answer, out),
            Pending::History { session, asked, cid } => {
                self.history_answered(session, asked, cid, answer, out);
            }
            Pending::MayWrite { session, group, cid } => {
                self.may_not_write(session, group, cid, answer, out);
            }
            Pending::Orphan { session, orphan } => self.orphan_answered(session, orphan, answer, out),
            Pending::Progress { session, visit, upto } => {
                self.progress_written(session, visit, &upto, &answer);
            }
            Pending::Remember => {}
            // Tickets of the bus never come back from the store.
            _ => {}
        }
    }

    pub(super) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id.index as usize)?.as_deref().filter(|session| session.id == id)
    }

    pub(super) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(id.index as usize)?.as_deref_mut().filter(|session| session.id == id)
    }

    pub(super) fn online_mut(&mut self, id: SessionId) -> Option<&mut Online> {
        self.session_mut(id)?.online_mut()
    }

    /// Every logged-in session.
    pub(super) fn online_sessions(&self) -> Vec<SessionId> {
        self.sessions_in(|phase| matches!(phase, Phase::Online(_)))
    }

    /// Every session that is logging in.
    pub(super) fn entering_sessions(&self) -> Vec<SessionId> {
        self.sessions_in(|phase| matches!(phase, Phase::Entering(_)))
    }

    fn sessions_in(&self, right: impl Fn(&Phase) -> bool) -> Vec<SessionId> {
        let sessions = self.sessions.iter().flatten().filter(|session| right(&session.phase));
        sessions.map(|session| session.id).collect()
    }
}
