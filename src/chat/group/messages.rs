//! Group messages: stored once, pushed to the members here, published once for all others.

use super::Groups;
use super::subscription::Noted;
use crate::backlog::Backlog;
use crate::connection::{About, Connection, Connections, Pause, StoredAs};
use crate::model::capabilities::Capabilities;
use crate::model::envelope::{Envelope, Target};
use crate::model::ids::{ConnectionId, GroupId, MessageId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{GroupFlow, PublishFlow, Pushed, StoreRetry};
use crate::port::seal::Said;
use crate::port::store::{StoreRequest, StoredMessage};
use crate::wire::code::Code;
use crate::wire::msgid;
use crate::wire::reply::{self, Outcome, Refusal};

/// Where a message of this core is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) group: GroupId,
    pub(crate) mid: MessageId,
    pub(crate) pos: u64,
}

/// ERROR 109: so much was said in a group that its members could not take more.
fn refuse_too_fast(cx: &mut Cx, connections: &mut Connections, about: About<'_>, retry_after_ms: u64) {
    let (code, text) = (Code::TooFast, "too much at once for this group");
    let retry_after_ms = Some(retry_after_ms);
    let refusal = Refusal { code, text, re: Some(about.re), cid: about.cid, retry_after_ms };
    cx.counters.error(code);
    connections.reply(cx, about.connection, reply::error(refusal));
}

/// Whether a refusal says that a user is no member any more.
pub(crate) fn ends_membership(code: Code) -> bool {
    code == Code::NotAMember || code == Code::NoSuchGroup
}

impl Groups {
    /// GROUP_CHAT.
    pub(crate) fn on_group_chat(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        about: About<'_>,
        (group, said): (GroupId, Said<'_>),
    ) {
        cx.enter();
        let id = about.connection;
        let Some(new) = connections.begin_chat(cx, about, Target::Group(group), said) else { return };
        if id.is_acting() {
            // Whether it may be said, the store knows; who hears of it does so once it is stored.
            let Some(envelope) = connections.seal_chat(cx, about, new, said) else { return };
            cx.counters.group += 1;
            connections.begin_send(cx, id);
            return self.store(cx, connections, id, envelope, Pushed::OnceStored);
        }
        let Some(cursor) = self.cursors.get_mut(id).and_then(|cursors| cursors.of.get_mut(&group)) else {
            let user = new.sender;
            if cx.lookups_are_full() {
                return connections.refuse(cx, about, Code::Busy);
            }
            connections.pause(cx, id, Pause::AwaitingReply);
            let flow = GroupFlow::CheckMembership { connection: id, group, cid: about.cid.map(Into::into) };
            return cx.look_up(StoreRequest::CheckMembership { user, group }, flow);
        };
        let is_muted_all = self.muted_all.get(&group).is_some_and(|all| all.until.holds(cx.wall));
        if cursor.rule.muted.holds(cx.wall) || (is_muted_all && !cursor.rule.role.runs()) {
            return connections.refuse(cx, about, Code::Muted);
        }
        if let Err(retry_after_ms) = cursor.spend(cx.now, &cx.limits, cx.rates.group, said.bytes())
            && self.rate_counts(&cx.limits, cx.rates.group, connections, (group, id))
        {
            return refuse_too_fast(cx, connections, about, retry_after_ms);
        }
        let Some(mut envelope) = connections.seal_chat(cx, about, new, said) else { return };
        if is_muted_all {
            // Other cores need not know who runs the group.
            envelope = envelope.of_who_runs();
        }
        cx.counters.group += 1;
        connections.begin_send(cx, id);
        let pushed = self.begin_push(cx, id, group);
        self.store(cx, connections, id, envelope.clone(), pushed);
        if pushed == Pushed::Already {
            self.push_to_members(cx, connections, backlog, &envelope, Some(id));
            cx.publish(Channel::Group(group), envelope);
        }
    }

    /// Whether what a member says now is pushed at once. Where this core may not know what the member may do, because it
    /// has lost the bus or the member has just joined, the store decides first; what follows keeps its order.
    fn begin_push(&mut self, cx: &Cx, id: ConnectionId, group: GroupId) -> Pushed {
        let cursor = self.cursors.get(id).and_then(|cursors| cursors.of.get(&group));
        let at_once = cursor.is_none_or(|cursor| cursor.unpushed == 0 && self.knows_rules(cx, group, cursor));
        if at_once {
            return Pushed::Already;
        }
        let cursor = self.cursors.get_mut(id).and_then(|cursors| cursors.of.get_mut(&group));
        cursor.into_iter().for_each(|cursor| cursor.unpushed += 1);
        Pushed::OnceStored
    }

    /// Why a group is not to be written to: ERROR. A member after all is one of whom the store knows more than this
    /// core did: it has joined already, and is to try again.
    pub(crate) fn refuse_chat(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        cid: Option<&str>,
        code: Code,
    ) {
        cx.enter();
        connections.refuse(cx, About { connection: id, re: msgid::GROUP_CHAT, cid }, code);
        connections.resume(cx, id, Pause::AwaitingReply);
    }

    /// Pushes a group message to every member of this core but the session that has sent it. Other sessions of its user
    /// are pushed it if they ask for that.
    pub(super) fn push_to_members(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        envelope: &Envelope,
        from: Option<ConnectionId>,
    ) {
        let (group, sender) = (envelope.group(), envelope.sender());
        let Some(subscription) = self.subscriptions.get_mut(&group) else { return };
        subscription.push(envelope.mid());
        let here = subscription.contiguous_upto;
        self.note_awaiting_offsets(group);
        let Some(subscription) = self.subscriptions.get(&group) else { return };
        let furthest_from = subscription.furthest_from;
        let is_event = envelope.is_event();
        // Counted here, one after the other: in the midst of what each member takes, a count would wait for all that was
        // written before it.
        let mut copies = vec![envelope.clone(); subscription.members.len()];
        for (&member, copy) in subscription.members.iter().zip(copies.drain(..)) {
            let Some(connection) = connections.get(member) else { continue };
            if is_event && !connection.capabilities.has(Capabilities::GROUP) {
                continue;
            }
            let is_own = connection.user() == Some(sender);
            if is_own && (from == Some(member) || !(is_event || connection.hears_own())) {
                continue;
            }
            // A live message is beyond all that the subscription and the reader's backlog know of.
            let known = match backlog.upto(member, group) {
                None if furthest_from <= here => here,
                upto => {
                    let cursor = self.cursors.get(member).and_then(|cursors| cursors.of.get(&group));
                    cursor.map_or(0, |cursor| upto.unwrap_or(cursor.from))
                }
            };
            // No backlog has what its reader has sent itself.
            let stored_as = if is_own { StoredAs::History } else { StoredAs::GroupLog(here.max(known)) };
            backlog.push_or_buffer(cx, connections, member, copy, stored_as);
        }
    }

    /// Another core sends a message of a group. Gives back the sessions of its sender that are not pushed it and would have
    /// been: if it is stored all the same, others find it by its place, but no backlog has it for them.
    pub(crate) fn on_group_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        envelope: &Envelope,
    ) -> Vec<ConnectionId> {
        cx.enter();
        if envelope.mid().core() == cx.core {
            // What this core published comes back to it, and was pushed when it was sent.
            return Vec::new();
        }
        // It may come after others have taken this core for dead.
        let is_late = cx.hearing.is_silent() && !envelope.is_event();
        if is_late || self.is_silenced(cx, envelope) {
            let mut own = self.members(envelope.group());
            own.retain(|&id| {
                let session = connections.get(id).filter(|session| session.user() == Some(envelope.sender()));
                session.is_some_and(Connection::hears_own)
            });
            return own;
        }
        self.push_to_members(cx, connections, backlog, envelope, None);
        Vec::new()
    }

    /// The store has a message, or not: ACK or ERROR. Gives back where it is stored.
    pub(crate) fn on_stored(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        (id, envelope, pushed): (ConnectionId, Envelope, Pushed),
        stored: Result<StoredMessage, Code>,
    ) -> Option<Place> {
        cx.enter();
        let group = envelope.group();
        let mut place = None;
        if pushed == Pushed::OnceStored {
            let cursor = self.cursors.get_mut(id).and_then(|cursors| cursors.of.get_mut(&group));
            cursor.into_iter().for_each(|cursor| cursor.unpushed = cursor.unpushed.saturating_sub(1));
            // One that was stored before under another id was pushed, or is found by its place.
            if stored.is_ok_and(|stored| stored.mid == envelope.mid()) {
                self.push_to_members(cx, connections, backlog, &envelope, Some(id));
                cx.publish(Channel::Group(group), envelope.clone());
            }
        }
        match stored {
            Ok(StoredMessage { mid, ts, pos }) => {
                let answers = connections.note_answered(id, &envelope, Some((mid, ts, pos)));
                for _ in 0..if envelope.cid().is_empty() { 0 } else { answers } {
                    cx.counters.acks += 1;
                    let outcome = Outcome { mid: Some(mid), pos, ts: Some(ts), ..Outcome::default() };
                    connections.reply(cx, id, reply::ack(envelope.cid(), msgid::GROUP_CHAT, outcome));
                }
                place = pos.map(|pos| Place { group, mid, pos });
            }
            Err(code) => {
                let cid = Some(envelope.cid()).filter(|cid| !cid.is_empty());
                for _ in 0..connections.note_answered(id, &envelope, None) {
                    connections.refuse(cx, About { connection: id, re: msgid::GROUP_CHAT, cid }, code);
                }
                if code == Code::Busy && !id.is_acting() {
                    // Its readers may have it, so it is to be in the history too.
                    backlog.retry_later(cx, None, StoreRetry::StoreMessage { envelope });
                }
            }
        }
        connections.end_send(cx, id);
        place
    }

    /// A message of this core's is stored: the other cores are told with the next offsets.
    pub(crate) fn tell_place(&mut self, place: Place) {
        self.offsets.entry(place.group).or_default().push((place.mid, place.pos));
    }

    /// It is time to tell the other cores where messages of this one are stored. What was to be told before comes first.
    pub(crate) fn begin_offsets(&mut self) {
        if self.telling.len() == 0 {
            self.telling = std::mem::take(&mut self.offsets).into_iter();
        }
    }

    /// Tells the other cores of some groups where messages of this one are stored, of the others with the next ticks.
    pub(crate) fn publish_offsets(&mut self, cx: &mut Cx) {
        cx.enter();
        const PAIRS: usize = 1_024;
        for (group, pairs) in self.telling.by_ref().take(cx.limits.walk_sessions) {
            for pairs in pairs.chunks(PAIRS) {
                let Some(&last) = pairs.last() else { continue };
                let flow = PublishFlow::GroupOffsets { group, last };
                cx.publish_counted(Channel::Group(group), Envelope::group_offsets(group, pairs), flow);
            }
        }
    }

    /// What the bus could not publish is told with the next offsets: the last place is enough, since whoever did not
    /// get what is before it finds a gap.
    pub(crate) fn on_offsets_published(
        &mut self,
        cx: &Cx,
        group: GroupId,
        last: (MessageId, u64),
        receivers: Result<u32, BusDown>,
    ) {
        if receivers.is_ok() {
            self.told.insert(group, last);
        } else if !cx.draining {
            self.offsets.entry(group).or_default().insert(0, last);
        }
    }

    /// It is time to tell last places once more. Those of the last time are told first.
    pub(crate) fn begin_repeats(&mut self) {
        if self.repeating.len() == 0 {
            self.repeating = std::mem::take(&mut self.told).into_iter();
        }
    }

    /// Offsets may have been lost together with their message, and nothing may have been said in the group since:
    /// the last place is told once more. Tells some, the others with the next ticks.
    pub(crate) fn repeat_offsets(&mut self, cx: &mut Cx) {
        cx.enter();
        for (group, last) in self.repeating.by_ref().take(cx.limits.walk_sessions) {
            cx.publish(Channel::Group(group), Envelope::group_offsets(group, &[last]));
        }
    }

    /// A message is stored at this place: the members who did not get it, and are to fetch again. `advance` is next.
    pub(crate) fn note_place(
        &mut self,
        connections: &Connections,
        backlog: &Backlog,
        place: Place,
    ) -> Vec<ConnectionId> {
        let Some(subscription) = self.subscriptions.get_mut(&place.group) else { return Vec::new() };
        let noted = subscription.store(place.mid, place.pos);
        self.note_awaiting_offsets(place.group);
        if noted == Noted::Before {
            return Vec::new();
        }
        let Some(subscription) = self.subscriptions.get(&place.group) else { return Vec::new() };
        let members = subscription.members.iter().copied();
        members.filter(|&id| self.lacks(connections, backlog, id, place, noted)).collect()
    }

    /// Who lacked something has been told to fetch: the subscription moves on.
    pub(crate) fn advance(&mut self, group: GroupId) {
        let Some(subscription) = self.subscriptions.get_mut(&group) else { return };
        let before = subscription.contiguous_upto;
        subscription.advance();
        if subscription.contiguous_upto > before {
            self.mark_moved(group);
        }
    }

    /// Whether a member did not get a message that is stored now.
    fn lacks(
        &self,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
        place: Place,
        noted: Noted,
    ) -> bool {
        // Who is logging in fetches its backlog later anyway.
        if !connections.get(id).is_some_and(Connection::is_logged_in) {
            return false;
        }
        let Some(cursor) = self.cursors.get(id).and_then(|cursors| cursors.of.get(&place.group)) else {
            return false;
        };
        let beyond = backlog.upto(id, place.group).unwrap_or(cursor.from) < place.pos;
        match noted {
            Noted::Before => false,
            Noted::Overflow => true,
            Noted::Never => beyond,
            Noted::Pushed(number) => backlog.is_missing(id, place.mid) || (number <= cursor.since && beyond),
        }
    }
}
