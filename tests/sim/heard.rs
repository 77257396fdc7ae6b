//! What a client reads in a frame of the server's.

use chatd::chat::model::ids::MessageId;
use serde_json::Value;

/// One frame, taken apart.
pub struct Heard(Value);

impl Heard {
    pub fn read(frame: &[u8]) -> Self {
        Self(serde_json::from_slice(frame).expect("the server writes JSON"))
    }

    pub fn msgid(&self) -> u64 {
        self.number("msgid").expect("every frame has one")
    }

    pub fn errno(&self) -> Option<u64> {
        self.number("errno")
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0[name].as_str()
    }

    pub fn cid(&self) -> &str {
        self.text("cid").unwrap_or("")
    }

    /// The number of the text that it is about, if its cid is one.
    pub fn about(&self) -> Option<u64> {
        self.cid().strip_prefix('c')?.parse().ok()
    }

    pub fn mid(&self) -> Option<MessageId> {
        Some(MessageId(self.text("mid")?.parse().expect("a mid is a decimal number")))
    }

    /// Whether other frames follow that belong to this one.
    pub fn is_partial(&self) -> bool {
        self.0["complete"] == Value::Bool(false)
    }

    /// The objects of a list.
    pub fn list(&self, name: &str) -> Vec<Heard> {
        self.0[name].as_array().map(|list| list.iter().cloned().map(Heard).collect()).unwrap_or_default()
    }

    /// The number of the text in a message.
    pub fn said(&self) -> Option<u64> {
        let mut parts = self.text("msg")?.split('~');
        parts.nth(1)?.parse().ok()
    }
}
