//! What users have chosen: who writes to them, and whether others are told what they have read.

use super::consent::{answer, ask, profile};
use super::trial::Trial;
use super::{Case, Opener};
use chatd_chat::model::consent::{FriendAnswer, Parting, SavedSettings, Settings, SettingsChange, WhoWrites};
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::{Conversation, SyncFrom};
use chatd_chat::model::ids::{MessageId, UserId};
use chatd_chat::port::store::{Detail, Issue, StoreReply, StoreRequest, StoredMessage};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "settings are what was chosen last", run: settings_stay },
    Case { name: "who writes is asked of every message", run: who_writes_counts },
    Case { name: "who writes follows the list of friends", run: who_writes_follows_friends },
    Case { name: "a conversation that is new knows who writes", run: a_new_conversation_knows },
    Case { name: "what was stored before stays stored", run: what_was_stored_stays },
    Case { name: "whoever tells no receipts tells nobody", run: no_receipts_no_markers },
    Case { name: "a batch keeps its order between choices and messages", run: choices_keep_their_order },
];

fn choose(user: UserId, who_writes: WhoWrites) -> StoreRequest {
    let change = SettingsChange { who_writes: Some(who_writes), read_receipts: None };
    StoreRequest::SaveSettings { user, change }
}

fn settings_stay(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let save = |who_writes, read_receipts| StoreRequest::SaveSettings {
        user: amy,
        change: SettingsChange { who_writes, read_receipts },
    };
    let saved = |who_writes, read_receipts, changed| {
        Ok(StoreReply::Settings(SavedSettings { settings: Settings { who_writes, read_receipts }, changed }))
    };
    let (all, friends, none) = (WhoWrites::All, WhoWrites::Friends, WhoWrites::None);
    let replies = trial.requests(vec![
        save(None, None),
        save(Some(all), Some(true)),
        save(Some(friends), None),
        save(None, Some(false)),
        save(Some(friends), Some(false)),
        save(Some(none), Some(true)),
        save(None, None),
    ]);
    let expected = [
        saved(all, true, false),
        saved(all, true, false),
        saved(friends, true, true),
        saved(friends, false, true),
        saved(friends, false, false),
        saved(none, true, true),
        saved(none, true, false),
    ];
    assert_eq!(replies, expected);
    let settings = Settings { who_writes: none, read_receipts: true };
    for detail in [Detail::Counts, Detail::Members] {
        assert_eq!(profile(&mut trial, amy, detail).settings, settings);
    }
    assert_eq!(profile(&mut trial, ben, Detail::Counts).settings, Settings::default());
}

/// Whether a new message is stored, and where.
fn say(trial: &mut Trial, sender: UserId, to: UserId) -> Result<Option<u64>, Code> {
    let envelope = trial.message(sender, Target::User(to), "", "x");
    match trial.store(&envelope)? {
        StoreReply::Stored(StoredMessage { pos, .. }) => Ok(pos),
        other => panic!("{other:?}"),
    }
}

fn who_writes_counts(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben]);
    for (one, other) in [(amy, ben), (cleo, ben)] {
        assert_eq!(say(&mut trial, one, other), Ok(Some(1)));
        assert_eq!(say(&mut trial, other, one), Ok(Some(2)));
    }
    trial.request(choose(ben, WhoWrites::None)).expect("it may choose");
    assert_eq!(say(&mut trial, amy, ben), Err(Code::NotYours), "the smaller id writes");
    assert_eq!(say(&mut trial, cleo, ben), Err(Code::NotYours), "the greater id writes");
    let late = trial.message(amy, Target::User(ben), "", "x");
    trial.request(StoreRequest::AppendHistory { envelopes: vec![late].into() }).expect("it is answered");
    assert_eq!(trial.history(ben, Conversation::With(amy)).messages.len(), 2, "nor is it in the history");
    assert_eq!(say(&mut trial, ben, amy), Ok(Some(3)), "it writes itself");
    assert_eq!(say(&mut trial, ben, ben), Ok(Some(1)), "to itself, too");
    assert_eq!(say(&mut trial, amy, cleo), Ok(Some(1)), "others are as before");
    trial.post(amy, group, "in a group");
    trial.request(choose(ben, WhoWrites::All)).expect("it may choose");
    assert_eq!((say(&mut trial, amy, ben), say(&mut trial, cleo, ben)), (Ok(Some(4)), Ok(Some(3))));
    // A block counts whatever is chosen.
    trial.request(StoreRequest::Block { user: ben, blocked: amy }).expect("it may block");
    for who_writes in [WhoWrites::None, WhoWrites::Friends, WhoWrites::All] {
        trial.request(choose(ben, who_writes)).expect("it may choose");
        assert_eq!(say(&mut trial, amy, ben), Err(Code::NotYours));
    }
    trial.request(StoreRequest::Unblock { user: ben, blocked: amy }).expect("it was blocked");
    assert_eq!(say(&mut trial, amy, ben), Ok(Some(5)));
}

fn who_writes_follows_friends(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let add = |user, friend| StoreRequest::AddFriend { user, friend };
    for sender in [amy, cleo] {
        assert_eq!(say(&mut trial, sender, ben), Ok(Some(1)));
        // That ben is on the sender's list is not what counts.
        trial.request(add(sender, ben)).expect("it may");
    }
    trial.request(add(ben, amy)).expect("it may");
    trial.request(choose(ben, WhoWrites::Friends)).expect("it may choose");
    assert_eq!(say(&mut trial, amy, ben), Ok(Some(2)));
    assert_eq!(say(&mut trial, cleo, ben), Err(Code::NotYours));
    assert_eq!(say(&mut trial, ben, ben), Ok(Some(1)));
    trial.request(ask(cleo, ben, "", None)).expect("it may ask");
    assert_eq!(say(&mut trial, cleo, ben), Err(Code::NotYours), "asking is not enough");
    trial.request(answer(ben, cleo, FriendAnswer::Yes)).expect("it may answer");
    assert_eq!(say(&mut trial, cleo, ben), Ok(Some(2)));
    for (friend, parting) in [(amy, Parting::OwnList), (cleo, Parting::BothLists)] {
        trial.request(StoreRequest::DelFriend { user: ben, friend, parting }).expect("it is a friend");
        assert_eq!(say(&mut trial, friend, ben), Err(Code::NotYours));
        trial.request(add(ben, friend)).expect("it may");
        assert_eq!(say(&mut trial, friend, ben), Ok(Some(3)));
    }
    // The friendship is ended by the other.
    trial.request(add(cleo, ben)).expect("it may");
    let parted = StoreRequest::DelFriend { user: cleo, friend: ben, parting: Parting::BothLists };
    assert_eq!(trial.request(parted), Ok(StoreReply::Parted));
    assert_eq!(say(&mut trial, cleo, ben), Err(Code::NotYours));
}

fn a_new_conversation_knows(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    trial.request(choose(ben, WhoWrites::None)).expect("it may choose");
    trial.request(choose(cleo, WhoWrites::Friends)).expect("it may choose");
    trial.request(StoreRequest::AddFriend { user: cleo, friend: dan }).expect("it may");
    for _ in 0..2 {
        assert_eq!(say(&mut trial, amy, ben), Err(Code::NotYours));
        assert_eq!(say(&mut trial, amy, cleo), Err(Code::NotYours));
        assert_eq!(say(&mut trial, ben, cleo), Err(Code::NotYours));
    }
    assert_eq!(say(&mut trial, dan, cleo), Ok(Some(1)));
    // Who takes no messages may begin a conversation, and is not answered in it.
    assert_eq!(say(&mut trial, ben, amy), Ok(Some(1)));
    assert_eq!(say(&mut trial, amy, ben), Err(Code::NotYours));
    assert_eq!(say(&mut trial, ben, amy), Ok(Some(2)));
    trial.request(StoreRequest::AddFriend { user: cleo, friend: amy }).expect("it may");
    assert_eq!(say(&mut trial, amy, cleo), Ok(Some(1)), "nothing of before has taken a place");
    // Many conversations begin at once, some of them in vain.
    let others: Vec<UserId> = (0..40).map(|number| trial.user(&format!("u{number}"))).collect();
    let new: Vec<StoreRequest> = others
        .iter()
        .flat_map(|&other| [(other, ben), (other, amy), (ben, other)])
        .map(|(sender, to)| StoreRequest::StoreMessage {
            envelope: trial.message(sender, Target::User(to), "", "x"),
        })
        .collect();
    for (at, reply) in trial.requests(new).into_iter().enumerate() {
        assert_eq!(reply.err(), (at % 3 == 0).then_some(Code::NotYours), "message {at}");
    }
}

fn what_was_stored_stays(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let before = trial.message(amy, Target::User(ben), "c", "x");
    let stored = trial.store(&before);
    assert!(stored.is_ok());
    trial.request(choose(ben, WhoWrites::None)).expect("it may choose");
    assert_eq!(trial.store(&before), stored, "it was acknowledged once");
    assert_eq!(trial.fetch(ben).mids(), [before.mid().0], "and waits for its reader");
    let other = trial.message(amy, Target::User(ben), "c", "y");
    assert_eq!(trial.store(&other), Err(Code::CidReused));
    assert_eq!(say(&mut trial, amy, ben), Err(Code::NotYours));
    assert_eq!(trial.history(amy, Conversation::With(ben)).mids(), [before.mid().0]);
}

fn no_receipts_no_markers(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    trial.tell(amy, ben, "x");
    let (with_amy, with_ben) = (Conversation::With(amy), Conversation::With(ben));
    let read = StoreRequest::MoveMarker { user: ben, conversation: with_amy, pos: 1 };
    trial.request(read).expect("it is moved");
    let receipts = |read_receipts| StoreRequest::SaveSettings {
        user: ben,
        change: SettingsChange { who_writes: None, read_receipts: Some(read_receipts) },
    };
    let told = |trial: &mut Trial, user, conversation| {
        let heads = trial.request(StoreRequest::Heads { user, before: None, heads: 9 });
        let since = vec![SyncFrom { conversation, after: 0, chg: None }];
        let sync = trial.request(StoreRequest::Sync {
            user,
            since,
            wanted: Default::default(),
            messages: 9,
            bytes: 999,
        });
        match (heads, sync) {
            (Ok(StoreReply::Heads(heads)), Ok(StoreReply::Synced(page))) => {
                (heads.heads[0].peer_read, page.conversations[0].peer_read, heads.heads[0].read)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(&mut trial, amy, with_ben), (Some(1), Some(1), 0));
    trial.request(receipts(false)).expect("it may choose");
    assert_eq!(told(&mut trial, amy, with_ben), (None, None, 0));
    assert_eq!(told(&mut trial, ben, with_amy), (Some(0), Some(0), 1), "what it has read it knows itself");
    trial.request(receipts(true)).expect("it may choose");
    assert_eq!(told(&mut trial, amy, with_ben), (Some(1), Some(1), 0));
}

/// One batch, in which who writes, friends and read receipts change between what they are asked for.
fn choices_keep_their_order(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let mut tell = || StoreRequest::StoreMessage { envelope: trial.message(amy, Target::User(ben), "", "x") };
    let proof = chatd_chat::model::token::Proof::Password(crate::token::password_print("hash of ben"));
    let load = || StoreRequest::LoadProfile {
        user: ben,
        proof,
        detail: Detail::Counts,
        issue: Issue::Nothing,
        device: None,
        heads: 0,
    };
    let requests = vec![
        tell(),
        choose(ben, WhoWrites::None),
        tell(),
        load(),
        choose(ben, WhoWrites::Friends),
        tell(),
        StoreRequest::AddFriend { user: ben, friend: amy },
        tell(),
        ask(amy, ben, "", None),
        load(),
        answer(ben, amy, FriendAnswer::Yes),
        StoreRequest::Friends { user: amy },
        StoreRequest::DelFriend { user: amy, friend: ben, parting: Parting::BothLists },
        tell(),
        load(),
    ];
    let replies = trial.requests(requests);
    let refused: Vec<usize> = (0..replies.len()).filter(|&at| replies[at] == Err(Code::NotYours)).collect();
    assert_eq!(refused, [2, 5, 13]);
    let told = |at: usize| match &replies[at] {
        Ok(StoreReply::Profile(profile)) => {
            (profile.settings.who_writes, profile.friends.len(), profile.asking.len())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(told(3), (WhoWrites::None, 0, 0));
    assert_eq!(told(9), (WhoWrites::Friends, 1, 1));
    assert_eq!(told(14), (WhoWrites::Friends, 0, 0));
    assert!(matches!(&replies[11], Ok(StoreReply::Friends(friends)) if friends.len() == 1));
    let expected: Vec<u64> = [0, 7]
        .iter()
        .filter_map(|&at: &usize| match &replies[at] {
            Ok(StoreReply::Stored(StoredMessage { mid: MessageId(mid), .. })) => Some(*mid),
            _ => None,
        })
        .collect();
    assert_eq!(trial.fetch(ben).mids(), expected);
}
