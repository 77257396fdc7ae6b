//! What a client of the second dialect remembers: in a connection, and from one to the next.

use super::consenting::Chosen;
use super::oracle::Text;
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::MessageId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// When a client says that messages are safe with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirms {
    AtOnce,
    Late,
    Never,
}

/// One connection of such a client.
pub struct Phone {
    pub confirms: Confirms,
    /// What it got and has not confirmed.
    pub unconfirmed: Vec<MessageId>,
    /// Friends, and whether they are online, as far as it was told.
    pub friends: BTreeMap<u64, bool>,
    /// What of an unfinished login answer has come.
    pub greeted: bool,
    /// Whether it is told of friendships.
    pub knows_friendships: bool,
    /// Who asks for one, as far as it was told.
    pub asking: BTreeSet<u64>,
    /// Whose friendship it was told that it has.
    pub accepted: BTreeSet<u64>,
    /// Of whom it was told last that it is gone.
    pub gone: BTreeSet<u64>,
}

impl Phone {
    pub fn new(confirms: Confirms, knows_friendships: bool) -> Self {
        let (friends, asking) = (BTreeMap::new(), BTreeSet::new());
        let (accepted, gone) = (BTreeSet::new(), BTreeSet::new());
        let unconfirmed = Vec::new();
        Self { confirms, unconfirmed, friends, greeted: false, knows_friendships, asking, accepted, gone }
    }
}

/// What a user's clients remember together.
#[derive(Default)]
pub struct Device {
    pub token: Option<String>,
    /// Said with a cid, and neither acknowledged nor refused.
    pub unanswered: BTreeMap<u64, Text>,
    /// The last ones that were acknowledged.
    pub answered: VecDeque<Text>,
    /// Rows of history by place: which message, and which text is in it.
    pub history: HashMap<Conversation, BTreeMap<u64, (MessageId, u64)>>,
    /// Whom it has asked to block or unblock: how often, and which of that is answered.
    pub refusals: HashMap<u64, Refusals>,
    /// Who may write to it.
    pub chosen: Chosen,
    /// Senders and cids that it has shown.
    pub shown: HashSet<(u64, String)>,
}

/// What a client asked about one sender.
#[derive(Default)]
pub struct Refusals {
    pub asked: u64,
    pub unanswered: BTreeSet<u64>,
    /// Nothing of this sender's may arrive.
    pub blocked: bool,
}

impl Device {
    pub fn note_answered(&mut self, number: u64) {
        if let Some(text) = self.unanswered.remove(&number) {
            self.answered.push_back(text);
            if self.answered.len() > 8 {
                self.answered.pop_front();
            }
        }
    }

    /// Whether it knows that it blocks this sender.
    pub fn blocks(&self, sender: u64) -> bool {
        self.refusals.get(&sender).is_some_and(|refusals| refusals.blocked)
    }

    /// Asks to block a sender, or not to any more; gives back the number of that.
    pub fn ask_refusal(&mut self, sender: u64) -> u64 {
        let refusals = self.refusals.entry(sender).or_default();
        refusals.asked += 1;
        refusals.blocked = false;
        refusals.unanswered.insert(refusals.asked);
        refusals.asked
    }

    /// It was answered. It counts only if nothing else that was asked can come after it.
    pub fn refusal_answered(&mut self, sender: u64, asked: u64, blocked: bool) {
        let refusals = self.refusals.entry(sender).or_default();
        refusals.unanswered.remove(&asked);
        refusals.blocked = blocked && asked == refusals.asked && refusals.unanswered.is_empty();
    }
}
