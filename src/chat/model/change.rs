//! Changes of messages: edits, recalls, reactions, and what of them a row of a conversation shows.

use super::ids::{MessageId, Millis, UserId};

/// What somebody wants done to a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Alteration {
    /// It says this.
    Edit {
        /// 0 to `msg_bytes` bytes.
        msg: Box<str>,
    },
    /// It says nothing any more, and nobody reacts to it.
    Recall,
    /// Whoever asks reacts to it, or does so no more.
    React {
        /// 1 to `emoji_bytes` bytes.
        emoji: Box<str>,
        /// Whether it does.
        on: bool,
    },
}

/// One of a conversation's changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Its number in the conversation: from 1, without gaps.
    pub chg: u64,
    /// Place of the message.
    pub pos: u64,
    /// The message.
    pub mid: MessageId,
    /// Who has changed it.
    pub by: UserId,
    /// When that was accepted.
    pub ts: Millis,
    /// How often the message is edited by then.
    pub rev: u64,
    /// What was done.
    pub what: Done,
}

/// What was done to a message. Each says how it is afterwards, so that it may be heard twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    /// It says this.
    Edited {
        /// The text.
        msg: Box<str>,
    },
    /// It was recalled. Whatever was done to it before is told so too.
    Recalled,
    /// Somebody reacts to it, or does so no more.
    Reacted {
        /// How.
        emoji: Box<str>,
        /// Whether it does.
        on: bool,
        /// How many do, after that.
        n: u64,
    },
}

impl Changed {
    /// Bytes of text in it.
    pub fn bytes(&self) -> usize {
        match &self.what {
            Done::Edited { msg } => msg.len(),
            Done::Recalled => 0,
            Done::Reacted { emoji, .. } => emoji.len(),
        }
    }
}

/// How many react to a message in one way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reaction {
    /// How.
    pub emoji: Box<str>,
    /// How many do.
    pub n: u64,
    /// Whether the one who asks is among them.
    pub mine: bool,
}

/// What became of a message since it was said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum RowState {
    /// Nothing, as far as whoever asks wants to know.
    #[default]
    AsSaid,
    /// It was edited, or is reacted to.
    Changed {
        /// How often it was edited.
        rev: u64,
        /// By emoji.
        reactions: Vec<Reaction>,
    },
    /// It has its place, and no text.
    Recalled {
        /// Who has recalled it.
        by: UserId,
        /// When.
        ts: Millis,
    },
}

impl RowState {
    /// Bytes that it adds to a row at most.
    pub fn bytes(&self) -> usize {
        /// What stands around an emoji, each of whose bytes may be escaped.
        const AROUND: usize = 48;
        match self {
            RowState::AsSaid | RowState::Recalled { .. } => 0,
            RowState::Changed { reactions, .. } => {
                AROUND + reactions.iter().map(|reaction| 2 * reaction.emoji.len() + AROUND).sum::<usize>()
            }
        }
    }
}

/// Which rows of a conversation somebody understands besides messages, and how much of those.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// What became of messages: places of recalled ones, `rev`, reactions.
    pub changes: bool,
    /// Events of groups.
    pub events: bool,
}

/// What a request to change a message came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Altered {
    /// The number of the change; if nothing changed, how many changes the conversation has. To a repetition, the first
    /// answer.
    pub chg: u64,
    /// What is new. A repetition changes nothing.
    pub changed: Option<Changed>,
}
