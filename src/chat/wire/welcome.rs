//! What v2 tells a user of friends and groups: the login answer and the list of friends.
//!
//! No frame is longer than it may be, and nothing is left out: what does not fit is in the next
//! frame, and each says in `complete` whether it is the last one.

use super::consent;
use super::found::Roles;
use super::group_event::until_field;
use super::lists::{Presence, group_head, person_entry};
use super::pages::{Pages, list};
use super::push;
use super::reply::begin;
use super::sync;
use super::text::{number, string};
use crate::model::capabilities::Capabilities;
use crate::model::envelope::Envelope;
use crate::model::group_rule::{MemberRule, Until};
use crate::model::history::HeadsPage;
use crate::model::ids::UserId;
use crate::model::profile::{Membership, Person, Profile};
use crate::model::token::Secret;

/// What a login answer tells, besides what waits.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// The cid of the request, if it had one.
    pub cid: Option<&'a str>,
    /// Who is logged in now.
    pub user: UserId,
    /// The user's name.
    pub name: &'a str,
    /// What the user may resume with.
    pub token: Option<&'a Secret>,
    /// Friends and groups.
    pub roster: &'a Profile,
    /// Where the user's conversations stand, for a session that lives beside others.
    pub heads: Option<&'a HeadsPage>,
    /// Which pushes its client understands: what it does not know of, it is not told here either.
    pub capabilities: Capabilities,
}

/// A login answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcomed {
    /// Its frames in order, one at least.
    pub frames: Vec<Vec<u8>>,
    /// How many of the waiting messages the last frame holds, from the first on.
    pub messages: usize,
}

/// What stands around the lists of a frame, names excepted.
const AROUND_BYTES: usize = 320;

/// The lists of a login answer, in the order in which they fill its frames.
const FRIENDS: usize = 0;
const GROUPS: usize = 1;
const HEADS: usize = 2;
const MESSAGES: usize = 3;
const ASKING: usize = 4;
const LISTS: usize = 5;

/// LOGIN_MSG_ACK in frames of at most `login_bytes`: friends, then groups, and in the last frame as
/// many of the heads and then of the messages as there is room for.
pub fn logged_in<'a>(
    welcome: Welcome<'_>,
    presence: &impl Presence,
    waiting: impl Iterator<Item = &'a Envelope>,
    login_bytes: usize,
) -> Welcomed {
    let mut names = Vec::new();
    string(&mut names, welcome.cid.unwrap_or_default());
    string(&mut names, welcome.name);
    let mut pages = Pages::<LISTS>::new(login_bytes.saturating_sub(AROUND_BYTES + names.len()));
    for ask in welcome.roster.asking.iter().filter(|_| hears_asks(&welcome)) {
        pages.add(ASKING, |out| consent::ask_entry(out, ask));
    }
    for friend in &welcome.roster.friends {
        pages.add(FRIENDS, |out| person_entry(out, friend, None, presence));
    }
    for group in &welcome.roster.groups {
        pages.add(GROUPS, |out| group_entry(out, group, Roles::to(welcome.capabilities)));
    }
    let heads = welcome.heads.map_or(&[][..], |page| &page.heads);
    let mut told = 0;
    for head in heads {
        let mut entry = Vec::new();
        sync::head_entry(&mut entry, head);
        if !pages.has_room(entry.len()) {
            break;
        }
        pages.add(HEADS, |out| out.extend_from_slice(&entry));
        told += 1;
    }
    let heads_complete = welcome.heads.map(|page| page.complete && told == heads.len());
    let mut messages = 0;
    for envelope in waiting {
        if !pages.has_room(push::v2_len(envelope)) {
            break;
        }
        pages.add(MESSAGES, |out| push::v2(out, envelope));
        messages += 1;
    }
    let frame = |page: &[Vec<u8>; LISTS], complete| {
        login_frame(&welcome, page, complete, heads_complete.filter(|_| complete))
    };
    Welcomed { frames: pages.frames(frame), messages }
}

fn login_frame(
    welcome: &Welcome<'_>,
    page: &[Vec<u8>; LISTS],
    complete: bool,
    heads_complete: Option<bool>,
) -> Vec<u8> {
    let mut out = begin(welcome.cid, Some(complete));
    if hears_asks(welcome) {
        // Keys are sorted, and what every answer begins with comes after this one.
        let rest = out.split_off(1);
        list(&mut out, "asking", &page[ASKING]);
        out.remove(1);
        out.push(b',');
        out.extend_from_slice(&rest);
    }
    list(&mut out, "friends", &page[FRIENDS]);
    list(&mut out, "groups", &page[GROUPS]);
    if let Some(heads_complete) = heads_complete {
        list(&mut out, "heads", &page[HEADS]);
        out.extend_from_slice(b",\"heads_complete\":");
        out.extend_from_slice(if heads_complete { b"true" } else { b"false" });
    }
    out.extend_from_slice(b",\"id\":");
    number(&mut out, welcome.user.get().into());
    out.extend_from_slice(b",\"msgid\":2,\"name\":");
    string(&mut out, welcome.name);
    list(&mut out, "offlinemsg", &page[MESSAGES]);
    if welcome.capabilities.any() {
        out.extend_from_slice(b",\"settings\":");
        consent::settings_entry(&mut out, welcome.roster.settings);
    }
    if let Some(Secret(token)) = welcome.token {
        out.extend_from_slice(b",\"token\":");
        string(&mut out, token);
    }
    out.push(b'}');
    out
}

/// Whether it is told who asks for a friendship.
fn hears_asks(welcome: &Welcome<'_>) -> bool {
    welcome.capabilities.has(Capabilities::FRIEND)
}

fn group_entry(out: &mut Vec<u8>, group: &Membership, roles: Roles) {
    group_head(out, group);
    let knows = roles == Roles::AsTheyAre;
    if knows {
        out.extend_from_slice(b",\"join\":");
        string(out, group.join.name());
    }
    out.extend_from_slice(b",\"members\":");
    number(out, group.size);
    if knows {
        let MemberRule { role, muted } = group.standing;
        let all = if role.runs() { Until::NEVER } else { group.all.until };
        let muted = if muted == Until::NEVER { all } else { muted };
        until_field(out, ",\"muted\":", Some(muted).filter(|muted| *muted != Until::NEVER));
        out.extend_from_slice(b",\"role\":");
        string(out, role.name());
    }
    out.push(b'}');
}

/// SHOW_FRIEND_LIST, in frames of at most `push_bytes`.
pub fn friend_list(friends: &[Person], presence: &impl Presence, push_bytes: usize) -> Vec<Vec<u8>> {
    let mut pages = Pages::<1>::new(push_bytes.saturating_sub(AROUND_BYTES));
    for friend in friends {
        pages.add(0, |out| person_entry(out, friend, None, presence));
    }
    pages.frames(|[friends], complete| {
        let mut out = begin(None, Some(complete));
        list(&mut out, "friends", friends);
        out.extend_from_slice(b",\"msgid\":13}");
        out
    })
}
