//! Look-ups: what clients ask of the store for themselves: so many at one time, so that nobody's message waits behind
//! all that somebody else may ask.

use super::cx::Cx;
use super::in_flight::{DevicesFlow, DirectFlow, GroupFlow, SocialFlow, StoreFlow};
use super::store::StoreRequest;
use crate::model::ids::ConnectionId;
use std::collections::VecDeque;

/// The look-ups of a core.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// How many the store is being asked for.
    in_flight: usize,
    /// Those that wait for one of these, first in, first out. Later requests of their sessions wait for them.
    waiting: VecDeque<(StoreRequest, StoreFlow)>,
}

impl StoreFlow {
    /// Whose look-up it is, if it is one.
    pub(crate) fn looks_up_for(&self) -> Option<ConnectionId> {
        match self {
            StoreFlow::Direct(DirectFlow::Confirm { mutation, .. }) => Some(mutation.connection),
            StoreFlow::Group(GroupFlow::CheckMembership { connection, .. }) => Some(*connection),
            StoreFlow::Group(GroupFlow::JoinRequests { connection, .. }) => Some(*connection),
            StoreFlow::Social(SocialFlow::Directory(query)) => Some(query.connection),
            StoreFlow::Social(SocialFlow::History { connection, .. }) => Some(*connection),
            StoreFlow::Social(SocialFlow::Search { connection, .. }) => Some(*connection),
            StoreFlow::Direct(_) | StoreFlow::Group(_) | StoreFlow::Login(_) | StoreFlow::Backlog(_) => None,
            StoreFlow::Devices(DevicesFlow::List { connection, .. }) => Some(*connection),
            StoreFlow::Devices(DevicesFlow::Heads { connection, .. }) => Some(*connection),
            StoreFlow::Devices(DevicesFlow::Sync(query)) => Some(query.connection),
            StoreFlow::Devices(DevicesFlow::Marker(_) | DevicesFlow::Places { .. }) => None,
            StoreFlow::Social(SocialFlow::Hidden { .. } | SocialFlow::Approached(_)) => None,
            StoreFlow::Social(SocialFlow::Settings { .. } | SocialFlow::Doubted { .. }) => None,
            StoreFlow::Mutation(_) | StoreFlow::Changes(_) | StoreFlow::Remember => None,
            StoreFlow::Account { .. } => None,
        }
    }
}

impl Cx {
    /// Whether so many look-ups wait that no other may.
    pub(crate) fn lookups_are_full(&self) -> bool {
        self.lookups.waiting.len() >= self.limits.lookups_waiting
    }

    /// Requests a look-up, now or when it is its turn.
    pub(crate) fn look_up(&mut self, request: StoreRequest, flow: impl Into<StoreFlow>) {
        let flow = flow.into();
        if self.lookups.in_flight < self.limits.lookups.max(1) {
            self.lookups.in_flight += 1;
            self.request(request, flow);
        } else {
            self.lookups.waiting.push_back((request, flow));
        }
    }

    /// A look-up is answered: the next one is made, if `is_awaited`, and if not, the one after it.
    pub(crate) fn end_look_up(&mut self, is_awaited: impl Fn(&StoreFlow) -> bool) {
        self.lookups.in_flight -= 1;
        while let Some((request, flow)) = self.lookups.waiting.pop_front() {
            if is_awaited(&flow) {
                return self.look_up(request, flow);
            }
        }
    }
}
