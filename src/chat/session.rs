//! One connection as its hub sees it: who it is, and what was sent to it and may be lost.

use super::ask::{Proof, Roster, TokenId, Waiting};
use super::dedup::DedupWindow;
use super::envelope::{Demand, Envelope, Target};
use super::ids::{GroupId, MessageId, Monotonic, SessionId, UserId};
use super::source::Source;
use super::wire::frame::Terminator;
use super::wire::request::Dialect;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// Why a session's requests are not handed over for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pause {
    /// A request is being answered that later ones may build on.
    Answering = 1,
    /// Too many of its messages are neither stored nor known to be heard.
    Unsettled = 2,
    /// All sessions of the core together have too many such messages.
    Crowded = 4,
}

/// A push that TCP may not have delivered yet.
#[derive(Debug)]
pub(super) struct Sent {
    /// Bytes sent to the session up to and with this frame.
    pub(super) end: u64,
    /// Whom it was for: a connection may have logged in as another user since.
    pub(super) user: UserId,
    /// A hash of its sender and cid, which a repetition shares. 0 without a cid.
    pub(super) label: u32,
    pub(super) envelope: Envelope,
    pub(super) debt: Debt,
}

impl Sent {
    pub(super) fn new(end: u64, user: UserId, envelope: Envelope, debt: Debt) -> Self {
        Self { end, user, label: label_of(&envelope), envelope, debt }
    }
}

/// A hash of a message's sender and cid; 0 if it has no cid.
fn label_of(envelope: &Envelope) -> u32 {
    match envelope.cid() {
        "" => 0,
        cid => {
            let mut hasher = FxHasher::default();
            (envelope.sender(), cid).hash(&mut hasher);
            hasher.finish() as u32 | 1
        }
    }
}

/// What a push means for its reader's backlog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Debt {
    /// It is in no backlog. It must be put there if it is not acknowledged.
    Nothing,
    /// It is in no backlog, or will be: its sender's core waits for its reader to confirm it. It must
    /// be put there if it is not.
    Awaited,
    /// It lies in the backlog until it is settled by its id, once it is acknowledged.
    Owed,
    /// It is a group's, and its place is beyond this one. Until it is acknowledged, the store is
    /// not told that its reader is any further.
    Behind(u64),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// Where it comes from.
    pub(super) from: Source,
    pub(super) phase: Phase,
    /// What its last login or registration asked for.
    pub(super) dialect: Dialect,
    /// Set of [`Pause`] bits; requests are handed over while it is 0.
    pub(super) paused: u8,
    /// What ends its frames, known from its first one.
    pub(super) terminator: Terminator,
    /// Whether a Close was asked for: nothing is sent any more.
    pub(super) closing: bool,
    /// Whether the client has said its last word.
    pub(super) ended: bool,
    /// Wrong passwords since the last right one.
    pub(super) wrong_passwords: u32,
    /// When it may try the next password.
    pub(super) may_guess_at: Monotonic,
    /// Passwords that nobody looked at, since one was looked at.
    pub(super) turned_away: u32,
    /// Registrations that nobody looked at, since one was looked at.
    pub(super) registrations_turned_away: u32,
    /// When it may register the next user.
    pub(super) may_register_at: Monotonic,
    /// A logout that waits for a look at what TCP has acknowledged.
    pub(super) leaving: Option<Leaving>,
    /// Whether its token is being revoked: it is logged out once that is done.
    pub(super) revoking: bool,
    /// The client's name for a login that is being answered.
    pub(super) login_cid: Option<Box<str>>,
    /// When it last said something.
    pub(super) heard_at: Monotonic,
    /// Until when it is to answer the ping that it was sent.
    pub(super) pong_by: Option<Monotonic>,
    /// Messages it sent that are neither stored nor known to be heard.
    pub(super) unsettled: u32,
    /// When something was last pushed to it.
    pub(super) pushed_at: Monotonic,
    /// Bytes sent to it since it was opened. `acked ≤ queued`.
    pub(super) queued: u64,
    /// Bytes that its TCP has acknowledged, as far as we were told.
    pub(super) acked: u64,
    /// When its TCP was last seen to have acknowledged more than before, or had nothing to
    /// acknowledge.
    pub(super) progress_at: Monotonic,
    /// `queued` when its TCP was last looked at.
    pub(super) probed: u64,
    /// Whether it is on the hub's list of sessions to be looked at.
    pub(super) in_unacked: bool,
    /// Pushes that are not acknowledged, oldest first.
    pub(super) window: VecDeque<Sent>,
}

/// A logout under way.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) cid: Option<Box<str>>,
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Phase {
    Anonymous,
    /// The password was right; the user's name is being claimed and its lists are being fetched.
    Entering(Box<Entering>),
    Online(Box<Online>),
}

/// The number of a login, and of the claim that it makes. Unique in the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Visit(pub(super) u64);

/// A login under way.
#[derive(Debug)]
pub(super) struct Entering {
    /// Tells this login apart from every other of the same connection.
    pub(super) visit: Visit,
    pub(super) user: UserId,
    pub(super) name: Box<str>,
    pub(super) claim: Claim,
    pub(super) demand: Demand,
    /// What it was proven by.
    pub(super) proof: Proof,
    /// What the login answer is made of; from the beginning, the token that the session came with.
    pub(super) roster: Roster,
    /// Of friends and fellow members, those who are online anywhere.
    pub(super) online: FxHashSet<UserId>,
    pub(super) groups: FxHashMap<GroupId, Place>,
    /// Joins of groups and the look at who is online: answers still to come.
    pub(super) awaited: u32,
    pub(super) held: Held,
    pub(super) missing: FxHashMap<MessageId, GroupId>,
}

/// Where the claim of a user stands.
#[derive(Debug)]
pub(super) enum Claim {
    /// The user's channel is being joined.
    Joining,
    /// Published under the number of the visit.
    Published {
        deadline: Monotonic,
        /// Whether it has come back: claims seen before it were first.
        seen: bool,
        /// How many other cores have joined the channel, once that is known.
        others: Option<u32>,
        /// How many of them said that they hold nothing.
        yields: u32,
        /// Claims with a token that came after it and are answered when it is decided: it may come
        /// to nothing because of the very session that they replace.
        held_up: Vec<Visit>,
    },
    Won,
}

/// Messages that arrived while the backlog is not through.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// As they arrived.
    pub(super) messages: VecDeque<HeldMessage>,
    pub(super) bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct HeldMessage {
    pub(super) envelope: Envelope,
    /// What pushing it will mean for the backlog.
    pub(super) debt: Debt,
    /// Whether a page of the backlog has given it too: then its debt is exact.
    pub(super) given: bool,
}

/// How far a member has come in one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Everything up to this pos was in its backlog or before it.
    pub(super) from: u64,
    /// The seat's count of pushes when the member sat down: earlier ones did not reach it.
    pub(super) since: u64,
    /// The pos last written to the store.
    pub(super) written: u64,
    /// While it is entering or catching up: the pos up to which it was sent everything.
    pub(super) cap: Option<u64>,
}

/// A logged-in user.
#[derive(Debug)]
pub(super) struct Online {
    pub(super) visit: Visit,
    /// The number by which the other cores know that its user is here: that of its login, or a newer one if
    /// it has stayed when the session of a newer login went.
    pub(super) known_as: Visit,
    pub(super) user: UserId,
    pub(super) name: Box<str>,
    pub(super) groups: FxHashMap<GroupId, Place>,
    /// What its user said lately, and how that was answered.
    pub(super) dedup: Box<DedupWindow>,
    /// Whose direct messages are refused.
    pub(super) blocked: FxHashSet<UserId>,
    /// What a session of the second dialect has besides.
    pub(super) v2: Option<Box<V2>>,
    /// Whether word of how far it has come is on its way to the store.
    pub(super) writing: bool,
    /// While it gets its backlog; live messages wait in it.
    pub(super) catching_up: Option<Box<CatchingUp>>,
    /// Pushed messages that lie in the user's backlog until they are settled.
    pub(super) owed: FxHashSet<MessageId>,
    /// The last pushes that were in no backlog when they were pushed, to recognise them in a page.
    pub(super) live: Recent,
    /// The last pushes from the backlog, to recognise them when they arrive.
    pub(super) taken: Recent,
    /// Group messages that reached this core and were not pushed to this session: it gets them
    /// from its backlog, when they are stored.
    pub(super) missing: FxHashMap<MessageId, GroupId>,
}

/// What a session of the second dialect has besides.
#[derive(Debug, Default)]
pub(super) struct V2 {
    /// The token that it was given, or came with.
    pub(super) token: Option<TokenId>,
    /// Whose coming and going it is told of.
    pub(super) friends: Vec<UserId>,
    /// What its TCP has acknowledged and its reader has not confirmed, oldest first.
    pub(super) unconfirmed: VecDeque<Sent>,
    /// Bytes of those envelopes.
    pub(super) unconfirmed_bytes: usize,
}

/// The last few pushes of some sort.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<MessageId>);

impl Recent {
    /// More than a page of the backlog holds.
    const MOST: usize = 256;

    pub(super) fn note(&mut self, mid: MessageId) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(mid);
    }

    pub(super) fn has(&self, mid: MessageId) -> bool {
        self.0.contains(&mid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.0.iter().copied()
    }
}

/// A backlog on its way to its session.
#[derive(Debug)]
pub(super) struct CatchingUp {
    /// The login answer to be sent with the first page.
    pub(super) greeting: Option<Box<Greeting>>,
    pub(super) held: Held,
    /// Whether a Take is out.
    pub(super) taking: bool,
    /// Whether the answer of the Take that is out is not to be used.
    pub(super) stale: bool,
    /// Whether something was put into the backlog since its first page was asked for: there will
    /// be another round.
    pub(super) again: bool,
    /// Whether the store was busy: while it is not asked again, live messages are not held.
    pub(super) failed: bool,
    /// The last message that is owed by itself, of the page before.
    pub(super) after: MessageId,
    /// What is left of the page, while it is sent message by message.
    pub(super) rest: VecDeque<Waiting>,
    /// The groups that the page was asked for.
    pub(super) asked: Vec<GroupId>,
    /// Where they stand once `rest` is through.
    pub(super) heads: Vec<(GroupId, u64)>,
    /// Whether that page was the last one.
    pub(super) complete: bool,
    /// Keeps that are out because `held` was full: the backlog is not through before them.
    pub(super) spilling: u32,
    /// Until when it waits for word that messages it is missing are stored.
    pub(super) patience: Monotonic,
    /// What was sent to the session and could be in a page: live before the backlog was begun, or
    /// with an earlier page.
    pub(super) sent: FxHashSet<MessageId>,
}

/// What a login answer is made of, until the first page of the backlog is there.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) roster: Roster,
    pub(super) online: FxHashSet<UserId>,
}

impl Online {
    /// Whether its login answer is still to come.
    pub(super) fn is_to_be_greeted(&self) -> bool {
        self.catching_up.as_ref().is_some_and(|catching_up| catching_up.greeting.is_some())
    }

    /// The groups stand where what was sent of the page has left them.
    pub(super) fn settle_page(&mut self) {
        let catching_up = self.catching_up.as_mut().expect("looked at before");
        for (&group, place) in &mut self.groups {
            let cap = catching_up.reached(group, place.cap.expect("is catching up"));
            place.cap = Some(cap);
            catching_up.held.advance(group, cap);
        }
        catching_up.heads.clear();
    }
}

impl CatchingUp {
    /// The place up to which the page that is being sent has brought a group, from `cap` on.
    pub(super) fn reached(&self, group: GroupId, cap: u64) -> u64 {
        let Some(&(_, head)) = self.heads.iter().find(|(of, _)| *of == group) else { return cap };
        let of_group =
            |waiting: &&Waiting| waiting.pos.is_some() && waiting.envelope.target() == Target::Group(group);
        let next = self.rest.iter().filter(of_group).filter_map(|waiting| waiting.pos).min();
        cap.max(next.map_or(head, |next| next - 1))
    }

    /// What was held is in the backlog, or will be: begins again from the front, so that nothing
    /// overtakes it.
    pub(super) fn begin_again(&mut self) {
        self.rest.clear();
        self.heads.clear();
        self.stale = self.taking;
        (self.complete, self.again) = (true, true);
    }

    /// What is held and was not sent with a page.
    pub(super) fn unsent(&self) -> impl Iterator<Item = (&Envelope, Debt)> + '_ {
        let held = self.held.messages.iter().map(|held| (&held.envelope, held.debt));
        held.filter(|(envelope, _)| !self.sent.contains(&envelope.mid()))
    }

    /// Notes that a message was sent; whether it is the first time. Forgets all where a store is
    /// busy for so long that it becomes too much: after a fault, a message may come twice.
    pub(super) fn note_sent(&mut self, mid: MessageId) -> bool {
        const MOST: usize = 65_536;
        if self.sent.len() >= MOST {
            self.sent.clear();
        }
        self.sent.insert(mid)
    }

    pub(super) fn new(greeting: Option<Box<Greeting>>, held: Held, sent: FxHashSet<MessageId>) -> Self {
        Self {
            greeting,
            held,
            taking: false,
            stale: false,
            again: true,
            failed: false,
            after: MessageId(0),
            rest: VecDeque::new(),
            asked: Vec::new(),
            heads: Vec::new(),
            complete: false,
            spilling: 0,
            patience: Monotonic(0),
            sent,
        }
    }
}

impl Session {
    /// Whether it is not read from for this reason.
    pub(super) fn is_paused(&self, why: Pause) -> bool {
        self.paused & why as u8 != 0
    }

    pub(super) fn new(id: SessionId, from: Source) -> Self {
        Self {
            id,
            from,
            phase: Phase::Anonymous,
            dialect: Dialect::Seed,
            paused: 0,
            terminator: Terminator::Newline,
            closing: false,
            ended: false,
            wrong_passwords: 0,
            may_guess_at: Monotonic(0),
            turned_away: 0,
            registrations_turned_away: 0,
            may_register_at: Monotonic(0),
            leaving: None,
            revoking: false,
            login_cid: None,
            heard_at: Monotonic(0),
            pong_by: None,
            unsettled: 0,
            pushed_at: Monotonic(0),
            queued: 0,
            acked: 0,
            progress_at: Monotonic(0),
            probed: 0,
            in_unacked: false,
            window: VecDeque::new(),
        }
    }

    pub(super) fn online(&self) -> Option<&Online> {
        match &self.phase {
            Phase::Online(online) => Some(online),
            _ => None,
        }
    }

    pub(super) fn online_mut(&mut self) -> Option<&mut Online> {
        match &mut self.phase {
            Phase::Online(online) => Some(online),
            _ => None,
        }
    }

    /// The number of the login that it is in, once it is logged in.
    pub(super) fn visit(&self) -> Option<Visit> {
        self.online().map(|online| online.visit)
    }

    /// The login under way, if it is still this one.
    pub(super) fn entering_mut(&mut self, visit: Visit) -> Option<&mut Entering> {
        match &mut self.phase {
            Phase::Entering(entering) if entering.visit == visit => Some(entering),
            _ => None,
        }
    }

    /// The user that it is or is about to be.
    pub(super) fn user(&self) -> Option<UserId> {
        match &self.phase {
            Phase::Anonymous => None,
            Phase::Entering(entering) => Some(entering.user),
            Phase::Online(online) => Some(online.user),
        }
    }

    /// Whether its client may read as the original does: one frame a read.
    pub(super) fn reads_single_frames(&self) -> bool {
        self.terminator == Terminator::Nul && self.dialect == Dialect::Seed
    }

    pub(super) fn unacked_bytes(&self) -> u64 {
        self.queued - self.acked
    }

    /// A message that its reader may not have.
    pub(super) fn find_sent(&mut self, mid: MessageId) -> Option<&mut Sent> {
        let v2 = match &mut self.phase {
            Phase::Online(online) => online.v2.as_mut(),
            _ => None,
        };
        let unconfirmed = v2.into_iter().flat_map(|v2| &mut v2.unconfirmed);
        unconfirmed.chain(&mut self.window).find(|sent| sent.envelope.mid() == mid)
    }

    /// Takes note of what TCP has acknowledged. What of the window that is goes to `arrived`, or,
    /// if its reader is to confirm it, waits for that.
    pub(super) fn acknowledge(&mut self, bytes: u64, mut arrived: impl FnMut(Sent)) {
        self.acked = self.acked.max(bytes.min(self.queued));
        let safe = self.window.iter().take_while(|sent| sent.end <= self.acked).count();
        let mut confirming = match &mut self.phase {
            Phase::Online(online) => online.v2.as_mut().map(|v2| (online.user, v2)),
            _ => None,
        };
        for sent in self.window.drain(..safe) {
            match &mut confirming {
                Some((user, v2)) if *user == sent.user => v2.wait_for(sent),
                _ => arrived(sent),
            }
        }
    }
}
