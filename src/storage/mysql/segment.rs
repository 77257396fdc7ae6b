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
use crate::chat::ask::{Answer, Ask, Done, Progress};
use crate::chat::envelope::{Envelope, Target};
use crate::chat::ids::{GroupId, MessageId, UserId};
use std::collections::{BTreeSet, HashSet};

/// Asks that are carried out together, and where in their batch they are.
#[derive(Default)]
pub struct Segment<'a> {
    asks: Vec<(usize, &'a Ask)>,
    /// Groups in which cursors are moved.
    moved: HashSet<GroupId>,
}

impl<'a> Segment<'a> {
    /// Whether an ask can be in a segment at all.
    pub fn takes(ask: &Ask) -> bool {
        matches!(ask, Ask::Keep { .. } | Ask::Record { .. } | Ask::Owe { .. } | Ask::Settle { .. })
    }

    /// Whether this ask can be carried out together with those before it.
    pub fn fits(&self, ask: &Ask) -> bool {
        match ask {
            // A cursor must not come to stand behind a message that was asked for after it.
            Ask::Keep { envelope } => match envelope.target() {
                Target::Group(group) => !self.moved.contains(&group),
                Target::User(_) => true,
            },
            _ => true,
        }
    }

    /// Puts an ask, which [fits](Self::fits), behind the others.
    pub fn push(&mut self, place: usize, ask: &'a Ask) {
        if let Ask::Settle { progress, .. } = ask {
            self.moved.extend(progress.iter().map(|step| step.group));
        }
        self.asks.push((place, ask));
    }

    /// Carries them out, and leaves the segment empty.
    pub async fn perform(&mut self, client: &mut Client, known: &mut Known) -> Did<Vec<(usize, Answer)>> {
        self.moved.clear();
        let asks = std::mem::take(&mut self.asks);
        let messages: Vec<&Envelope> = asks.iter().flat_map(|(_, ask)| envelopes(ask)).collect();
        let kept = messages::keep(client, known, &messages).await?;
        let owing = owing(client, known, &asks, &kept).await?;
        let others = backlog::owe(client, &owing).await?;
        let steps: Vec<(UserId, &Progress)> = asks.iter().flat_map(|(_, ask)| steps(ask)).collect();
        backlog::advance(client, &steps).await?;
        let mut kept = kept.into_iter();
        let answer = |(place, ask): (usize, &Ask)| {
            let last = kept.by_ref().take(envelopes(ask).len()).last();
            match ask {
                Ask::Keep { .. } => (place, last.expect("one for each message").answer),
                Ask::Settle { mids, .. } => (place, Ok(settled(mids, &others))),
                _ => (place, Ok(Done::Done)),
            }
        };
        Ok(asks.into_iter().map(answer).collect())
    }
}

/// The messages that an ask wants stored.
fn envelopes(ask: &Ask) -> &[Envelope] {
    match ask {
        Ask::Keep { envelope } => std::slice::from_ref(envelope),
        Ask::Record { envelopes } => envelopes,
        _ => &[],
    }
}

/// The answer to who has these messages.
fn settled(mids: &[MessageId], others: &Others) -> Done {
    let other = |mid: &MessageId| others.get(&row::sql_mid(*mid)?).copied();
    let others = mids.iter().filter_map(other).filter_map(|mid| u64::try_from(mid).ok().map(MessageId));
    let others: Vec<MessageId> = others.collect();
    if others.is_empty() { Done::Done } else { Done::SettledAs(others) }
}

fn steps(ask: &Ask) -> impl Iterator<Item = (UserId, &Progress)> {
    let (user, progress) = match ask {
        Ask::Settle { user, progress, .. } => (Some(*user), progress.as_slice()),
        _ => (None, &[][..]),
    };
    progress.iter().filter_map(move |step| Some((user?, step)))
}

/// What is owed in the end. Of a message that was stored just now nothing can be there to be taken out.
async fn owing(client: &mut Client, known: &mut Known, asks: &[(usize, &Ask)], kept: &[Kept]) -> Did<Owing> {
    let users =
        asks.iter().filter_map(|(_, ask)| if let Ask::Owe { user, .. } = ask { Some(*user) } else { None });
    let strangers = known.strangers(client, users).await?;
    let named =
        asks.iter().filter_map(|(_, ask)| if let Ask::Owe { mids, .. } = ask { Some(mids) } else { None });
    let named: BTreeSet<i64> = named.flatten().copied().filter_map(row::sql_mid).collect();
    let stored = backlog::stored(client, &named).await?;
    let (mut owing, mut fresh, mut kept) = (Owing::new(), HashSet::new(), kept.iter());
    for (_, ask) in asks {
        match ask {
            Ask::Keep { envelope } => {
                let kept = kept.next().ok_or_else(|| Fault::Odd("a message was not kept".to_owned()))?;
                if let (Some(user), Some(mid)) = (kept.owed_to, row::sql_mid(envelope.mid())) {
                    owing.insert((user, mid), Owed::Yes);
                    if kept.fresh {
                        fresh.insert(mid);
                    }
                }
            }
            // Nobody is owed what is only recorded.
            Ask::Record { envelopes } => drop(kept.by_ref().take(envelopes.len()).last()),
            Ask::Owe { user, mids } if !strangers.contains(user) => {
                let there = mids.iter().copied().filter_map(row::sql_mid).filter(|mid| stored.contains(mid));
                owing.extend(there.map(|mid| ((*user, mid), Owed::Yes)));
            }
            Ask::Settle { user, mids, .. } => {
                let mids = mids.iter().copied().filter_map(row::sql_mid);
                owing.extend(mids.map(|mid| ((*user, mid), Owed::No)));
            }
            _ => {}
        }
    }
    owing.retain(|(_, mid), owed| *owed == Owed::Yes || !fresh.contains(mid));
    Ok(owing)
}
