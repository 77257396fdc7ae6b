//! A run of requests about messages that are carried out together, in a few statements.
//!
//! What comes out is what would come out one after the other: the messages are stored first, because
//! nothing else in a segment may change what becomes of them, and of everything that is said about
//! whether a message is in somebody's backlog the last word counts. A read marker that is to be beyond the last message
//! may come to stand at one that was asked for after it, as if another server had stored that. A request that this does not hold for
//! does not [fit](Segment::fits) and begins another segment.

use super::backlog::{self, Aliases, BacklogChange, BacklogChanges};
use super::client::Client;
use super::fault::{DbResult, Fault};
use super::markers::{self, Move};
use super::messages::{self, Insertion};
use super::row;
use super::user_cache::UserCache;
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::{CursorUpdate, StoreReply, StoreRequest, StoreResult};
use std::collections::HashSet;

/// Requests that are carried out together, and where in their batch they are.
#[derive(Default)]
pub struct Segment<'a> {
    requests: Vec<(usize, &'a StoreRequest)>,
    /// Groups in which cursors are moved.
    moved: HashSet<GroupId>,
}

impl<'a> Segment<'a> {
    /// Whether a request can be in a segment at all.
    pub fn takes(request: &StoreRequest) -> bool {
        matches!(
            request,
            StoreRequest::StoreMessage { .. }
                | StoreRequest::AppendHistory { .. }
                | StoreRequest::AckDelivered { .. }
                | StoreRequest::MoveMarker { .. }
        )
    }

    /// Whether this request can be carried out together with those before it.
    pub fn fits(&self, request: &StoreRequest) -> bool {
        match request {
            // A cursor must not come to stand behind a message that was asked for after it.
            StoreRequest::StoreMessage { envelope } => match envelope.target() {
                Target::Group(group) => !self.moved.contains(&group),
                Target::User(_) => true,
            },
            _ => true,
        }
    }

    /// Puts a request, which [fits](Self::fits), behind the others.
    pub fn push(&mut self, index: usize, request: &'a StoreRequest) {
        if let StoreRequest::AckDelivered { cursors, .. } = request {
            self.moved.extend(cursors.iter().map(|step| step.group));
        }
        self.requests.push((index, request));
    }

    /// Carries them out, and leaves the segment empty.
    pub async fn perform(
        &mut self,
        client: &mut Client,
        cache: &mut UserCache,
    ) -> DbResult<Vec<(usize, StoreResult)>> {
        self.moved.clear();
        let requests = std::mem::take(&mut self.requests);
        let messages: Vec<&Envelope> = requests.iter().flat_map(|(_, request)| envelopes(request)).collect();
        let insertions = messages::store(client, cache, &messages).await?;
        let changes = changes(&requests, &insertions)?;
        let aliases = backlog::apply_changes(client, &changes).await?;
        let entered = changes.iter().filter(|(_, change)| **change == BacklogChange::Insert);
        cache.outbox.note_late(client, entered.map(|(entry, _)| *entry)).await?;
        let steps: Vec<(UserId, &CursorUpdate)> =
            requests.iter().flat_map(|(_, request)| steps(request)).collect();
        backlog::advance(client, &steps).await?;
        let moves: Vec<Move> = requests.iter().filter_map(|(_, request)| marker_move(request)).collect();
        let mut markers = markers::advance(client, cache, &moves).await?.into_iter();
        let mut insertions = insertions.into_iter();
        let answer = |(index, request): (usize, &StoreRequest)| {
            let last = insertions.by_ref().take(envelopes(request).len()).last();
            match request {
                StoreRequest::StoreMessage { .. } => (index, last.expect("one for each message").answer),
                StoreRequest::AckDelivered { mids, .. } => (index, Ok(delivered_as(mids, &aliases))),
                StoreRequest::MoveMarker { .. } => (index, markers.next().expect("one for each move")),
                _ => (index, Ok(StoreReply::Done)),
            }
        };
        Ok(requests.into_iter().map(answer).collect())
    }
}

/// The messages that a request wants stored.
fn envelopes(request: &StoreRequest) -> &[Envelope] {
    match request {
        StoreRequest::StoreMessage { envelope } => std::slice::from_ref(envelope),
        StoreRequest::AppendHistory { envelopes } => envelopes,
        _ => &[],
    }
}

/// The answer to who has these messages.
fn delivered_as(mids: &[MessageId], aliases: &Aliases) -> StoreReply {
    let other = |mid: &MessageId| aliases.get(&row::sql_mid(*mid)?).copied();
    let aliases = mids.iter().filter_map(other).filter_map(|mid| u64::try_from(mid).ok().map(MessageId));
    let aliases: Vec<MessageId> = aliases.collect();
    if aliases.is_empty() { StoreReply::Done } else { StoreReply::DeliveredAs(aliases) }
}

fn steps(request: &StoreRequest) -> impl Iterator<Item = (UserId, &CursorUpdate)> {
    let (user, cursors) = match request {
        StoreRequest::AckDelivered { user, cursors, .. } => (Some(*user), cursors.as_slice()),
        _ => (None, &[][..]),
    };
    cursors.iter().filter_map(move |update| Some((user?, update)))
}

fn marker_move(request: &StoreRequest) -> Option<Move> {
    match request {
        StoreRequest::MoveMarker { user, conversation, pos } => Some((*user, *conversation, *pos)),
        _ => None,
    }
}

/// The backlog entries as they are in the end. A message that was stored just now has none to be taken out.
fn changes(requests: &[(usize, &StoreRequest)], insertions: &[Insertion]) -> DbResult<BacklogChanges> {
    let (mut changes, mut fresh, mut insertions) = (BacklogChanges::new(), HashSet::new(), insertions.iter());
    for (_, request) in requests {
        match request {
            StoreRequest::StoreMessage { envelope } => {
                let insertion = insertions
                    .next()
                    .ok_or_else(|| Fault::Unexpected("a message was not stored".to_owned()))?;
                if let (Some(user), Some(mid)) = (insertion.backlog_of, row::sql_mid(envelope.mid())) {
                    changes.insert((user, mid), BacklogChange::Insert);
                    if insertion.fresh {
                        fresh.insert(mid);
                    }
                }
            }
            // The history alone makes no backlog entry.
            StoreRequest::AppendHistory { envelopes } => {
                insertions.by_ref().take(envelopes.len()).for_each(drop)
            }
            StoreRequest::AckDelivered { user, mids, .. } => {
                let mids = mids.iter().copied().filter_map(row::sql_mid);
                changes.extend(mids.map(|mid| ((*user, mid), BacklogChange::Delete)));
            }
            _ => {}
        }
    }
    changes.retain(|(_, mid), change| *change == BacklogChange::Insert || !fresh.contains(mid));
    Ok(changes)
}
