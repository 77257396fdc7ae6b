//! Messages that were stored before, and what they say to one that comes again.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::messages::New;
use super::row;
use chatd_chat::model::envelope::said::content;
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use chatd_chat::port::store::{StoreReply, StoreResult, StoredMessage};
use chatd_chat::wire::code::Code;
use mysql_async::{Row, Value};
use std::collections::HashMap;

const BY_MID: Many = Many::new(
    "SELECT mid, ts, sender, recipient, groupid, pos, cid, body, rev FROM message WHERE mid IN (",
    "?",
    ")",
);
const BY_CID: Many = Many::new(
    "SELECT mid, ts, sender, recipient, groupid, pos, cid, body, rev FROM message WHERE (cid, sender) IN (",
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
    /// How often it was edited, if it was changed at all; less than 0 if it was recalled.
    rev: Option<i64>,
}

/// Messages that were stored before.
pub struct Found {
    by_mid: HashMap<MessageId, Stored>,
    by_cid: HashMap<(UserId, Vec<u8>), Stored>,
}

impl Found {
    /// This sender's message of this cid, or else the message with this id.
    pub fn of(&self, new: &New<'_>) -> Option<&Stored> {
        let key = |cid: &str| (new.envelope.sender(), cid.as_bytes().to_vec());
        let by_cid = new.cid().and_then(|cid| self.by_cid.get(&key(cid)));
        by_cid.or_else(|| self.by_mid.get(&new.envelope.mid()))
    }
}

impl Stored {
    /// Those of `news` that are stored, under their id or their (sender, cid).
    pub async fn find(client: &mut Client, news: &[New<'_>]) -> DbResult<Found> {
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

    fn read(found: &Row) -> DbResult<Self> {
        let direct = row::optional_number(found, 4)?.is_none();
        Ok(Self {
            mid: row::mid(found, 0)?,
            ts: Millis(row::number(found, 1)?),
            sender: row::user(found, 2)?,
            target: if direct {
                Target::User(row::user(found, 3)?)
            } else {
                Target::Group(row::group(found, 4)?)
            },
            pos: row::optional_number(found, 5)?,
            cid: row::bytes(found, 6)?.to_vec(),
            body: row::bytes(found, 7)?.to_vec(),
            rev: row::optional_signed(found, 8)?,
        })
    }

    /// Whether it says something else by now than when it was sent.
    fn is_changed(&self) -> bool {
        self.rev.is_some_and(|rev| rev != 0)
    }

    /// Whether it is to be delivered to nobody.
    pub fn is_recalled(&self) -> bool {
        self.rev.is_some_and(|rev| rev < 0)
    }

    /// Whether this is what `envelope` says, to the same people. `name` and `time` do not count. What a message said that
    /// was changed since nobody knows any more.
    pub fn is(&self, envelope: &Envelope) -> bool {
        self.sender == envelope.sender()
            && self.target == envelope.target()
            && (self.is_changed() || content(&self.body) == content(envelope.body()))
    }

    /// What is said to whoever wants `envelope` stored.
    pub fn answer(&self, envelope: &Envelope) -> StoreResult {
        let cid = envelope.cid().as_bytes();
        if cid.is_empty() || (self.sender, &self.cid[..]) != (envelope.sender(), cid) {
            // Found by its id. The same message was asked for twice, in every byte, or it is another one:
            // never say Stored of what is not.
            let same = self.cid == cid
                && (self.sender, self.target, self.ts)
                    == (envelope.sender(), envelope.target(), envelope.ts())
                && (self.is_changed() || self.body == envelope.body());
            if !same {
                return Ok(StoreReply::IdTaken);
            }
        } else if !self.is(envelope) {
            return Err(Code::CidReused);
        }
        Ok(StoreReply::Stored(StoredMessage { mid: self.mid, ts: self.ts, pos: self.pos }))
    }
}
