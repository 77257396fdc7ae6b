//! What travels between cores: versioned bytes, with the recipient's frame already encoded.
//!
//! A message is encoded once, here, where it was parsed. Every later hop (another session, another
//! core, another server, the store, a window that waits for TCP) shares or carries these bytes.
//!
//! Layout, little endian, 32 bytes and then the variable parts:
//!
//! ```text
//! 0 version  1 kind  2 flags  3 cid length  4..8 sender  8..12 target  12..20 mid  20..28 ts (ms)
//! 28..32 read_us  then cid (UTF-8)  then body: the seed frame, without its terminator, extras in front
//! ```
//!
//! `read_us` is for measuring only: the low 32 bits of the microseconds since the Unix epoch at which
//! the message was read from its sender's socket, 0 where that is not known. A message whose place is known when it is
//! sealed has it in 8 bytes between cid and body, and a flag that says so.
//!
//! For the notices ([`Kind::Claim`] and below) the body is empty or a list of numbers, and the
//! fields that a notice does not need are zero. They are made and read in `envelope/notice.rs`.

mod change_notice;
mod consent_notice;
mod device_notice;
mod group_notice;
mod kind;
mod notice;
pub mod said;

use super::ids::{GroupId, MessageId, Millis, UserId};
pub use change_notice::ChangeNotice;
use consent_notice::SETTINGS_BYTES;
pub use consent_notice::{FriendNews, FriendNotice};
use device_notice::{ACQUAINTANCE_BYTES, READ_BYTES, TYPING_BYTES};
pub use device_notice::{Acquaintance, ReadNotice, Revoked, TypingNotice};
use group_notice::RULE_BYTES;
pub use group_notice::RuleNotice;
pub use kind::Kind;
use notice::NOTICE_BYTES;
pub use notice::{Demand, Notice, Whereabouts};
use said::{content, is_event};
use std::fmt;
use std::sync::Arc;

/// Version of the layout. A reader refuses every other.
pub const VERSION: u8 = 1;
/// Version of the bus: what servers of a cluster say to each other, and what they mean by it. It changes when a server of
/// the version before would misunderstand or miss what it has to know: such servers refuse to be one cluster.
pub const BUS_VERSION: u16 = 2;
/// What servers speak that do not say what they speak.
pub const FIRST_BUS_VERSION: u16 = 1;
const HEADER_BYTES: usize = 32;
const FLAG_STORED: u8 = 1;
const FLAG_AWAITS_RECEIPT: u8 = 2;
const FLAG_PLACED: u8 = 4;
const FLAG_RUNS: u8 = 8;
const PLACE_BYTES: usize = 8;

/// Whether the sender's core asked the store to keep a message at the time it published it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Only if nobody hears it.
    IfUndelivered,
    /// Only if its reader does not confirm it in time: the sender's core waits for that.
    IfUnacked,
    /// In any case, and the recipient owes the store word that it arrived.
    Always,
}

/// The parts of a message, to be sealed into an [`Envelope`].
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Who sent it; the session's user, never what the client said.
    pub sender: UserId,
    /// Who or what it is for.
    pub target: Target,
    /// Its place in the order.
    pub mid: MessageId,
    /// When it was accepted.
    pub ts: Millis,
    /// The sender's own name for it; empty if it gave none. At most 255 bytes.
    pub cid: &'a str,
    /// Whether it is being stored already.
    pub durability: Durability,
    /// The seed frame, without its terminator, what it carries besides ([`super::extras`]) in front of its fields.
    pub body: &'a [u8],
}

/// A message as it is stored: its texts are bytes that nobody has looked at.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Who sent it.
    pub sender: UserId,
    /// Who or what it is for.
    pub target: Target,
    /// Its place in the order.
    pub mid: MessageId,
    /// When it was accepted.
    pub ts: Millis,
    /// The sender's own name for it; empty if it gave none.
    pub cid: &'a [u8],
    /// The seed frame, without its terminator, what it carries besides ([`super::extras`]) in front of its fields.
    pub body: &'a [u8],
}

/// Who a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// One user.
    User(UserId),
    /// All members of a group but the sender.
    Group(GroupId),
}

/// Shared, immutable bytes of the layout above. Cloning is a reference count.
///
/// Invariant: at least `HEADER_BYTES` long, of [`VERSION`], of a known kind, with a sender and a
/// target that are valid ids where the kind has them.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope(Arc<[u8]>);

/// Bytes that are not an envelope of this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAnEnvelope;

impl fmt::Display for NotAnEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an envelope of version {VERSION}")
    }
}

impl std::error::Error for NotAnEnvelope {}

impl Envelope {
    /// Seals a message. `scratch` is reused from call to call, so that this allocates once.
    pub fn message(message: Message<'_>, scratch: &mut Vec<u8>) -> Self {
        Self::read_at(message, 0, scratch)
    }

    /// Seals a message that was read from its sender's socket at `read_us`.
    pub fn read_at(message: Message<'_>, read_us: u32, scratch: &mut Vec<u8>) -> Self {
        let (kind, target) = match message.target {
            Target::User(user) => (Kind::Direct, user.get()),
            Target::Group(group) => (Kind::Group, group.get()),
        };
        let flags = match message.durability {
            Durability::Always => FLAG_STORED,
            Durability::IfUnacked => FLAG_AWAITS_RECEIPT,
            Durability::IfUndelivered => 0,
        };
        let header = Header {
            kind,
            flags,
            sender: message.sender.get(),
            target,
            mid: message.mid.0,
            ts: message.ts.0,
            read_us,
        };
        header.seal(message.cid, message.body, scratch)
    }

    /// Seals a message as a row of the store has it. Somebody else may have written that row, so what no message of ours
    /// can have is put right: a `cid` that is too long, or no text, is none, and what is no text of a body is replaced.
    pub fn of_row(row: Row<'_>, scratch: &mut Vec<u8>) -> Self {
        let cid = std::str::from_utf8(row.cid).ok().filter(|cid| cid.len() <= usize::from(u8::MAX));
        let body = String::from_utf8_lossy(row.body);
        let Row { sender, target, mid, ts, .. } = row;
        let (cid, durability) = (cid.unwrap_or_default(), Durability::Always);
        Self::message(Message { sender, target, mid, ts, cid, durability, body: body.as_bytes() }, scratch)
    }

    /// The same message under another id.
    pub fn renamed(&self, mid: MessageId) -> Self {
        let mut bytes = self.0.to_vec();
        bytes[12..20].copy_from_slice(&mid.0.to_le_bytes());
        Self(bytes.into())
    }

    /// The same message, with its place in its conversation.
    pub fn placed(&self, pos: u64) -> Self {
        let (head, rest) = self.0.split_at(HEADER_BYTES + usize::from(self.0[3]));
        let body = if self.pos().is_some() { &rest[PLACE_BYTES..] } else { rest };
        let mut bytes = [head, &pos.to_le_bytes(), body].concat();
        bytes[2] |= FLAG_PLACED;
        Self(bytes.into())
    }

    /// Its place in its conversation, if that was known when it was sealed.
    pub fn pos(&self) -> Option<u64> {
        let is_placed = self.0[2] & FLAG_PLACED != 0;
        is_placed.then(|| self.u64_at(HEADER_BYTES + usize::from(self.0[3])))
    }

    /// Whether it is no message, but tells of what was done to its group.
    pub fn is_event(&self) -> bool {
        self.kind() == Kind::Group && is_event(self.body())
    }

    /// Reads bytes from another core or server, which may be of another version.
    ///
    /// # Errors
    /// If the bytes are not an envelope of [`VERSION`] in every field that is read later.
    pub fn open(bytes: Arc<[u8]>) -> Result<Self, NotAnEnvelope> {
        let well_formed = || {
            if bytes.len() < HEADER_BYTES || bytes[0] != VERSION {
                return None;
            }
            let kind = Kind::from_byte(bytes[1])?;
            let envelope = Self(bytes.clone());
            if kind.has_target() {
                UserId::new(u64::from(envelope.u32_at(8)))?;
            }
            if kind.has_sender() {
                UserId::new(u64::from(envelope.u32_at(4)))?;
            }
            let cid_end = HEADER_BYTES + usize::from(bytes[3]);
            std::str::from_utf8(bytes.get(HEADER_BYTES..cid_end)?).ok()?;
            let body_start = cid_end + if bytes[2] & FLAG_PLACED != 0 { PLACE_BYTES } else { 0 };
            let body = bytes.get(body_start..)?;
            let is_whole = match kind {
                Kind::GroupOffsets => body.len().is_multiple_of(16),
                Kind::Presence => body.len().is_multiple_of(NOTICE_BYTES),
                Kind::Confirmed | Kind::Unconfirmed | Kind::ConfirmedHere | Kind::DevicesHere => {
                    body.len().is_multiple_of(8)
                }
                Kind::Read => body.len() == READ_BYTES,
                Kind::Typing => body.len() >= TYPING_BYTES && (body.len() - TYPING_BYTES).is_multiple_of(4),
                Kind::Settings => body.len() == SETTINGS_BYTES,
                Kind::Friendship => envelope.friend_notice().is_some(),
                Kind::Changed => ChangeNotice::is_whole(body),
                Kind::GroupRule => body.len().is_multiple_of(RULE_BYTES),
                Kind::Acquaintance => body.len() == ACQUAINTANCE_BYTES,
                Kind::Direct
                | Kind::Group
                | Kind::Claim
                | Kind::ClaimDenied
                | Kind::ClaimConceded
                | Kind::BacklogHint
                | Kind::Reclaim
                | Kind::Dissolved
                | Kind::CoreLeaving
                | Kind::TokenRevoked
                | Kind::ClaimJoined
                | Kind::DevicesAsked
                | Kind::GroupKnown
                | Kind::GroupTold
                | Kind::GroupAsked
                | Kind::Announcement
                | Kind::HidingHint => std::str::from_utf8(body).is_ok(),
            };
            is_whole.then_some(envelope)
        };
        well_formed().ok_or(NotAnEnvelope)
    }

    /// The bytes, for a bus that crosses a process.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.0
    }

    /// Whether both are the same bytes at the same place.
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::from_byte(self.0[1]).expect("checked when sealed or opened")
    }

    /// Who sent the message, or the reader who sends word on messages.
    ///
    /// # Panics
    /// If this is another notice: those have no sender.
    pub fn sender(&self) -> UserId {
        UserId::new(u64::from(self.u32_at(4))).expect("messages have a sender")
    }

    /// The user that a direct message or a notice about a user is for.
    pub fn user(&self) -> UserId {
        UserId::new(u64::from(self.u32_at(8))).expect("checked when sealed or opened")
    }

    /// The group that a group message or a notice about a group is for.
    pub fn group(&self) -> GroupId {
        GroupId::new(u64::from(self.u32_at(8))).expect("checked when sealed or opened")
    }

    /// Who the message is for.
    pub fn target(&self) -> Target {
        if self.kind() == Kind::Group { Target::Group(self.group()) } else { Target::User(self.user()) }
    }

    /// The message's id; for a notice about a claim, the claim's number.
    pub fn mid(&self) -> MessageId {
        MessageId(self.u64_at(12))
    }

    /// When the message was accepted.
    pub fn ts(&self) -> Millis {
        Millis(self.u64_at(20))
    }

    /// When it was read from its sender's socket; 0 if that is not known.
    pub fn read_us(&self) -> u32 {
        self.u32_at(28)
    }

    /// Whether the sender's core has asked the store to keep it in any case.
    pub fn durability(&self) -> Durability {
        match self.0[2] {
            flags if flags & FLAG_STORED != 0 => Durability::Always,
            flags if flags & FLAG_AWAITS_RECEIPT != 0 => Durability::IfUnacked,
            _ => Durability::IfUndelivered,
        }
    }

    /// The sender's name for the message; empty if it gave none.
    pub fn cid(&self) -> &str {
        std::str::from_utf8(&self.0[HEADER_BYTES..HEADER_BYTES + usize::from(self.0[3])])
            .expect("checked when sealed or opened")
    }

    /// Whether two messages are one that was said again: the same sender, cid, target, extras and text. `name`
    /// and `time` do not count.
    pub fn repeats(&self, other: &Self) -> bool {
        !self.cid().is_empty()
            && (self.sender(), self.cid(), self.target()) == (other.sender(), other.cid(), other.target())
            && content(self.body()) == content(other.body())
    }

    /// The seed frame of a message, without its terminator, what it carries besides ([`super::extras`]) in front of its
    /// fields.
    pub fn body(&self) -> &[u8] {
        &self.0[self.body_start()..]
    }

    fn body_start(&self) -> usize {
        let place = if self.0[2] & FLAG_PLACED != 0 { PLACE_BYTES } else { 0 };
        HEADER_BYTES + usize::from(self.0[3]) + place
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    fn u64_at(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }
}

impl fmt::Debug for Envelope {
    /// Never the body: what users write does not belong into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}({} to {}, mid {}, {} bytes)",
            self.kind(),
            self.u32_at(4),
            self.u32_at(8),
            self.mid().0,
            self.0.len()
        )
    }
}

struct Header {
    kind: Kind,
    flags: u8,
    sender: u32,
    target: u32,
    mid: u64,
    ts: u64,
    read_us: u32,
}

impl Header {
    fn seal(&self, cid: &str, body: &[u8], scratch: &mut Vec<u8>) -> Envelope {
        let cid_len = u8::try_from(cid.len()).expect("a cid is at most 255 bytes");
        scratch.clear();
        scratch.extend_from_slice(&[VERSION, self.kind as u8, self.flags, cid_len]);
        scratch.extend_from_slice(&self.sender.to_le_bytes());
        scratch.extend_from_slice(&self.target.to_le_bytes());
        scratch.extend_from_slice(&self.mid.to_le_bytes());
        scratch.extend_from_slice(&self.ts.to_le_bytes());
        scratch.extend_from_slice(&self.read_us.to_le_bytes());
        scratch.extend_from_slice(cid.as_bytes());
        scratch.extend_from_slice(body);
        Envelope(Arc::from(scratch.as_slice()))
    }
}

#[cfg(test)]
mod tests;
