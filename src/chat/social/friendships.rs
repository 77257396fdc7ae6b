//! Friendships: asked for, answered, ended; and the word of them, which goes to all sessions of both.
//!
//! What the store has done is told to who is there. A session that is logging in is told afterwards ([`Friendships::held`]);
//! what the bus could not carry is told again; and what comes to nobody, the next login answer has.

use super::Social;
use super::friends::Hides;
use crate::backlog::Backlog;
use crate::connection::{About, Connection, Connections, Pause};
use crate::model::capabilities::Capabilities;
use crate::model::consent::{FriendAnswer, NewFriend, SettingsChange};
use crate::model::envelope::{Acquaintance, Envelope, FriendNews, FriendNotice, Kind};
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{Approach, Approached, PublishFlow, SocialFlow};
use crate::port::store::{StoreReply, StoreRequest, StoreResult};
use crate::wire::code::Code;
use crate::wire::consent::{self, FriendWhat};
use crate::wire::reply::{self, Outcome, Refusal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Users whose settings are asked for in one go.
const LOOKS: usize = 16;

/// What is still to be told of friendships.
#[derive(Debug, Default)]
pub(super) struct Friendships {
    /// Notices for sessions whose login answer is not out yet.
    held: BTreeMap<ConnectionId, Vec<Envelope>>,
    /// Notices that the bus could not carry.
    unsent: VecDeque<Envelope>,
    /// Users whose settings it could not carry. They may have changed again elsewhere: the store says how they are.
    unsent_settings: BTreeSet<UserId>,
    /// Sessions whose users take fewer messages than before: what the store took meanwhile they are to fetch.
    narrowed: BTreeSet<ConnectionId>,
}

impl Social {
    /// FRIEND_ASK.
    pub(crate) fn on_ask(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (friend, note): (UserId, &str),
    ) {
        cx.enter();
        let cid = about.cid.map(str::to_owned);
        let request = StoreRequest::AskFriend { user, friend, note: note.to_owned(), cid };
        approach(cx, connections, about, (user, friend), request, Approach::Ask { note: note.into() });
    }

    /// FRIEND_ANSWER.
    pub(crate) fn on_answer(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (friend, answer): (UserId, FriendAnswer),
    ) {
        cx.enter();
        let request = StoreRequest::AnswerFriend { user, friend, answer };
        approach(cx, connections, about, (user, friend), request, Approach::Answer(answer));
    }

    /// It is asked for, or answered, or not: both are told, then ACK, or ERROR. Gives back what the user's other sessions are
    /// to follow.
    pub(crate) fn on_approached(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        approached: Approached,
        result: StoreResult,
    ) -> Option<Acquaintance> {
        cx.enter();
        let Approached { connection, user, name, friend, re, cid, approach } = approached;
        let about = About { connection, re, cid: cid.as_deref() };
        let mut followed = match &approach {
            // What is dropped is told one's own devices like every other.
            Approach::Ask { .. } => Some(Acquaintance::Asked(friend)),
            Approach::Answer(FriendAnswer::No) => Some(Acquaintance::Refused(friend)),
            Approach::Answer(FriendAnswer::Yes) => None,
        };
        match result {
            Ok(StoreReply::Befriended(NewFriend { name: other, hides, is_hidden })) => {
                followed = None;
                let news = FriendNews::Accepted { hides: is_hidden };
                let to_friend = FriendNotice { about: user, name: name.into(), news };
                self.tell(cx, connections, backlog, friend, &to_friend);
                let news = FriendNews::Accepted { hides };
                let to_user = FriendNotice { about: friend, name: other, news };
                self.tell(cx, connections, backlog, user, &to_user);
            }
            Ok(StoreReply::Asked) => {
                if let Approach::Ask { note } = approach {
                    let news = FriendNews::Asks(note.into());
                    let notice = FriendNotice { about: user, name: name.into(), news };
                    self.tell(cx, connections, backlog, friend, &notice);
                }
            }
            Ok(_) => {}
            Err(code) => {
                refuse(cx, connections, about, code);
                connections.resume(cx, connection, Pause::AwaitingReply);
                return None;
            }
        }
        if let Some(cid) = about.cid {
            connections.reply(cx, connection, reply::ack(cid, re, Outcome::default()));
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
        followed
    }

    /// A friendship was ended for both: the other one is told.
    pub(crate) fn tell_parted(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        (user, name): (UserId, String),
        friend: UserId,
    ) {
        cx.enter();
        let notice = FriendNotice { about: user, name, news: FriendNews::Gone };
        self.tell(cx, connections, backlog, friend, &notice);
    }

    /// Tells all sessions of a user, here and elsewhere.
    fn tell(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        to: UserId,
        notice: &FriendNotice,
    ) {
        let envelope = Envelope::friendship(cx.next_mid(), to, notice);
        self.hear(cx, connections, backlog, &envelope);
        cx.publish_counted(Channel::User(to), envelope.clone(), PublishFlow::Friendship { envelope });
    }

    pub(crate) fn on_friendship_published(
        &mut self,
        cx: &Cx,
        envelope: Envelope,
        receivers: Result<u32, BusDown>,
    ) {
        if receivers.is_ok() {
            return;
        }
        if envelope.kind() == Kind::Settings {
            self.note_unsent_settings(cx, envelope.user());
        } else if self.friendships.unsent.len() < cx.limits.friend_events_unsent {
            self.friendships.unsent.push_back(envelope);
        }
    }

    /// The sessions of a user are still to be told its settings.
    pub(crate) fn note_unsent_settings(&mut self, cx: &Cx, user: UserId) {
        if self.friendships.unsent_settings.len() < cx.limits.friend_events_unsent {
            self.friendships.unsent_settings.insert(user);
        }
    }

    /// Asks for the settings that the bus could not carry, some at a time: they are told when they are here.
    pub(crate) fn look_at_unsent_settings(&mut self, cx: &mut Cx) {
        cx.enter();
        for _ in 0..LOOKS {
            let Some(user) = self.friendships.unsent_settings.pop_first() else { break };
            let request = StoreRequest::SaveSettings { user, change: SettingsChange::default() };
            cx.request(request, SocialFlow::Settings { user });
        }
    }

    /// Tells again what the bus could not carry.
    pub(crate) fn repeat_friendships(&mut self, cx: &mut Cx) {
        cx.enter();
        for envelope in std::mem::take(&mut self.friendships.unsent) {
            let channel = Channel::User(envelope.user());
            cx.publish_counted(channel, envelope.clone(), PublishFlow::Friendship { envelope });
        }
    }

    /// Another core tells what has happened between a user and somebody.
    pub(crate) fn on_friendship_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        envelope: &Envelope,
    ) {
        cx.enter();
        cx.observe(envelope.mid());
        // What this core published comes back to it.
        if envelope.mid().core() != cx.core {
            self.hear(cx, connections, backlog, envelope);
        }
    }

    fn hear(&mut self, cx: &mut Cx, connections: &mut Connections, backlog: &Backlog, envelope: &Envelope) {
        for id in connections.sessions(envelope.user()) {
            if !self.holds(cx, connections, backlog, id, envelope) {
                self.hear_in(cx, connections, id, envelope);
            }
        }
    }

    /// A session hears what has happened between its user and somebody.
    pub(crate) fn hear_in(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        envelope: &Envelope,
    ) {
        cx.enter();
        let Some(FriendNotice { about, name, news }) = envelope.friend_notice() else { return };
        let (what, note) = match &news {
            FriendNews::Asks(note) => (FriendWhat::Asks, note.as_str()),
            FriendNews::Accepted { .. } => (FriendWhat::Accepted, ""),
            FriendNews::Gone => (FriendWhat::Gone, ""),
        };
        let hears = |connection: &Connection| connection.capabilities.has(Capabilities::FRIEND);
        if connections.get(id).is_some_and(hears) {
            connections.reply(cx, id, consent::friend_event(about, what, &name, note));
        }
        match news {
            FriendNews::Asks(_) => return,
            FriendNews::Accepted { hides } => {
                self.befriend(cx, connections, id, (about, Hides::from(Some(hides))));
                // A block may have come between.
                self.look_at_hidden(connections, id);
            }
            FriendNews::Gone => self.unfriend(connections, id, about),
        }
        self.doubt_friend(cx, id, about, name.into());
    }

    /// Whether a session is told of this when its login answer is out. Above the bound it is asked then what is so; what
    /// that does not tell, the next answer has.
    pub(crate) fn holds(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
        envelope: &Envelope,
    ) -> bool {
        cx.enter();
        let is_through = |connection: &Connection| connection.is_logged_in() && !backlog.awaits_welcome(id);
        if connections.get(id).is_none_or(is_through) {
            return false;
        }
        let held = self.friendships.held.entry(id).or_default();
        if held.len() < cx.limits.friend_events_held {
            held.push(envelope.clone());
        } else {
            self.doubt(id);
        }
        true
    }

    /// What was held for a session.
    pub(crate) fn take_held(&mut self, id: ConnectionId) -> Vec<Envelope> {
        self.friendships.held.remove(&id).unwrap_or_default()
    }

    /// A session's user takes fewer messages than before.
    pub(crate) fn note_narrowed(&mut self, id: ConnectionId) {
        self.friendships.narrowed.insert(id);
    }

    /// Sessions that are to fetch for that.
    pub(crate) fn take_narrowed(&mut self) -> BTreeSet<ConnectionId> {
        std::mem::take(&mut self.friendships.narrowed)
    }

    /// A session ends.
    pub(super) fn forget_friendships(&mut self, id: ConnectionId) {
        self.friendships.held.remove(&id);
        self.friendships.narrowed.remove(&id);
        self.doubts.forget(id);
    }

    /// Whom a session's user has on its list of friends, as far as it is told of them.
    pub(crate) fn friends_of(&self, id: ConnectionId) -> Vec<UserId> {
        let told = self.sessions.get(id).and_then(|session| session.told.get());
        told.map_or_else(Vec::new, |told| told.friends.clone())
    }
}

/// Requests something of the store that is between two users.
fn approach(
    cx: &mut Cx,
    connections: &mut Connections,
    about: About<'_>,
    (user, friend): (UserId, UserId),
    request: StoreRequest,
    approach: Approach,
) {
    if user == friend {
        return connections.refuse_with(cx, about, Code::InvalidField, "userid is you");
    }
    let Some(identity) = connections.get(about.connection).and_then(Connection::identity) else { return };
    let name = identity.name.clone();
    connections.pause(cx, about.connection, Pause::AwaitingReply);
    let About { connection, re, cid } = about;
    let approached = Approached { connection, user, name, friend, re, cid: cid.map(Into::into), approach };
    cx.request(request, SocialFlow::Approached(Box::new(approached)));
}

/// ERROR, with the time after which it makes sense to try again.
fn refuse(cx: &mut Cx, connections: &mut Connections, about: About<'_>, code: Code) {
    if code != Code::TooFast {
        return connections.refuse(cx, about, code);
    }
    let text = "too many friendships asked for, try again later";
    let retry_after_ms = Some(cx.limits.ask_make_ms);
    let refusal = Refusal { code, text, re: Some(about.re), cid: about.cid, retry_after_ms };
    cx.counters.error(code);
    connections.reply(cx, about.connection, reply::error(refusal));
}
