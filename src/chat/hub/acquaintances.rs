//! Acquaintances: what one of a user's sessions changes of whom it knows, refuses and takes messages of, the others follow.
//!
//! A session that is logging in follows once its login answer is out: what that was made of may be older.

use super::Hub;
use crate::connection::{About, Connection};
use crate::model::capabilities::Capabilities;
use crate::model::consent::{SavedSettings, Settings, SettingsChange};
use crate::model::envelope::{Acquaintance, Envelope, Kind};
use crate::model::ids::{ConnectionId, UserId};
use crate::port::event::Channel;
use crate::port::in_flight::{Approached, Change, PublishFlow};
use crate::port::store::{Reply, StoreRequest, StoreResult};
use crate::social::Hides;
use crate::wire::code::Code;
use crate::wire::consent::{self, FriendWhat};

impl Hub {
    /// Something between two users was done, or not.
    pub(super) fn on_approached(&mut self, approached: Approached, result: StoreResult) {
        let (id, user) = (approached.connection, approached.user);
        let Self { cx, connections, backlog, social, .. } = self;
        if let Some(change) = social.on_approached(cx, connections, backlog, approached, result) {
            self.share_acquaintance(id, user, change);
        }
    }

    /// One of a user's sessions has changed whom it knows or refuses: the others follow, also whichever has taken its place.
    pub(super) fn share_acquaintance(&mut self, id: ConnectionId, user: UserId, change: Acquaintance) {
        if !self.stands_alone(id, user) {
            let notice = Envelope::acquaintance(self.cx.next_mid(), user, change);
            self.follow(user, Some(id), &notice);
            self.publish_until_carried(user, notice);
        }
    }

    /// Whether a session that has asked for something is its user's still, and the only one.
    pub(super) fn stands_alone(&self, id: ConnectionId, user: UserId) -> bool {
        let is_alone = |session: &Connection| !session.multi && session.logged_in_user() == Some(user);
        self.connections.get(id).is_some_and(is_alone)
    }

    /// Another core tells what one of the user's sessions has changed.
    pub(super) fn on_acquaintance_envelope(&mut self, notice: &Envelope) {
        self.cx.observe(notice.mid());
        // What this core published comes back to it.
        if notice.mid().core() != self.cx.core {
            self.follow(notice.user(), None, notice);
        }
    }

    /// Does in the sessions of a user here, but for one, what another one has done.
    fn follow(&mut self, user: UserId, but: Option<ConnectionId>, notice: &Envelope) {
        for id in self.connections.sessions(user) {
            let Self { cx, connections, backlog, social, .. } = self;
            if Some(id) != but && !social.holds(cx, connections, backlog, id, notice) {
                self.follow_in(id, notice);
            }
        }
    }

    fn follow_in(&mut self, id: ConnectionId, notice: &Envelope) {
        if notice.kind() == Kind::Settings {
            self.apply_settings(id, notice.settings(), Hearer::Told);
        } else if let Some(change) = notice.acquainted() {
            self.apply_acquaintance(id, change);
        }
    }

    fn apply_acquaintance(&mut self, id: ConnectionId, change: Acquaintance) {
        let Self { cx, connections, social, .. } = self;
        let Some(session) = connections.get_mut(id) else { return };
        let (what, whom) = match change {
            Acquaintance::Friend(whom, _) => (FriendWhat::Added, whom),
            Acquaintance::Stranger(whom) => (FriendWhat::Gone, whom),
            Acquaintance::Blocked(whom) => (FriendWhat::Blocked, whom),
            Acquaintance::Unblocked(whom) => (FriendWhat::Unblocked, whom),
            Acquaintance::Asked(whom) => (FriendWhat::Asked, whom),
            Acquaintance::Refused(whom) => (FriendWhat::Refused, whom),
            Acquaintance::Unknown => return social.doubt(id),
        };
        let hears = session.capabilities.has(Capabilities::FRIEND);
        match change {
            Acquaintance::Blocked(whom) => session.block(whom),
            Acquaintance::Unblocked(whom) => session.unblock(whom),
            Acquaintance::Friend(..) | Acquaintance::Stranger(_) => {}
            Acquaintance::Asked(_) | Acquaintance::Refused(_) | Acquaintance::Unknown => {}
        }
        if hears {
            connections.reply(cx, id, consent::own_event(whom, what));
        }
        match change {
            Acquaintance::Friend(friend, hides) => {
                social.befriend(cx, connections, id, (friend, Hides::from(hides)));
                // A block may have come between.
                social.look_at_hidden(connections, id);
            }
            Acquaintance::Stranger(friend) => social.unfriend(connections, id, friend),
            Acquaintance::Blocked(_) | Acquaintance::Unblocked(_) => social.note_refusals(id),
            Acquaintance::Asked(_) | Acquaintance::Refused(_) | Acquaintance::Unknown => return,
        }
        social.doubt(id);
    }

    /// The login answer of a session is out: it hears what has come meanwhile.
    pub(super) fn tell_held(&mut self, id: ConnectionId) {
        for notice in self.social.take_held(id) {
            let kind = notice.kind();
            if kind == Kind::Friendship {
                let Self { cx, connections, social, .. } = self;
                social.hear_in(cx, connections, id, &notice);
            } else if kind == Kind::Acquaintance || kind == Kind::Settings {
                self.follow_in(id, &notice);
            } else {
                self.tell_of_group(id, &notice);
            }
        }
        let Self { cx, connections, devices, .. } = self;
        if devices.release_reads(cx, connections, id) {
            devices.tell_heads(cx, connections, id);
        }
    }

    /// SETTINGS.
    pub(super) fn on_settings(&mut self, about: About<'_>, user: UserId, change: SettingsChange) {
        let Self { cx, connections, .. } = self;
        let request = StoreRequest::SaveSettings { user, change };
        connections.request_mutation(cx, about, user, request, Change::Settings);
    }

    /// The store has what a user has chosen: so has the session that asked.
    pub(super) fn note_settings(&mut self, id: ConnectionId, saved: SavedSettings) {
        self.apply_settings(id, saved.settings, Hearer::Asked);
    }

    /// The user's other sessions follow, if something has changed; also whichever has taken the place of the one that asked.
    pub(super) fn share_settings(&mut self, id: ConnectionId, user: UserId, saved: SavedSettings) {
        if saved.changed && !self.stands_alone(id, user) {
            let notice = Envelope::settings_changed(self.cx.next_mid(), user, saved.settings);
            self.follow(user, Some(id), &notice);
            self.publish_until_carried(user, notice);
        }
    }

    /// What a user has chosen and the bus could not carry is told, as it is now.
    pub(super) fn repeat_settings(&mut self, user: UserId, result: StoreResult) {
        match SavedSettings::from_result(result) {
            Ok(saved) => {
                let notice = Envelope::settings_changed(self.cx.next_mid(), user, saved.settings);
                self.publish_until_carried(user, notice);
            }
            Err(Code::Busy) => self.social.note_unsent_settings(&self.cx, user),
            Err(_) => {}
        }
    }

    /// Tells the sessions of a user elsewhere; again, while the bus is down.
    fn publish_until_carried(&mut self, user: UserId, envelope: Envelope) {
        let flow = PublishFlow::Friendship { envelope: envelope.clone() };
        self.cx.publish_counted(Channel::User(user), envelope, flow);
    }

    fn apply_settings(&mut self, id: ConnectionId, settings: Settings, hearer: Hearer) {
        let Self { cx, connections, social, .. } = self;
        let friends = social.friends_of(id);
        let Some(session) = connections.get_mut(id) else { return };
        let may_have_narrowed = session.choose(settings, &friends);
        social.note_refusals(id);
        if hearer == Hearer::Told {
            if session.capabilities.any() {
                connections.reply(cx, id, consent::settings(settings));
            }
            // The word of another core may have crossed this one's.
            social.doubt(id);
        }
        if may_have_narrowed {
            // What the store took before is for the user, though it may come live only now.
            social.note_narrowed(id);
        }
    }

    /// Sessions whose users take fewer messages than before fetch what the store took before that.
    pub(super) fn fetch_narrowed(&mut self) {
        for id in self.social.take_narrowed() {
            self.fetch_again(id);
        }
    }
}

/// Whether a session is pushed its settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hearer {
    /// It has asked, and hears them in the ACK.
    Asked,
    /// Another session has.
    Told,
}
