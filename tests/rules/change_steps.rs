//! Steps about messages that are changed:
//!
//! ```text
//! altered 3 · altered 3 rev 1 n 2        the store has changed what it was asked to; unaltered 3: it had before
//! arrives user 1 change 3 by 2 with 2 at 7 edit text · recall · react +1 · unreact +1
//! arrives group 5 change 3 by 2 at 7 …   another core tells of a change of the last message
//! ```

use super::script::{Script, group, user};
use chatd::chat::model::change::{Alteration, Altered, Changed, Done};
use chatd::chat::model::envelope::{ChangeNotice, Envelope};
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::{MessageId, Millis};
use chatd::chat::port::event::Channel;
use chatd::chat::port::store::{StoreReply, StoreRequest};

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("a number: {text}"))
}

impl Script {
    /// The store's answer to a request to change a message, if the step is one.
    pub fn answer_of_changes(
        &mut self,
        word: &str,
        rest: &str,
        asked: Option<&StoreRequest>,
    ) -> Option<StoreReply> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let chg = match word {
            "altered" | "unaltered" => number(words[0]),
            _ => return None,
        };
        if word == "unaltered" {
            return Some(StoreReply::Altered(Box::new(Altered { chg, changed: None })));
        }
        let after =
            |word: &str| words.iter().position(|known| *known == word).map_or(0, |at| number(words[at + 1]));
        let Some(StoreRequest::Alter { user, pos, alteration, ts, .. }) = asked else {
            panic!("nothing is to be changed")
        };
        let what = match alteration {
            Alteration::Edit { msg } => Done::Edited { msg: msg.clone() },
            Alteration::Recall => Done::Recalled,
            Alteration::React { emoji, on } => Done::Reacted { emoji: emoji.clone(), on: *on, n: after("n") },
        };
        let mid = self.last_message().unwrap_or(MessageId(1));
        let changed = Changed { chg, pos: *pos, mid, by: *user, ts: *ts, rev: after("rev"), what };
        Some(StoreReply::Altered(Box::new(Altered { chg, changed: Some(changed) })))
    }

    /// What another core tells of changes, if the step is that.
    pub fn arrives_of_changes(&mut self, words: &[&str]) -> Option<(Channel, Envelope)> {
        let (conversation, to, chg, by, pos, what) = match *words {
            ["user", id, "change", chg, "by", by, "with", with, "at", pos, ref what @ ..] => {
                (Conversation::With(user(with)), Some(user(id)), chg, by, pos, what)
            }
            ["group", id, "change", chg, "by", by, "at", pos, ref what @ ..] => {
                (Conversation::Group(group(id)), None, chg, by, pos, what)
            }
            _ => return None,
        };
        let (rev, what) = match *what {
            ["edit", msg] => (1, Done::Edited { msg: msg.into() }),
            ["recall"] => (0, Done::Recalled),
            ["react", emoji] => (0, Done::Reacted { emoji: emoji.into(), on: true, n: 1 }),
            ["unreact", emoji] => (0, Done::Reacted { emoji: emoji.into(), on: false, n: 0 }),
            _ => panic!("no change: {words:?}"),
        };
        let mid = self.last_message().unwrap_or(MessageId(1));
        let (chg, pos, by, ts) = (number(chg), number(pos), user(by), Millis(1_700_000_000_000));
        let notice = ChangeNotice { conversation, changed: Changed { chg, pos, mid, by, ts, rev, what } };
        let number = self.next_elsewhere();
        Some(match (conversation, to) {
            (Conversation::Group(group), _) => {
                (Channel::Group(group), Envelope::changed_in_group(number, group, &notice))
            }
            (_, to) => {
                let to = to.expect("a user is told");
                (Channel::User(to), Envelope::changed_for_user(number, to, &notice))
            }
        })
    }
}
