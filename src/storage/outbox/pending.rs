//! Events on their way into the outbox: what a batch has told so far, and the form of each.
//!
//! An event is a line without its number and its braces, `"type":"read","ts":…`: the number is known once the row is
//! written. No line has a line break in it, for JSON escapes those of texts.

use super::{ROW_BYTES, ROW_EVENTS};
use crate::Order;
use chatd_chat::model::device::Marker;
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::history::{Conversation, Placed};
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use chatd_chat::port::store::{Joined, Left, StoreReply, StoreRequest, StoreResult};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Which events are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kinds {
    /// A message was stored.
    pub message: bool,
    /// A message is in somebody's backlog for too long, or not confirmed by a member of its group.
    pub undelivered: bool,
    /// A read marker moved.
    pub read: bool,
    /// A user was made.
    pub user: bool,
    /// A group was made, changed or dissolved, or has another member.
    pub group: bool,
}

impl Kinds {
    /// All of them.
    pub const ALL: Self = Self { message: true, undelivered: true, read: true, user: true, group: true };

    /// By their names.
    ///
    /// # Errors
    /// The name that is none.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut kinds = Self::default();
        for name in names {
            match name {
                "message" => kinds.message = true,
                "undelivered" => kinds.undelivered = true,
                "read" => kinds.read = true,
                "user" => kinds.user = true,
                "group" => kinds.group = true,
                other => return Err(other.to_owned()),
            }
        }
        Ok(kinds)
    }
}

/// So many events, a line each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lines {
    pub events: u64,
    pub body: String,
}

/// What a batch has told: see above. Bounded by what one batch stores.
#[derive(Debug, Default)]
pub struct Pending {
    pub kinds: Kinds,
    full: Vec<Lines>,
    last: Lines,
    /// The first message of each group, if somebody is to be told of what is undelivered: its place, and when it was sent.
    groups: BTreeMap<GroupId, (u64, Millis)>,
}

/// Whom a message that waits is for, and how that one is reached.
#[derive(Debug)]
pub struct Waiting<'a> {
    pub user: UserId,
    /// What an application calls the user, if one does.
    pub external: Option<&'a str>,
    /// Its devices, each an object.
    pub devices: &'a [String],
}

impl Pending {
    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        self.last.events == 0 && self.full.is_empty() && self.groups.is_empty()
    }

    /// The batch was not committed.
    pub fn clear(&mut self) {
        (self.full, self.last, self.groups) = Default::default();
    }

    /// The first message of each group that something was said in: its place, and when it was sent.
    pub fn take_groups(&mut self) -> BTreeMap<GroupId, (u64, Millis)> {
        std::mem::take(&mut self.groups)
    }

    /// The rows of what was told, in its order.
    pub fn take(&mut self) -> Vec<Lines> {
        let last = std::mem::take(&mut self.last);
        let mut rows = std::mem::take(&mut self.full);
        rows.extend((last.events > 0).then_some(last));
        rows
    }

    /// An event that somebody else has put into its form.
    pub fn line(&mut self, line: &str) {
        self.begin().push_str(line);
    }

    /// A message was stored.
    pub fn message(&mut self, envelope: &Envelope, pos: u64) {
        if self.kinds.message {
            let line = self.begin();
            let _ = write!(line, "\"type\":\"message\",\"ts\":{}", envelope.ts().0);
            said(line, envelope, pos);
        }
        if self.kinds.undelivered
            && let Target::Group(group) = envelope.target()
        {
            self.groups.entry(group).or_insert((pos, envelope.ts()));
        }
    }

    /// A message of a group that these members have not confirmed, each an object.
    pub fn undelivered_in_group(&mut self, envelope: &Envelope, pos: u64, users: &str) {
        let line = self.begin();
        let _ = write!(line, "\"type\":\"undelivered\",\"ts\":{},\"users\":[{users}]", now().0);
        said(line, envelope, pos);
    }

    /// A message that nobody has confirmed: whom it waits for.
    pub fn undelivered(&mut self, envelope: &Envelope, pos: u64, to: &Waiting<'_>) {
        let line = self.begin();
        let _ = write!(line, "\"type\":\"undelivered\",\"ts\":{},\"user\":{}", now().0, to.user);
        if let Some(external) = to.external {
            text(line, "external", external);
        }
        let _ = write!(line, ",\"devices\":[{}]", to.devices.join(","));
        said(line, envelope, pos);
    }

    /// A user was made.
    pub fn user(&mut self, user: UserId, name: &str, external: Option<&str>) {
        if !self.kinds.user {
            return;
        }
        let line = self.begin();
        let _ = write!(line, "\"type\":\"user\",\"ts\":{},\"what\":\"made\",\"user\":{user}", now().0);
        text(line, "name", name);
        if let Some(external) = external {
            text(line, "external", external);
        }
    }

    /// An order was carried out: what it tells besides messages.
    pub fn told(&mut self, order: &Order, result: &StoreResult) {
        let Kinds { read, user, group, .. } = self.kinds;
        let Some(reply) = result.as_ref().ok().filter(|_| read || user || group) else { return };
        match (order, reply) {
            (Order::Enroll { name, .. }, StoreReply::Registered(user)) => self.user(*user, name, None),
            (
                Order::Request(StoreRequest::MoveMarker { user, conversation, .. }),
                StoreReply::Marker(Marker { pos, moved: true }),
            ) => self.read(*user, *conversation, *pos),
            (
                Order::Request(StoreRequest::CreateGroup { user, name, .. }),
                StoreReply::Joined(Joined { group, .. }),
            ) => self.group(*group, *user, "made", Some(name)),
            (
                Order::Request(StoreRequest::AddGroup { .. }),
                StoreReply::Joined(Joined { row: Some(row), .. }),
            ) => {
                self.row(row);
            }
            (
                Order::Request(StoreRequest::DelGroup { user, group, .. }),
                StoreReply::Left(Left { dissolved: true, .. }),
            ) => self.group(*group, *user, "dissolved", None),
            (
                Order::Request(StoreRequest::DelGroup { .. }),
                StoreReply::Left(Left { row: Some(row), .. }),
            ) => {
                self.row(row);
            }
            (Order::Request(StoreRequest::RuleGroup { .. }), StoreReply::Ruled(ruled)) if ruled.fresh => {
                ruled.row.iter().for_each(|row| self.row(row));
            }
            _ => {}
        }
    }

    fn read(&mut self, user: UserId, conversation: Conversation, pos: u64) {
        if !self.kinds.read {
            return;
        }
        let line = self.begin();
        let _ = write!(line, "\"type\":\"read\",\"ts\":{},\"user\":{user},", now().0);
        let _ = match conversation {
            Conversation::With(peer) => write!(line, "\"with\":{peer}"),
            Conversation::Group(group) => write!(line, "\"groupid\":{group}"),
        };
        let _ = write!(line, ",\"pos\":{pos}");
    }

    fn group(&mut self, group: GroupId, by: UserId, what: &str, name: Option<&str>) {
        if !self.kinds.group {
            return;
        }
        let line = self.begin();
        let _ = write!(line, "\"type\":\"group\",\"ts\":{},\"what\":\"{what}\"", now().0);
        let _ = write!(line, ",\"groupid\":{group},\"by\":{by}");
        if let Some(name) = name {
            text(line, "name", name);
        }
    }

    /// A row of a group that tells what was done to it.
    fn row(&mut self, row: &Placed) {
        if self.kinds.group {
            // It is the last field of the frame.
            let frame = std::str::from_utf8(row.envelope.body()).unwrap_or_default();
            let what = frame.rsplit_once(",\"what\":\"").and_then(|(_, what)| what.strip_suffix("\"}"));
            let line = self.begin();
            let _ = write!(line, "\"type\":\"group\",\"ts\":{}", row.envelope.ts().0);
            text(line, "what", what.unwrap_or_default());
            said(line, &row.envelope, row.pos);
        }
    }

    /// Where the next event goes.
    fn begin(&mut self) -> &mut String {
        if self.last.events >= ROW_EVENTS || self.last.body.len() >= ROW_BYTES {
            self.full.push(std::mem::take(&mut self.last));
        }
        if self.last.events > 0 {
            self.last.body.push('\n');
        }
        self.last.events += 1;
        &mut self.last.body
    }
}

/// What time it is.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Millis(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

/// Where a message or a row is, and the frame that its readers get.
fn said(line: &mut String, envelope: &Envelope, pos: u64) {
    let _ = write!(line, ",\"mid\":\"{}\",\"from\":{}", envelope.mid().0, envelope.sender());
    let _ = match envelope.target() {
        Target::User(user) => write!(line, ",\"to\":{user}"),
        Target::Group(group) => write!(line, ",\"groupid\":{group}"),
    };
    let _ = write!(line, ",\"pos\":{pos}");
    if !envelope.cid().is_empty() {
        text(line, "cid", envelope.cid());
    }
    // A frame that another server has sent is not ours to trust: what is no line would hold up all that follows.
    let body = std::str::from_utf8(envelope.body()).unwrap_or_default();
    let is_line = body.starts_with('{') && body.ends_with('}') && body.bytes().all(|byte| byte >= b' ');
    let _ = write!(line, ",\"frame\":{}", if is_line { body } else { "null" });
}

/// Appends a text with its key.
pub fn text(line: &mut String, key: &str, value: &str) {
    let _ = write!(line, ",\"{key}\":{}", serde_json::Value::from(value));
}
