//! Rates: what a request counts as, where there are any.

use super::Hub;
use crate::connection::{About, Class};
use crate::wire::request::{Body, Request};

/// Conversations of a SYNC, and messages of a page, that count as one look-up more.
const SYNC_SHARE: u32 = 8;
const PAGE_SHARE: u64 = 64;

impl Hub {
    /// Whether a request may be made now. If not, it was refused.
    pub(super) fn admits(&mut self, about: About<'_>, request: &Request<'_>) -> bool {
        let Self { cx, connections, .. } = self;
        about.connection.is_acting()
            || cx.rates.are_off()
            || connections.admit(cx, about, demand(&request.body), request.bytes)
    }
}

/// What kind of request it is, and how many of them: what amplifies counts more than once. A burst of 400 is enough for a
/// device that was away to page through what 200 conversations have.
fn demand(body: &Body<'_>) -> (Class, u32) {
    match body {
        Body::History { messages, .. } => {
            (Class::Lookup, 1 + messages.unwrap_or(0).min(200).div_euclid(PAGE_SHARE) as u32)
        }
        Body::Sync { since, .. } => (Class::Lookup, 1 + since.len() as u32 / SYNC_SHARE),
        Body::Find { .. } | Body::Members { .. } | Body::Heads { .. } => (Class::Lookup, 1),
        Body::ShowFriends | Body::Devices => (Class::Lookup, 1),
        Body::Search { .. } => (Class::Lookup, 4),
        Body::Login { .. } | Body::JwtLogin { .. } | Body::Resume { .. } => (Class::Lookup, 1),
        Body::Register { .. } | Body::Password { .. } => (Class::Change, 1),
        Body::Block { .. } | Body::Unblock { .. } | Body::DropDevice { .. } => (Class::Change, 1),
        Body::PushToken { .. } => (Class::Change, 1),
        Body::AddFriend { .. } | Body::DelFriend { .. } => (Class::Change, 1),
        Body::FriendAsk { .. } | Body::FriendAnswer { .. } | Body::Settings { .. } => (Class::Change, 1),
        Body::CreateGroup { .. } | Body::AddGroup { .. } | Body::DelGroup { .. } => (Class::Change, 1),
        Body::RuleGroup { .. } => (Class::Change, 1),
        Body::JoinRequests { .. } => (Class::Lookup, 1),
        // What was said is bounded by what was pushed, and by `confirm_piece`.
        Body::Confirm { .. } | Body::Pong | Body::Logout => (Class::Message, 0),
        Body::OneChat { .. } | Body::GroupChat { .. } | Body::Ping { .. } => (Class::Message, 1),
        Body::Read { .. } | Body::Typing { .. } | Body::Alter { .. } => (Class::Message, 1),
    }
}
