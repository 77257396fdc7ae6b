//! What orders are called in the log and in reports: a kind, and nothing that somebody said.

use super::Order;
use crate::chat::ask::Ask;

impl Order {
    /// What this kind of order is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Order::Enroll { .. } => "enroll",
            Order::Replace { .. } => "replace a password",
            Order::Lookup { .. } => "look up a password",
            Order::Confirm { .. } => "look at a password again",
            Order::Ask(ask) => of(ask),
        }
    }
}

fn of(ask: &Ask) -> &'static str {
    match ask {
        Ask::Register { .. } => "register",
        Ask::Verify { .. } => "verify a password",
        Ask::Resume { .. } => "resume",
        Ask::Roster { .. } => "roster",
        Ask::Revoke { .. } => "revoke a token",
        Ask::ChangePassword { .. } => "change a password",
        Ask::Find { .. } => "find a user",
        Ask::Block { .. } => "block",
        Ask::Unblock { .. } => "unblock",
        Ask::Members { .. } => "members",
        Ask::History { .. } => "history",
        Ask::Friends { .. } => "friends",
        Ask::AddFriend { .. } => "add a friend",
        Ask::DelFriend { .. } => "remove a friend",
        Ask::CreateGroup { .. } => "create a group",
        Ask::AddGroup { .. } => "join a group",
        Ask::DelGroup { .. } => "leave a group",
        Ask::MayWrite { .. } => "may write",
        Ask::Keep { .. } => "keep a message",
        Ask::Record { .. } => "record messages",
        Ask::Owe { .. } => "owe messages",
        Ask::Take { .. } => "take a backlog",
        Ask::Settle { .. } => "settle",
        Ask::Remember { .. } => "remember",
    }
}
