//! What a v2 client hears of groups that are run: lines of `tests/golden/v2_replies.txt`.

use super::replies_v2::{CID, MID, TS, group, is_online, membership, person, sent, user, written};
use chatd::chat::model::capabilities::Capabilities;
use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::group_rule::{Asking, JoinPolicy, MutedAll, Until};
use chatd::chat::model::history::{Conversation, Placed, Span};
use chatd::chat::model::ids::Millis;
use chatd::chat::model::profile::{Member, Profile, Role};
use chatd::chat::port::effect::Frame;
use chatd::chat::wire::code::Code;
use chatd::chat::wire::found::{self, HistoryFrame, MembersFrame, Roles};
use chatd::chat::wire::group_event::{self, What};
use chatd::chat::wire::push;
use chatd::chat::wire::reply::{self, Outcome, Refusal};
use chatd::chat::wire::welcome::{self, Welcome};

/// What user 25 did, to user 26 or to nobody.
fn event(cid: &str, whom: Option<&str>, what: What<'_>) -> Envelope {
    let (by, whom) = ((user(25), "a\"my"), whom.map(|name| (user(26), name)));
    let body = written(|out| group_event::body(out, by, group(), whom, what));
    let (sender, target, durability) = (user(25), Target::Group(group()), Durability::Always);
    let message = Message { sender, target, mid: MID, ts: TS, cid, durability, body: &body };
    let envelope = Envelope::message(message, &mut Vec::new());
    assert!(envelope.is_event());
    envelope
}

/// What is pushed of it as a row, at its place.
fn row_of(cid: &str, whom: Option<&str>, what: What<'_>) -> Vec<u8> {
    sent(&Frame::PushV2(event(cid, whom, what).placed(8)))
}

/// Of each kind one, as it is pushed.
fn events() -> [(&'static str, Vec<u8>); 14] {
    let (ends, ever, never) = (Until::new(1_796_000_000_000).unwrap(), Until::FOR_EVER, Until::NEVER);
    let set = |name, desc, join| What::Set { name, desc, join };
    let whom = Some("b\"n");
    [
        ("joined", row_of("", None, What::Joined)),
        ("joined, let in by somebody", row_of(CID, whom, What::Joined)),
        ("left", row_of(CID, None, What::Left)),
        ("an admin", row_of(CID, whom, What::Role(Role::Admin))),
        ("the owner", row_of(CID, whom, What::Role(Role::Creator))),
        ("kicked", row_of(CID, whom, What::Kicked(never))),
        ("kicked and banned", row_of(CID, whom, What::Kicked(ends))),
        ("banned for ever", row_of(CID, whom, What::Banned(ever))),
        ("muted", row_of(CID, whom, What::Muted(ends))),
        ("all are muted", row_of(CID, None, What::Muted(ever))),
        ("all of it is set", row_of(CID, None, set(Some("t\"ea"), Some(""), Some(JoinPolicy::Closed)))),
        ("how one joins is set", row_of(CID, None, set(None, None, Some(JoinPolicy::Ask)))),
        // No rows: without a place.
        ("asks to join", sent(&Frame::PushV2(event("", None, What::Asks)))),
        ("may not join", sent(&Frame::PushV2(event("", Some(""), What::Refused)))),
    ]
}

fn history() -> Vec<u8> {
    let placed = Placed::as_said(event(CID, Some("b\"n"), What::Muted(Until::NEVER)), 8);
    assert_eq!(push::row_len(&placed), written(|out| push::row(out, &placed)).len());
    let (conversation, span) = (Conversation::Group(group()), Span::Newest);
    let page =
        HistoryFrame { cid: Some(CID), conversation, span, messages: &[placed], chg: None, complete: true };
    found::history(page, 65_536)
}

fn members() -> Vec<u8> {
    let member = |id, role, muted| Member { person: person(id, "b\"n"), role, muted };
    let members = [
        member(26, Role::Creator, Until::NEVER),
        member(27, Role::Admin, Until::NEVER),
        member(28, Role::Normal, Until::FOR_EVER),
    ];
    let (cid, complete, roles) = (Some(CID), true, Roles::AsTheyAre);
    found::members(
        MembersFrame { cid, group: group(), members: &members, complete, roles },
        &is_online,
        65_536,
    )
}

/// Of somebody who is an admin of one group, and muted in it.
fn entered() -> Vec<u8> {
    let mut tea = membership(group(), "tea".into(), "at \"four\"".into(), 700);
    (tea.join, tea.standing.role, tea.standing.muted) = (JoinPolicy::Ask, Role::Admin, Until::FOR_EVER);
    tea.all = MutedAll { until: Until::NEVER, at: 0 };
    let roster = Profile { groups: vec![tea], ..Profile::default() };
    let welcome = Welcome {
        cid: None,
        user: user(25),
        name: "amy",
        token: None,
        roster: &roster,
        heads: None,
        capabilities: Capabilities::GROUP,
    };
    welcome::logged_in(welcome, &is_online, [].iter(), 65_536).frames.concat()
}

pub fn run() -> Vec<(&'static str, Vec<u8>)> {
    let made =
        Outcome { group: Some(group()), mid: Some(MID), pos: Some(8), ts: Some(TS), ..Outcome::default() };
    let asking = |id, name, ts| Asking { person: person(id, name), ts: Millis(ts) };
    let asking = group_event::asking(&[asking(26, "b\"n", 5), asking(27, "cat", TS.0)]);
    let asks = |users| Outcome { group: Some(group()), users: Some(users), ..Outcome::default() };
    let refused = |code, re| {
        let (re, cid, retry_after_ms) = (Some(re), Some(CID), None);
        reply::error(Refusal { code, text: code.text(), re, cid, retry_after_ms })
    };
    let mut said = vec![
        ("ack of a row of a group", reply::ack(CID, 50, made)),
        ("ack of who asks", reply::ack(CID, 56, asks(&asking))),
        ("ack of nobody who asks", reply::ack(CID, 56, asks(&[]))),
        ("muted in a group", refused(Code::Muted, 10)),
        ("asked for", refused(Code::Pending, 9)),
    ];
    said.extend(events());
    said.extend([
        ("history of what was done", history()),
        ("members as they are", members()),
        ("groups as they are", entered()),
    ]);
    said
}
