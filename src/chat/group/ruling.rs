//! Rulings: a KICK or MUTE is acknowledged when every core that has members of the group, or sessions of the user, has said
//! that it knows.
//!
//! The notice goes to the group's channel and to the user's; how many cores hear it is counted, and each of them answers
//! once for each channel on the channel of who asked. A core that does not answer within `claim_ms` may be dead, or not: the
//! request gets 110, and is to be said again.

use super::Groups;
use crate::connection::{About, Connections, Pause};
use crate::model::envelope::{Envelope, RuleNotice};
use crate::model::ids::{ConnectionId, GroupId, MessageId, Millis, Monotonic, UserId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::PublishFlow;
use crate::wire::code::Code;
use crate::wire::reply::{self, Outcome};

/// What a request about a group is answered with.
#[derive(Clone, Debug)]
pub(crate) struct RuleAnswer {
    pub(crate) connection: ConnectionId,
    pub(crate) re: u32,
    pub(crate) cid: Option<Box<str>>,
    pub(crate) group: GroupId,
    /// Id, time and place of the row that it made.
    pub(crate) row: Option<(MessageId, Millis, u64)>,
}

/// A change that is done, and of which other cores are still to say that they know.
#[derive(Debug)]
pub(super) struct AwaitedRule {
    number: MessageId,
    answer: RuleAnswer,
    answers: u32,
    /// How many are to answer, as far as that is known.
    asked: u32,
    /// Publishes of which it is not known yet.
    uncounted: u8,
    deadline: Monotonic,
}

impl Groups {
    /// Tells all cores what somebody is in a group from now on.
    pub(crate) fn publish_rule(
        &mut self,
        cx: &mut Cx,
        by: UserId,
        group: GroupId,
        notice: &RuleNotice,
        awaited: Option<RuleAnswer>,
    ) {
        cx.enter();
        let number = cx.next_mid();
        let mut envelope = Envelope::group_rule(number, by, group, notice);
        if awaited.as_ref().is_some_and(|answer| answer.connection.is_acting()) {
            envelope = envelope.for_acting();
        }
        let users = notice.standings.iter().map(|standing| Channel::User(standing.user));
        let channels: Vec<Channel> = std::iter::once(Channel::Group(group)).chain(users).collect();
        let uncounted = u8::try_from(channels.len()).expect("a rule is about two users at most");
        for channel in channels {
            match awaited.is_some() {
                true => cx.publish_counted(channel, envelope.clone(), PublishFlow::GroupRule { number }),
                false => cx.publish(channel, envelope.clone()),
            }
        }
        if let Some(answer) = awaited {
            let deadline = cx.now.plus(cx.limits.claim_ms);
            self.awaited.push(AwaitedRule { number, answer, answers: 0, asked: 0, uncounted, deadline });
        }
    }

    /// So many cores were told.
    pub(crate) fn on_rule_published(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        number: MessageId,
        receivers: Result<u32, BusDown>,
    ) {
        cx.enter();
        let Some(at) = self.awaited.iter().position(|awaited| awaited.number == number) else { return };
        match receivers {
            Ok(receivers) => {
                self.awaited[at].asked += receivers;
                self.awaited[at].uncounted -= 1;
                self.end_known(cx, connections, number);
            }
            Err(BusDown) => self.awaited.swap_remove(at).answer.refuse(cx, connections),
        }
    }

    /// A core knows, this one or another.
    pub(crate) fn on_rule_known(&mut self, cx: &mut Cx, connections: &mut Connections, number: MessageId) {
        cx.enter();
        if let Some(awaited) = self.awaited.iter_mut().find(|awaited| awaited.number == number) {
            awaited.answers += 1;
        }
        self.end_known(cx, connections, number);
    }

    fn end_known(&mut self, cx: &mut Cx, connections: &mut Connections, number: MessageId) {
        let is_known = |awaited: &AwaitedRule| awaited.uncounted == 0 && awaited.answers >= awaited.asked;
        let at = self.awaited.iter().position(|awaited| awaited.number == number && is_known(awaited));
        if let Some(at) = at {
            self.awaited.swap_remove(at).answer.acknowledge(cx, connections);
        }
    }

    /// Time has passed: a core that has not answered may be dead, or may not know.
    pub(crate) fn end_overdue_rules(&mut self, cx: &mut Cx, connections: &mut Connections) {
        cx.enter();
        let now = cx.now;
        for awaited in self.awaited.extract_if(.., |awaited| awaited.deadline <= now) {
            awaited.answer.refuse(cx, connections);
        }
    }
}

impl RuleAnswer {
    /// ACK.
    pub(crate) fn acknowledge(&self, cx: &mut Cx, connections: &mut Connections) {
        if let Some(cid) = &self.cid {
            let (mid, ts, pos) =
                self.row.map_or((None, None, None), |(mid, ts, pos)| (Some(mid), Some(ts), Some(pos)));
            let outcome = Outcome { group: Some(self.group), mid, ts, pos, ..Outcome::default() };
            connections.reply(cx, self.connection, reply::ack(cid, self.re, outcome));
        }
        connections.resume(cx, self.connection, Pause::AwaitingReply);
    }

    /// ERROR 110: it is done, and not known everywhere.
    fn refuse(&self, cx: &mut Cx, connections: &mut Connections) {
        let about = About { connection: self.connection, re: self.re, cid: self.cid.as_deref() };
        connections.refuse_with(cx, about, Code::Busy, "done, but not known everywhere yet: try again");
        connections.resume(cx, self.connection, Pause::AwaitingReply);
    }
}
