//! Group rules: what is done once the store has changed how a group is run, and what other cores tell of that.

use super::Hub;
use crate::connection::{About, Pause};
use crate::group::{Applied, Place, RuleAnswer, told};
use crate::model::envelope::{Envelope, RuleNotice};
use crate::model::group_rule::{Asking, GroupRule, NewRow, Ruled, Rules};
use crate::model::history::Placed;
use crate::model::ids::{ConnectionId, GroupId, MessageId, UserId};
use crate::model::name;
use crate::port::event::Channel;
use crate::port::in_flight::{GroupFlow, RuleRequest};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::group_event::{self, What};
use crate::wire::push;
use crate::wire::reply::{self, Outcome};

impl Hub {
    /// ROLE, KICK, MUTE, GROUP_SET, JOIN_ANSWER.
    pub(super) fn on_rule_group(&mut self, about: About<'_>, user: UserId, group: GroupId, rule: GroupRule) {
        let Self { cx, connections, .. } = self;
        let rule = match rule {
            GroupRule::Set { name: Some(name), desc, join } => {
                match name::check(&name, cx.limits.name_chars) {
                    Ok(name) => GroupRule::Set { name: Some(name.to_owned()), desc, join },
                    Err(text) => {
                        let text = format!("groupname: {text}");
                        return connections.refuse_with(cx, about, Code::InvalidField, &text);
                    }
                }
            }
            rule @ (GroupRule::Role { .. } | GroupRule::Kick { .. } | GroupRule::Mute { .. }) => rule,
            rule @ (GroupRule::MuteAll { .. } | GroupRule::Set { .. } | GroupRule::Answer { .. }) => rule,
        };
        if let GroupRule::Role { user: whom, .. }
        | GroupRule::Kick { user: whom, .. }
        | GroupRule::Mute { user: whom, .. } = rule
            && whom == user
        {
            return connections.refuse_with(cx, about, Code::InvalidField, "userid is oneself");
        }
        connections.pause(cx, about.connection, Pause::AwaitingReply);
        let row = NewRow { mid: cx.next_mid(), ts: cx.wall };
        let (connection, cid): (_, Option<Box<str>>) = (about.connection, about.cid.map(Into::into));
        // A role, too: whether somebody who ran the group is muted with all, every core is to know.
        let waits = matches!(rule, GroupRule::Role { .. } | GroupRule::Kick { .. } | GroupRule::Mute { .. })
            || matches!(rule, GroupRule::MuteAll { .. });
        let whom = match rule {
            GroupRule::Kick { user, .. } | GroupRule::Answer { user, .. } => Some(user),
            GroupRule::Role { .. } | GroupRule::Mute { .. } | GroupRule::MuteAll { .. } => None,
            GroupRule::Set { .. } => None,
        };
        let request = RuleRequest { connection, user, group, re: about.re, cid: cid.clone(), waits, whom };
        let flow = GroupFlow::Rule(Box::new(request));
        cx.request(StoreRequest::RuleGroup { user, group, rule, row, cid }, flow);
    }

    /// The store has changed it, or not: whom it concerns is told, then ACK, or ERROR.
    pub(super) fn on_ruled(&mut self, request: RuleRequest, ruled: Result<Ruled, Code>) {
        let RuleRequest { connection, user, group, re, cid, waits, whom } = request;
        let Ruled { row, fresh, standings, all } = match ruled {
            Ok(ruled) => ruled,
            Err(code) => {
                let Self { cx, connections, .. } = self;
                connections.refuse(cx, About { connection, re, cid: cid.as_deref() }, code);
                return connections.resume(cx, connection, Pause::AwaitingReply);
            }
        };
        let notice = RuleNotice { standings, all };
        if row.is_some() {
            self.apply_rule(group, &notice);
        }
        let told = row.as_ref().map(|row| (row.envelope.mid(), row.envelope.ts(), row.pos));
        let answer = RuleAnswer { connection, re, cid, group, row: told };
        let awaited = waits.then(|| answer.clone());
        if row.is_some() && (!notice.standings.is_empty() || notice.all.is_some()) {
            self.groups.publish_rule(&mut self.cx, user, group, &notice, awaited);
        }
        match (&row, whom) {
            (Some(row), Some(whom)) => self.tell_user(whom, &row.envelope, None),
            (None, Some(whom)) if fresh => {
                let event = self.seal_event(connection, user, group, Some(whom), What::Refused);
                self.tell_user(whom, &event, None);
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        if let Some(row) = row {
            self.tell_event(group, &row, fresh, Some(connection));
        }
        if !waits {
            let Self { cx, connections, .. } = self;
            answer.acknowledge(cx, connections);
        }
    }

    /// A row was made: the members are pushed it, here and elsewhere, and know its place.
    pub(super) fn tell_event(
        &mut self,
        group: GroupId,
        row: &Placed,
        fresh: bool,
        from: Option<ConnectionId>,
    ) {
        let Self { cx, connections, backlog, groups, .. } = self;
        if fresh {
            groups.push_event(cx, connections, backlog, &row.envelope, from);
            cx.publish(Channel::Group(group), row.envelope.clone());
        }
        self.tell_place(Place { group, mid: row.envelope.mid(), pos: row.pos });
    }

    /// GROUP_EVENT to all sessions of one user but one.
    pub(super) fn tell_user(&mut self, user: UserId, event: &Envelope, but: Option<ConnectionId>) {
        self.push_told(user, event, but);
        self.cx.publish(Channel::User(user), Envelope::group_told(user, event));
    }

    fn push_told(&mut self, user: UserId, event: &Envelope, but: Option<ConnectionId>) {
        for id in told(&self.connections, user, but) {
            self.tell_or_hold(id, event);
        }
    }

    /// GROUP_EVENT to one session, once its login answer is out.
    fn tell_or_hold(&mut self, id: ConnectionId, event: &Envelope) {
        let Self { cx, connections, backlog, social, .. } = self;
        if !social.holds(cx, connections, backlog, id, event) {
            self.tell_of_group(id, event);
        }
    }

    pub(super) fn tell_of_group(&mut self, id: ConnectionId, event: &Envelope) {
        let mut frame = Vec::new();
        push::v2(&mut frame, event);
        self.connections.reply(&mut self.cx, id, frame);
    }

    /// Another core tells the sessions of a user what was done to a group.
    pub(super) fn on_group_told(&mut self, user: UserId, event: &Envelope) {
        self.cx.observe(event.mid());
        // What this core published comes back to it.
        if event.mid().core() != self.cx.core {
            self.push_told(user, event, None);
        }
    }

    /// Somebody asks to join a group: who runs it is told.
    pub(super) fn ask_to_join(&mut self, connection: ConnectionId, user: UserId, group: GroupId) {
        let event = self.seal_event(connection, user, group, None, What::Asks);
        self.push_asked(group, &event);
        self.cx.publish(Channel::Group(group), Envelope::group_asked(group, &event));
    }

    /// The same, of another core.
    pub(super) fn on_group_asked(&mut self, group: GroupId, event: &Envelope) {
        self.cx.observe(event.mid());
        if event.mid().core() != self.cx.core {
            self.push_asked(group, event);
        }
    }

    fn push_asked(&mut self, group: GroupId, event: &Envelope) {
        for id in self.groups.who_run(&self.connections, group) {
            self.tell_or_hold(id, event);
        }
    }

    /// What is told and is no row.
    fn seal_event(
        &mut self,
        connection: ConnectionId,
        by: UserId,
        group: GroupId,
        user: Option<UserId>,
        what: What<'_>,
    ) -> Envelope {
        let name = self.connections.get(connection).and_then(|connection| connection.identity());
        let name = name.map_or_else(String::new, |identity| identity.name.to_string());
        let mut body = Vec::new();
        // Who it is about knows its own name.
        group_event::body(&mut body, (by, &name), group, user.map(|user| (user, "")), what);
        self.cx.seal_event(by, group, &body)
    }

    /// What somebody is in a group from now on.
    fn apply_rule(&mut self, group: GroupId, notice: &RuleNotice) {
        if let Some(all) = notice.all {
            self.groups.learn_all(group, all);
        }
        for standing in &notice.standings {
            self.groups.silence(&self.cx, group, standing);
            for id in self.connections.sessions(standing.user) {
                match self.groups.apply_standing(id, group, standing) {
                    Applied::Nothing => {}
                    Applied::Leaves => self.leave_group(id, group),
                    Applied::Fetches => self.fetch_again(id),
                }
            }
        }
    }

    /// Another core tells what somebody is, and asks whether that is known here.
    pub(super) fn on_group_rule(&mut self, envelope: &Envelope) {
        let (number, by) = (envelope.mid(), envelope.sender());
        self.cx.observe(number);
        if number.core() == self.cx.core {
            // What this core published comes back to it: it knew it first.
            return self.on_group_known(number);
        }
        self.apply_rule(envelope.group(), &envelope.ruled());
        let back = if envelope.is_for_acting() { Channel::Cores } else { Channel::User(by) };
        self.cx.publish(back, Envelope::group_known(number, by));
    }

    /// A core knows it.
    pub(super) fn on_group_known(&mut self, number: MessageId) {
        let Self { cx, connections, groups, .. } = self;
        groups.on_rule_known(cx, connections, number);
    }

    /// A page that was read at some moment or later says what a session's user is in its groups.
    pub(super) fn learn_rules(&mut self, id: ConnectionId, rules: &[Rules], moment: u64) {
        rules.iter().for_each(|rules| self.groups.learn(id, rules, moment));
    }

    /// JOINS.
    pub(super) fn on_join_requests(&mut self, about: About<'_>, user: UserId, group: GroupId) {
        let Self { cx, connections, .. } = self;
        if cx.lookups_are_full() {
            return connections.refuse(cx, about, Code::Busy);
        }
        connections.pause(cx, about.connection, Pause::AwaitingReply);
        let (connection, cid) = (about.connection, about.cid.map(Into::into));
        let flow = GroupFlow::JoinRequests { connection, group, cid };
        cx.look_up(StoreRequest::JoinRequests { user, group }, flow);
    }

    /// Who asks to join: ACK, or ERROR.
    pub(super) fn on_asking(&mut self, about: About<'_>, group: GroupId, asking: Result<Vec<Asking>, Code>) {
        let Self { cx, connections, .. } = self;
        match (asking, about.cid) {
            (Ok(asking), Some(cid)) => {
                let users = group_event::asking(&asking);
                let outcome = Outcome { group: Some(group), users: Some(&users), ..Outcome::default() };
                connections.reply(cx, about.connection, reply::ack(cid, about.re, outcome));
            }
            (Ok(_), None) => {}
            (Err(code), _) => connections.refuse(cx, about, code),
        }
        connections.resume(cx, about.connection, Pause::AwaitingReply);
    }
}
