//! The lists of v1: arrays of JSON strings, each the text of an object.
//!
//! Everything here is cut to a budget of bytes, because names and members are what others typed.

use super::group_event::until_field;
use super::reply::state;
use super::text::{escape, number, string};
use crate::model::envelope::Envelope;
use crate::model::extras::without_extras;
use crate::model::group_rule::Until;
use crate::model::ids::UserId;
use crate::model::profile::{Member, Membership, Person, Profile, Role};

/// Says who is online.
pub trait Presence {
    /// Whether `user` is online anywhere.
    fn is_online(&self, user: UserId) -> bool;
}

impl<F: Fn(UserId) -> bool> Presence for F {
    fn is_online(&self, user: UserId) -> bool {
        self(user)
    }
}

/// A byte budget: how many bytes the parts of a login answer may take.
#[derive(Clone, Copy, Debug)]
pub struct ByteBudget {
    /// For the frame with its friends and groups.
    pub lists_bytes: usize,
    /// For the frame with its offline messages too.
    pub frame_bytes: usize,
}

/// What went into a login answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginAnswer {
    /// The frame.
    pub bytes: Vec<u8>,
    /// How many friends it holds, from the first on.
    pub friends: usize,
    /// How many of the waiting messages it holds, from the first on.
    pub messages: usize,
}

/// LOGIN_MSG_ACK of `user`, with as much as there is room for: friends have half of the room for
/// lists, groups what is left of it, messages the rest.
pub fn logged_in<'a>(
    user: UserId,
    name: &str,
    roster: &Profile,
    presence: &impl Presence,
    waiting: impl Iterator<Item = &'a Envelope>,
    budget: ByteBudget,
) -> LoginAnswer {
    const TAIL_BYTES: usize = 64;
    let mut out = b"{\"errno\":0,\"friends\":[".to_vec();
    let friends = people(&mut out, &roster.friends, presence, budget.lists_bytes / 2);
    out.extend_from_slice(b"],\"groups\":[");
    groups(&mut out, &roster.groups, presence, budget.lists_bytes);
    out.extend_from_slice(b"],\"id\":");
    number(&mut out, user.get().into());
    out.extend_from_slice(b",\"msgid\":2,\"name\":");
    string(&mut out, name);
    out.extend_from_slice(b",\"offlinemsg\":[");
    let mut messages = 0;
    for envelope in waiting {
        let before = out.len();
        separate(&mut out);
        out.push(b'"');
        without_extras(envelope.body()).into_iter().for_each(|part| escape(&mut out, part));
        out.push(b'"');
        if out.len() + TAIL_BYTES > budget.frame_bytes {
            out.truncate(before);
            break;
        }
        messages += 1;
    }
    out.extend_from_slice(b"]}");
    LoginAnswer { bytes: out, friends, messages }
}

/// SHOW_FRIEND_LIST, with as many friends as fit into `push_bytes`.
pub fn friend_list(friends: &[Person], presence: &impl Presence, push_bytes: usize) -> Vec<u8> {
    let mut out = b"{\"errno\":0,\"friends\":[".to_vec();
    people(&mut out, friends, presence, push_bytes - 64);
    out.extend_from_slice(b"],\"msgid\":13}");
    out
}

fn people(out: &mut Vec<u8>, people: &[Person], presence: &impl Presence, bytes: usize) -> usize {
    let mut entry = Vec::new();
    for (at, person) in people.iter().enumerate() {
        let before = out.len();
        separate(out);
        entry.clear();
        person_entry(&mut entry, person, None, presence);
        quoted(out, &entry);
        if out.len() > bytes {
            out.truncate(before);
            return at;
        }
    }
    people.len()
}

fn groups(out: &mut Vec<u8>, groups: &[Membership], presence: &impl Presence, bytes: usize) {
    let mut entry = Vec::new();
    for group in groups {
        let before = out.len();
        // First with all its members, then with none: a group is more than who is in it.
        for members in [group.members.len(), 0] {
            separate(out);
            entry.clear();
            group_entry(&mut entry, group, members, presence);
            quoted(out, &entry);
            if out.len() <= bytes {
                break;
            }
            out.truncate(before);
        }
    }
}

/// What an entry of a group begins with, in either dialect.
pub(super) fn group_head(out: &mut Vec<u8>, group: &Membership) {
    out.extend_from_slice(b"{\"groupdesc\":");
    string(out, &group.desc);
    out.extend_from_slice(b",\"groupname\":");
    string(out, &group.name);
    out.extend_from_slice(b",\"id\":");
    number(out, group.group.get().into());
}

fn group_entry(out: &mut Vec<u8>, group: &Membership, members: usize, presence: &impl Presence) {
    group_head(out, group);
    out.extend_from_slice(b",\"users\":[");
    let mut entry = Vec::new();
    for member in &group.members[..members] {
        separate(out);
        entry.clear();
        person_entry(&mut entry, &member.person, Some(member.role), presence);
        quoted(out, &entry);
    }
    out.extend_from_slice(b"]}");
}

/// A user as the entry of a list, with its role if the list is a group's.
pub(super) fn person_entry(out: &mut Vec<u8>, person: &Person, role: Option<Role>, presence: &impl Presence) {
    out.extend_from_slice(b"{\"id\":");
    number(out, person.id.get().into());
    out.extend_from_slice(b",\"name\":");
    string(out, &person.name);
    match role {
        Some(Role::Creator) => out.extend_from_slice(b",\"role\":\"creator\""),
        Some(Role::Admin | Role::Normal) => out.extend_from_slice(b",\"role\":\"normal\""),
        None => {}
    }
    state_field(out, person, presence);
}

/// A member as those are told who understand how groups are run.
pub(super) fn member_entry(out: &mut Vec<u8>, member: &Member, presence: &impl Presence) {
    let Member { person, role, muted } = member;
    out.extend_from_slice(b"{\"id\":");
    number(out, person.id.get().into());
    until_field(out, ",\"muted\":", Some(*muted).filter(|muted| *muted != Until::NEVER));
    out.extend_from_slice(b",\"name\":");
    string(out, &person.name);
    out.extend_from_slice(b",\"role\":");
    string(out, role.name());
    state_field(out, person, presence);
}

fn state_field(out: &mut Vec<u8>, person: &Person, presence: &impl Presence) {
    out.extend_from_slice(b",\"state\":");
    string(out, state(!person.hides && presence.is_online(person.id)));
    out.push(b'}');
}

/// A comma, unless this is the first entry of its list.
fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
}

fn quoted(out: &mut Vec<u8>, object: &[u8]) {
    out.push(b'"');
    escape(out, object);
    out.push(b'"');
}
