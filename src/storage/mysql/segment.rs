//! A run of asks about messages that are carried out together, in a few statements.
//!
//! What comes out is what would come out one after the other: the messages are kept first, because
//! nothing else in a segment may change what becomes of them, and of everything that is said about
//! whether a message is owed to somebody the last word counts. An ask that this does not hold for
//! does not [fit](Segment::fits) and begins another segment.

use super::backlog::{self, Others, Owed, Owing};
use super::client::Client;
use super::fault::{Did, Fault};
use super::known::Known;
use super::messages::{self, Kept};
use super::row;
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::{CursorUpdate, StoreReply, StoreRequest, StoreResult};
use std::collections::{BTreeSet, HashSet};

/// Asks that are carried out together, and where in their batch they are.
#[derive(Default)]
pub struct Segment<'a> {
    asks: Vec<(usize, &'a StoreRequest)>,
    /// Groups in which cursors are moved.
    moved: HashSet<GroupId>,
}

impl<'a> Segment<'a> {
    /// Whether an ask can be in a segment at all.
    pub fn takes(ask: &StoreRequest) -> bool {
        matches!(
            ask,
            StoreRequest::StoreMessage { .. }
                | StoreRequest::AppendHistory { .. }
                | StoreRequest::Owe { .. }
                | StoreRequest::AckDelivered { .. }
        )
    }

    /// Whether this ask can be carried out together with those before it.
    pub fn fits(&self, ask: &StoreRequest) -> bool {
        match ask {
            // A cursor must not come to stand behind a message that was asked for after it.
            StoreRequest::StoreMessage { envelope } => match envelope.target() {
                Target::Group(group) => !self.moved.contains(&group),
                Target::User(_) => true,
            },
            _ => true,
        }
    }

    /// Puts an ask, which [fits](Self::fits), behind the others.
    pub fn push(&mut self, place: usize, ask: &'a StoreRequest) {
        if let StoreRequest::AckDelivered { cursors: progress, .. } = ask {
            self.moved.extend(progress.iter().map(|step| step.group));
        }
        self.asks.push((place, ask));
    }

    /// Carries them out, and leaves the segment empty.
    pub async fn perform(
        &mut self,
        client: &mut Client,
        known: &mut Known,
    ) -> Did<Vec<(usize, StoreResult)>> {
        self.moved.clear();
        let asks = std::mem::take(&mut self.asks);
        let messages: Vec<&Envelope> = asks.iter().flat_map(|(_, ask)| envelopes(ask)).collect();
        let kept = messages::keep(client, known, &messages).await?;
        let owing = owing(client, known, &asks, &kept).await?;
        let others = backlog::owe(client, &owing).await?;
        let steps: Vec<(UserId, &CursorUpdate)> = asks.iter().flat_map(|(_, ask)| steps(ask)).collect();
        backlog::advance(client, &steps).await?;
        let mut kept = kept.into_iter();
        let answer = |(place, ask): (usize, &StoreRequest)| {
            let last = kept.by_ref().take(envelopes(ask).len()).last();
            match ask {
                StoreRequest::StoreMessage { .. } => (place, last.expect("one for each message").answer),
                StoreRequest::AckDelivered { mids, .. } => (place, Ok(settled(mids, &others))),
                _ => (place, Ok(StoreReply::Done)),
            }
        };
        Ok(asks.into_iter().map(answer).collect())
    }
}

/// The messages that an ask wants stored.
fn envelopes(ask: &StoreRequest) -> &[Envelope] {
    match ask {
        StoreRequest::StoreMessage { envelope } => std::slice::from_ref(envelope),
        StoreRequest::AppendHistory { envelopes } => envelopes,
        _ => &[],
    }
}

/// The answer to who has these messages.
fn settled(mids: &[MessageId], others: &Others) -> StoreReply {
    let other = |mid: &MessageId| others.get(&row::sql_mid(*mid)?).copied();
    let others = mids.iter().filter_map(other).filter_map(|mid| u64::try_from(mid).ok().map(MessageId));
    let others: Vec<MessageId> = others.collect();
    if others.is_empty() { StoreReply::Done } else { StoreReply::DeliveredAs(others) }
}

fn steps(ask: &StoreRequest) -> impl Iterator<Item = (UserId, &CursorUpdate)> {
    let (user, progress) = match ask {
        StoreRequest::AckDelivered { user, cursors: progress, .. } => (Some(*user), progress.as_slice()),
        _ => (None, &[][..]),
    };
    progress.iter().filter_map(move |step| Some((user?, step)))
}

/// What is owed in the end. Of a message that was stored just now nothing can be there to be taken out.
async fn owing(
    client: &mut Client,
    known: &mut Known,
    asks: &[(usize, &StoreRequest)],
    kept: &[Kept],
) -> Did<Owing> {
    let users = asks
        .iter()
        .filter_map(|(_, ask)| if let StoreRequest::Owe { user, .. } = ask { Some(*user) } else { None });
    let strangers = known.strangers(client, users).await?;
    let named = asks
        .iter()
        .filter_map(|(_, ask)| if let StoreRequest::Owe { mids, .. } = ask { Some(mids) } else { None });
    let named: BTreeSet<i64> = named.flatten().copied().filter_map(row::sql_mid).collect();
    let stored = backlog::stored(client, &named).await?;
    let (mut owing, mut fresh, mut kept) = (Owing::new(), HashSet::new(), kept.iter());
    for (_, ask) in asks {
        match ask {
            StoreRequest::StoreMessage { envelope } => {
                let kept = kept.next().ok_or_else(|| Fault::Odd("a message was not kept".to_owned()))?;
                if let (Some(user), Some(mid)) = (kept.owed_to, row::sql_mid(envelope.mid())) {
                    owing.insert((user, mid), Owed::Yes);
                    if kept.fresh {
                        fresh.insert(mid);
                    }
                }
            }
            // Nobody is owed what is only recorded.
            StoreRequest::AppendHistory { envelopes } => drop(kept.by_ref().take(envelopes.len()).last()),
            StoreRequest::Owe { user, mids } if !strangers.contains(user) => {
                let there = mids.iter().copied().filter_map(row::sql_mid).filter(|mid| stored.contains(mid));
                owing.extend(there.map(|mid| ((*user, mid), Owed::Yes)));
            }
            StoreRequest::AckDelivered { user, mids, .. } => {
                let mids = mids.iter().copied().filter_map(row::sql_mid);
                owing.extend(mids.map(|mid| ((*user, mid), Owed::No)));
            }
            _ => {}
        }
    }
    owing.retain(|(_, mid), owed| *owed == Owed::Yes || !fresh.contains(mid));
    Ok(owing)
}
