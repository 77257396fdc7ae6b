//! What v2 tells a user of friendships that are asked for, made and ended, and of what it has chosen.

use super::text::{number, string};
use crate::model::consent::{FriendAsk, Settings};
use crate::model::ids::UserId;

/// What has happened between a user and somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FriendWhat {
    /// That one asks for its friendship.
    Asks,
    /// The two are friends from now on.
    Accepted,
    /// They are no more: that one has ended it, or another session of the user.
    Gone,
    /// Another session of the user has put that one on the list of friends.
    Added,
    /// Another session of the user asks for that one's friendship.
    Asked,
    /// Another session of the user has said no, or has taken back what was asked.
    Refused,
    /// Another session of the user blocks that one.
    Blocked,
    /// It does so no more.
    Unblocked,
}

impl FriendWhat {
    const fn name(self) -> &'static str {
        match self {
            FriendWhat::Asks => "asks",
            FriendWhat::Accepted => "accepted",
            FriendWhat::Gone => "gone",
            FriendWhat::Added => "added",
            FriendWhat::Asked => "asked",
            FriendWhat::Refused => "refused",
            FriendWhat::Blocked => "blocked",
            FriendWhat::Unblocked => "unblocked",
        }
    }
}

/// FRIEND_EVENT of what somebody else has done, or of what became of it.
pub fn friend_event(user: UserId, what: FriendWhat, name: &str, note: &str) -> Vec<u8> {
    let mut out = begin(user);
    if !name.is_empty() {
        out.extend_from_slice(b",\"name\":");
        string(&mut out, name);
    }
    if !note.is_empty() {
        out.extend_from_slice(b",\"note\":");
        string(&mut out, note);
    }
    end(out, what)
}

/// FRIEND_EVENT of what another session of the user has done.
pub fn own_event(user: UserId, what: FriendWhat) -> Vec<u8> {
    let mut out = begin(user);
    out.extend_from_slice(b",\"own\":true");
    end(out, what)
}

fn begin(user: UserId) -> Vec<u8> {
    let mut out = b"{\"id\":".to_vec();
    number(&mut out, user.get().into());
    out.extend_from_slice(b",\"msgid\":54");
    out
}

fn end(mut out: Vec<u8>, what: FriendWhat) -> Vec<u8> {
    out.extend_from_slice(b",\"what\":");
    string(&mut out, what.name());
    out.push(b'}');
    out
}

/// Appends who asks, as an entry of the login answer.
pub(super) fn ask_entry(out: &mut Vec<u8>, ask: &FriendAsk) {
    out.extend_from_slice(b"{\"id\":");
    number(out, ask.asker.get().into());
    out.extend_from_slice(b",\"name\":");
    string(out, &ask.name);
    if !ask.note.is_empty() {
        out.extend_from_slice(b",\"note\":");
        string(out, &ask.note);
    }
    out.push(b'}');
}

pub(super) fn read_receipts(out: &mut Vec<u8>, settings: Settings) {
    out.extend_from_slice(b"\"read_receipts\":");
    out.extend_from_slice(if settings.read_receipts { b"true" } else { b"false" });
}

pub(super) fn who_writes(out: &mut Vec<u8>, settings: Settings) {
    out.extend_from_slice(b"\"who_writes\":");
    string(out, settings.who_writes.name());
}

/// Appends what a user has chosen, as an object.
pub(super) fn settings_entry(out: &mut Vec<u8>, settings: Settings) {
    out.push(b'{');
    read_receipts(out, settings);
    out.push(b',');
    who_writes(out, settings);
    out.push(b'}');
}

/// SETTINGS: what another session of the user has chosen.
pub fn settings(settings: Settings) -> Vec<u8> {
    let mut out = b"{\"msgid\":60,".to_vec();
    read_receipts(&mut out, settings);
    out.push(b',');
    who_writes(&mut out, settings);
    out.push(b'}');
    out
}
