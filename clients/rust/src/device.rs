//! Devices of one user side by side: what a program says of its own, and what the server tells of them and of where
//! conversations stand.

use super::change::Change;
use super::message::Conversation;
use super::row::Row;
use chatd_chat::model::ids::{MessageId, Millis};

/// A kind of push that a program understands beyond what every one does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Cap {
    /// What the user's other devices say.
    Own,
    /// Read markers.
    Read,
    /// That somebody is typing.
    Typing,
    /// Messages that are edited and recalled, and reactions; and recalled messages in the history.
    Changed,
    /// What happens to groups, and that in the history; and who is an admin.
    Group,
    /// Friendships that are asked for, and settings.
    Friend,
}

/// What a program says of its device when it logs in and when it comes back. Only v2 knows devices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Device {
    /// What it is called, in 1 to 50 characters.
    pub name: Option<String>,
    /// Whether it lives beside other devices of its user that say so too. It is then kept up to date by place: after a
    /// lost connection it is told what it missed, each message once and in order.
    pub multi: bool,
    /// Which pushes it understands.
    pub caps: Vec<Cap>,
    /// How far this program was told each conversation when it ran before, by [`Event::UpTo`](super::Event::UpTo): what
    /// came since is told, and all of a conversation that is not listed. Nothing: only what comes from now on.
    pub places: Option<Vec<Since>>,
}

impl Device {
    /// A device that lives beside others, and understands every push that this library does.
    pub fn beside_others(name: &str) -> Self {
        let caps = vec![Cap::Own, Cap::Read, Cap::Typing, Cap::Changed, Cap::Group, Cap::Friend];
        Self { name: Some(name.to_owned()), multi: true, caps, places: None }
    }
}

/// How far somebody has come in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    /// In which.
    pub conversation: Conversation,
    /// All that was said up to this place is there.
    pub after: u64,
    /// All changes up to this number are there. Nothing: no changes are wanted; in [`Device::places`], only those from now on.
    pub chg: Option<u64>,
}

/// Names a device among those of its user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceId(pub u64);

/// A device of the user, as the server tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownDevice {
    /// Which.
    pub id: DeviceId,
    /// What it calls itself, possibly nothing; not safe to show as it is.
    pub name: String,
    /// When it logged in first; 0 where nobody wrote that down.
    pub created: Millis,
    /// When it was used last.
    pub used: Millis,
    /// Whether it is logged in now.
    pub online: bool,
    /// Whether it is this one.
    pub this: bool,
}

/// Where a conversation stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Which.
    pub conversation: Conversation,
    /// The other user's name, or the group's; not safe to show as it is.
    pub name: String,
    /// The place of its last message.
    pub head: u64,
    /// The last message itself.
    pub mid: MessageId,
    /// When the server took that.
    pub ts: Millis,
    /// Up to which place the user has read it.
    pub read: u64,
    /// How many messages of others are beyond that.
    pub unread: u64,
    /// Up to which place the other user has read it, where the server says so.
    pub peer_read: Option<u64>,
    /// How many changes there were.
    pub chg: u64,
}

/// Where the user's conversations stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heads {
    /// Newest first.
    pub heads: Vec<Head>,
    /// Whether these were the last ones.
    pub complete: bool,
}

/// What a device lacked of one conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synced {
    /// Which.
    pub conversation: Conversation,
    /// In their places, lowest first, as they are now. To whoever asked for all kinds of rows: without a gap.
    pub rows: Vec<Row>,
    /// What has changed, in the order in which it did.
    pub changes: Vec<Change>,
    /// How many changes there were.
    pub chg: u64,
    /// The place of its last message.
    pub head: u64,
    /// Up to which place the other user has read it, where the server says so.
    pub peer_read: Option<u64>,
    /// Whether these were the last ones. Else the next are after the last of these.
    pub complete: bool,
}
