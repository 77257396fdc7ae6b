//! CHANGED: what was done to a message, as it is pushed, and as a device gets it that was away.

use super::sync::{field, group_key, with_key};
use super::text::{number, string};
use crate::model::change::{Changed, Done};
use crate::model::history::Conversation;

/// CHANGED. `conversation` is as the receiver sees it.
pub fn push(conversation: Conversation, changed: &Changed) -> Vec<u8> {
    object(Some(conversation), changed)
}

/// A change in the list of those of a conversation.
pub(super) fn entry(changed: &Changed) -> Vec<u8> {
    object(None, changed)
}

/// The object, which names its conversation unless it stands in a list of it. Keys are sorted.
fn object(conversation: Option<Conversation>, changed: &Changed) -> Vec<u8> {
    let mut out = b"{".to_vec();
    field(&mut out, "by", changed.by.get().into());
    out.push(b',');
    field(&mut out, "chg", changed.chg);
    if let Done::Reacted { emoji, .. } = &changed.what {
        out.extend_from_slice(b",\"emoji\":");
        string(&mut out, emoji);
    }
    out.push(b',');
    if let Some(conversation) = conversation {
        group_key(&mut out, conversation);
    }
    let kind = match changed.what {
        Done::Edited { .. } => "edit",
        Done::Recalled => "recall",
        Done::Reacted { .. } => "react",
    };
    out.extend_from_slice(b"\"kind\":");
    string(&mut out, kind);
    out.extend_from_slice(b",\"mid\":\"");
    number(&mut out, changed.mid.0);
    out.push(b'"');
    if let Done::Edited { msg } = &changed.what {
        out.extend_from_slice(b",\"msg\":");
        string(&mut out, msg);
    }
    if conversation.is_some() {
        out.extend_from_slice(b",\"msgid\":46");
    }
    if let Done::Reacted { on, n, .. } = changed.what {
        out.push(b',');
        field(&mut out, "n", n);
        out.extend_from_slice(if on { b",\"on\":true" } else { b",\"on\":false" });
    }
    for (key, value) in [("pos", changed.pos), ("rev", changed.rev), ("ts", changed.ts.0)] {
        out.push(b',');
        field(&mut out, key, value);
    }
    if let Some(conversation) = conversation {
        with_key(&mut out, conversation);
    }
    out.push(b'}');
    out
}
