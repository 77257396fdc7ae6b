//! Messages that were stored before, and what they say to one that comes again.

use super::client::{Client, Many};
use super::fault::Did;
use super::messages::New;
use super::row;
use crate::chat::ask::{Answer, Done};
use crate::chat::envelope::{Envelope, Target};
use crate::chat::ids::{MessageId, Millis, UserId};
use crate::chat::wire::code::Code;
use crate::storage::body::said;
use mysql_async::{Row, Value};
use std::collections::HashMap;

const BY_MID: Many = Many::new(
    "SELECT mid, ts, sender, recipient, groupid, pos, cid, body FROM message WHERE mid IN (",
    "?",
    ")",
);
const BY_CID: Many = Many::new(
    "SELECT mid, ts, sender, recipient, groupid, pos, cid, body FROM message WHERE (cid, sender) IN (",
    "(?,?)",
    ")",
);

/// A message that was stored before.
pub struct Stored {
    pub mid: MessageId,
    ts: Millis,
    sender: UserId,
    target: Target,
    pos: Option<u64>,
    cid: Vec<u8>,
    body: Vec<u8>,
}

/// Messages that were stored before.
pub struct Found {
    by_mid: HashMap<MessageId, Stored>,
    by_cid: HashMap<(UserId, Vec<u8>), Stored>,
}

impl Found {
    /// The message with this id, or else this sender's message of this cid.
    pub fn of(&self, new: &New<'_>) -> Option<&Stored> {
        self.by_mid.get(&new.envelope.mid()).or_else(|| {
            let cid = new.cid()?;
            self.by_cid.get(&(new.envelope.sender(), cid.as_bytes().to_vec()))
        })
    }
}

impl Stored {
    /// Those of `news` that are stored, under their id or their (sender, cid).
    pub async fn find(client: &mut Client, news: &[New<'_>]) -> Did<Found> {
        let mids: Vec<Value> = news.iter().map(|new| new.mid.into()).collect();
        let mut by_mid = HashMap::new();
        for found in client.find_all(BY_MID, &mids, &[]).await? {
            let stored = Self::read(&found)?;
            by_mid.insert(stored.mid, stored);
        }
        let cid = |new: &New<'_>| Some([row::sql_text(new.cid()?), new.envelope.sender().get().into()]);
        let cids: Vec<Value> = news.iter().filter_map(cid).flatten().collect();
        let mut by_cid = HashMap::new();
        for found in client.find_all(BY_CID, &cids, &[]).await? {
            let stored = Self::read(&found)?;
            by_cid.insert((stored.sender, stored.cid.clone()), stored);
        }
        Ok(Found { by_mid, by_cid })
    }

    fn read(found: &Row) -> Did<Self> {
        let direct = row::place(found, 4)?.is_none();
        Ok(Self {
            mid: row::mid(found, 0)?,
            ts: Millis(row::number(found, 1)?),
            sender: row::user(found, 2)?,
            target: if direct {
                Target::User(row::user(found, 3)?)
            } else {
                Target::Group(row::group(found, 4)?)
            },
            pos: row::place(found, 5)?,
            cid: row::bytes(found, 6)?.to_vec(),
            body: row::bytes(found, 7)?.to_vec(),
        })
    }

    /// Whether this is what `envelope` says, to the same people. `name` and `time` do not count.
    pub fn is(&self, envelope: &Envelope) -> bool {
        self.sender == envelope.sender()
            && self.target == envelope.target()
            && said(&self.body) == said(envelope.body())
    }

    /// What is said to whoever wants `envelope` kept.
    pub fn answer(&self, envelope: &Envelope) -> Answer {
        if self.is(envelope) {
            return Ok(Done::Kept { mid: self.mid, ts: self.ts, pos: self.pos });
        }
        // Another message under this id is two cores with one number, for a moment: a retry gets
        // another id. Never say Kept of something that is not.
        Err(if self.mid == envelope.mid() { Code::Busy } else { Code::CidReused })
    }
}
