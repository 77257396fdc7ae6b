//! What an order touches: the rows that carrying it out may have to lock, and what must not overtake
//! what when some orders have to wait.
//!
//! The rows are those that another transaction may hold for long: foreign keys lock rows too. What is
//! left out is found out by waiting for it, as everything was before.

use super::row;
use crate::Order;
use crate::token::print_of;
use chatd_chat::model::act::{AccountAct, AccountName};
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::{Issue, StoreRequest};

/// A row.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Row {
    /// A user. A foreign key locks it with each token, friend, blocked user and cursor.
    User(UserId),
    /// A group, with the place of its last message.
    Group(GroupId),
    /// Two users, the smaller id first, with the place of their last message.
    Conversation(UserId, UserId),
    /// A member of a group, with its cursor.
    Member(UserId, GroupId),
    /// A message that is stored already: backlog entries refer to it.
    Message(i64),
    /// A message that is stored already, by its sender's name for it.
    Named(UserId, String),
    /// A message in somebody's backlog.
    BacklogEntry(UserId, i64),
    /// A direct conversation as one of its two people sees it, with its read marker.
    Dialogue(UserId, UserId),
    /// A token.
    Token(u64),
}

/// What orders are about, so that one does not overtake another about the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OrderKey {
    /// What one user says, or may say, in one conversation.
    WritesTo(UserId, Target),
    /// A message: that it is stored, and in whose backlog it is.
    Message(MessageId),
    /// What else one user does.
    ActsAs(UserId),
}

/// The rows that `order` may have to lock.
pub fn rows(order: &Order) -> Vec<Row> {
    let request = match order {
        Order::Request(request) => request,
        Order::Replace { user, .. } => return vec![Row::User(*user)],
        Order::Enroll { .. } | Order::Admit { .. } | Order::Lookup { .. } => return Vec::new(),
        Order::Confirm { .. } => return Vec::new(),
    };
    match request {
        StoreRequest::StoreMessage { envelope } => rows_of(envelope).collect(),
        StoreRequest::AppendHistory { envelopes } => envelopes.iter().flat_map(rows_of).collect(),
        StoreRequest::AckDelivered { user, mids, cursors } => {
            let members = cursors
                .iter()
                .flat_map(|step| [Row::Member(*user, step.group), Row::Group(step.group), Row::User(*user)]);
            backlog_rows(*user, mids).chain(members).collect()
        }
        StoreRequest::AddFriend { user, friend }
        | StoreRequest::DelFriend { user, friend, .. }
        | StoreRequest::AskFriend { user, friend, .. }
        | StoreRequest::AnswerFriend { user, friend, .. } => {
            vec![Row::User(*user), Row::User(*friend), conversation(*user, *friend)]
        }
        StoreRequest::Block { user, blocked } => {
            vec![Row::User(*user), Row::User(*blocked), conversation(*user, *blocked)]
        }
        StoreRequest::Unblock { user, blocked } => vec![conversation(*user, *blocked)],
        StoreRequest::AddGroup { user, group, .. } => {
            vec![Row::User(*user), Row::Group(*group), Row::Member(*user, *group)]
        }
        StoreRequest::DelGroup { user, group, .. } => vec![Row::Group(*group), Row::Member(*user, *group)],
        StoreRequest::RuleGroup { user, group, rule, cid, .. } => {
            let whom = rule.about();
            let users = whom.map(Row::User).into_iter();
            let members = whom.map(|whom| Row::Member(whom, *group));
            let named = cid.as_ref().map(|cid| Row::Named(*user, cid.to_string()));
            users
                .chain([Row::Group(*group), Row::Member(*user, *group)])
                .chain(members)
                .chain(named)
                .collect()
        }
        StoreRequest::CreateGroup { user, .. }
        | StoreRequest::SaveSettings { user, .. }
        | StoreRequest::LoadProfile { user, issue: Issue::Token, .. } => {
            vec![Row::User(*user)]
        }
        StoreRequest::MoveMarker { user, conversation: Conversation::With(peer), .. } => {
            vec![Row::Dialogue(*user, *peer)]
        }
        StoreRequest::MoveMarker { user, conversation: Conversation::Group(group), .. } => {
            vec![Row::Member(*user, *group)]
        }
        StoreRequest::Alter { user, conversation: Conversation::With(peer), .. } => {
            vec![conversation(*user, *peer)]
        }
        StoreRequest::Alter { conversation: Conversation::Group(group), .. } => vec![Row::Group(*group)],
        StoreRequest::Account(
            AccountAct::Put { who: AccountName::Id(user), .. }
            | AccountAct::IssueToken { user, .. }
            | AccountAct::RevokeTokens(user)
            | AccountAct::Erase(user),
        ) => vec![Row::User(*user)],
        StoreRequest::Resume { secret, .. } => vec![Row::Token(print_of(secret).id.0)],
        StoreRequest::Revoke { token, .. }
        | StoreRequest::DropDevice { token, .. }
        | StoreRequest::SetPushToken { device: token, .. } => vec![Row::Token(token.0)],
        // What it locks is not known before.
        StoreRequest::Account(_) => Vec::new(),
        // They do not come here: passwords are other orders, and the rest is not the database's to do.
        StoreRequest::Register { .. }
        | StoreRequest::Verify { .. }
        | StoreRequest::Admit { .. }
        | StoreRequest::ChangePassword { .. }
        | StoreRequest::Remember { .. }
        | StoreRequest::Search { .. } => Vec::new(),
        // They only read.
        StoreRequest::LoadProfile { issue: Issue::Nothing, .. }
        | StoreRequest::Devices { .. }
        | StoreRequest::CheckProofs { .. }
        | StoreRequest::Acquaintances { .. }
        | StoreRequest::Heads { .. }
        | StoreRequest::Sync { .. }
        | StoreRequest::FindPlaces { .. }
        | StoreRequest::Find { .. }
        | StoreRequest::Hidden { .. }
        | StoreRequest::Members { .. }
        | StoreRequest::History { .. }
        | StoreRequest::Friends { .. }
        | StoreRequest::JoinRequests { .. }
        | StoreRequest::CheckMembership { .. }
        | StoreRequest::FetchBacklog { .. } => Vec::new(),
    }
}

/// What `order` is about.
pub fn order_keys(order: &Order) -> Vec<OrderKey> {
    let request = match order {
        Order::Request(request) => request,
        Order::Replace { user, .. } => return vec![OrderKey::ActsAs(*user)],
        Order::Enroll { .. } | Order::Admit { .. } | Order::Lookup { .. } => return Vec::new(),
        Order::Confirm { .. } => return Vec::new(),
    };
    let of = |envelope: &Envelope| {
        [OrderKey::WritesTo(envelope.sender(), envelope.target()), OrderKey::Message(envelope.mid())]
    };
    match request {
        StoreRequest::StoreMessage { envelope } => of(envelope).to_vec(),
        StoreRequest::AppendHistory { envelopes } => envelopes.iter().flat_map(of).collect(),
        StoreRequest::AckDelivered { mids, .. } => mids.iter().copied().map(OrderKey::Message).collect(),
        StoreRequest::AddGroup { user, group, .. }
        | StoreRequest::DelGroup { user, group, .. }
        | StoreRequest::RuleGroup { user, group, .. } => {
            vec![OrderKey::ActsAs(*user), OrderKey::WritesTo(*user, Target::Group(*group))]
        }
        StoreRequest::MoveMarker { user, conversation, .. }
        | StoreRequest::Alter { user, conversation, .. } => {
            let target = match conversation {
                Conversation::With(peer) => Target::User(*peer),
                Conversation::Group(group) => Target::Group(*group),
            };
            vec![OrderKey::WritesTo(*user, target)]
        }
        StoreRequest::Account(
            AccountAct::IssueToken { user, .. } | AccountAct::RevokeTokens(user) | AccountAct::Erase(user),
        )
        | StoreRequest::AddFriend { user, .. }
        | StoreRequest::DelFriend { user, .. }
        | StoreRequest::AskFriend { user, .. }
        | StoreRequest::AnswerFriend { user, .. }
        | StoreRequest::SaveSettings { user, .. }
        | StoreRequest::CreateGroup { user, .. }
        | StoreRequest::Block { user, .. }
        | StoreRequest::Unblock { user, .. }
        | StoreRequest::Revoke { user, .. }
        | StoreRequest::DropDevice { user, .. }
        | StoreRequest::SetPushToken { user, .. }
        | StoreRequest::LoadProfile { user, issue: Issue::Token, .. } => vec![OrderKey::ActsAs(*user)],
        StoreRequest::Account(_) | StoreRequest::Resume { .. } => Vec::new(),
        // They do not come here: passwords are other orders, and the rest is not the database's to do.
        StoreRequest::Register { .. }
        | StoreRequest::Verify { .. }
        | StoreRequest::Admit { .. }
        | StoreRequest::ChangePassword { .. }
        | StoreRequest::Remember { .. }
        | StoreRequest::Search { .. } => Vec::new(),
        // They only read.
        StoreRequest::LoadProfile { issue: Issue::Nothing, .. }
        | StoreRequest::Devices { .. }
        | StoreRequest::CheckProofs { .. }
        | StoreRequest::Acquaintances { .. }
        | StoreRequest::Heads { .. }
        | StoreRequest::Sync { .. }
        | StoreRequest::FindPlaces { .. }
        | StoreRequest::Find { .. }
        | StoreRequest::Hidden { .. }
        | StoreRequest::Members { .. }
        | StoreRequest::History { .. }
        | StoreRequest::Friends { .. }
        | StoreRequest::JoinRequests { .. }
        | StoreRequest::CheckMembership { .. }
        | StoreRequest::FetchBacklog { .. } => Vec::new(),
    }
}

fn rows_of(envelope: &Envelope) -> impl Iterator<Item = Row> {
    let container = match envelope.target() {
        Target::Group(group) => Row::Group(group),
        Target::User(user) => conversation(envelope.sender(), user),
    };
    let cid = envelope.cid();
    let named = (!cid.is_empty()).then(|| Row::Named(envelope.sender(), cid.to_owned()));
    let message = row::sql_mid(envelope.mid()).map(Row::Message);
    std::iter::once(container).chain(named).chain(message)
}

fn backlog_rows(user: UserId, mids: &[MessageId]) -> impl Iterator<Item = Row> {
    let mids = mids.iter().copied().filter_map(row::sql_mid);
    mids.flat_map(move |mid| [Row::BacklogEntry(user, mid), Row::Message(mid)])
}

fn conversation(one: UserId, other: UserId) -> Row {
    Row::Conversation(one.min(other), one.max(other))
}
