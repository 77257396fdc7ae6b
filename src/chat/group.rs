//! Groups: who may write, one publish and one stored row a message, and who has come how far.

use super::ask::{Answer, Ask};
use super::effect::Effect;
use super::envelope::{Envelope, Target};
use super::event::{BusDown, Channel};
use super::hub::{About, Hub};
use super::ids::{GroupId, MessageId, SessionId, UserId};
use super::name;
use super::pending::{Change, Pending};
use super::seat::Heard;
use super::session::{Debt, Pause, Phase};
use super::wire::code::Code;
use super::wire::msgid;

impl Hub {
    pub(super) fn group_chat(
        &mut self,
        about: About<'_>,
        user: UserId,
        group: GroupId,
        msg: &str,
        time: Option<&str>,
        out: &mut Vec<Effect>,
    ) {
        let target = Target::Group(group);
        let named = match about.cid.map(|cid| self.meet(about, cid, target, msg, out)) {
            Some(None) => return,
            named => named.flatten(),
        };
        let session = self.session_mut(about.session).expect("looked at before");
        if !session.online().expect("is logged in").groups.contains_key(&group) {
            self.pause(about.session, Pause::Answering, out);
            let cid = about.cid.map(Into::into);
            let ticket = self.pending.insert(Pending::MayWrite { session: about.session, group, cid });
            return out.push(Effect::Ask { ticket, ask: Ask::MayWrite { user, group } });
        }
        self.counts.group += 1;
        let envelope = self.seal(about, user, target, msg, time);
        if let Some(named) = named {
            self.note_said(about.session, named, envelope.mid());
        }
        self.keep(about.session, envelope.clone(), out);
        self.push_to_members(&envelope, out);
        out.push(Effect::Publish { ticket: None, channel: Channel::Group(group), envelope });
    }

    pub(super) fn may_not_write(
        &mut self,
        session: SessionId,
        group: GroupId,
        cid: Option<Box<str>>,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        // Being a member after all means that the store knows more than this core did: try again.
        let code = answer.err().unwrap_or_else(|| {
            self.join_group(session, group, 0, out);
            Code::Busy
        });
        self.refuse(About { session, re: msgid::GROUP_CHAT, cid: cid.as_deref() }, code, out);
        self.resume(session, Pause::Answering, out);
    }

    /// Pushes a group message to every member of this core but its sender.
    fn push_to_members(&mut self, envelope: &Envelope, out: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&envelope.group()) else { return };
        seat.push(envelope.mid());
        let debt = Debt::Behind(seat.synced);
        let sender = envelope.sender();
        for at in 0..seat_len(self, envelope.group()) {
            let member = self.seats[&envelope.group()].members[at];
            if self.session(member).and_then(|session| session.user()) != Some(sender) {
                self.push_or_hold(member, envelope.clone(), debt, out);
            }
        }
    }

    pub(super) fn group_arrived(&mut self, envelope: Envelope, out: &mut Vec<Effect>) {
        // What this core published comes back to it, and was pushed when it was sent.
        if envelope.mid().core() != self.core {
            self.push_to_members(&envelope, out);
        }
    }

    /// A message of this core's is stored: its members know, the others' are told with the next
    /// notice.
    pub(super) fn group_kept(&mut self, group: GroupId, mid: MessageId, pos: u64, out: &mut Vec<Effect>) {
        self.stored.entry(group).or_default().push((mid, pos));
        self.group_stored(group, mid, pos, out);
    }

    pub(super) fn publish_stored(&mut self, out: &mut Vec<Effect>) {
        const PAIRS: usize = 1_024;
        for (group, pairs) in std::mem::take(&mut self.stored) {
            for pairs in pairs.chunks(PAIRS) {
                let envelope = Envelope::stored(group, pairs);
                let last = *pairs.last().expect("a chunk is not empty");
                let ticket = Some(self.pending.insert(Pending::StoredNotice { group, last }));
                out.push(Effect::Publish { ticket, channel: Channel::Group(group), envelope });
            }
        }
    }

    /// What the bus could not publish is told with the next notice: the last place is enough, since
    /// whoever did not get what is before it finds a gap.
    pub(super) fn stored_noticed(
        &mut self,
        group: GroupId,
        last: (MessageId, u64),
        heard: Result<u32, BusDown>,
    ) {
        if heard.is_ok() {
            self.told.insert(group, last);
        } else if !self.draining {
            self.stored.entry(group).or_default().insert(0, last);
        }
    }

    /// A notice may have been lost together with its message, and nothing may have been said in the
    /// group since: the last place is told once more.
    pub(super) fn repeat_stored(&mut self, out: &mut Vec<Effect>) {
        for (group, last) in std::mem::take(&mut self.told) {
            let envelope = Envelope::stored(group, &[last]);
            out.push(Effect::Publish { ticket: None, channel: Channel::Group(group), envelope });
        }
    }

    pub(super) fn group_stored(&mut self, group: GroupId, mid: MessageId, pos: u64, out: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&group) else { return };
        let heard = seat.store(mid, pos);
        if heard != Heard::Before {
            let members = self.seats[&group].members.iter().copied();
            let lacking: Vec<SessionId> =
                members.filter(|&id| self.lacks(id, group, mid, pos, heard)).collect();
            lacking.into_iter().for_each(|id| self.take_again(id, out));
        }
        self.seats.get_mut(&group).expect("looked at above").advance();
    }

    /// Whether a member did not get a message that is stored now.
    fn lacks(&self, id: SessionId, group: GroupId, mid: MessageId, pos: u64, heard: Heard) -> bool {
        // Who is entering takes its backlog later anyway.
        let Some(online) = self.session(id).and_then(|session| session.online()) else { return false };
        let Some(place) = online.groups.get(&group) else { return false };
        let beyond_place = place.cap.unwrap_or(place.from) < pos;
        match heard {
            Heard::Before => false,
            Heard::Overflow => true,
            Heard::Never => beyond_place,
            Heard::Pushed(number) => {
                online.missing.contains_key(&mid) || (number <= place.since && beyond_place)
            }
        }
    }

    pub(super) fn create_group(
        &mut self,
        about: About<'_>,
        user: UserId,
        name: &str,
        desc: &str,
        out: &mut Vec<Effect>,
    ) {
        let name = match name::check(name, self.limits.name_chars) {
            Ok(name) => name,
            Err(text) => {
                let text = format!("groupname: {text}");
                return self.refuse_with(about, Code::InvalidField, &text, out);
            }
        };
        let ask = Ask::CreateGroup { user, name: name.to_owned(), desc: desc.to_owned() };
        self.roll(about, user, ask, Change::Join { group: None }, out);
    }

    pub(super) fn add_group(
        &mut self,
        about: About<'_>,
        user: UserId,
        group: GroupId,
        out: &mut Vec<Effect>,
    ) {
        self.roll(about, user, Ask::AddGroup { user, group }, Change::Join { group: Some(group) }, out);
    }

    pub(super) fn del_group(
        &mut self,
        about: About<'_>,
        user: UserId,
        group: GroupId,
        out: &mut Vec<Effect>,
    ) {
        self.roll(about, user, Ask::DelGroup { user, group }, Change::Leave { group }, out);
    }

    /// The session's user has become a member of a group.
    pub(super) fn join_group(&mut self, id: SessionId, group: GroupId, head: u64, out: &mut Vec<Effect>) {
        let online = self.session(id).and_then(|session| session.online());
        if online.is_none_or(|online| online.groups.contains_key(&group)) {
            return;
        }
        let (mut place, _) = self.sit_down(id, group, head, out);
        place.from = head;
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("looked at above");
        online.groups.insert(group, place);
        self.take_again(id, out);
    }

    /// The session's user is a member no more, or the group is gone.
    pub(super) fn leave_group(&mut self, id: SessionId, group: GroupId, out: &mut Vec<Effect>) {
        let joined = self.seats.get(&group).is_some_and(|seat| seat.joined);
        let Some(session) = self.session_mut(id) else { return };
        match &mut session.phase {
            Phase::Online(online) => {
                online.groups.remove(&group);
                online.missing.retain(|_, of| *of != group);
            }
            Phase::Entering(entering) => {
                entering.missing.retain(|_, of| *of != group);
                entering.roster.groups.retain(|membership| membership.group != group);
                if entering.groups.remove(&group).is_some() && !joined {
                    entering.awaited -= 1;
                }
            }
            Phase::Anonymous => {}
        }
        self.stand_up(id, group, out);
        self.enter_if_ready(id, out);
    }

    pub(super) fn dissolve_group(&mut self, group: GroupId, out: &mut Vec<Effect>) {
        let envelope = Envelope::dissolved(group);
        out.push(Effect::Publish { ticket: None, channel: Channel::Group(group), envelope });
        self.drop_group(group, out);
    }

    pub(super) fn drop_group(&mut self, group: GroupId, out: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get(&group) else { return };
        for id in seat.members.clone() {
            self.leave_group(id, group, out);
        }
    }
}

fn seat_len(hub: &Hub, group: GroupId) -> usize {
    hub.seats.get(&group).map_or(0, |seat| seat.members.len())
}
