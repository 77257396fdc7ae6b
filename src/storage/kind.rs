//! What orders are called in the log and in reports: a kind, and nothing that somebody said.

use super::Order;
use chatd_chat::port::store::StoreRequest;

impl Order {
    /// What this kind of order is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Order::Enroll { .. } => "enroll",
            Order::Replace { .. } => "replace a password",
            Order::Lookup { .. } => "look up a password",
            Order::Confirm { .. } => "look at a password again",
            Order::Request(ask) => of(ask),
        }
    }
}

fn of(ask: &StoreRequest) -> &'static str {
    match ask {
        StoreRequest::Register { .. } => "register",
        StoreRequest::Verify { .. } => "verify a password",
        StoreRequest::Resume { .. } => "resume",
        StoreRequest::LoadProfile { .. } => "roster",
        StoreRequest::Revoke { .. } => "revoke a token",
        StoreRequest::ChangePassword { .. } => "change a password",
        StoreRequest::Find { .. } => "find a user",
        StoreRequest::Hidden { .. } => "hidden",
        StoreRequest::Block { .. } => "block",
        StoreRequest::Unblock { .. } => "unblock",
        StoreRequest::Members { .. } => "members",
        StoreRequest::History { .. } => "history",
        StoreRequest::Friends { .. } => "friends",
        StoreRequest::AddFriend { .. } => "add a friend",
        StoreRequest::DelFriend { .. } => "remove a friend",
        StoreRequest::CreateGroup { .. } => "create a group",
        StoreRequest::AddGroup { .. } => "join a group",
        StoreRequest::DelGroup { .. } => "leave a group",
        StoreRequest::CheckMembership { .. } => "may write",
        StoreRequest::StoreMessage { .. } => "keep a message",
        StoreRequest::AppendHistory { .. } => "record messages",
        StoreRequest::Owe { .. } => "owe messages",
        StoreRequest::FetchBacklog { .. } => "take a backlog",
        StoreRequest::AckDelivered { .. } => "settle",
        StoreRequest::Remember { .. } => "remember",
    }
}
