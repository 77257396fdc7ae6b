//! Places of direct messages, the history, and what comes again under another id.

use super::accounts::stranger;
use super::trial::{Trial, body, sealed};
use super::{Case, Opener};
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::MessageId;
use chatd_chat::port::store::{CursorUpdate, StoreReply, StoreRequest, StoreResult, StoredMessage};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "places of a conversation have no gap", run: places_have_no_gap },
    Case { name: "what is appended to the history is in no backlog", run: what_is_appended_is_in_no_backlog },
    Case { name: "what is appended and then stored is in the backlog", run: appended_and_then_stored },
    Case { name: "what would be refused is not appended", run: what_would_be_refused },
    Case { name: "acknowledging in the same batch counts", run: acknowledging_in_the_same_batch },
    Case { name: "acknowledging another id of a message acknowledges it", run: acknowledging_another_id },
    Case { name: "a cursor follows other ids of messages", run: a_cursor_follows_other_ids },
    Case { name: "blocked senders are refused", run: blocked_senders_are_refused },
];

fn place(answer: &StoreResult) -> Option<u64> {
    match answer {
        Ok(StoreReply::Stored(StoredMessage { pos, .. })) => *pos,
        other => panic!("it was stored, not {other:?}"),
    }
}

fn store(envelope: &Envelope) -> StoreRequest {
    StoreRequest::StoreMessage { envelope: envelope.clone() }
}

fn places_have_no_gap(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let mut keep_one = |sender, to, cid: &str| {
        let message = trial.message(sender, Target::User(to), cid, "x");
        trial.store(&message)
    };
    assert_eq!(place(&keep_one(amy, ben, "a")), Some(1));
    assert_eq!(place(&keep_one(ben, amy, "")), Some(2), "both directions are one conversation");
    assert_eq!(place(&keep_one(amy, cleo, "")), Some(1));
    assert_eq!(place(&keep_one(amy, ben, "a")), Some(1), "again, it has the place that it has");
    assert_eq!(keep_one(amy, stranger(), ""), Err(Code::NoSuchUser));
    assert_eq!(place(&keep_one(amy, ben, "")), Some(3), "and takes no other");
    assert_eq!(place(&keep_one(amy, amy, "")), Some(1));
    assert_eq!(place(&keep_one(amy, amy, "")), Some(2));
    // Many at once, in the order asked.
    let pairs = [(amy, ben), (cleo, ben), (ben, amy), (amy, ben), (ben, cleo), (amy, ben)];
    let messages = pairs.map(|(sender, to)| trial.message(sender, Target::User(to), "", "x"));
    let again = messages[1].clone();
    let requests = messages.iter().chain([&again]).map(store).collect();
    let places: Vec<Option<u64>> = trial.requests(requests).iter().map(place).collect();
    assert_eq!(places, [Some(4), Some(1), Some(5), Some(6), Some(2), Some(7), Some(1)]);
    // A late one has a late place.
    let late = sealed(ben, Target::User(amy), MessageId(7), "", "{}");
    assert_eq!(place(&trial.store(&late)), Some(8));
}

fn what_is_appended_is_in_no_backlog(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let envelopes: Vec<Envelope> =
        ["one", "two", "three"].map(|text| trial.message(amy, Target::User(ben), "", text)).into();
    for _ in 0..2 {
        assert_eq!(
            trial.request(StoreRequest::AppendHistory { envelopes: envelopes.clone().into() }),
            Ok(StoreReply::Done)
        );
    }
    assert_eq!(trial.request(StoreRequest::AppendHistory { envelopes: [].into() }), Ok(StoreReply::Done));
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
    let next = trial.message(ben, Target::User(amy), "", "four");
    assert_eq!(place(&trial.store(&next)), Some(4), "it has taken its places, once");
    let told = trial.history(amy, Conversation::With(ben));
    let mids: Vec<u64> = envelopes.iter().chain([&next]).map(|envelope| envelope.mid().0).collect();
    assert_eq!(told.mids(), mids);
    assert_eq!(told.messages[1].envelope.body(), envelopes[1].body());
}

fn appended_and_then_stored(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let messages = [1, 2, 3].map(|_| trial.message(amy, Target::User(ben), "", "x"));
    // ben left before it was acknowledged: its core stores it, before, in, and after the history batch.
    assert_eq!(place(&trial.store(&messages[0])), Some(1));
    let record = StoreRequest::AppendHistory { envelopes: messages.clone().into() };
    let replies = trial.requests(vec![record, store(&messages[1])]);
    assert_eq!((replies[0].clone(), place(&replies[1])), (Ok(StoreReply::Done), Some(2)));
    assert_eq!(trial.fetch(ben).mids(), [messages[0].mid().0, messages[1].mid().0]);
    assert_eq!(place(&trial.store(&messages[2])), Some(3));
    assert_eq!(trial.fetch(ben).mids(), messages.map(|message| message.mid().0));
}

fn what_would_be_refused(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    assert_eq!(trial.request(StoreRequest::Block { user: ben, blocked: amy }), Ok(StoreReply::Done));
    let envelopes = [(amy, stranger()), (amy, ben), (ben, amy)]
        .map(|(sender, to)| trial.message(sender, Target::User(to), "", "x"));
    assert_eq!(
        trial.request(StoreRequest::AppendHistory { envelopes: envelopes.clone().into() }),
        Ok(StoreReply::Done)
    );
    assert_eq!(trial.history(amy, Conversation::With(ben)).mids(), [envelopes[2].mid().0]);
}

fn acknowledging_in_the_same_batch(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let messages = [1, 2, 3, 4].map(|_| trial.message(amy, Target::User(ben), "", "x"));
    let ack = |mids: &[&Envelope]| StoreRequest::AckDelivered {
        user: ben,
        mids: mids.iter().map(|envelope| envelope.mid()).collect(),
        cursors: vec![],
    };
    let [one, two, three, four] = &messages;
    let replies = trial.requests(vec![
        store(one),
        ack(&[one]),
        store(two),
        store(two),
        ack(&[two, three]),
        store(three),
        ack(&[three]),
        store(four),
        ack(&[four]),
        store(four),
        ack(&[one]),
    ]);
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    assert_eq!(trial.fetch(ben).mids(), [four.mid().0], "the last word counts");
    trial.ack(ben, &[four.mid()], vec![]);
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
}

fn acknowledging_another_id(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let first = trial.message(amy, Target::User(ben), "c", "hello");
    let retry = trial.message(amy, Target::User(ben), "c", "hello");
    let other = trial.message(amy, Target::User(ben), "d", "hello");
    let third = trial.message(amy, Target::User(ben), "c", "hello");
    for message in [&first, &retry, &other] {
        assert!(trial.store(message).is_ok());
    }
    trial.ack(cleo, &[retry.mid()], vec![]);
    assert_eq!(
        trial.fetch(ben).mids(),
        [first.mid().0, other.mid().0],
        "nobody acknowledges for somebody else"
    );
    let ack =
        StoreRequest::AckDelivered { user: ben, mids: vec![MessageId(5), retry.mid()], cursors: vec![] };
    assert_eq!(
        trial.request(ack),
        Ok(StoreReply::DeliveredAs(vec![first.mid()])),
        "it says which message that was"
    );
    assert_eq!(trial.fetch(ben).mids(), [other.mid().0]);
    // In one batch, too.
    let again = trial.message(amy, Target::User(ben), "d", "hello");
    let ack = StoreRequest::AckDelivered { user: ben, mids: vec![again.mid()], cursors: vec![] };
    let replies = trial.requests(vec![store(&third), store(&again), ack]);
    assert_eq!(replies[2], Ok(StoreReply::DeliveredAs(vec![other.mid()])));
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
    // What was refused is no other id of anything.
    let content = trial.message(amy, Target::User(ben), "d", "bye");
    trial.tell(amy, ben, "x");
    assert_eq!(trial.store(&content), Err(Code::CidReused));
    trial.ack(ben, &[content.mid()], vec![]);
    assert_eq!(trial.fetch(ben).messages.len(), 1);
}

fn a_cursor_follows_other_ids(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let target = Target::Group(group);
    let first = trial.message(amy, target, "c", "hello");
    let retry = trial.message(amy, target, "c", "hello");
    assert_eq!(place(&trial.store(&first)), Some(1));
    assert_eq!(place(&trial.store(&retry)), Some(1));
    let (two, _) = trial.post(amy, group, "two");
    let cursors = |beyond: &[MessageId]| vec![CursorUpdate { group, upto: 0, beyond: beyond.to_vec() }];
    trial.ack(ben, &[], cursors(&[two, MessageId(5)]));
    assert_eq!(trial.fetch(ben).mids(), [first.mid().0, two.0]);
    trial.ack(ben, &[], cursors(&[two, retry.mid()]));
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
    assert_eq!(trial.fetch(ben).heads, [(group, 2)]);
}

fn blocked_senders_are_refused(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let first = trial.message(amy, Target::User(ben), "c", "hello");
    let stored = trial.store(&first);
    let late = trial.message(amy, Target::User(ben), "", "hello");
    let replies =
        trial.requests(vec![StoreRequest::Block { user: ben, blocked: amy }, store(&late), store(&first)]);
    assert_eq!(
        replies,
        [Ok(StoreReply::Done), Err(Code::NotYours), stored.clone()],
        "what was stored stays stored"
    );
    let retry = trial.message(amy, Target::User(ben), "c", "hello");
    assert_eq!(trial.store(&retry), stored);
    let content = sealed(amy, Target::User(ben), trial.mid(), "c", &body(amy, Target::User(ben), "bye", ""));
    assert_eq!(trial.store(&content), Err(Code::CidReused));
    // It is one way, one pair, and not about groups.
    trial.tell(ben, amy, "x");
    trial.tell(cleo, ben, "x");
    let group = trial.group("g", amy, &[ben]);
    trial.post(amy, group, "x");
    assert_eq!(trial.request(StoreRequest::Unblock { user: ben, blocked: amy }), Ok(StoreReply::Done));
    let free = trial.message(amy, Target::User(ben), "", "hello");
    assert_eq!(place(&trial.store(&free)), Some(3), "what was refused took no place");
}
