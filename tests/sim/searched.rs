//! What the simulated store finds: words of ASCII, by their beginnings, message by message.

use super::store::Store;
use chatd::chat::model::change::{RowState, Wanted};
use chatd::chat::model::envelope::said::said;
use chatd::chat::model::history::{Conversation, Hit, Placed, SearchPage};
use chatd::chat::model::ids::{MessageId, UserId};
use chatd::chat::port::store::{StoreReply, StoreResult};
use chatd::chat::wire::code::Code;

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

impl Store {
    /// Whether a text has all words that are looked for.
    pub fn has_words(text: &str, q: &str) -> bool {
        words(q).all(|looked_for| words(text).any(|word| word.starts_with(&looked_for)))
    }

    /// The conversations that a user may search.
    fn conversations_of(&self, user: UserId) -> Vec<Conversation> {
        let direct = self.direct.keys().filter_map(|&(low, high)| match user {
            _ if user == low => Some(Conversation::With(high)),
            _ if user == high => Some(Conversation::With(low)),
            _ => None,
        });
        let is_member = |group: &&chatd::chat::model::ids::GroupId| {
            self.group(**group).is_ok_and(|found| found.members.contains_key(&user))
        };
        direct.chain(self.groups.keys().filter(is_member).map(|group| Conversation::Group(*group))).collect()
    }

    pub fn search(
        &self,
        user: UserId,
        q: &str,
        conversation: Option<Conversation>,
        (before, wanted): (Option<MessageId>, Wanted),
        (most, bytes): (usize, usize),
    ) -> StoreResult {
        if words(q).next().is_none() {
            return Err(Code::InvalidField);
        }
        let conversations = conversation.map_or_else(|| self.conversations_of(user), |one| vec![one]);
        let mut hits = Vec::new();
        for conversation in conversations {
            let (all, joined) = self.sequence(user, conversation)?;
            for (pos, mid) in (1..).zip(all).filter(|(pos, _)| *pos > joined) {
                let envelope = self.stored(*mid);
                let text = String::from_utf8_lossy(said(envelope.body())).into_owned();
                let placed = self.row(user, wanted, pos, *mid);
                let is_there = |placed: &Placed| {
                    !placed.envelope.is_event() && !matches!(placed.state, RowState::Recalled { .. })
                };
                let Some(placed) = placed.filter(is_there) else { continue };
                if before.is_none_or(|before| *mid < before) && Self::has_words(&text, q) {
                    hits.push(Hit { conversation, placed });
                }
            }
        }
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.placed.envelope.mid()));
        let mut room = bytes;
        let fits = |(at, hit): &(usize, &Hit)| {
            let size = hit.placed.envelope.body().len();
            let fits = *at == 0 || (*at < most && size <= room);
            room = room.saturating_sub(size);
            fits
        };
        let given = hits.iter().enumerate().take_while(fits).count();
        let more = given < hits.len();
        hits.truncate(given);
        let before = hits.last().filter(|_| more).map(|hit| hit.placed.envelope.mid());
        Ok(StoreReply::Search(SearchPage { hits, before, searched_to: None }))
    }
}
