//! What becomes of a message after it was said: it is edited, recalled, or others react to it.

use super::message::Conversation;
use chatd_chat::model::ids::{MessageId, Millis, UserId};

/// How many react to a message with the same emoji.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reaction {
    /// Which; not safe to show as it is.
    pub emoji: String,
    /// How many people.
    pub n: u64,
    /// Whether the user is one of them.
    pub mine: bool,
}

/// What a change is. Each says how it is afterwards, so that it does no harm twice.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Changed {
    /// The message has another text.
    Edited {
        /// The text that it has now; not safe to show as it is.
        text: String,
        /// How often it was edited, this time included. A text with a lower one is older.
        rev: u64,
    },
    /// The message is not there any more. Its place stays.
    Recalled,
    /// Somebody reacts to the message, or does so no more.
    Reacted {
        /// With what; not safe to show as it is.
        emoji: String,
        /// Whether it begins or ends.
        on: bool,
        /// How many react so after it.
        n: u64,
    },
}

/// A change of a message that was said before.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Change {
    /// Where it was said.
    pub conversation: Conversation,
    /// The number of this change in its conversation, counted from 1 without gaps.
    pub chg: u64,
    /// The place of the message.
    pub pos: u64,
    /// What the server calls the message.
    pub mid: Option<MessageId>,
    /// Who changed it.
    pub by: UserId,
    /// When the server took that.
    pub ts: Millis,
    /// What is different; nothing, where this program is older than the change.
    pub what: Option<Changed>,
}

impl Change {
    /// A change, the `chg`th of its conversation, of what stands at `pos`.
    pub fn new(of: Conversation, chg: u64, pos: u64, by: UserId, ts: Millis, what: Changed) -> Self {
        Self { conversation: of, chg, pos, mid: None, by, ts, what: Some(what) }
    }
}

/// What is left of a message that was recalled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recalled {
    /// Where it was said.
    pub conversation: Conversation,
    /// Its place, which it keeps.
    pub pos: u64,
    /// What it was called.
    pub mid: MessageId,
    /// Who recalled it.
    pub by: UserId,
    /// When the server took that.
    pub ts: Millis,
}
