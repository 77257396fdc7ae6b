//! Groups: who may write, one publish and one stored row a message, and who has come how far.

use super::ask::{Answer, Ask};
use super::effect::Effect;
use super::envelope::{Envelope, Target};
use super::event::Channel;
use super::hub::{About, Hub};
use super::ids::{GroupId, MessageId, SessionId, UserId};
use super::pending::{Change, Pending};
use super::seat::Heard;
use super::session::{Pause, Phase};
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
        let session = self.session_mut(about.session).expect("looked at before");
        if !session.online().expect("is logged in").groups.contains_key(&group) {
            self.pause(about.session, Pause::Answering, out);
            let cid = about.cid.map(Into::into);
            let ticket = self.pending.insert(Pending::MayWrite { session: about.session, cid });
            return out.push(Effect::Ask { ticket, ask: Ask::MayWrite { user, group } });
        }
        let envelope = self.seal(about, user, Target::Group(group), msg, time);
        self.keep(about.session, envelope.clone(), out);
        self.push_to_members(&envelope, out);
        out.push(Effect::Publish { ticket: None, channel: Channel::Group(group), envelope });
    }

    pub(super) fn may_not_write(
        &mut self,
        session: SessionId,
        cid: Option<Box<str>>,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        // Being a member after all means that the store knows more than this core does: try again.
        let code = answer.err().unwrap_or(Code::Busy);
        self.refuse(About { session, re: msgid::GROUP_CHAT, cid: cid.as_deref() }, code, out);
        self.resume(session, Pause::Answering, out);
    }

    /// Pushes a group message to every member of this core but its sender.
    fn push_to_members(&mut self, envelope: &Envelope, out: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&envelope.group()) else { return };
        seat.push(envelope.mid());
        let sender = envelope.sender();
        for at in 0..seat_len(self, envelope.group()) {
            let member = self.seats[&envelope.group()].members[at];
            if self.session(member).and_then(|session| session.user()) != Some(sender) {
                self.push_or_hold(member, envelope.clone(), out);
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
                out.push(Effect::Publish { ticket: None, channel: Channel::Group(group), envelope });
            }
        }
    }

    pub(super) fn group_stored(&mut self, group: GroupId, mid: MessageId, pos: u64, out: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&group) else { return };
        let heard = seat.store(mid, pos);
        let members = if heard == Heard::Before { Vec::new() } else { seat.members.clone() };
        for id in members {
            if self.lacks(id, group, mid, pos, heard) {
                self.miss(id, group, mid, Some(pos));
                self.take_again(id, out);
            }
        }
        self.seats.get_mut(&group).expect("looked at above").advance();
    }

    /// Whether a member did not get a message that is stored now.
    fn lacks(&self, id: SessionId, group: GroupId, mid: MessageId, pos: u64, heard: Heard) -> bool {
        let Some(online) = self.session(id).and_then(|session| session.online()) else { return false };
        if online.missing.contains_key(&mid) {
            return true;
        }
        let Some(place) = online.groups.get(&group) else { return false };
        match heard {
            Heard::Before => false,
            Heard::Overflow => true,
            Heard::Never => place.from < pos,
            Heard::Pushed(number) => number <= place.since && place.from < pos,
        }
    }

    /// Takes note that a member has to get this message from the backlog.
    pub(super) fn miss(&mut self, id: SessionId, group: GroupId, mid: MessageId, pos: Option<u64>) {
        let Some(place_now) = self.place_of(id, group) else { return };
        let online = self.session_mut(id).and_then(|session| session.online_mut()).expect("has a place");
        online.missing.insert(mid, (group, pos));
        let place = online.groups.get_mut(&group).expect("has a place");
        place.cap.get_or_insert(place_now);
    }

    fn place_of(&self, id: SessionId, group: GroupId) -> Option<u64> {
        let place = self.session(id)?.online()?.groups.get(&group)?;
        Some(self.seats.get(&group)?.place_of(place))
    }

    /// Whether a group message from the backlog was pushed to this member live, or is held for it.
    pub(super) fn seat_pushed(&self, id: SessionId, envelope: &Envelope) -> bool {
        let group = envelope.group();
        let place = self
            .session(id)
            .and_then(|session| session.online())
            .and_then(|online| online.groups.get(&group));
        let number = self.seats.get(&group).and_then(|seat| seat.push_number(envelope.mid()));
        matches!((place, number), (Some(place), Some(number)) if number > place.since)
    }

    pub(super) fn create_group(
        &mut self,
        about: About<'_>,
        user: UserId,
        name: &str,
        desc: &str,
        out: &mut Vec<Effect>,
    ) {
        if name.chars().any(char::is_control) || name.trim() != name {
            let text = "groupname has no control characters and no space at its ends";
            return self.refuse_with(about, Code::InvalidField, text, out);
        }
        let ask = Ask::CreateGroup { user, name: name.to_owned(), desc: desc.to_owned() };
        self.roll(about, ask, Change::Join, out);
    }

    pub(super) fn add_group(
        &mut self,
        about: About<'_>,
        user: UserId,
        group: GroupId,
        out: &mut Vec<Effect>,
    ) {
        self.roll(about, Ask::AddGroup { user, group }, Change::Join, out);
    }

    pub(super) fn del_group(
        &mut self,
        about: About<'_>,
        user: UserId,
        group: GroupId,
        out: &mut Vec<Effect>,
    ) {
        self.roll(about, Ask::DelGroup { user, group }, Change::Leave { group }, out);
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
        let Some(session) = self.session_mut(id) else { return };
        match &mut session.phase {
            Phase::Online(online) => {
                online.groups.remove(&group);
                online.missing.retain(|_, &mut (of, _)| of != group);
            }
            Phase::Entering(entering) => {
                if entering.groups.remove(&group).is_some()
                    && self.seats.get(&group).is_some_and(|seat| !seat.joined)
                {
                    entering_awaits_less(self, id);
                }
            }
            Phase::Anonymous => {}
        }
        self.stand_up(id, group, out);
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

/// A group that an entering session waited for is gone.
fn entering_awaits_less(hub: &mut Hub, id: SessionId) {
    if let Some(Phase::Entering(entering)) = hub.session_mut(id).map(|session| &mut session.phase) {
        entering.awaited -= 1;
    }
}
