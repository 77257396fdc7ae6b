//! Users and friends.

use super::trial::Trial;
use super::{Case, Opener};
use crate::{Account, Order, Outcome};
use chatd_chat::model::consent::Parting;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Person, Who};
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "names are kept as they are written", run: names_are_kept_as_they_are_written },
    Case { name: "names that look alike are one", run: names_that_look_alike_are_one },
    Case { name: "an account is found as it was made", run: an_account_is_found_as_it_was_made },
    Case { name: "friends are one way, once, and bounded", run: friends_are_one_way_once_and_bounded },
    Case { name: "a batch is carried out in its order", run: a_batch_is_carried_out_in_its_order },
];

/// Names that careless comparison takes for one another, or loses.
pub const NAMES: [&str; 14] = [
    "Amy",
    "Ämy",
    "a my",
    "amy_",
    "amy%",
    "amy\0",
    "amy\0x",
    "\u{e9}",
    "Straße",
    "李小龙",
    "李小龍",
    "\u{430}my",
    "👩‍👩‍👧‍👦",
    "'; DROP TABLE user; --",
];

/// The same as the first one, written otherwise.
pub const ALIKE: [&[&str]; 6] = [
    &["two  words", "two words", "TWO\u{3000}\u{a0}words"],
    &["Amy", "amy", "AMY", " amy", "Amy ", "\u{ff21}\u{ff4d}\u{ff59}"],
    &["\u{e9}", "e\u{301}", "E\u{301}", "\u{c9}"],
    &["Straße", "STRASSE", "strasse", "STRA\u{1e9e}E"],
    &["\u{30ac}", "\u{ff76}\u{ff9e}", "\u{30ab}\u{3099}"],
    &["ΑΣ", "ας", "ασ"],
];

fn names_that_look_alike_are_one(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    for alike in ALIKE {
        let user = trial.user(alike[0]);
        for name in alike {
            assert_eq!(trial.enroll(name), Err(Code::Refused), "{name:?} is {:?}", alike[0]);
            let who = Who::Name((*name).to_owned());
            let person = Person { id: user, name: alike[0].to_owned(), hides: false };
            assert_eq!(
                trial.request(StoreRequest::Find { user, who: who.clone() }),
                Ok(StoreReply::Found(person)),
                "{name:?}"
            );
            let found = trial.batch(&[Order::Lookup { who }]).remove(0);
            assert!(matches!(found, Outcome::Found(Some(account)) if account.user == user), "{name:?}");
        }
    }
}

fn names_are_kept_as_they_are_written(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let ids: Vec<UserId> = NAMES.iter().map(|name| trial.user(name)).collect();
    for (place, id) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(id), "an id is given once");
    }
    for name in NAMES {
        assert_eq!(trial.enroll(name), Err(Code::Refused), "{name:?} is taken");
    }
    for (id, name) in ids.iter().zip(NAMES) {
        assert_eq!(trial.lookup(*id).map(|account| account.name).as_deref(), Some(name));
    }
    let long = "龙".repeat(50);
    let user = trial.user(&long);
    assert_eq!(trial.lookup(user).map(|account| account.name), Some(long));
}

fn an_account_is_found_as_it_was_made(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    assert_eq!(
        trial.lookup(amy),
        Some(Account { user: amy, name: "amy".into(), hash: "hash of amy".into() })
    );
    assert_eq!(trial.lookup(stranger()), None);
}

fn friends_are_one_way_once_and_bounded(open: &mut Opener<'_>) {
    let limits = Limits { friends: 2, ..Limits::default() };
    let mut trial = Trial::with(open, &limits);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let person = |id, name: &str| Person { id, name: name.to_owned(), hides: false };
    let add = |trial: &mut Trial, user, friend| trial.request(StoreRequest::AddFriend { user, friend });
    let del = |trial: &mut Trial, user, friend| {
        trial.request(StoreRequest::DelFriend { user, friend, parting: Parting::OwnList })
    };
    assert_eq!(add(&mut trial, amy, stranger()), Err(Code::NoSuchUser));
    assert_eq!(add(&mut trial, amy, cleo), Ok(StoreReply::Done));
    assert_eq!(add(&mut trial, amy, cleo), Err(Code::Exists));
    assert_eq!(add(&mut trial, amy, ben), Ok(StoreReply::Done));
    assert_eq!(add(&mut trial, amy, dan), Err(Code::TooMany));
    assert_eq!(add(&mut trial, amy, ben), Err(Code::Exists), "what is there already is not too much");
    let both = vec![person(ben, "ben"), person(cleo, "cleo")];
    assert_eq!(trial.request(StoreRequest::Friends { user: amy }), Ok(StoreReply::Friends(both)), "by id");
    assert_eq!(
        trial.request(StoreRequest::Friends { user: ben }),
        Ok(StoreReply::Friends(vec![])),
        "not the other way"
    );
    assert_eq!(del(&mut trial, ben, amy), Err(Code::NoSuchUser));
    assert_eq!(del(&mut trial, amy, ben), Ok(StoreReply::Done));
    assert_eq!(del(&mut trial, amy, ben), Err(Code::NoSuchUser));
    assert_eq!(add(&mut trial, amy, dan), Ok(StoreReply::Done), "there is room again");
}

fn a_batch_is_carried_out_in_its_order(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    let enroll = |name: &str| Order::Enroll { name: name.into(), hash: "h".into() };
    let outcomes = trial.batch(&[enroll("ben"), enroll("amy"), enroll("ben"), enroll("cleo")]);
    let ids: Vec<Option<UserId>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Reply(Ok(StoreReply::Registered(id))) => Some(*id),
            Outcome::Reply(Err(Code::Refused)) => None,
            other => panic!("{other:?}"),
        })
        .collect();
    let (Some(ben), None, None, Some(cleo)) = (ids[0], ids[1], ids[2], ids[3]) else {
        panic!("only new names are registered: {ids:?}");
    };
    let replies = trial.requests(vec![
        StoreRequest::AddFriend { user: amy, friend: ben },
        StoreRequest::AddFriend { user: amy, friend: ben },
        StoreRequest::DelFriend { user: amy, friend: ben, parting: Parting::OwnList },
        StoreRequest::AddFriend { user: amy, friend: stranger() },
        StoreRequest::AddFriend { user: amy, friend: cleo },
        StoreRequest::Friends { user: amy },
    ]);
    let cleo = Person { id: cleo, name: "cleo".to_owned(), hides: false };
    assert_eq!(
        replies,
        [
            Ok(StoreReply::Done),
            Err(Code::Exists),
            Ok(StoreReply::Done),
            Err(Code::NoSuchUser),
            Ok(StoreReply::Done),
            Ok(StoreReply::Friends(vec![cleo])),
        ]
    );
    assert_eq!(trial.batch(&[]), [], "nothing asked, nothing answered");
}

/// Nobody.
pub fn stranger() -> UserId {
    UserId::new(999_999).expect("an id")
}
