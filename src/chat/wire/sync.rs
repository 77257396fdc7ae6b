//! What v2 tells a device of conversations: where they stand, what it lacks of them, how far they were read, where
//! messages are stored, and which devices there are.

use super::changed;
use super::pages::list;
use super::push;
use super::reply::{begin, begin_named};
use super::text::{number, string};
use crate::model::device::Device;
use crate::model::history::{Conversation, Head, SyncedConversation};
use crate::model::ids::{MessageId, UserId};
use crate::model::token::TokenId;

/// What stands around the lists of a frame, a cid of the usual bound and its escapes included.
const AROUND_BYTES: usize = 1_024;

/// Appends `groupid`, if it is a group. Keys are sorted: `with` comes at the end.
pub(super) fn group_key(out: &mut Vec<u8>, conversation: Conversation) {
    if let Conversation::Group(group) = conversation {
        out.extend_from_slice(b"\"groupid\":");
        number(out, group.get().into());
        out.push(b',');
    }
}

/// Appends `with`, if it is the other user of a direct conversation.
pub(super) fn with_key(out: &mut Vec<u8>, conversation: Conversation) {
    if let Conversation::With(user) = conversation {
        out.extend_from_slice(b",\"with\":");
        number(out, user.get().into());
    }
}

pub(super) fn field(out: &mut Vec<u8>, key: &str, value: u64) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    number(out, value);
}

/// Appends where one conversation stands.
pub(super) fn head_entry(out: &mut Vec<u8>, head: &Head) {
    out.push(b'{');
    if head.chg > 0 {
        field(out, "chg", head.chg);
        out.push(b',');
    }
    group_key(out, head.conversation);
    field(out, "head", head.head);
    out.extend_from_slice(b",\"mid\":\"");
    number(out, head.mid.0);
    out.extend_from_slice(b"\",\"name\":");
    string(out, &head.name);
    if let Some(peer_read) = head.peer_read {
        out.push(b',');
        field(out, "peer_read", peer_read);
    }
    out.push(b',');
    field(out, "read", head.read);
    out.push(b',');
    field(out, "ts", head.ts.0);
    out.push(b',');
    field(out, "unread", head.unread);
    with_key(out, head.conversation);
    out.push(b'}');
}

/// Appends as many conversations as `room_bytes` hold, newest first; how many that are.
fn head_list(out: &mut Vec<u8>, heads: &[Head], room_bytes: usize) -> usize {
    let begin = out.len();
    for (at, head) in heads.iter().enumerate() {
        let before = out.len();
        if at > 0 {
            out.push(b',');
        }
        head_entry(out, head);
        if out.len() - begin > room_bytes && at > 0 {
            out.truncate(before);
            return at;
        }
    }
    heads.len()
}

/// Appends `heads` and `heads_complete`, in at most `room_bytes` or with one entry.
fn heads_fields(out: &mut Vec<u8>, heads: &[Head], complete: bool, room_bytes: usize) {
    let mut entries = Vec::new();
    let told = head_list(&mut entries, heads, room_bytes);
    list(out, "heads", &entries);
    let complete = complete && told == heads.len();
    out.extend_from_slice(if complete { b",\"heads_complete\":true" } else { b",\"heads_complete\":false" });
}

/// SYNC_ACK with a page of conversations, of at most `push_bytes`. What does not fit is left for the next page.
pub fn heads(cid: Option<&str>, heads: &[Head], complete: bool, push_bytes: usize) -> Vec<u8> {
    let mut out = begin(cid, None);
    heads_fields(&mut out, heads, complete, push_bytes.saturating_sub(AROUND_BYTES));
    out.extend_from_slice(b",\"msgid\":37}");
    out
}

/// SYNC_ACK with what a device lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncFrame {
    /// The frame.
    pub bytes: Vec<u8>,
    /// How many of the conversations it holds, from the first on.
    pub conversations: usize,
}

/// SYNC_ACK of at most `push_bytes`, one message excepted. `is_all` says whether these were all that was asked for.
/// What does not fit is for the next frame: whole conversations, and of the last one here, messages.
pub fn synced(
    cid: Option<&str>,
    conversations: &[SyncedConversation],
    is_all: bool,
    push_bytes: usize,
) -> SyncFrame {
    let room = push_bytes.saturating_sub(AROUND_BYTES);
    let mut entries = Vec::new();
    let mut told = 0;
    for synced in conversations {
        if told > 0 && entries.len() + CONVERSATION_BYTES > room {
            break;
        }
        if told > 0 {
            entries.push(b',');
        }
        conversation_entry(&mut entries, synced, room);
        told += 1;
    }
    let mut bytes = begin_named(cid);
    let is_last = is_all && told == conversations.len();
    bytes.extend_from_slice(if is_last { b"\"complete\":true," } else { b"\"complete\":false," });
    bytes.extend_from_slice(b"\"convs\":[");
    bytes.extend_from_slice(&entries);
    bytes.extend_from_slice(b"],\"errno\":0,\"msgid\":37}");
    SyncFrame { bytes, conversations: told }
}

/// What stands around the messages of one conversation.
const CONVERSATION_BYTES: usize = 192;

/// Appends one conversation. If its messages and changes do not fit into `room` bytes, the last ones are left out and it
/// says that it is not complete; the first of the frame always fits.
fn conversation_entry(out: &mut Vec<u8>, synced: &SyncedConversation, room: usize) {
    let mut bytes = out.len() + CONVERSATION_BYTES;
    let mut is_first = out.is_empty();
    let mut fits = |more: usize| {
        bytes += more + 1;
        std::mem::take(&mut is_first) || bytes <= room
    };
    let told = synced.messages.iter().take_while(|placed| fits(push::row_len(placed))).count();
    let all_told = told == synced.messages.len();
    let entries = synced.changes.iter().map(changed::entry);
    // A change of a message that is left out would be heard before it.
    let changes: Vec<Vec<u8>> = entries.take_while(|entry| all_told && fits(entry.len())).collect();
    let complete = synced.complete && all_told && changes.len() == synced.changes.len();
    out.extend_from_slice(b"{\"changes\":[");
    out.extend_from_slice(&changes.join(&b','));
    out.extend_from_slice(b"],");
    field(out, "chg", synced.chg);
    out.extend_from_slice(if complete { b",\"complete\":true," } else { b",\"complete\":false," });
    group_key(out, synced.conversation);
    field(out, "head", synced.head);
    out.extend_from_slice(b",\"messages\":[");
    for (at, placed) in synced.messages[..told].iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push::row(out, placed);
    }
    out.push(b']');
    if let Some(peer_read) = synced.peer_read {
        out.push(b',');
        field(out, "peer_read", peer_read);
    }
    with_key(out, synced.conversation);
    out.push(b'}');
}

/// READ: `reader` has read a conversation up to `pos`. `conversation` is as the receiver sees it.
pub fn read(conversation: Conversation, reader: UserId, pos: u64) -> Vec<u8> {
    let mut out = b"{".to_vec();
    group_key(&mut out, conversation);
    field(&mut out, "id", reader.get().into());
    out.extend_from_slice(b",\"msgid\":38,");
    field(&mut out, "pos", pos);
    with_key(&mut out, conversation);
    out.push(b'}');
    out
}

/// STORED: where messages of a conversation are stored that the receiver was pushed.
pub fn stored(conversation: Conversation, places: &[(MessageId, u64)]) -> Vec<u8> {
    let mut out = b"{".to_vec();
    group_key(&mut out, conversation);
    out.extend_from_slice(b"\"msgid\":61,\"places\":[");
    for (at, (mid, pos)) in places.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"mid\":\"" } else { b"{\"mid\":\"" });
        number(&mut out, mid.0);
        out.extend_from_slice(b"\",\"pos\":");
        number(&mut out, *pos);
        out.push(b'}');
    }
    out.push(b']');
    with_key(&mut out, conversation);
    out.push(b'}');
    out
}

/// DEVICES_ACK. `here` is the token of the session that asks; `is_online` says of which others a session is there.
pub fn devices(
    cid: Option<&str>,
    devices: &[Device],
    here: Option<TokenId>,
    is_online: impl Fn(TokenId) -> bool,
) -> Vec<u8> {
    let mut entries = Vec::new();
    for (at, device) in devices.iter().enumerate() {
        if at > 0 {
            entries.push(b',');
        }
        let this = here == Some(device.token);
        entries.push(b'{');
        field(&mut entries, "created", device.created.0);
        entries.extend_from_slice(b",\"device\":");
        string(&mut entries, &device.name);
        entries.extend_from_slice(b",\"id\":\"");
        number(&mut entries, device.token.0);
        entries.extend_from_slice(b"\",\"online\":");
        entries.extend_from_slice(if this || is_online(device.token) { b"true" } else { b"false" });
        entries.extend_from_slice(if this { b",\"this\":true," } else { b",\"this\":false," });
        field(&mut entries, "used", device.used.0);
        entries.push(b'}');
    }
    let mut out = begin_named(cid);
    out.extend_from_slice(b"\"devices\":[");
    out.extend_from_slice(&entries);
    out.extend_from_slice(b"],\"errno\":0,\"msgid\":41}");
    out
}
