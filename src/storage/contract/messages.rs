//! Keeping messages.

use super::accounts::stranger;
use super::trial::{Trial, body, sealed};
use super::{Case, Opener};
use chatd_chat::model::envelope::{Durability, Target};
use chatd_chat::model::extras::Extras;
use chatd_chat::model::ids::{GroupId, MessageId};
use chatd_chat::port::store::{Left, StoreReply, StoreRequest, StoredMessage};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case {
        name: "a direct message is stored, and in the backlog",
        run: a_direct_message_is_stored_and_in_the_backlog,
    },
    Case { name: "the same message is stored once", run: the_same_message_is_stored_once },
    Case { name: "the same cid is stored once", run: the_same_cid_is_stored_once },
    Case { name: "the same cid in one batch is stored once", run: the_same_cid_in_one_batch },
    Case { name: "one cid has one content", run: one_cid_has_one_content },
    Case { name: "extras are kept, and part of what a cid stands for", run: extras_are_kept },
    Case { name: "one id for two messages loses neither", run: one_id_for_two_messages },
    Case { name: "what no row can hold is refused for good", run: what_no_row_can_hold },
    Case { name: "the greatest id is known", run: the_greatest_id_is_known },
    Case { name: "places in a group have no gap", run: places_have_no_gap },
    Case { name: "a group message is stored once", run: a_group_message_is_stored_once },
    Case { name: "a body comes back byte for byte", run: a_body_comes_back_byte_for_byte },
];

fn a_direct_message_is_stored_and_in_the_backlog(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let message = trial.message(amy, Target::User(ben), "c", "hello");
    assert_eq!(
        trial.store(&message),
        Ok(StoreReply::Stored(StoredMessage { mid: message.mid(), ts: message.ts(), pos: Some(1) }))
    );
    let page = trial.fetch(ben);
    let [waiting] = &page.messages[..] else { panic!("one message waits: {page:?}") };
    assert_eq!(waiting.pos, None);
    let stored = &waiting.envelope;
    assert_eq!((stored.kind(), stored.sender(), stored.target()), (message.kind(), amy, Target::User(ben)));
    assert_eq!((stored.mid(), stored.ts(), stored.cid()), (message.mid(), message.ts(), "c"));
    assert_eq!((stored.body(), stored.durability()), (message.body(), Durability::Always));
    assert!(page.complete);
    assert_eq!(trial.fetch(amy).mids(), [0_u64; 0]);

    let nobody = trial.message(amy, Target::User(stranger()), "d", "hello");
    assert_eq!(trial.store(&nobody), Err(Code::NoSuchUser));
    // What was refused left nothing behind: its cid is free.
    let again = trial.message(amy, Target::User(ben), "d", "other");
    assert!(trial.store(&again).is_ok());
    // One may write to oneself.
    let note = trial.tell(amy, amy, "do not forget");
    assert_eq!(trial.fetch(amy).mids(), [note.0]);
}

fn the_same_message_is_stored_once(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    for cid in ["", "c"] {
        let message = trial.message(amy, Target::User(ben), cid, "hello");
        let first = trial.store(&message);
        assert!(first.is_ok());
        assert_eq!(trial.store(&message), first);
        assert_eq!(trial.fetch(ben).mids(), [message.mid().0]);
        trial.ack(ben, &[message.mid()], vec![]);
        assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
        // Another core had it for a session that just ended.
        assert_eq!(trial.store(&message), first);
        assert_eq!(trial.fetch(ben).mids(), [message.mid().0], "it is in the backlog again");
        trial.ack(ben, &[message.mid()], vec![]);
    }
}

fn the_same_cid_is_stored_once(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let first = trial.message(amy, Target::User(ben), "c", "hello");
    let stored = trial.store(&first);
    let retry = trial.message(amy, Target::User(ben), "c", "hello");
    assert_eq!(trial.store(&retry), stored, "the first id and time");
    assert_eq!(trial.fetch(ben).mids(), [first.mid().0]);
    // A retry may carry another time; it is the same message.
    let late = body(amy, Target::User(ben), "hello", "2026-01-01 00:00:09");
    let late = sealed(amy, Target::User(ben), trial.mid(), "c", &late);
    assert_eq!(trial.store(&late), stored);
    trial.ack(ben, &[first.mid()], vec![]);
    assert_eq!(trial.store(&retry), stored);
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0], "a retry under another id changes nothing");
    // Another sender's cid is another cid, and so is one that differs by a byte.
    for (sender, cid, pos) in [(cleo, "c", 1), (amy, "C", 2), (amy, "c ", 3), (amy, "c\0", 4)] {
        let other = trial.message(sender, Target::User(ben), cid, "hello");
        let answer = trial.store(&other);
        assert_eq!(
            answer,
            Ok(StoreReply::Stored(StoredMessage { mid: other.mid(), ts: other.ts(), pos: Some(pos) })),
            "{cid:?}"
        );
    }
    // No cid is no cid.
    for _ in 0..2 {
        trial.tell(amy, ben, "hello");
    }
    assert_eq!(trial.fetch(ben).messages.len(), 6);
}

fn the_same_cid_in_one_batch(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let first = trial.message(amy, Target::User(ben), "c", "hello");
    let retry = trial.message(amy, Target::User(ben), "c", "hello");
    let other = trial.message(amy, Target::User(ben), "c", "bye");
    let requests = [&first, &retry, &other, &first]
        .map(|envelope| StoreRequest::StoreMessage { envelope: envelope.clone() });
    let stored = Ok(StoreReply::Stored(StoredMessage { mid: first.mid(), ts: first.ts(), pos: Some(1) }));
    assert_eq!(
        trial.requests(requests.to_vec()),
        [stored.clone(), stored.clone(), Err(Code::CidReused), stored]
    );
    assert_eq!(trial.fetch(ben).mids(), [first.mid().0]);
}

fn one_cid_has_one_content(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben]);
    let first = trial.message(amy, Target::User(ben), "c", "hello");
    assert!(trial.store(&first).is_ok());
    let same_number = Target::Group(GroupId::new(u64::from(ben.get())).expect("an id"));
    for (target, text) in [
        (Target::User(ben), "hello!"),
        (Target::User(ben), "Hello"),
        (Target::User(ben), ""),
        (Target::User(cleo), "hello"),
        (Target::User(stranger()), "hello"),
        (Target::Group(group), "hello"),
        (same_number, "hello"),
    ] {
        let other = trial.message(amy, target, "c", text);
        assert_eq!(trial.store(&other), Err(Code::CidReused), "{target:?} {text:?}");
    }
    assert_eq!(trial.fetch(ben).mids(), [first.mid().0]);
    assert_eq!(trial.post(amy, group, "x").1, 1, "what was refused took no place");
}

fn extras_are_kept(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    for target in [Target::User(ben), Target::Group(group)] {
        let carrying = |trial: &mut Trial, time: &str, data: &str, reply: Option<u64>| {
            let extras = Extras::new(Some(data), reply).expect("data");
            let plain = body(amy, target, "hello", time);
            sealed(
                amy,
                target,
                trial.mid(),
                &format!("{target:?}"),
                &plain.replacen('{', &format!("{{{}", extras.fields()), 1),
            )
        };
        let first = carrying(&mut trial, "t", "{\"a\":[1]}", Some(7));
        let stored = trial.store(&first);
        assert!(stored.is_ok());
        let again = carrying(&mut trial, "later", "{\"a\":[1]}", Some(7));
        assert_eq!(trial.store(&again), stored, "{target:?}");
        for (data, reply) in [("{\"a\":[2]}", Some(7)), ("{\"a\":[1]}", Some(8)), ("{\"a\":[1]}", None)] {
            let other = carrying(&mut trial, "t", data, reply);
            assert_eq!(trial.store(&other), Err(Code::CidReused), "{target:?} {data} {reply:?}");
        }
        let waiting = trial.fetch(ben).messages.pop().expect("it waits");
        assert_eq!(waiting.envelope.body(), first.body(), "{target:?}");
    }
}

fn one_id_for_two_messages(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let first = trial.message(amy, Target::User(ben), "c", "hello");
    assert!(trial.store(&first).is_ok());
    let target = Target::User(ben);
    // Another sender, another cid or none: whatever it says, it is another message.
    for (sender, cid, text) in
        [(cleo, "c", "other"), (cleo, "c", "hello"), (amy, "d", "hello"), (amy, "", "hello"), (cleo, "", "x")]
    {
        let other = sealed(sender, target, first.mid(), cid, &body(sender, target, text, ""));
        assert_eq!(
            trial.store(&other),
            Ok(StoreReply::IdTaken),
            "never Kept of what is not: {sender} {cid} {text}"
        );
    }
    // One without a cid is known by its id alone, if nothing is different.
    let nameless = trial.message(amy, target, "", "nameless");
    let stored = trial.store(&nameless);
    assert_eq!(trial.store(&nameless), stored);
    let other = sealed(amy, target, nameless.mid(), "", &body(amy, target, "nameless", "another time"));
    assert_eq!(trial.store(&other), Ok(StoreReply::IdTaken));
    trial.ack(ben, &[nameless.mid()], vec![]);
    let retry = sealed(cleo, target, trial.mid(), "c", &body(cleo, target, "other", ""));
    assert!(trial.store(&retry).is_ok());
    assert_eq!(trial.fetch(ben).mids(), [first.mid().0, retry.mid().0]);
}

/// What comes from elsewhere may be damaged: it is refused for good, and the rest of its batch is not.
fn what_no_row_can_hold(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let target = Target::User(ben);
    let forged = sealed(amy, target, MessageId(1 << 63), "f", &body(amy, target, "forged", ""));
    assert_eq!(trial.store(&forged), Err(Code::InvalidField));
    let nameless = sealed(amy, target, MessageId(1 << 63), "", &body(amy, target, "forged", ""));
    assert_eq!(
        trial.request(StoreRequest::AppendHistory { envelopes: [nameless].into() }),
        Ok(StoreReply::Done)
    );
    let good = trial.message(amy, target, "g", "good");
    assert!(trial.store(&good).is_ok());
    assert_eq!(trial.fetch(ben).mids(), [good.mid().0]);
}

/// Ids are given after the greatest that is stored, also that of a message that came again.
fn the_greatest_id_is_known(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    assert_eq!(trial.greatest_mid(), MessageId(0));
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("one", amy, &[ben]);
    let direct = trial.tell(amy, ben, "hello");
    assert_eq!(trial.greatest_mid(), direct);
    let (posted, _) = trial.post(amy, group, "hello");
    assert_eq!(trial.greatest_mid(), posted);
    let named = trial.message(amy, Target::User(ben), "c", "named");
    assert!(trial.store(&named).is_ok());
    let again = trial.message(amy, Target::User(ben), "c", "named");
    assert!(trial.store(&again).is_ok());
    assert_eq!(trial.greatest_mid(), again.mid());
}

fn places_have_no_gap(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let (one, two) = (trial.group("one", amy, &[ben]), trial.group("two", amy, &[]));
    let nowhere = GroupId::new(999).expect("an id");
    let messages = [
        (amy, one, "a"),
        (ben, one, ""),
        (cleo, one, ""),
        (ben, two, ""),
        (amy, two, ""),
        (amy, nowhere, ""),
        (amy, one, "a"),
        (ben, one, ""),
    ]
    .map(|(sender, group, cid)| trial.message(sender, Target::Group(group), cid, "hello"));
    let requests =
        messages.iter().map(|envelope| StoreRequest::StoreMessage { envelope: envelope.clone() }).collect();
    let replies: Vec<Result<Option<u64>, Code>> = trial
        .requests(requests)
        .into_iter()
        .map(|answer| match answer {
            Ok(StoreReply::Stored(StoredMessage { pos, .. })) => Ok(pos),
            Ok(other) => panic!("{other:?}"),
            Err(code) => Err(code),
        })
        .collect();
    let expected = [
        Ok(Some(1)),
        Ok(Some(2)),
        Err(Code::NotAMember),
        Err(Code::NotAMember),
        Ok(Some(1)),
        Err(Code::NoSuchGroup),
        Ok(Some(1)),
        Ok(Some(3)),
    ];
    assert_eq!(replies, expected);
    assert_eq!(trial.post(ben, one, "x").1, 4);
}

fn a_group_message_is_stored_once(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let message = trial.message(ben, Target::Group(group), "c", "hello");
    let stored = trial.store(&message);
    assert_eq!(
        stored,
        Ok(StoreReply::Stored(StoredMessage { mid: message.mid(), ts: message.ts(), pos: Some(1) }))
    );
    assert_eq!(trial.store(&message), stored);
    let retry = trial.message(ben, Target::Group(group), "c", "hello");
    assert_eq!(trial.store(&retry), stored);
    let other = trial.message(ben, Target::Group(group), "c", "bye");
    assert_eq!(trial.store(&other), Err(Code::CidReused));
    assert_eq!(trial.post(amy, group, "x").1, 2);
    // What was acknowledged once is acknowledged for ever, even to who left since.
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: ben, group, row: None }),
        Ok(StoreReply::Left(Left { dissolved: false, row: None }))
    );
    assert_eq!(trial.store(&retry), stored);
    let new = trial.message(ben, Target::Group(group), "d", "hello");
    assert_eq!(trial.store(&new), Err(Code::NotAMember));
    assert_eq!(trial.fetch(amy).mids(), [message.mid().0]);
}

fn a_body_comes_back_byte_for_byte(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let texts = [
        "\\u0000".to_owned(),
        "before\0after".to_owned(),
        "\0".to_owned(),
        "quotes \\\" and \\\\ and ' and ` and %s".to_owned(),
        "你好，世界 👩‍👩‍👧‍👦 \u{10ffff} \u{feff} e\u{301}".to_owned(),
        "  spaces  ".to_owned(),
        "x".repeat(16 << 10),
        "龙".repeat((16 << 10) / 3),
        "\\u0001".repeat(16 << 10),
    ];
    let mut sent = Vec::new();
    for text in &texts {
        let message = trial.message(amy, Target::User(ben), "", text);
        assert!(trial.store(&message).is_ok());
        sent.push(message);
    }
    // A clock at the end of its range.
    let last = MessageId(i64::MAX as u64 - 7);
    let message = sealed(amy, Target::User(ben), last, &"c".repeat(255), "{}");
    assert!(trial.store(&message).is_ok());
    sent.push(message);
    let page = trial.fetch(ben);
    assert_eq!(page.messages.len(), sent.len());
    for (waiting, sent) in page.messages.iter().zip(&sent) {
        assert_eq!(waiting.envelope.body(), sent.body());
        assert_eq!(waiting.envelope.cid(), sent.cid());
    }
}
