//! A flat JSON object, written key by key. Keys are to come sorted, as the original client's do.

use crate::device::Since;
use crate::group::Until;
use crate::message::Conversation;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::wire::text;
use std::fmt::Display;

/// An object under construction. Its end has to be written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        text::string(self.out, key);
        self.out.push(b':');
    }

    pub(super) fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        text::string(self.out, value);
        self
    }

    pub(super) fn number(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        text::number(self.out, value);
        self
    }

    pub(super) fn yes(self, key: &str) -> Self {
        self.flag(key, true)
    }

    pub(super) fn flag(mut self, key: &str, on: bool) -> Self {
        self.key(key);
        self.out.extend_from_slice(if on { b"true" } else { b"false" });
        self
    }

    /// A number in a string: see [`numerals`](Self::numerals).
    pub(super) fn numeral(self, key: &str, value: u64) -> Self {
        self.text(key, &value.to_string())
    }

    pub(super) fn texts<'b>(mut self, key: &str, values: impl Iterator<Item = &'b str>) -> Self {
        self.key(key);
        self.out.push(b'[');
        for (at, value) in values.enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            text::string(self.out, value);
        }
        self.out.push(b']');
        self
    }

    /// A list of objects: a conversation each, and a place after which something is wanted.
    pub(super) fn since(mut self, since: &[Since]) -> Self {
        self.key("since");
        self.out.push(b'[');
        for (at, since) in since.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            let entry = Object::begin(self.out).number("after", since.after);
            let entry = entry.maybe(since.chg, |entry, chg| entry.number("chg", chg));
            entry.inside(since.conversation).outside(since.conversation).out.push(b'}');
        }
        self.out.push(b']');
        self
    }

    /// `groupid`, if it is a group. Keys are sorted: `with` comes later.
    pub(super) fn inside(self, conversation: Conversation) -> Self {
        match conversation {
            Conversation::In(group) => self.group(group),
            Conversation::With(_) => self,
        }
    }

    /// `with`, if it is another user.
    pub(super) fn outside(self, conversation: Conversation) -> Self {
        match conversation {
            Conversation::With(user) => self.user("with", user),
            Conversation::In(_) => self,
        }
    }

    /// A list of numbers, each in a string: a number in JSON is not safe above 2⁵³.
    pub(super) fn numerals(mut self, key: &str, values: impl Iterator<Item = u64>) -> Self {
        self.key(key);
        self.out.push(b'[');
        for (at, value) in values.enumerate() {
            self.out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            text::number(self.out, value);
            self.out.push(b'"');
        }
        self.out.push(b']');
        self
    }

    /// Milliseconds since 1970, 0 for not at all, -1 for ever.
    pub(super) fn until(mut self, key: &str, until: Until) -> Self {
        match until {
            Until::Lifted => self.number(key, 0),
            Until::At(at) => self.number(key, at.0),
            Until::Ever => {
                self.key(key);
                self.out.extend_from_slice(b"-1");
                self
            }
        }
    }

    pub(super) fn user(self, key: &str, user: UserId) -> Self {
        self.number(key, user.get().into())
    }

    pub(super) fn group(self, group: GroupId) -> Self {
        self.number("groupid", group.get().into())
    }

    /// An object that is JSON already.
    pub(super) fn json(mut self, key: &str, value: &impl Display) -> Self {
        self.key(key);
        self.out.extend_from_slice(value.to_string().as_bytes());
        self
    }

    /// Puts in what there may be.
    pub(super) fn maybe<T>(self, what: Option<T>, put: impl FnOnce(Self, T) -> Self) -> Self {
        match what {
            Some(what) => put(self, what),
            None => self,
        }
    }

    pub(super) fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }
}
