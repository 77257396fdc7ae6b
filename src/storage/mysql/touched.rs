//! What an order touches: the rows that carrying it out may have to lock, and what must not overtake
//! what when some orders have to wait.
//!
//! The rows are those that another transaction may hold for long: foreign keys lock rows too. What is
//! left out is found out by waiting for it, as everything was before.

use super::row;
use crate::Order;
use crate::token::print_of;
use chatd_chat::model::envelope::{Envelope, Target};
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
    Seat(UserId, GroupId),
    /// A message that is stored already: what is owed refers to it.
    Message(i64),
    /// A message that is stored already, by its sender's name for it.
    Named(UserId, String),
    /// That a message is owed to somebody.
    Owed(UserId, i64),
    /// A token.
    Token(u64),
}

/// What orders are about, so that one does not overtake another about the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Turn {
    /// What one user says, or may say, in one conversation.
    Says(UserId, Target),
    /// A message: that it is stored, and to whom it is owed.
    Message(MessageId),
    /// What else one user does.
    Does(UserId),
}

/// The rows that `order` may have to lock.
pub fn rows(order: &Order) -> Vec<Row> {
    let ask = match order {
        Order::Request(ask) => ask,
        Order::Replace { user, .. } => return vec![Row::User(*user)],
        Order::Enroll { .. } | Order::Lookup { .. } | Order::Confirm { .. } => return Vec::new(),
    };
    match ask {
        StoreRequest::StoreMessage { envelope } => rows_of(envelope).collect(),
        StoreRequest::AppendHistory { envelopes } => envelopes.iter().flat_map(rows_of).collect(),
        StoreRequest::Owe { user, mids } => owed(*user, mids).collect(),
        StoreRequest::AckDelivered { user, mids, cursors: progress } => {
            let seats = progress
                .iter()
                .flat_map(|step| [Row::Seat(*user, step.group), Row::Group(step.group), Row::User(*user)]);
            owed(*user, mids).chain(seats).collect()
        }
        StoreRequest::AddFriend { user, friend } => vec![Row::User(*user), Row::User(*friend)],
        StoreRequest::Block { user, blocked } => {
            vec![Row::User(*user), Row::User(*blocked), conversation(*user, *blocked)]
        }
        StoreRequest::Unblock { user, blocked } => vec![conversation(*user, *blocked)],
        StoreRequest::AddGroup { user, group } => {
            vec![Row::User(*user), Row::Group(*group), Row::Seat(*user, *group)]
        }
        StoreRequest::DelGroup { user, group } => vec![Row::Group(*group), Row::Seat(*user, *group)],
        StoreRequest::CreateGroup { user, .. }
        | StoreRequest::LoadProfile { user, issue: Issue::Token, .. } => {
            vec![Row::User(*user)]
        }
        StoreRequest::Resume { secret } => vec![Row::Token(print_of(secret).id.0)],
        StoreRequest::Revoke { token, .. } => vec![Row::Token(token.0)],
        // They lock nothing, or nothing that is known before.
        _ => Vec::new(),
    }
}

/// What `order` is about.
pub fn turns(order: &Order) -> Vec<Turn> {
    let ask = match order {
        Order::Request(ask) => ask,
        Order::Replace { user, .. } => return vec![Turn::Does(*user)],
        Order::Enroll { .. } | Order::Lookup { .. } | Order::Confirm { .. } => return Vec::new(),
    };
    let of = |envelope: &Envelope| {
        [Turn::Says(envelope.sender(), envelope.target()), Turn::Message(envelope.mid())]
    };
    match ask {
        StoreRequest::StoreMessage { envelope } => of(envelope).to_vec(),
        StoreRequest::AppendHistory { envelopes } => envelopes.iter().flat_map(of).collect(),
        StoreRequest::Owe { mids, .. } | StoreRequest::AckDelivered { mids, .. } => {
            mids.iter().copied().map(Turn::Message).collect()
        }
        StoreRequest::AddGroup { user, group } | StoreRequest::DelGroup { user, group } => {
            vec![Turn::Does(*user), Turn::Says(*user, Target::Group(*group))]
        }
        StoreRequest::AddFriend { user, .. }
        | StoreRequest::DelFriend { user, .. }
        | StoreRequest::CreateGroup { user, .. }
        | StoreRequest::Block { user, .. }
        | StoreRequest::Unblock { user, .. }
        | StoreRequest::Revoke { user, .. }
        | StoreRequest::LoadProfile { user, issue: Issue::Token, .. } => vec![Turn::Does(*user)],
        _ => Vec::new(),
    }
}

fn rows_of(envelope: &Envelope) -> impl Iterator<Item = Row> {
    let place = match envelope.target() {
        Target::Group(group) => Row::Group(group),
        Target::User(user) => conversation(envelope.sender(), user),
    };
    let cid = envelope.cid();
    let named = (!cid.is_empty()).then(|| Row::Named(envelope.sender(), cid.to_owned()));
    let message = row::sql_mid(envelope.mid()).map(Row::Message);
    std::iter::once(place).chain(named).chain(message)
}

fn owed(user: UserId, mids: &[MessageId]) -> impl Iterator<Item = Row> {
    let mids = mids.iter().copied().filter_map(row::sql_mid);
    mids.flat_map(move |mid| [Row::Owed(user, mid), Row::Message(mid)])
}

fn conversation(one: UserId, other: UserId) -> Row {
    Row::Conversation(one.min(other), one.max(other))
}
