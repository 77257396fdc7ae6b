//! What v2 answers to who looks for something: a user, members of a group, what was said.
//!
//! A page is asked for, and is cut to what fits; the next one is asked for too.

use super::code::Code;
use super::lists::{Presence, member_entry, person_entry};
use super::pages::{Pages, list};
use super::push;
use super::reply::{begin, begin_at, refused, state};
use super::text::{number, string};
use crate::model::capabilities::Capabilities;
use crate::model::history::{Conversation, Hit, Placed, SearchPage, Span};
use crate::model::ids::GroupId;
use crate::model::profile::{Member, Person};

/// What stands around the list of a page, a cid of the usual bound and its escapes included.
const AROUND_BYTES: usize = 1_024;

/// FIND_ACK of a user who was found.
pub fn user(cid: Option<&str>, person: &Person, presence: &impl Presence) -> Vec<u8> {
    let mut out = begin(cid, None);
    out.extend_from_slice(b",\"id\":");
    number(&mut out, person.id.get().into());
    out.extend_from_slice(b",\"msgid\":30,\"name\":");
    string(&mut out, &person.name);
    out.extend_from_slice(b",\"state\":");
    string(&mut out, state(!person.hides && presence.is_online(person.id)));
    out.push(b'}');
    out
}

/// FIND_ACK of nobody.
pub fn nobody(cid: Option<&str>) -> Vec<u8> {
    refused(super::msgid::FIND_ACK, cid, Code::NoSuchUser, Some(Code::NoSuchUser.text()))
}

/// A page of a group's members.
#[derive(Clone, Copy, Debug)]
pub struct MembersFrame<'a> {
    /// The cid of the request, if it had one.
    pub cid: Option<&'a str>,
    /// Which group.
    pub group: GroupId,
    /// By id.
    pub members: &'a [Member],
    /// Whether these are the last ones.
    pub complete: bool,
    /// How their roles are told.
    pub roles: Roles,
}

/// How roles are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Roles {
    /// As the seed has them: `creator`, and `normal` for everybody else.
    AsSeed,
    /// `owner`, `admin` and `normal`, and who is muted.
    AsTheyAre,
}

impl Roles {
    /// To a client that understands this.
    pub fn to(capabilities: Capabilities) -> Self {
        if capabilities.has(Capabilities::GROUP) { Roles::AsTheyAre } else { Roles::AsSeed }
    }
}

/// MEMBERS_ACK of at most `push_bytes`. What does not fit is left for the next page.
pub fn members(page: MembersFrame<'_>, presence: &impl Presence, push_bytes: usize) -> Vec<u8> {
    let mut pages = Pages::<1>::new(push_bytes.saturating_sub(AROUND_BYTES));
    for member in page.members {
        pages.add(0, |out| match page.roles {
            Roles::AsSeed => person_entry(out, &member.person, Some(member.role), presence),
            Roles::AsTheyAre => member_entry(out, member, presence),
        });
    }
    let [users] = pages.first();
    let mut out = begin(page.cid, Some(page.complete && pages.is_one()));
    out.extend_from_slice(b",\"groupid\":");
    number(&mut out, page.group.get().into());
    out.extend_from_slice(b",\"msgid\":35");
    list(&mut out, "users", users);
    out.push(b'}');
    out
}

/// A page of what was said.
#[derive(Clone, Copy, Debug)]
pub struct HistoryFrame<'a> {
    /// The cid of the request, if it had one.
    pub cid: Option<&'a str>,
    /// Between whom.
    pub conversation: Conversation,
    /// Where the page was asked for: what does not fit is left out at the end that is farther from there.
    pub span: Span,
    /// By place, lowest first.
    pub messages: &'a [Placed],
    /// How many changes the conversation has, if that is told.
    pub chg: Option<u64>,
    /// Whether nothing that was said between the first and the last of them is missing.
    pub complete: bool,
}

/// HISTORY_ACK of at most `push_bytes`. What does not fit is left for the next page.
pub fn history(page: HistoryFrame<'_>, push_bytes: usize) -> Vec<u8> {
    let room = push_bytes.saturating_sub(AROUND_BYTES);
    let fit = |messages: &mut dyn Iterator<Item = &Placed>| {
        let mut bytes = 0;
        let fits = |placed: &&Placed| {
            bytes += push::row_len(placed) + 1;
            bytes <= room
        };
        messages.take_while(fits).count()
    };
    let messages = page.messages;
    let messages = match page.span {
        Span::After(_) => &messages[..fit(&mut messages.iter())],
        Span::Newest | Span::Before(_) => &messages[messages.len() - fit(&mut messages.iter().rev())..],
    };
    let mut out = begin_at(page.chg, page.cid, page.complete);
    if let Conversation::Group(group) = page.conversation {
        out.extend_from_slice(b",\"groupid\":");
        number(&mut out, group.get().into());
    }
    out.extend_from_slice(b",\"messages\":[");
    for (at, placed) in messages.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push::row(&mut out, placed);
    }
    out.extend_from_slice(b"],\"msgid\":27");
    if let Conversation::With(user) = page.conversation {
        out.extend_from_slice(b",\"with\":");
        number(&mut out, user.get().into());
    }
    out.push(b'}');
    out
}

/// SEARCH_ACK of at most `push_bytes`. What does not fit is left for the next page.
pub fn search(cid: Option<&str>, page: &SearchPage, push_bytes: usize) -> Vec<u8> {
    let room = push_bytes.saturating_sub(AROUND_BYTES);
    let mut rows = Vec::new();
    let mut before = page.before;
    for (at, hit) in page.hits.iter().enumerate() {
        let begin = rows.len();
        if at > 0 {
            rows.push(b',');
        }
        hit_row(&mut rows, hit);
        if rows.len() > room && at > 0 {
            rows.truncate(begin);
            before = Some(page.hits[at - 1].placed.envelope.mid());
            break;
        }
    }
    let mut out = b"{".to_vec();
    if let Some(before) = before {
        out.extend_from_slice(b"\"before_mid\":\"");
        number(&mut out, before.0);
        out.extend_from_slice(b"\",");
    }
    let complete = before.is_none() && page.searched_to.is_none();
    out.extend_from_slice(&begin(cid, Some(complete))[1..]);
    list(&mut out, "messages", &rows);
    out.extend_from_slice(b",\"msgid\":58");
    if let Some(searched_to) = page.searched_to {
        out.extend_from_slice(b",\"searched_to\":");
        number(&mut out, searched_to.0);
    }
    out.push(b'}');
    out
}

/// A row of history. Of a direct message it says with whom, too: a page is of many conversations.
fn hit_row(out: &mut Vec<u8>, hit: &Hit) {
    push::row(out, &hit.placed);
    if let Conversation::With(user) = hit.conversation
        && out.pop().is_some()
    {
        out.extend_from_slice(b",\"with\":");
        number(out, user.get().into());
        out.push(b'}');
    }
}
