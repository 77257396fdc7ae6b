//! What a v2 client hears: `tests/golden/v2_replies.txt` byte for byte, and that lists of any size
//! come whole in frames that are not too long.

use super::replies_changed;
use super::replies_extras;
use super::replies_groups;
use super::rng::Rng;
use chatd::chat::model::capabilities::Capabilities;
use chatd::chat::model::consent::{FriendAsk, Settings, WhoWrites};
use chatd::chat::model::device::{Device, PushToken};
use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::group_rule::{JoinPolicy, MemberRule, MutedAll, Until};
use chatd::chat::model::history::{
    Conversation, Head, HeadsPage, Hit, Placed, SearchPage, Span, SyncedConversation,
};
use chatd::chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd::chat::model::profile::{Member, Membership, Person, Profile, Role};
use chatd::chat::model::token::{Secret, TokenId};
use chatd::chat::port::effect::Frame;
use chatd::chat::wire::code::Code;
use chatd::chat::wire::consent::{self, FriendWhat};
use chatd::chat::wire::found::{self, HistoryFrame, MembersFrame, Roles};
use chatd::chat::wire::push;
use chatd::chat::wire::reply::{self, Outcome};
use chatd::chat::wire::sync;
use chatd::chat::wire::welcome::{self, Welcome};
use serde_json::Value;

const REPLIES: &str = include_str!("../golden/v2_replies.txt");
pub const CID: &str = "c\"1";
pub const MID: MessageId = MessageId(912_608_849_838_473_217);
pub const TS: Millis = Millis(1_795_419_705_254);

pub fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

pub fn group() -> GroupId {
    GroupId::new(3).unwrap()
}

pub fn person(id: u64, name: &str) -> Person {
    Person { id: user(id), name: name.into(), hides: false }
}

pub fn is_online(who: UserId) -> bool {
    who == user(26)
}

fn envelope(cid: &str, target: Target, msg: &str) -> Envelope {
    let mut body = Vec::new();
    match target {
        Target::User(to) => reply::one_chat(&mut body, user(25), "amy", to, msg, "t"),
        Target::Group(group) => reply::group_chat(&mut body, user(25), "amy", group, msg, "t"),
    }
    let (sender, durability) = (user(25), Durability::Always);
    let message = Message { sender, target, mid: MID, ts: TS, cid, durability, body: &body };
    Envelope::message(message, &mut Vec::new())
}

pub fn direct() -> Envelope {
    envelope(CID, Target::User(user(26)), "h\"i")
}

fn nameless() -> Envelope {
    envelope("", Target::Group(group()), "hi")
}

fn roster() -> Profile {
    let (name, desc) = ("tea".into(), "at \"four\"".into());
    let tea = membership(group(), name, desc, 700);
    Profile { friends: friends(), groups: vec![tea], ..Profile::default() }
}

pub fn membership(group: GroupId, name: String, desc: String, size: u64) -> Membership {
    let (standing, all) = (MemberRule::of(Role::Normal), MutedAll::default());
    let join = JoinPolicy::Open;
    Membership { group, name, desc, members: Vec::new(), size, cursor: 0, join, standing, at: 0, all }
}

fn friends() -> Vec<Person> {
    vec![person(26, "b\"n"), person(27, "cat")]
}

/// What `write` appends.
pub fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

pub fn sent(frame: &Frame) -> Vec<u8> {
    let bytes = written(|out| frame.write(out));
    assert_eq!(bytes.len(), frame.len());
    bytes
}

fn settings() -> Settings {
    Settings { who_writes: WhoWrites::Friends, read_receipts: false }
}

fn consents() -> [(&'static str, Vec<u8>); 7] {
    let event = |what, note| consent::friend_event(user(26), what, "b\"n", note);
    [
        ("asks", event(FriendWhat::Asks, "it's \"me\"")),
        ("asks without a note", event(FriendWhat::Asks, "")),
        ("accepted", event(FriendWhat::Accepted, "")),
        ("gone", event(FriendWhat::Gone, "")),
        ("gone, nobody knows whose name", consent::friend_event(user(26), FriendWhat::Gone, "", "")),
        ("added by another device", consent::own_event(user(26), FriendWhat::Added)),
        ("settings", consent::settings(settings())),
    ]
}

fn acks() -> [(&'static str, Vec<u8>); 12] {
    let done = Outcome::default();
    let stored = Outcome { mid: Some(MID), pos: Some(3), ts: Some(TS), ..done };
    [
        ("ack", reply::ack(CID, 7, done)),
        ("ack of a message", reply::ack(CID, 6, stored)),
        ("ack of a password", reply::ack(CID, 31, Outcome { token: Some(&Secret("t0k".into())), ..done })),
        ("ack of settings", reply::ack(CID, 60, Outcome { settings: Some(settings()), ..done })),
        ("not logged in", reply::not_logged_in(Code::Refused, Some(CID))),
        ("online already", reply::not_logged_in(Code::AlreadyOnline, None)),
        ("not resumed", reply::not_resumed(Code::Refused, Some(CID))),
        ("not resumed while busy", reply::not_resumed(Code::Busy, None)),
        ("ping", reply::ping(0)),
        ("pong", reply::pong(u64::MAX)),
        ("online", reply::presence(user(26), true)),
        ("offline", reply::presence(user(26), false)),
    ]
}

fn messages() -> [(&'static str, Vec<u8>); 5] {
    [
        ("push", sent(&Frame::PushV2(direct()))),
        ("push of one's own", sent(&Frame::PushOwn(direct()))),
        ("push without a cid", sent(&Frame::PushV2(nameless()))),
        ("row", written(|out| push::row(out, &Placed::as_said(direct(), 7)))),
        ("row without a cid", written(|out| push::row(out, &Placed::as_said(nameless(), 10)))),
    ]
}

fn heads() -> Vec<Head> {
    let head = |conversation, name: &str, peer_read| Head {
        conversation,
        name: name.into(),
        head: 9,
        read: 3,
        peer_read,
        unread: 4,
        mid: MessageId(912_608_849_838_473_217),
        ts: Millis(1_795_419_705_254),
        chg: 0,
    };
    vec![
        head(Conversation::With(user(26)), "b\"n", Some(2)),
        head(Conversation::Group(group()), "team", None),
    ]
}

fn devices() -> [(&'static str, Vec<u8>); 10] {
    let said = vec![Placed::as_said(direct(), 8), Placed::as_said(direct(), 9)];
    let lacking = |conversation, messages: Vec<Placed>, peer_read| SyncedConversation {
        conversation,
        messages,
        changes: Vec::new(),
        head: 9,
        chg: 0,
        peer_read,
        complete: true,
    };
    let both = [
        lacking(Conversation::With(user(26)), said, Some(2)),
        lacking(Conversation::Group(group()), Vec::new(), None),
    ];
    let synced =
        |conversations: &[SyncedConversation], room| sync::synced(Some(CID), conversations, true, room);
    assert_eq!((synced(&both, 65_536).conversations, synced(&both, 0).conversations), (2, 1));
    // By what it is reached, no client is told.
    let push = PushToken { kind: "apns".into(), token: "t0k".into() };
    let phone = Device {
        push: Some(push),
        token: TokenId(77),
        name: "p\"hone".into(),
        created: Millis(5),
        used: Millis(1_795_419_705_254),
    };
    let places = [(MessageId(7), 8), (MessageId(9), 10)];
    [
        ("heads", sync::heads(Some(CID), &heads(), true, 65_536)),
        ("heads that do not fit", sync::heads(None, &heads(), true, 0)),
        ("synced", synced(&both, 65_536).bytes),
        ("synced, and more follows", synced(&both, 0).bytes),
        ("read", sync::read(Conversation::With(user(26)), user(26), 9)),
        ("read in a group", sync::read(Conversation::Group(group()), user(25), 9)),
        ("typing", reply::typing(Conversation::With(user(26)), user(26), true, 6_000)),
        ("typing no more", reply::typing(Conversation::Group(group()), user(26), false, 6_000)),
        ("stored", sync::stored(Conversation::With(user(26)), &places)),
        ("devices", sync::devices(Some(CID), &[phone], Some(TokenId(77)), |_| false)),
    ]
}

fn lists() -> [(&'static str, Vec<u8>); 5] {
    let token = Secret("t0k".into());
    let heads = HeadsPage { heads: heads(), complete: true };
    let beside = Welcome {
        cid: None,
        user: user(25),
        name: "amy",
        token: Some(&token),
        roster: &Profile::default(),
        heads: Some(&heads),
        capabilities: Capabilities::FRIEND,
    };
    let beside = welcome::logged_in(beside, &is_online, [].iter(), 65_536).frames.concat();
    let entered = |cid, roster: &Profile, waiting: &[Envelope]| {
        let (user, name, token) = (user(25), "amy", Some(&token));
        let capabilities = Capabilities::default();
        let welcome = Welcome { cid, user, name, token, roster, heads: None, capabilities };
        let mut welcomed = welcome::logged_in(welcome, &is_online, waiting.iter(), 65_536);
        assert_eq!((welcomed.frames.len(), welcomed.messages), (1, waiting.len()));
        welcomed.frames.remove(0)
    };
    [
        ("nobody and nothing", entered(None, &Profile::default(), &[])),
        ("everything", entered(Some(CID), &roster(), &[direct(), nameless()])),
        ("beside others", beside),
        ("friends", welcome::friend_list(&friends(), &is_online, 65_536).concat()),
        ("no friends", welcome::friend_list(&[], &is_online, 65_536).concat()),
    ]
}

fn answers() -> [(&'static str, Vec<u8>); 9] {
    let [bnn, cat] = friends().try_into().unwrap();
    let role = [Role::Creator, Role::Normal];
    let member = |(person, role)| Member { person, role, muted: Until::NEVER };
    let both = [(bnn.clone(), role[0]), (cat, role[1])].map(member);
    let members = |cid, members: &[Member], complete| {
        found::members(
            MembersFrame { cid, group: group(), members, complete, roles: Roles::AsSeed },
            &is_online,
            65_536,
        )
    };
    let said = [Placed::as_said(direct(), 6), Placed::as_said(direct(), 7)];
    let history = |cid, conversation, messages: &[Placed], complete| {
        let page = HistoryFrame { cid, conversation, span: Span::Newest, messages, chg: None, complete };
        found::history(page, 65_536)
    };
    let in_group = Placed::as_said(nameless(), 4);
    let hits = vec![
        Hit { conversation: Conversation::Group(group()), placed: in_group },
        Hit { conversation: Conversation::With(user(26)), placed: said[0].clone() },
    ];
    let search = |cid, hits, before, searched_to| {
        found::search(cid, &SearchPage { hits, before, searched_to }, 65_536)
    };
    [
        ("found", found::user(Some(CID), &bnn, &is_online)),
        ("not found", found::nobody(Some(CID))),
        ("members", members(Some(CID), &both, false)),
        ("no members", members(None, &[], true)),
        ("history", history(Some(CID), Conversation::With(user(26)), &said, true)),
        ("no history", history(None, Conversation::Group(group()), &[], false)),
        ("search", search(Some(CID), hits, None, None)),
        ("search, and more follows", search(None, Vec::new(), Some(MID), None)),
        ("search, and not all can be found", search(None, Vec::new(), None, Some(TS))),
    ]
}

#[test]
fn every_reply_is_as_written_down() {
    let lines = REPLIES.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let said = acks().into_iter().chain(messages()).chain(lists()).chain(answers()).chain(devices());
    let said = said.chain(consents());
    let said = said.chain(replies_changed::changes()).chain(replies_groups::run());
    let said = said.chain(replies_extras::carriers());
    let said: Vec<String> =
        said.map(|(name, bytes)| format!("{name}: {}", String::from_utf8(bytes).unwrap())).collect();
    for (line, said) in lines.clone().zip(&said) {
        assert_eq!(line, said);
        let (_, frame) = line.split_once(": ").unwrap();
        serde_json::from_str::<Value>(frame).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert_eq!(lines.count(), said.len());
}

/// A cid, or none, of anything that a client may send.
fn any_cid(rng: &mut Rng) -> String {
    (0..rng.below(17))
        .map(|_| rng.pick(&['"', '\\', '\u{0}', '\n', '\u{1f}', 'x', 'é', '\u{1f642}']))
        .collect()
}

/// Of any number of digits.
fn any_number(rng: &mut Rng) -> u64 {
    let bits = rng.below(64);
    rng.below(u64::MAX >> bits)
}

#[test]
fn a_push_has_the_length_that_was_counted_and_carries_every_mark() {
    let mut rng = Rng::new(11);
    for _ in 0..2_000 {
        let cid = any_cid(&mut rng);
        let (mid, ts) = (any_number(&mut rng), any_number(&mut rng));
        let body = written(|out| reply::one_chat(out, user(25), "amy", user(26), &cid, "t"));
        let (target, durability) = (Target::User(user(26)), Durability::Always);
        let (mid, ts) = (MessageId(mid), Millis(ts));
        let message = Message { sender: user(25), target, mid, ts, cid: &cid, durability, body: &body };
        let envelope = Envelope::message(message, &mut Vec::new());
        let pushed: Value = serde_json::from_slice(&sent(&Frame::PushV2(envelope.clone()))).unwrap();
        let named = if cid.is_empty() { format!("mid:{}", mid.0) } else { cid.clone() };
        assert_eq!((&pushed["cid"], &pushed["mid"]), (&named.into(), &mid.0.to_string().into()));
        assert_eq!((&pushed["ts"], &pushed["msg"]), (&ts.0.into(), &cid.into()));
        let pos = any_number(&mut rng);
        let placed = Placed::as_said(envelope, pos);
        let row = written(|out| push::row(out, &placed));
        assert_eq!(row.len(), push::row_len(&placed));
        let mut row: Value = serde_json::from_slice(&row).unwrap();
        assert_eq!(row.as_object_mut().unwrap().remove("pos"), Some(pos.into()));
        assert_eq!(row, pushed, "a row is a push with a pos");
    }
}

#[test]
fn what_is_no_frame_does_no_harm() {
    for body in [&b""[..], b"{", b"{}", b"x", b"\xc3\xa9"] {
        let (target, durability) = (Target::User(user(26)), Durability::Always);
        let message = Message { sender: user(25), target, mid: MID, ts: TS, cid: "", durability, body };
        sent(&Frame::PushV2(Envelope::message(message, &mut Vec::new())));
    }
}

/// The longest texts of so many characters.
fn long(chars: usize) -> String {
    "\u{1f642}".repeat(chars)
}

#[test]
fn a_long_login_answer_comes_whole_in_frames_that_are_not_too_long() {
    let friends: Vec<Person> = (1..=1_000).map(|id| person(id, &long(50))).collect();
    let groups = (1..=200).map(|id| membership(GroupId::new(id).unwrap(), long(50), "\u{1}".repeat(200), id));
    let ask = |id| FriendAsk { asker: user(id), name: "\u{1}".repeat(50), note: "\u{1}".repeat(200) };
    let asking = (1..=20).map(ask).collect();
    let roster = Profile { friends, groups: groups.collect(), asking, ..Profile::default() };
    let waiting: Vec<Envelope> = (0..200).map(|_| direct()).collect();
    let cid = "\u{1}".repeat(64);
    let (cid, user, name, roster, capabilities) =
        (Some(&*cid), user(25), "amy", &roster, Capabilities::FRIEND.with(Capabilities::OWN));
    let welcome = Welcome { cid, user, name, token: None, roster, heads: None, capabilities };
    for login_bytes in [4 << 10, 64 << 10, 1 << 20] {
        let welcomed = welcome::logged_in(welcome, &is_online, waiting.iter(), login_bytes);
        let frames: Vec<Value> =
            welcomed.frames.iter().map(|frame| serde_json::from_slice(frame).unwrap()).collect();
        assert!(welcomed.frames.iter().all(|frame| frame.len() <= login_bytes), "{login_bytes}");
        let ids = |key: &str| -> Vec<u64> {
            let lists = frames.iter().flat_map(|frame| frame[key].as_array().unwrap());
            lists.map(|entry| entry["id"].as_u64().unwrap()).collect()
        };
        assert_eq!(ids("asking"), (1..=20).collect::<Vec<u64>>());
        assert_eq!(ids("friends"), (1..=1_000).collect::<Vec<u64>>());
        assert_eq!(ids("groups"), (1..=200).collect::<Vec<u64>>());
        let (last, others) = frames.split_last().unwrap();
        assert!(last["complete"] == true && others.iter().all(|frame| frame["complete"] == false));
        assert_eq!(ids("offlinemsg").len(), welcomed.messages);
        assert_eq!(last["offlinemsg"].as_array().unwrap().len(), welcomed.messages);
        assert_eq!(welcomed.frames.len() == 1, login_bytes == 1 << 20);
    }
}

#[test]
fn a_long_list_of_friends_comes_whole_in_frames_that_are_not_too_long() {
    let friends: Vec<Person> = (1..=1_000).map(|id| person(id, &long(50))).collect();
    let frames = welcome::friend_list(&friends, &is_online, 128 << 10);
    assert!(frames.len() > 1 && frames.iter().all(|frame| frame.len() <= 128 << 10));
    let frames: Vec<Value> = frames.iter().map(|frame| serde_json::from_slice(frame).unwrap()).collect();
    let listed = frames.iter().flat_map(|frame| frame["friends"].as_array().unwrap());
    assert!(listed.map(|friend| friend["id"].as_u64().unwrap()).eq(1..=1_000));
    let complete: Vec<bool> = frames.iter().map(|frame| frame["complete"].as_bool().unwrap()).collect();
    assert_eq!(complete.iter().position(|&complete| complete), Some(frames.len() - 1));
}

#[test]
fn a_page_is_cut_to_what_fits_and_the_rest_is_asked_for_from_there() {
    let said: Vec<Placed> = (1..=50)
        .map(|pos| Placed::as_said(envelope(CID, Target::Group(group()), &"x".repeat(1_000)), pos))
        .collect();
    let places = |span: Span| -> Vec<u64> {
        let conversation = Conversation::Group(group());
        let page = HistoryFrame { cid: None, conversation, span, messages: &said, chg: None, complete: true };
        let page = found::history(page, 8 << 10);
        assert!(page.len() <= 8 << 10);
        let page: Value = serde_json::from_slice(&page).unwrap();
        page["messages"].as_array().unwrap().iter().map(|row| row["pos"].as_u64().unwrap()).collect()
    };
    assert_eq!(places(Span::After(0)), [1, 2, 3, 4, 5, 6]);
    assert_eq!(places(Span::Before(51)), [45, 46, 47, 48, 49, 50]);
    assert_eq!(places(Span::Newest), [45, 46, 47, 48, 49, 50]);
    // What is found is by many people, and goes on before the last message that fits.
    let conversation = Conversation::Group(group());
    let hits = said.iter().map(|placed| Hit { conversation, placed: placed.clone() }).collect();
    let page = found::search(None, &SearchPage { hits, before: None, searched_to: None }, 8 << 10);
    assert!(page.len() <= 8 << 10);
    let page: Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(page["messages"].as_array().unwrap().len(), 6);
    assert_eq!((&page["complete"], &page["before_mid"]), (&false.into(), &page["messages"][5]["mid"]));
    let members: Vec<Member> = (1..=200)
        .map(|id| Member { person: person(id, &long(50)), role: Role::Normal, muted: Until::NEVER })
        .collect();
    for (push_bytes, whole) in [(128 << 10, true), (8 << 10, false)] {
        let page = MembersFrame {
            cid: None,
            group: group(),
            members: &members,
            complete: true,
            roles: Roles::AsSeed,
        };
        let page = found::members(page, &is_online, push_bytes);
        assert!(page.len() <= push_bytes);
        let page: Value = serde_json::from_slice(&page).unwrap();
        assert_eq!(page["complete"], whole);
        assert_eq!(page["users"].as_array().unwrap().len() == 200, whole);
    }
}

#[test]
fn the_longest_message_is_a_row_and_a_push_within_bounds() {
    let most = "\u{1}".repeat(16 << 10);
    let longest = envelope(&"\u{1}".repeat(64), Target::User(user(26)), &most);
    assert!(push::v2_len(&longest) <= 128 << 10);
    let messages = [Placed::as_said(longest, u64::MAX)];
    let conversation = Conversation::With(user(26));
    let (span, messages) = (Span::Newest, &messages[..]);
    let page = HistoryFrame { cid: None, conversation, span, messages, chg: None, complete: true };
    let page: Value = serde_json::from_slice(&found::history(page, 128 << 10)).unwrap();
    assert_eq!(page["messages"][0]["msg"], most);
}
