//! What the store has found, as text: see `script.rs`.

use super::script::{Script, group, user};
use chatd::chat::model::envelope::Durability;
use chatd::chat::model::history::{Conversation, Hit, Placed, SearchPage};
use chatd::chat::model::ids::{MessageId, Millis};

impl Script {
    pub fn search_page(&mut self, text: &str) -> SearchPage {
        let mut page = SearchPage::default();
        for part in text.split("; ").filter(|part| !part.is_empty()) {
            if let Some(mid) = part.strip_prefix("before ") {
                page.before = Some(MessageId(mid.parse().expect("an id")));
            } else if let Some(ts) = part.strip_prefix("to ") {
                page.searched_to = Some(Millis(ts.parse().expect("a time")));
            } else {
                page.hits.push(self.hit(part));
            }
        }
        page
    }

    fn hit(&mut self, text: &str) -> Hit {
        let (place, message) = text.split_once(": ").expect("where, and what");
        let (kind, id) = place.split_once(' ').expect("with somebody or in a group");
        let (ends, text) = message.split_once(' ').expect("from whom to whom, and a text");
        let (ends, pos) = ends.split_once('@').expect("its place");
        let is_group = kind == "in";
        let conversation =
            if is_group { Conversation::Group(group(id)) } else { Conversation::With(user(id)) };
        let envelope = self.message(ends, text, is_group, Durability::Always);
        Hit { conversation, placed: Placed::as_said(envelope, pos.parse().expect("a place")) }
    }
}
