//! Friendships that are asked for.

use super::accounts::stranger;
use super::trial::Trial;
use super::{Case, Opener};
use chatd_chat::model::consent::{
    FriendAnswer, FriendAsk, NewFriend, Parting, Settings, SettingsChange, WhoWrites,
};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Person, Profile};
use chatd_chat::port::store::{Acquaintances, Detail, Issue, StoreReply, StoreRequest, StoreResult};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "an ask waits, and a yes puts both on both lists", run: an_ask_is_answered },
    Case { name: "a no leaves nothing, and takes back what one has asked", run: a_no_leaves_nothing },
    Case { name: "whoever asks back says yes", run: asking_back_is_yes },
    Case { name: "an ask comes once, and its cid again changes nothing", run: an_ask_comes_once },
    Case { name: "asks are bounded on both sides", run: asks_are_bounded },
    Case { name: "a yes goes beyond no list's bound", run: a_yes_keeps_bounds },
    Case { name: "whoever is blocked asks in vain, and cannot tell", run: the_blocked_ask_in_vain },
    Case { name: "a friendship ends on one list or on both", run: a_friendship_ends },
    Case { name: "whom a user knows and refuses is what was done last", run: acquaintances_are_what_is_so },
];

pub fn ask(user: UserId, friend: UserId, note: &str, cid: Option<&str>) -> StoreRequest {
    StoreRequest::AskFriend { user, friend, note: note.to_owned(), cid: cid.map(str::to_owned) }
}

pub fn answer(user: UserId, friend: UserId, answer: FriendAnswer) -> StoreRequest {
    StoreRequest::AnswerFriend { user, friend, answer }
}

fn befriended(name: &str) -> StoreResult {
    let name = name.to_owned();
    Ok(StoreReply::Befriended(NewFriend { name, hides: false, is_hidden: false }))
}

pub fn profile(trial: &mut Trial, user: UserId, detail: Detail) -> Profile {
    let (proof, issue) = (trial.proof(user), Issue::Nothing);
    match trial.request(StoreRequest::LoadProfile { user, proof, detail, issue, device: None, heads: 0 }) {
        Ok(StoreReply::Profile(profile)) => *profile,
        other => panic!("a profile is always given, not {other:?}"),
    }
}

fn asking(trial: &mut Trial, user: UserId) -> Vec<(UserId, String)> {
    let asking = profile(trial, user, Detail::Counts).asking;
    asking.into_iter().map(|FriendAsk { asker, note, .. }| (asker, note)).collect()
}

fn friends(trial: &mut Trial, user: UserId) -> Vec<UserId> {
    match trial.request(StoreRequest::Friends { user }) {
        Ok(StoreReply::Friends(friends)) => friends.iter().map(|friend| friend.id).collect(),
        other => panic!("friends are always given, not {other:?}"),
    }
}

/// A session that does not know what is so asks for all of it.
fn acquaintances_are_what_is_so(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let all = |user| StoreRequest::Acquaintances { user };
    let known = |friends: &[(UserId, &str, bool)], blocked: &[UserId], settings| {
        let person = |&(id, name, hides): &(UserId, &str, bool)| Person { id, name: name.to_owned(), hides };
        let (friends, blocked) = (friends.iter().map(person).collect(), blocked.to_vec());
        Ok(StoreReply::Acquaintances(Box::new(Acquaintances { friends, blocked, settings })))
    };
    let none = Settings::default();
    assert_eq!(trial.request(all(amy)), known(&[], &[], none));
    assert_eq!(trial.request(all(stranger())), known(&[], &[], none));
    let (block, unblock) = (StoreRequest::Block { user: amy, blocked: ben }, |blocked| {
        StoreRequest::Unblock { user: amy, blocked }
    });
    let chosen = Settings { who_writes: WhoWrites::Friends, read_receipts: false };
    let change = SettingsChange { who_writes: Some(WhoWrites::Friends), read_receipts: Some(false) };
    // In the order asked, in one batch.
    let replies = trial.requests(vec![
        StoreRequest::AddFriend { user: amy, friend: dan },
        StoreRequest::AddFriend { user: amy, friend: cleo },
        StoreRequest::AddFriend { user: ben, friend: amy },
        StoreRequest::Block { user: cleo, blocked: amy },
        all(amy),
        block,
        StoreRequest::Block { user: amy, blocked: dan },
        all(amy),
        StoreRequest::SaveSettings { user: amy, change },
        unblock(ben),
        StoreRequest::DelFriend { user: amy, friend: cleo, parting: Parting::OwnList },
        all(amy),
    ]);
    let (cleos, dans) = ((cleo, "cleo", true), (dan, "dan", false));
    assert_eq!(replies[4], known(&[cleos, dans], &[], none));
    assert_eq!(replies[7], known(&[cleos, dans], &[ben, dan], none));
    assert_eq!(replies[11], known(&[dans], &[dan], chosen));
    assert_eq!(trial.request(all(ben)), known(&[(amy, "amy", false)], &[], none));
}

fn an_ask_is_answered(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    assert_eq!(trial.request(ask(amy, stranger(), "", None)), Err(Code::NoSuchUser));
    assert_eq!(trial.request(answer(ben, amy, FriendAnswer::Yes)), Err(Code::NoSuchUser), "nobody asks");
    assert_eq!(trial.request(answer(ben, stranger(), FriendAnswer::No)), Err(Code::NoSuchUser));
    assert_eq!(trial.request(ask(cleo, ben, "", None)), Ok(StoreReply::Asked));
    let note = "it's me, \u{1f642} \"Amy\"".repeat(10);
    assert_eq!(trial.request(ask(amy, ben, &note, Some("c"))), Ok(StoreReply::Asked));
    let waiting = profile(&mut trial, ben, Detail::Counts).asking;
    let amy_asks = FriendAsk { asker: amy, name: "amy".to_owned(), note };
    let cleo_asks = FriendAsk { asker: cleo, name: "cleo".to_owned(), note: String::new() };
    assert_eq!(waiting, [amy_asks, cleo_asks], "by id");
    assert_eq!(profile(&mut trial, ben, Detail::Members).asking, [], "not to the seed");
    assert_eq!((friends(&mut trial, amy), friends(&mut trial, ben)), (vec![], vec![]));
    assert_eq!(trial.request(answer(ben, amy, FriendAnswer::Yes)), befriended("amy"));
    assert_eq!((friends(&mut trial, amy), friends(&mut trial, ben)), (vec![ben], vec![amy]));
    assert_eq!(asking(&mut trial, ben), [(cleo, String::new())]);
    assert_eq!(trial.request(answer(ben, amy, FriendAnswer::Yes)), Ok(StoreReply::Done), "they are friends");
    assert_eq!(trial.request(ask(amy, ben, "", None)), Err(Code::Exists));
    assert_eq!(trial.request(ask(ben, amy, "", None)), Err(Code::Exists));
}

fn a_no_leaves_nothing(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    for _ in 0..2 {
        assert_eq!(trial.request(ask(amy, ben, "x", None)), Ok(StoreReply::Asked));
        assert_eq!(trial.request(answer(ben, amy, FriendAnswer::No)), Ok(StoreReply::Done));
        assert_eq!(trial.request(answer(ben, amy, FriendAnswer::No)), Ok(StoreReply::Done), "again");
        assert_eq!(trial.request(answer(ben, amy, FriendAnswer::Yes)), Err(Code::NoSuchUser));
        assert_eq!((asking(&mut trial, ben), friends(&mut trial, ben)), (vec![], vec![]));
    }
    assert_eq!(trial.request(ask(amy, ben, "x", None)), Ok(StoreReply::Asked));
    assert_eq!(trial.request(answer(amy, ben, FriendAnswer::No)), Ok(StoreReply::Done));
    assert_eq!(asking(&mut trial, ben), [], "amy has taken it back");
}

fn asking_back_is_yes(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    // One of the two lists has the other already.
    assert_eq!(trial.request(StoreRequest::AddFriend { user: amy, friend: ben }), Ok(StoreReply::Done));
    let replies = trial.requests(vec![ask(amy, ben, "", None), ask(ben, amy, "hm", None)]);
    assert_eq!(replies, [Ok(StoreReply::Asked), befriended("amy")]);
    assert_eq!((friends(&mut trial, amy), friends(&mut trial, ben)), (vec![ben], vec![amy]));
    assert_eq!((asking(&mut trial, amy), asking(&mut trial, ben)), (vec![], vec![]));
}

fn an_ask_comes_once(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    assert_eq!(trial.request(ask(amy, ben, "one", Some("c"))), Ok(StoreReply::Asked));
    assert_eq!(trial.request(ask(amy, ben, "one", Some("c"))), Ok(StoreReply::Done), "the same request");
    assert_eq!(trial.request(ask(amy, ben, "two", Some("d"))), Err(Code::Exists));
    assert_eq!(trial.request(ask(amy, ben, "two", None)), Err(Code::Exists));
    assert_eq!(asking(&mut trial, ben), [(amy, "one".to_owned())]);
    trial.request(answer(amy, ben, FriendAnswer::No)).expect("it is taken back");
    assert_eq!(trial.request(ask(amy, ben, "", None)), Ok(StoreReply::Asked));
    assert_eq!(
        trial.request(ask(amy, ben, "", None)),
        Err(Code::Exists),
        "what has no name is no repetition"
    );
}

fn asks_are_bounded(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { friend_asks: 2, friend_asked: 3, ..Limits::default() });
    let [amy, ben, cleo, dan, eve] = trial.users(["amy", "ben", "cleo", "dan", "eve"]);
    let asked = |reply: StoreResult| reply.map(drop);
    for friend in [ben, cleo] {
        assert_eq!(asked(trial.request(ask(amy, friend, "", None))), Ok(()));
    }
    assert_eq!(asked(trial.request(ask(amy, dan, "", None))), Err(Code::TooMany));
    assert_eq!(
        asked(trial.request(ask(amy, ben, "", None))),
        Err(Code::Exists),
        "what waits is not too much"
    );
    for user in [cleo, dan] {
        assert_eq!(asked(trial.request(ask(user, ben, "", None))), Ok(()));
    }
    assert_eq!(asked(trial.request(ask(eve, ben, "", None))), Err(Code::TooMany));
    assert_eq!(asking(&mut trial, ben).len(), 3, "what waited is kept");
    trial.request(answer(ben, amy, FriendAnswer::No)).expect("it is answered");
    assert_eq!(asked(trial.request(ask(eve, ben, "", None))), Ok(()));
    assert_eq!(asked(trial.request(ask(amy, dan, "", None))), Ok(()), "amy's has made room, too");
}

fn a_yes_keeps_bounds(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { friends: 1, ..Limits::default() });
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    trial.request(StoreRequest::AddFriend { user: cleo, friend: amy }).expect("there is room");
    for (user, friend) in [(amy, cleo), (cleo, ben)] {
        trial.request(ask(user, friend, "", None)).expect("it may ask");
    }
    // Ben's list has room, and cleo's has not.
    assert_eq!(trial.request(answer(ben, cleo, FriendAnswer::Yes)), Err(Code::TooMany));
    assert_eq!((friends(&mut trial, ben), asking(&mut trial, ben).len()), (vec![], 1), "it waits on");
    // Who is on the list already needs no room.
    assert_eq!(trial.request(answer(cleo, amy, FriendAnswer::Yes)), befriended("amy"));
    assert_eq!((friends(&mut trial, amy), friends(&mut trial, cleo)), (vec![cleo], vec![amy]));
}

fn the_blocked_ask_in_vain(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let block = |user, blocked| StoreRequest::Block { user, blocked };
    // What waits goes with the block, both ways.
    trial.request(ask(ben, amy, "", Some("b"))).expect("it may ask");
    trial.request(ask(amy, cleo, "", None)).expect("it may ask");
    trial.requests(vec![block(amy, ben), block(amy, cleo)]);
    assert_eq!((asking(&mut trial, amy), asking(&mut trial, cleo)), (vec![], vec![]));
    // To ben all is as to dan, whom nobody blocks; only that nobody is to be told.
    assert_eq!(trial.request(ask(ben, amy, "x", Some("c"))), Ok(StoreReply::Done));
    assert_eq!(trial.request(ask(ben, amy, "x", Some("c"))), Ok(StoreReply::Done));
    assert_eq!(trial.request(ask(ben, amy, "x", Some("d"))), Err(Code::Exists));
    assert_eq!(asking(&mut trial, amy), []);
    assert_eq!(trial.request(answer(amy, ben, FriendAnswer::Yes)), Err(Code::NoSuchUser));
    assert_eq!(trial.request(answer(amy, ben, FriendAnswer::No)), Ok(StoreReply::Done));
    assert_eq!(trial.request(ask(ben, amy, "x", Some("e"))), Err(Code::Exists), "amy does not know of it");
    assert_eq!(trial.request(answer(ben, amy, FriendAnswer::No)), Ok(StoreReply::Done), "ben takes it back");
    assert_eq!(trial.request(ask(ben, amy, "x", None)), Ok(StoreReply::Done));
    // It never comes to light, and after the block ben may ask.
    trial.request(StoreRequest::Unblock { user: amy, blocked: ben }).expect("it was blocked");
    assert_eq!(asking(&mut trial, amy), []);
    assert_eq!(trial.request(ask(ben, amy, "anew", None)), Ok(StoreReply::Asked));
    assert_eq!(asking(&mut trial, amy), [(ben, "anew".to_owned())]);
    // Whoever asks one that it blocks is asked back.
    trial.request(ask(amy, cleo, "", None)).expect("it may ask");
    let both = NewFriend { name: "amy".to_owned(), hides: true, is_hidden: false };
    assert_eq!(trial.request(ask(cleo, amy, "", None)), Ok(StoreReply::Befriended(both)));
}

fn a_friendship_ends(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let del = |user, friend, parting| StoreRequest::DelFriend { user, friend, parting };
    let befriend = |trial: &mut Trial| {
        for (user, friend) in [(amy, ben), (ben, amy)] {
            drop(trial.request(StoreRequest::AddFriend { user, friend }));
        }
    };
    assert_eq!(trial.request(del(amy, ben, Parting::BothLists)), Err(Code::NoSuchUser));
    befriend(&mut trial);
    assert_eq!(trial.request(del(amy, ben, Parting::OwnList)), Ok(StoreReply::Done));
    assert_eq!((friends(&mut trial, amy), friends(&mut trial, ben)), (vec![], vec![amy]));
    assert_eq!(trial.request(del(amy, ben, Parting::BothLists)), Err(Code::NoSuchUser), "it is no friend");
    assert_eq!(friends(&mut trial, ben), [amy]);
    befriend(&mut trial);
    assert_eq!(trial.request(del(amy, ben, Parting::BothLists)), Ok(StoreReply::Parted));
    assert_eq!((friends(&mut trial, amy), friends(&mut trial, ben)), (vec![], vec![]));
    trial.request(StoreRequest::AddFriend { user: amy, friend: ben }).expect("it may");
    assert_eq!(
        trial.request(del(amy, ben, Parting::BothLists)),
        Ok(StoreReply::Done),
        "nobody is to be told"
    );
}
