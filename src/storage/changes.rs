//! What is the same in the changes of every store: how conversations are named in its tables, who may change what, and
//! when two requests of one name are one.

use crate::key::Key;
use chatd_chat::model::change::{Alteration, Altered, Changed, Done};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::{StoreReply, StoreResult};
use chatd_chat::wire::code::Code;
use sha2::{Digest, Sha256};

/// The kinds of changes, as the table of changes has them.
pub const EDIT: u64 = 1;
/// See [`EDIT`].
pub const RECALL: u64 = 2;
const REACT: u64 = 3;
const UNREACT: u64 = 4;

/// What a message that is recalled has in the place of how often it was edited.
pub const RECALLED: i64 = -1;

/// A message that is there to be changed: one that is not recalled.
pub struct Message {
    pub mid: MessageId,
    pub ts: Millis,
    pub sender: UserId,
    pub rev: u64,
    pub body: Vec<u8>,
}

/// A request to change a message.
pub struct Request<'a> {
    pub user: UserId,
    pub conversation: Conversation,
    pub pos: u64,
    pub alteration: &'a Alteration,
    pub cid: Option<&'a str>,
    pub ts: Millis,
}

impl Request<'_> {
    /// Tells what is asked for apart from what else could be asked for under the same name.
    pub fn said(&self) -> i64 {
        let text: &[&[u8]] = match self.alteration {
            Alteration::Edit { msg } => &[b"edit", msg.as_bytes()],
            Alteration::Recall => &[b"recall"],
            Alteration::React { emoji, on: true } => &[b"react", emoji.as_bytes()],
            Alteration::React { emoji, on: false } => &[b"unreact", emoji.as_bytes()],
        };
        let mut hash = Sha256::new();
        text.iter().for_each(|part| hash.update(part));
        let hash: [u8; 32] = hash.finalize().into();
        i64::from_be_bytes(*hash.first_chunk().expect("longer than that"))
    }

    /// The answer where the same name was used before, for what is at `pos` of `key`. `said` is known unless that message
    /// was recalled since: then all that is known is that it was about the message.
    pub fn repeated(&self, (key, pos): (Key, u64), said: Option<i64>, chg: u64) -> StoreResult {
        let is_same = (key, pos) == (Key::of(self.user, self.conversation), self.pos)
            && said.is_none_or(|said| said == self.said());
        if is_same { Ok(unchanged(chg)) } else { Err(Code::CidReused) }
    }

    /// Whether the user may do this to a message of `sender`, said at `ts`.
    ///
    /// # Errors
    /// Why not: what it says anew would be heard of somebody who may not be heard.
    pub fn is_allowed(&self, limits: &Limits, sender: UserId, ts: Millis, power: Power) -> Result<(), Code> {
        let in_time = self.ts.0 <= ts.0.saturating_add(limits.edit_ms);
        let is_own = sender == self.user && in_time;
        let (may, says) = match self.alteration {
            Alteration::Edit { .. } => (is_own && !power.refused, true),
            Alteration::Recall => (is_own || power.recalls_anything, false),
            Alteration::React { .. } => (!power.refused, true),
        };
        match may {
            false => Err(Code::NotYours),
            true if says && power.muted => Err(Code::Muted),
            true => Ok(()),
        }
    }

    /// The change, which is done.
    pub fn changed(&self, mid: MessageId, chg: u64, rev: u64, n: u64) -> Changed {
        let what = match self.alteration {
            Alteration::Edit { msg } => Done::Edited { msg: msg.clone() },
            Alteration::Recall => Done::Recalled,
            Alteration::React { emoji, on } => Done::Reacted { emoji: emoji.clone(), on: *on, n },
        };
        Changed { chg, pos: self.pos, mid, by: self.user, ts: self.ts, rev, what }
    }
}

/// What a user may do in a conversation beyond changing its own messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Power {
    /// Recall what others said, at any time.
    pub recalls_anything: bool,
    /// The other one blocks this user, who may only take back what was said.
    pub refused: bool,
    /// It is muted in this group, likewise.
    pub muted: bool,
}

/// The answer where nothing changes.
pub fn unchanged(chg: u64) -> StoreReply {
    StoreReply::Altered(Box::new(Altered { chg, changed: None }))
}

/// The answer to a change that is new.
pub fn altered(changed: Changed) -> StoreReply {
    StoreReply::Altered(Box::new(Altered { chg: changed.chg, changed: Some(changed) }))
}

/// The kind of a change and its content, as the table has them.
pub fn columns(changed: &Changed) -> (u64, u64, Option<&str>) {
    match &changed.what {
        Done::Edited { msg } => (EDIT, 0, Some(msg)),
        Done::Recalled => (RECALL, 0, None),
        Done::Reacted { emoji, on, n } => (if *on { REACT } else { UNREACT }, *n, Some(emoji)),
    }
}

/// What was done, of these columns. Of a kind that this program does not know it says what is safe.
pub fn done(kind: u64, n: u64, content: Option<&str>) -> Done {
    match (kind, content) {
        (EDIT, Some(msg)) => Done::Edited { msg: msg.into() },
        (REACT | UNREACT, Some(emoji)) => Done::Reacted { emoji: emoji.into(), on: kind == REACT, n },
        _ => Done::Recalled,
    }
}
