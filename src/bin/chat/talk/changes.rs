//! Messages that are edited, recalled and reacted to, places, and searching.

use super::{Next, Pending, Talk};
use crate::command::Command;
use crate::show::{Deed, Shown};
use chatd_chat::model::ids::MessageId;
use chatd_client::{Answer, Change, Changed, Conversation, Extras, Recalled, Request};

/// Messages in a page of what was found.
const PAGE: u32 = 20;

/// What was searched for last, and where the next page of it begins: the same again goes on there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Searching {
    of: Option<Conversation>,
    words: String,
    before: MessageId,
}

impl Talk {
    pub(super) fn change_command(
        &mut self,
        command: Command<'_>,
        say: &mut Vec<Shown>,
    ) -> Result<Next, String> {
        let (request, pending) = match command {
            Command::Reply(pos, text) => {
                let (to, pos) = self.place(pos, false)?;
                return Ok(self.say(to, text, Extras { reply: Some(pos), data: None }));
            }
            Command::Edit(pos, text) => {
                let (of, pos) = self.place(pos, true)?;
                let text = text.to_owned();
                (Request::Edit { of, pos, text: text.clone() }, Pending::Edit(of, pos, text))
            }
            Command::Recall(pos) => {
                let (of, pos) = self.place(pos, true)?;
                (Request::Recall { of, pos }, Pending::Recall(of, pos))
            }
            Command::React(pos, emoji, on) => {
                let (of, pos) = self.place(pos, false)?;
                let emoji = emoji.to_owned();
                (Request::React { of, pos, emoji: emoji.clone(), on }, Pending::React(of, pos, emoji, on))
            }
            Command::Search(words) => self.search(None, words),
            Command::SearchHere(words) => {
                let of = self.open.ok_or("no conversation is open: /open WHO")?;
                self.search(Some(of), words)
            }
            Command::Places(on) => {
                self.shows_places = on;
                say.push(Shown::Places(on));
                return Ok(Next::Go);
            }
            _ => return Ok(Next::Go),
        };
        Ok(Next::Ask(request, pending))
    }

    /// The place that is meant in the open conversation: the one named, or the last one, of the user or of somebody else.
    fn place(&self, pos: Option<u64>, own: bool) -> Result<(Conversation, u64), String> {
        let of = self.open.ok_or("no conversation is open: /open WHO")?;
        let last = || self.recent.last(of, own);
        let pos = pos.or_else(last).ok_or("which message? /history shows their numbers")?;
        Ok((of, pos))
    }

    fn search(&mut self, of: Option<Conversation>, words: &str) -> (Request, Pending) {
        let words = words.to_owned();
        let again = self.searching.take().filter(|last| last.of == of && last.words == words);
        let before = again.map(|last| last.before);
        let request = Request::Search { words: words.clone(), of, before, limit: PAGE };
        (request, Pending::Search(of, words))
    }

    pub(super) fn done_with_changes(&mut self, pending: Pending, answer: Answer) -> Option<Shown> {
        let deed = match (pending, answer) {
            (Pending::Edit(of, pos, text), Answer::Changed(chg)) => {
                self.recent.edited(of, pos, &text);
                Deed::Edited { of, label: self.directory.label(of), pos, chg, text }
            }
            (Pending::Recall(of, pos), Answer::Changed(chg)) => {
                self.recent.forget(of, pos);
                Deed::Recalled { of, label: self.directory.label(of), pos, chg }
            }
            (Pending::React(of, pos, emoji, on), Answer::Changed(chg)) => {
                let words = self.recent.words(of, pos).map(str::to_owned);
                Deed::Reacted { of, label: self.directory.label(of), pos, chg, emoji, on, words }
            }
            (Pending::Search(of, words), Answer::Sought { rows, before, searched_to }) => {
                rows.iter().filter_map(|row| row.message()).for_each(|message| self.directory.learn(message));
                self.searching = before.map(|before| Searching { of, words: words.clone(), before });
                let labelled = |row: chatd_client::Row| (self.directory.label(row.conversation()), row);
                let rows = rows.into_iter().map(labelled).collect();
                return Some(Shown::Sought { words, rows, more: before.is_some(), searched_to });
            }
            (pending, answer) => return self.done_with_groups(pending, answer),
        };
        Some(Shown::Done(deed))
    }

    /// What was said is changed.
    pub(super) fn changed(&mut self, change: Change, say: &mut Vec<Shown>) {
        let (of, pos) = (change.conversation, change.pos);
        // Word of where it stands may still be under way.
        let _ = change.mid.and_then(|mid| self.recent.stored(of, mid, pos));
        let words = self.recent.words(of, pos).map(str::to_owned);
        match &change.what {
            Some(Changed::Edited { text, .. }) => self.recent.edited(of, pos, text),
            Some(Changed::Recalled) => self.recent.forget(of, pos),
            _ => {}
        }
        self.unread_changes(&change);
        let by = self.called(change.by);
        say.push(Shown::Changed { label: self.directory.label(of), by, change, words });
    }

    /// A message was recalled before it was told, or while this device was away.
    pub(super) fn was_recalled(&mut self, recalled: Recalled, say: &mut Vec<Shown>) {
        let (of, pos) = (recalled.conversation, recalled.pos);
        self.recent.forget(of, pos);
        self.reaches(of, Some(pos));
        let (label, by) = (self.directory.label(of), self.called(recalled.by));
        say.push(Shown::Recalled { label, by, recalled });
    }

    /// What is shown again when its conversation is opened is shown as it is then.
    fn unread_changes(&mut self, change: &Change) {
        let Some(unread) = self.unread.get_mut(&change.conversation) else { return };
        match &change.what {
            Some(Changed::Edited { text, .. }) => {
                let same = unread.last.iter_mut().find(|message| message.mark.pos == Some(change.pos));
                same.into_iter().for_each(|message| message.text.clone_from(text));
            }
            Some(Changed::Recalled) => {
                let before = unread.last.len();
                unread.last.retain(|message| message.mark.pos != Some(change.pos));
                if unread.last.len() < before {
                    unread.count = unread.count.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    /// Where messages stand that came without their places.
    pub(super) fn stored(&mut self, at: Conversation, places: Vec<(MessageId, u64)>, say: &mut Vec<Shown>) {
        let mut words = Vec::new();
        for (mid, pos) in &places {
            words.push(self.recent.stored(at, *mid, *pos).filter(|_| self.shows_places));
            for message in self.unread.get_mut(&at).into_iter().flat_map(|unread| &mut unread.last) {
                if message.mark.mid == Some(*mid) {
                    message.mark.pos = Some(*pos);
                }
            }
        }
        say.push(Shown::Stored { at, label: self.directory.label(at), places, words });
    }
}
