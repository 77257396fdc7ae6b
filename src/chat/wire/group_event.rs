//! GROUP_EVENT: what somebody did to a group, as a row of its conversation and as what only some are told.
//!
//! Its body begins with `by`, which no message does: that is how a row is known for an event ([`EVENT_BEGINS`]).

use super::text::{number, string};
use crate::model::envelope::said::EVENT_BEGINS;
use crate::model::group_rule::{Asking, GroupRule, JoinPolicy, Until};
use crate::model::ids::{GroupId, UserId};
use crate::model::profile::Role;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What<'a> {
    /// Somebody is a member.
    Joined,
    /// Somebody left.
    Left,
    /// A member has another role.
    Role(Role),
    /// A member was taken out, and may not join again until then.
    Kicked(Until),
    /// The ban of somebody who is no member is another.
    Banned(Until),
    /// A member, or all normal ones, are muted until then.
    Muted(Until),
    /// What is given is so now.
    Set {
        /// The name.
        name: Option<&'a str>,
        /// The description.
        desc: Option<&'a str>,
        /// How one joins.
        join: Option<JoinPolicy>,
    },
    /// Somebody asks to join.
    Asks,
    /// Whoever asked to join may not.
    Refused,
}

impl<'a> What<'a> {
    /// What a rule is told as. Of a KICK that depends on whether it is about a member.
    pub fn of(rule: &'a GroupRule, of_member: bool) -> Self {
        match rule {
            GroupRule::Role { role, .. } => What::Role(*role),
            GroupRule::Kick { ban, .. } if of_member => What::Kicked(*ban),
            GroupRule::Kick { ban, .. } => What::Banned(*ban),
            GroupRule::Mute { until, .. } | GroupRule::MuteAll { until } => What::Muted(*until),
            GroupRule::Set { name, desc, join } => {
                What::Set { name: name.as_deref(), desc: desc.as_deref(), join: *join }
            }
            GroupRule::Answer { yes: true, .. } => What::Joined,
            GroupRule::Answer { yes: false, .. } => What::Refused,
        }
    }
}

impl What<'_> {
    const fn name(self) -> &'static str {
        match self {
            What::Joined => "joined",
            What::Left => "left",
            What::Role(_) => "role",
            What::Kicked(_) => "kicked",
            What::Banned(_) => "banned",
            What::Muted(_) => "muted",
            What::Set { .. } => "set",
            What::Asks => "asks",
            What::Refused => "refused",
        }
    }

    const fn until(self) -> Option<Until> {
        match self {
            What::Kicked(until) | What::Banned(until) | What::Muted(until) => Some(until),
            What::Joined | What::Left | What::Role(_) | What::Set { .. } | What::Asks | What::Refused => None,
        }
    }
}

/// Appends the frame: who did what to a group, and to whom, if that is somebody else. Who is told of itself may go without
/// its name.
pub fn body(
    out: &mut Vec<u8>,
    by: (UserId, &str),
    group: GroupId,
    user: Option<(UserId, &str)>,
    what: What<'_>,
) {
    out.extend_from_slice(EVENT_BEGINS);
    number(out, by.0.get().into());
    let (mut name, mut desc, mut join) = (None, None, None);
    if let What::Set { name: named, desc: described, join: joins } = what {
        (name, desc, join) = (named, described, joins);
    }
    text_field(out, ",\"groupdesc\":", desc);
    out.extend_from_slice(b",\"groupid\":");
    number(out, group.get().into());
    text_field(out, ",\"groupname\":", name);
    text_field(out, ",\"join\":", join.map(JoinPolicy::name));
    out.extend_from_slice(b",\"msgid\":51");
    text_field(out, ",\"name\":", Some(by.1));
    if let What::Role(role) = what {
        text_field(out, ",\"role\":", Some(role.name()));
    }
    until_field(out, ",\"until\":", what.until());
    if let Some((user, name)) = user {
        out.extend_from_slice(b",\"userid\":");
        number(out, user.get().into());
        text_field(out, ",\"username\":", Some(name).filter(|name| !name.is_empty()));
    }
    text_field(out, ",\"what\":", Some(what.name()));
    out.push(b'}');
}

/// `users` of the ACK of JOINS: who asks, in objects.
pub fn asking(users: &[Asking]) -> Vec<u8> {
    let mut out = Vec::new();
    for Asking { person, ts } in users {
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"id\":");
        number(&mut out, person.id.get().into());
        text_field(&mut out, ",\"name\":", Some(&person.name));
        out.extend_from_slice(b",\"ts\":");
        number(&mut out, ts.0);
        out.push(b'}');
    }
    out
}

fn text_field(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        string(out, value);
    }
}

/// Appends until when something holds: -1 for ever.
pub(super) fn until_field(out: &mut Vec<u8>, key: &str, until: Option<Until>) {
    if let Some(until) = until {
        out.extend_from_slice(key.as_bytes());
        match u64::try_from(until.get()) {
            Ok(until) => number(out, until),
            Err(_) => out.extend_from_slice(b"-1"),
        }
    }
}
