//! A flat JSON object, written key by key. Keys are to come sorted, as the original client's do.

use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::wire::text;

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

    pub(super) fn yes(mut self, key: &str) -> Self {
        self.key(key);
        self.out.extend_from_slice(b"true");
        self
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

    pub(super) fn user(self, key: &str, user: UserId) -> Self {
        self.number(key, user.get().into())
    }

    pub(super) fn group(self, group: GroupId) -> Self {
        self.number("groupid", group.get().into())
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
