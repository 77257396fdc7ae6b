//! What becomes of a database that version 1 of the schema made. Both stores are given the same rows.

use crate::contract::trial::{body, sealed};
use crate::token::password_print;
use crate::{Order, Outcome, Store};
use chatd_chat::model::change::Wanted;
use chatd_chat::model::device::Device;
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::{Conversation, Span};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::model::profile::Who;
use chatd_chat::model::token::{Proof, TokenId};
use chatd_chat::port::store::{
    BacklogPage, Detail, HistoryPage, Issue, StoreReply, StoreRequest, StoreResult, StoredMessage,
};
use chatd_chat::wire::code::Code;

/// What was in it: four users of whom two have names that are one, a group of two, direct messages with and without a reader yet.
pub const VERSION_1: &str = "
INSERT INTO user (id, name, password) VALUES (1, 'amy', 'h1'), (2, 'Ben', 'h2'), (3, 'cleo', 'h3'),
    (4, 'BEN', 'h4');
INSERT INTO allgroup (id, groupname, groupdesc, head) VALUES (1, 'g', '', 1), (2, NULL, '', 0), (3, 'G', '', 0);
INSERT INTO groupuser (userid, groupid, grouprole, joined, upto)
    VALUES (1, 1, 'creator', 0, 0), (2, 1, 'normal', 0, 0);
INSERT INTO message (mid, ts, sender, recipient, groupid, pos, cid, body) VALUES
    (50, 1, 1, 2, NULL, NULL, 'c', '{}'), (20, 1, 2, 1, NULL, NULL, NULL, '{}'),
    (40, 1, 1, 2, NULL, NULL, NULL, '{}'), (30, 1, 1, 3, NULL, NULL, NULL, '{}'),
    (10, 1, 1, NULL, 1, 1, NULL, '{}'), (60, 1, 3, 3, NULL, NULL, NULL, '{}');
INSERT INTO offlinemessage (userid, mid) VALUES (2, 50), (3, 30);
";

/// What may be in one of version 2 besides: a token, which was used in the year 2100.
pub const VERSION_2: &str = "INSERT INTO token (id, userid, hash, used) VALUES (7, 1, x'3031323334353637383930313233343536373839303132333435363738393031', 4102444800000000);";

fn user(number: u64) -> UserId {
    UserId::new(number).expect("an id")
}

fn answer(store: &mut dyn Store, order: Order) -> StoreResult {
    let mut outcomes = Vec::new();
    store.perform(&[order], &mut outcomes).expect("the store works");
    match outcomes.remove(0) {
        Outcome::Reply(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn request(store: &mut dyn Store, request: StoreRequest) -> StoreReply {
    answer(store, Order::Request(request)).expect("it is done")
}

/// Places and ids of a conversation, and whether that is all of it.
fn told(store: &mut dyn Store, one: u64, other: u64, span: Span) -> (Vec<(u64, u64)>, bool) {
    let (conversation, wanted) = (Conversation::With(user(other)), Wanted::default());
    match request(
        store,
        StoreRequest::History { user: user(one), conversation, span, wanted, messages: 9, bytes: 9_999 },
    ) {
        StoreReply::History(HistoryPage { messages, complete, .. }) => {
            (messages.iter().map(|message| (message.pos, message.envelope.mid().0)).collect(), complete)
        }
        other => panic!("{other:?}"),
    }
}

/// Conversations are known, and what was delivered before there were read markers counts as read.
fn check_heads(store: &mut dyn Store) {
    let (group, with) =
        (Conversation::Group(GroupId::new(1).expect("an id")), |id| Conversation::With(user(id)));
    for (id, expected) in [
        (1, vec![(with(2), 3, 3, Some(2), 0), (with(3), 1, 1, Some(0), 0), (group, 1, 0, None, 0)]),
        (2, vec![(with(1), 3, 2, Some(3), 1), (group, 1, 0, None, 1)]),
        (3, vec![(with(3), 1, 1, Some(1), 0), (with(1), 1, 0, Some(1), 1)]),
        (4, vec![]),
    ] {
        let heads = StoreRequest::Heads { user: user(id), before: None, heads: 9 };
        let StoreReply::Heads(page) = request(store, heads) else { panic!("heads are told") };
        let told = page.heads.iter();
        let told = told.map(|head| (head.conversation, head.head, head.read, head.peer_read, head.unread));
        assert_eq!(told.collect::<Vec<_>>(), expected, "user {id}");
    }
}

/// A token of before has no name and no time at which it was made, and is as good as it was.
///
/// # Panics
/// If it is not so.
pub fn check_version_2(store: &mut dyn Store, has_token: bool) {
    let StoreReply::Devices(devices) = request(store, StoreRequest::Devices { user: user(1) }) else {
        panic!("devices are listed")
    };
    let used = Millis(4_102_444_800_000);
    let old = Device { token: TokenId(7), name: String::new(), created: Millis(0), used, push: None };
    assert_eq!(devices, if has_token { vec![old] } else { vec![] });
}

/// All of it is there, and direct messages have their places.
///
/// # Panics
/// If it is not so.
pub fn check_version_1(store: &mut dyn Store) {
    for (one, other) in [(1, 2), (2, 1)] {
        assert_eq!(told(store, one, other, Span::Newest), (vec![(1, 20), (2, 40), (3, 50)], false));
    }
    assert_eq!(told(store, 3, 1, Span::Newest), (vec![(1, 30)], false));
    assert_eq!(told(store, 3, 3, Span::Newest), (vec![(1, 60)], false));
    assert_eq!(told(store, 2, 3, Span::Newest), (vec![], false), "what was not stored is not known of");
    check_heads(store);
    let group = GroupId::new(1).expect("an id");
    let proof = Proof::Password(password_print("h2"));
    match request(
        store,
        StoreRequest::LoadProfile {
            user: user(2),
            proof,
            detail: Detail::Counts,
            issue: Issue::Nothing,
            device: None,
            heads: 0,
        },
    ) {
        StoreReply::Profile(profile) => {
            assert_eq!((profile.groups[0].group, profile.groups[0].size), (group, 2))
        }
        other => panic!("{other:?}"),
    }
    // Names that are one now: the older one has it in every form, the other as it is written.
    for (name, id) in [("AMY", 1), ("Ben", 2), ("ben", 2), ("bEN", 2), ("BEN", 4), ("Cleo", 3)] {
        match request(store, StoreRequest::Find { user: user(1), who: Who::Name(name.to_owned()) }) {
            StoreReply::Found(person) => assert_eq!(person.id, user(id), "{name}"),
            other => panic!("{other:?}"),
        }
        let order = Order::Enroll { name: name.to_owned(), hash: String::new() };
        assert_eq!(answer(store, order), Err(Code::Refused), "{name} is taken");
    }
    for name in ["g", "G", "ｇ"] {
        let request = StoreRequest::CreateGroup { user: user(1), name: name.to_owned(), desc: String::new() };
        assert_eq!(answer(store, Order::Request(request)), Err(Code::Exists), "{name} is taken");
    }
    let target = Target::User(user(2));
    let new = sealed(user(1), target, MessageId(61), "d", &body(user(1), target, "x", ""));
    let stored = StoreReply::Stored(StoredMessage { mid: MessageId(61), ts: new.ts(), pos: Some(4) });
    assert_eq!(request(store, StoreRequest::StoreMessage { envelope: new }), stored);
    // The same (sender, cid) is still the same message.
    let again = sealed(user(1), target, MessageId(62), "c", "{}");
    match request(store, StoreRequest::StoreMessage { envelope: again }) {
        StoreReply::Stored(StoredMessage { mid: MessageId(50), pos: Some(3), .. }) => {}
        other => panic!("{other:?}"),
    }
    check_again(store);
}

/// It stays so.
///
/// # Panics
/// If it does not.
pub fn check_again(store: &mut dyn Store) {
    assert_eq!(told(store, 1, 2, Span::After(2)), (vec![(3, 50), (4, 61)], false));
    assert_eq!(told(store, 1, 2, Span::After(3)), (vec![(4, 61)], false), "between the two may be more");
    assert_eq!(told(store, 1, 2, Span::After(4)), (vec![], true));
    let take = StoreRequest::FetchBacklog {
        user: user(2),
        after: MessageId(0),
        have: vec![],
        messages: 9,
        bytes: 9_999,
    };
    match request(store, take) {
        StoreReply::Backlog(BacklogPage { messages, .. }) => {
            let mids: Vec<u64> = messages.iter().map(|waiting| waiting.envelope.mid().0).collect();
            assert_eq!(mids, [10, 50, 61]);
        }
        other => panic!("{other:?}"),
    }
}
