//! Memberships: a session joins a group or leaves it, which the group, its backlog and its login have a part in.

use super::Hub;
use crate::connection::AuthState;
use crate::group::{Place, Subscribed};
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, GroupId, MessageId};
use crate::port::event::{BusDown, Channel};
use crate::wire::code::Code;

impl Hub {
    /// The session's user has become a member of a group, with the row at place `at`; 0 if that is not known.
    pub(super) fn join_group(&mut self, id: ConnectionId, group: GroupId, head: u64, at: u64) {
        let Self { cx, connections, backlog, groups, .. } = self;
        let is_session = connections.get(id).is_some_and(|connection| connection.is_logged_in());
        if !is_session || id.is_acting() || groups.is_member(id, group) {
            return;
        }
        if !groups.may_join(id, group, at) {
            // It was taken out since that was read, or later let in again: the next page knows.
            return self.fetch_again(id);
        }
        let joined = groups.subscribe(cx, id, group, head);
        backlog.track_group(id, group, head);
        self.fetch_again(id);
        if joined == Subscribed::Now {
            self.miss_own(id);
        }
    }

    /// The session's user is a member no more, or the group is gone.
    pub(super) fn leave_group(&mut self, id: ConnectionId, group: GroupId) {
        let Self { cx, connections, backlog, groups, logins, .. } = self;
        if connections.get(id).is_none() || id.is_acting() {
            return;
        }
        let is_joined = groups.is_joined(group);
        backlog.forget_group(id, group);
        let was_member = groups.leave(cx, connections, backlog, id, group);
        logins.forget_group(id, group, was_member && !is_joined);
        self.start_if_ready(id);
    }

    /// A group's channel is joined, or not.
    pub(super) fn on_group_joined(&mut self, group: GroupId, number: u64, result: Result<(), BusDown>) {
        for id in self.groups.on_channel_joined(&mut self.cx, group, number, result) {
            match (self.connections.get(id).map(|connection| connection.auth()), result) {
                (Some(AuthState::LoggingIn(_)), Ok(())) => {
                    self.logins.note_joined(id);
                    self.start_if_ready(id);
                }
                (Some(AuthState::LoggingIn(_)), Err(BusDown)) => self.refuse_login(id, Code::Busy),
                // It became a member while it was online, and may have missed what came before now.
                (Some(AuthState::LoggedIn(_)), Ok(())) => {
                    self.fetch_again(id);
                    self.miss_own(id);
                }
                (Some(AuthState::LoggedIn(_)), Err(BusDown)) => {}
                (Some(AuthState::Unauthenticated) | None, Ok(()) | Err(BusDown)) => {}
            }
        }
        self.groups.after_join(group, number, result);
    }

    /// A group is no more: everybody is told, and nobody is a member.
    pub(super) fn dissolve_group(&mut self, group: GroupId) {
        self.cx.publish(Channel::Group(group), Envelope::dissolved(group));
        self.drop_group(group);
    }

    pub(super) fn drop_group(&mut self, group: GroupId) {
        for id in self.groups.members(group) {
            self.leave_group(id, group);
        }
    }

    /// A message of this core is stored: its members know, the other cores are told with the next offsets.
    pub(super) fn tell_place(&mut self, place: Place) {
        self.groups.tell_place(place);
        self.note_place(place.group, place.mid, place.pos);
    }

    /// A message is stored at this place: members who did not get it fetch again.
    pub(super) fn note_place(&mut self, group: GroupId, mid: MessageId, pos: u64) {
        let Self { connections, backlog, groups, .. } = self;
        for id in groups.note_place(connections, backlog, Place { group, mid, pos }) {
            self.fetch_again(id);
        }
        self.groups.advance(group);
    }
}
