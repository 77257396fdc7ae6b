//! Dispatch: which room an event is for.

use super::Hub;
use crate::model::envelope::{Demand, Envelope, Kind};
use crate::model::history::Conversation;
use crate::model::ids::UserId;
use crate::port::event::{Channel, Event};

impl Hub {
    pub(super) fn dispatch(&mut self, event: Event<'_>) {
        let Self { cx, connections, .. } = self;
        match event {
            Event::Request { connection, terminator, request } => {
                self.on_request(connection, terminator, request)
            }
            Event::Arrived { channel, envelope } => self.on_envelope(channel, envelope),
            Event::Acted { connection, act } => self.on_act(connection, act),
            Event::Published { id, receivers } => {
                if let Some(flow) = cx.in_flight.publish.take(id) {
                    self.on_published(flow, receivers);
                }
            }
            Event::Answered { id, result } => {
                if let Some(flow) = cx.in_flight.store.take(id) {
                    self.on_store_reply(flow, result);
                }
            }
            Event::Joined { id, result } => {
                if let Some(flow) = cx.in_flight.join.take(id) {
                    self.on_joined(flow, result);
                }
            }
            Event::PresenceResult { id, online } => {
                if let Some(flow) = cx.in_flight.query.take(id) {
                    self.on_presence_result(flow, online);
                }
            }
            Event::Acked { connection, bytes } => self.on_acked(connection, bytes),
            Event::BusLost => cx.hearing.lose(),
            Event::BusSilent => cx.hearing.set_silent(true),
            Event::BusHeard => cx.hearing.set_silent(false),
            Event::Rejoined { core } => self.on_rejoined(core),
            Event::CoreGone { core } => self.on_core_gone(core),
            Event::BadFrame { connection, fault } => connections.on_bad_frame(cx, connection, &fault),
            Event::Shed { connection } => connections.on_shed(cx, connection),
            Event::FrameTimeout { connection } => connections.on_frame_timeout(cx, connection),
            Event::Upgraded { connection } => connections.upgraded(connection),
            Event::Opened { connection, from } => connections.opened(cx, connection, from),
            Event::Located { connection, from } => connections.located(cx, connection, from),
            Event::HalfClosed { connection } => connections.on_half_close(cx, connection),
            Event::Closed { connection, acked } => self.on_closed(connection, acked),
            Event::Tick { utc_offset_s } => self.on_tick(utc_offset_s),
            Event::Drain => self.on_drain(),
        }
    }

    /// Something was published on a channel of this core's. An envelope on a channel that it does not belong to is
    /// another version's, or a forgery.
    fn on_envelope(&mut self, channel: Channel, envelope: Envelope) {
        if channel != Channel::Cores && !envelope.kind().has_target() {
            return;
        }
        match channel {
            Channel::User(user) => self.on_user_envelope(user, envelope),
            Channel::Group(_) => self.on_group_envelope(&envelope),
            Channel::Cores => self.on_cores_envelope(&envelope),
        }
    }

    fn on_user_envelope(&mut self, channel: UserId, envelope: Envelope) {
        let user = envelope.user();
        if envelope.kind() == Kind::Claim && self.concede_if_half_closed(&envelope) {
            return;
        }
        let Self { cx, connections, backlog, changes, devices, direct, logins, social, .. } = self;
        match envelope.kind() {
            Kind::Direct if user != channel => {
                if envelope.sender() == channel {
                    devices.on_own_envelope(cx, connections, backlog, &envelope);
                }
            }
            Kind::Read => devices.on_read_envelope(cx, connections, backlog, &envelope),
            Kind::Changed => {
                let sessions = connections.sessions(user);
                changes.on_changed_envelope(cx, connections, backlog, &envelope, &sessions);
            }
            Kind::Typing => {
                let with = Conversation::With(user);
                social.on_typing_envelope(cx, connections, backlog, &envelope, with, &[]);
            }
            Kind::ConfirmedHere => devices.on_confirmed_envelope(cx, connections, backlog, &envelope),
            Kind::Acquaintance | Kind::Settings => self.on_acquaintance_envelope(&envelope),
            Kind::Friendship => social.on_friendship_envelope(cx, connections, backlog, &envelope),
            Kind::TokenRevoked => self.end_revoked(user, envelope.revoked()),
            Kind::DevicesAsked => {
                let here = logins.tokens(&connections.sessions(user));
                devices.on_asked(cx, user, &envelope, &here);
            }
            Kind::DevicesHere => devices.on_here(cx, connections, &envelope),
            Kind::GroupRule => self.on_group_rule(&envelope),
            Kind::GroupKnown => self.on_group_known(envelope.mid()),
            Kind::GroupTold => self.on_group_told(user, &envelope),
            Kind::Direct => {
                cx.observe(envelope.mid());
                direct.on_direct_envelope(cx, connections, backlog, envelope);
            }
            Kind::Claim | Kind::ClaimDenied | Kind::ClaimConceded | Kind::ClaimJoined => {
                let outcomes = logins.on_claim_envelope(cx, connections, &envelope);
                outcomes.into_iter().for_each(|outcome| self.after_login(outcome));
            }
            Kind::Reclaim => {
                let outcomes = logins.on_reclaim(cx, connections, &envelope);
                outcomes.into_iter().for_each(|outcome| self.after_login(outcome));
            }
            kind @ (Kind::Confirmed | Kind::Unconfirmed) => {
                direct.on_receipt(cx, connections, backlog, envelope.sender(), kind, envelope.mids());
            }
            Kind::BacklogHint => self.fetch_for(user),
            Kind::HidingHint => self.social.on_hiding_hint(&mut self.cx, &self.connections, user),
            Kind::Group | Kind::GroupOffsets | Kind::Dissolved | Kind::Presence | Kind::CoreLeaving => {}
            Kind::GroupAsked | Kind::Announcement => {}
        }
    }

    /// A session whose client has said its last word makes room for a claim; whether one did.
    fn concede_if_half_closed(&mut self, claim: &Envelope) -> bool {
        let user = claim.user();
        let joins = matches!(claim.demand(), Demand::Join(_));
        let mut made_room = false;
        for id in self.connections.sessions(user) {
            if !(joins && self.connections.is_multi(id)) {
                made_room |= self.end_if_half_closed(id);
            }
        }
        made_room = made_room && self.connections.of_user(user).is_none();
        if made_room {
            let conceded = Envelope::claim(Kind::ClaimConceded, user, claim.mid().0);
            self.cx.publish(Channel::User(user), conceded);
        }
        made_room
    }

    fn on_group_envelope(&mut self, envelope: &Envelope) {
        let Self { cx, connections, backlog, changes, groups, social, .. } = self;
        match envelope.kind() {
            Kind::Group => {
                cx.observe(envelope.mid());
                let lack = groups.on_group_envelope(cx, connections, backlog, envelope);
                lack.into_iter().for_each(|id| self.miss_own(id));
            }
            Kind::GroupOffsets => {
                for (mid, pos) in envelope.offsets() {
                    self.note_place(envelope.group(), mid, pos);
                }
            }
            Kind::Dissolved => self.drop_group(envelope.group()),
            Kind::Changed => {
                let members = groups.members(envelope.group());
                changes.on_changed_envelope(cx, connections, backlog, envelope, &members);
            }
            Kind::GroupRule => self.on_group_rule(envelope),
            Kind::GroupAsked => self.on_group_asked(envelope.group(), envelope),
            Kind::Typing => {
                let group = envelope.group();
                let (members, group) = (groups.members(group), Conversation::Group(group));
                social.on_typing_envelope(cx, connections, backlog, envelope, group, &members);
            }
            Kind::Direct | Kind::Claim | Kind::ClaimDenied | Kind::ClaimConceded | Kind::ClaimJoined => {}
            Kind::Reclaim | Kind::Presence | Kind::CoreLeaving | Kind::Confirmed | Kind::Unconfirmed => {}
            Kind::BacklogHint | Kind::HidingHint | Kind::Read | Kind::ConfirmedHere | Kind::TokenRevoked => {}
            Kind::Acquaintance | Kind::DevicesAsked | Kind::DevicesHere => {}
            Kind::Friendship | Kind::Settings => {}
            Kind::GroupKnown | Kind::GroupTold | Kind::Announcement => {}
        }
    }

    fn on_cores_envelope(&mut self, envelope: &Envelope) {
        let Self { cx, connections, backlog, devices, social, .. } = self;
        match envelope.kind() {
            Kind::Presence => social.on_presence_envelope(cx, connections, backlog, envelope),
            Kind::CoreLeaving => social.on_core_leaving(cx, envelope.mid().core()),
            Kind::Announcement => social.on_announcement_envelope(cx, envelope),
            Kind::Direct | Kind::Group | Kind::Claim | Kind::ClaimDenied | Kind::ClaimConceded => {}
            Kind::BacklogHint | Kind::Reclaim | Kind::GroupOffsets | Kind::Dissolved => {}
            Kind::Confirmed | Kind::Unconfirmed | Kind::HidingHint | Kind::ClaimJoined => {}
            Kind::Read | Kind::Typing | Kind::ConfirmedHere | Kind::TokenRevoked | Kind::Acquaintance => {}
            // Answers to what an acting session asks.
            Kind::DevicesHere => devices.on_here(cx, connections, envelope),
            Kind::GroupKnown => self.on_group_known(envelope.mid()),
            Kind::DevicesAsked | Kind::Friendship | Kind::Settings | Kind::Changed => {}
            Kind::GroupRule | Kind::GroupTold | Kind::GroupAsked => {}
        }
    }
}
