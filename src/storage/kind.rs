//! What orders are called in the log and in reports: a kind, and nothing that somebody said.

use super::Order;
use chatd_chat::port::store::StoreRequest;

impl Order {
    /// What this kind of order is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Order::Enroll { .. } => "enroll",
            Order::Admit { .. } => "admit",
            Order::Replace { .. } => "replace a password",
            Order::Lookup { .. } => "look up a password",
            Order::Confirm { .. } => "look at a password again",
            Order::Request(request) => of(request),
        }
    }
}

fn of(request: &StoreRequest) -> &'static str {
    match request {
        StoreRequest::Register { .. } => "register",
        StoreRequest::Verify { .. } => "verify a password",
        StoreRequest::Admit { .. } => "admit",
        StoreRequest::Account(_) => "an account, for the API",
        StoreRequest::Resume { .. } => "resume",
        StoreRequest::LoadProfile { .. } => "load a profile",
        StoreRequest::Revoke { .. } => "revoke a token",
        StoreRequest::ChangePassword { .. } => "change a password",
        StoreRequest::Find { .. } => "find a user",
        StoreRequest::Hidden { .. } => "find who hides",
        StoreRequest::Block { .. } => "block",
        StoreRequest::Unblock { .. } => "unblock",
        StoreRequest::Members { .. } => "members",
        StoreRequest::History { .. } => "history",
        StoreRequest::Search { .. } => "search",
        StoreRequest::Friends { .. } => "friends",
        StoreRequest::Acquaintances { .. } => "acquaintances",
        StoreRequest::AddFriend { .. } => "add a friend",
        StoreRequest::DelFriend { .. } => "remove a friend",
        StoreRequest::AskFriend { .. } => "ask for a friendship",
        StoreRequest::AnswerFriend { .. } => "answer who asks for a friendship",
        StoreRequest::SaveSettings { .. } => "settings",
        StoreRequest::CreateGroup { .. } => "create a group",
        StoreRequest::AddGroup { .. } => "join a group",
        StoreRequest::DelGroup { .. } => "leave a group",
        StoreRequest::RuleGroup { .. } => "run a group",
        StoreRequest::JoinRequests { .. } => "list who asks to join",
        StoreRequest::CheckMembership { .. } => "check a membership",
        StoreRequest::StoreMessage { .. } => "store a message",
        StoreRequest::AppendHistory { .. } => "append to the history",
        StoreRequest::FetchBacklog { .. } => "fetch a backlog",
        StoreRequest::AckDelivered { .. } => "acknowledge delivered",
        StoreRequest::Devices { .. } => "list devices",
        StoreRequest::CheckProofs { .. } => "check proofs",
        StoreRequest::DropDevice { .. } => "drop a device",
        StoreRequest::SetPushToken { .. } => "keep a push token",
        StoreRequest::Heads { .. } => "find where conversations stand",
        StoreRequest::Sync { .. } => "sync",
        StoreRequest::Alter { .. } => "change a message",
        StoreRequest::MoveMarker { .. } => "move a read marker",
        StoreRequest::FindPlaces { .. } => "find places",
        StoreRequest::Remember { .. } => "remember",
    }
}
