//! Where a user's conversations stand.

use super::trial::{Trial, sealed};
use super::{Case, Opener};
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::{Conversation, Head, HeadsPage};
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use chatd_chat::port::store::{Detail, Issue, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "conversations are told, newest first", run: conversations_are_told },
    Case { name: "conversations are told page by page", run: page_by_page },
    Case { name: "nobody's own messages are unread", run: own_messages_are_not_unread },
    Case { name: "what is unread is counted in long conversations too", run: unread_of_long_conversations },
    Case { name: "what came before joining is not unread", run: what_came_before_joining },
    Case { name: "a head is its last message by place", run: a_head_is_the_last_by_place },
    Case { name: "whoever blocks somebody does not tell it what was read", run: a_blocker_tells_nothing },
    Case { name: "a login is told where conversations stand", run: a_login_is_told },
    Case { name: "two hundred conversations fit", run: two_hundred_fit },
];

pub fn page(trial: &mut Trial, user: UserId, before: Option<MessageId>, heads: usize) -> HeadsPage {
    match trial.request(StoreRequest::Heads { user, before, heads }) {
        Ok(StoreReply::Heads(page)) => page,
        other => panic!("heads are always told, not {other:?}"),
    }
}

pub fn all(trial: &mut Trial, user: UserId) -> Vec<Head> {
    let page = page(trial, user, None, 1_000);
    assert!(page.complete);
    page.heads
}

/// The only conversation of a user.
fn only(trial: &mut Trial, user: UserId) -> Head {
    let mut heads = all(trial, user);
    assert_eq!(heads.len(), 1);
    heads.remove(0)
}

fn with(user: UserId) -> Conversation {
    Conversation::With(user)
}

fn ts_of(mid: MessageId) -> Millis {
    Millis(mid.0 + 7)
}

fn conversations_are_told(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    assert_eq!(page(&mut trial, amy, None, 9), HeadsPage { heads: vec![], complete: true });
    let (tea, silent) = (trial.group("tea", amy, &[ben]), trial.group("silent", amy, &[ben]));
    trial.tell(amy, ben, "x");
    trial.post(ben, tea, "x");
    let notes = trial.tell(amy, amy, "x");
    let (posted, _) = trial.post(ben, tea, "x");
    let told = trial.tell(ben, amy, "x");
    let head = |conversation, name: &str, head, unread, mid, peer_read| Head {
        conversation,
        name: name.to_owned(),
        head,
        read: 0,
        peer_read,
        unread,
        mid,
        ts: ts_of(mid),
        chg: 0,
    };
    let expected = [
        head(with(ben), "ben", 2, 1, told, Some(0)),
        head(Conversation::Group(tea), "tea", 2, 2, posted, None),
        head(with(amy), "amy", 1, 0, notes, Some(0)),
    ];
    assert_eq!(all(&mut trial, amy), expected);
    assert_eq!(
        all(&mut trial, ben),
        [
            head(with(amy), "amy", 2, 1, told, Some(0)),
            head(Conversation::Group(tea), "tea", 2, 0, posted, None)
        ]
    );
    assert_eq!(all(&mut trial, cleo), []);
    // What was not stored begins no conversation, and what was appended to the history does.
    let block = StoreRequest::Block { user: cleo, blocked: ben };
    assert_eq!(trial.request(block), Ok(StoreReply::Done));
    let refused = trial.message(ben, Target::User(cleo), "", "x");
    assert_eq!(trial.store(&refused), Err(Code::NotYours));
    assert_eq!(all(&mut trial, cleo), []);
    let envelopes = vec![trial.message(cleo, Target::User(amy), "", "x")];
    let mid = envelopes[0].mid();
    assert_eq!(
        trial.request(StoreRequest::AppendHistory { envelopes: envelopes.into() }),
        Ok(StoreReply::Done)
    );
    assert_eq!(all(&mut trial, cleo), [head(with(amy), "amy", 1, 0, mid, Some(0))]);
    // A group that is left, or dissolved, is told no more.
    for (user, left) in [(ben, tea), (amy, silent), (amy, tea)] {
        assert!(trial.request(StoreRequest::DelGroup { user, group: left, row: None }).is_ok());
    }
    assert_eq!(all(&mut trial, ben).len(), 1);
    assert_eq!(all(&mut trial, amy).len(), 3);
}

fn page_by_page(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    let mut newest = Vec::new();
    for number in 0..12 {
        let other = trial.user(&format!("u{number}"));
        newest.insert(0, trial.tell(other, amy, "x"));
        let group = trial.group(&format!("g{number}"), other, &[amy]);
        newest.insert(0, trial.post(other, group, "x").0);
    }
    for most in [1, 5, 23, 24, 25] {
        let (mut told, mut before) = (Vec::new(), None);
        loop {
            let page = page(&mut trial, amy, before, most);
            assert!(page.heads.len() == most || page.complete);
            told.extend(page.heads.iter().map(|head| head.mid));
            before = told.last().copied();
            if page.complete {
                break;
            }
        }
        assert_eq!(told, newest, "{most} at a time");
    }
    assert!(page(&mut trial, amy, None, 0).heads.is_empty());
    assert!(page(&mut trial, amy, Some(MessageId(0)), 9).heads.is_empty());
    assert_eq!(page(&mut trial, amy, Some(MessageId(u64::MAX)), 99).heads.len(), 24);
}

fn own_messages_are_not_unread(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    // By turns of different lengths: places 2, 5, 6 and 9 of each are ben's.
    for number in 1..=9 {
        let (sender, to) = if [2, 5, 6, 9].contains(&number) { (ben, amy) } else { (amy, ben) };
        trial.tell(sender, to, "x");
        trial.post(sender, tea, "x");
    }
    let unread =
        |trial: &mut Trial, user| -> Vec<u64> { all(trial, user).iter().map(|head| head.unread).collect() };
    assert_eq!((unread(&mut trial, amy), unread(&mut trial, ben)), (vec![4, 4], vec![5, 5]));
    for (pos, ours, theirs) in [(1, 4, 4), (2, 3, 4), (5, 2, 2), (8, 1, 0), (9, 0, 0)] {
        for (user, other) in [(amy, ben), (ben, amy)] {
            for conversation in [with(other), Conversation::Group(tea)] {
                trial.request(StoreRequest::MoveMarker { user, conversation, pos }).expect("it is moved");
            }
        }
        assert_eq!(unread(&mut trial, amy), [ours; 2], "amy has read {pos}");
        assert_eq!(unread(&mut trial, ben), [theirs; 2], "ben has read {pos}");
        let head = &all(&mut trial, amy)[1];
        assert_eq!((head.read, head.peer_read), (pos, Some(pos)));
    }
}

/// However long a conversation is, wherever its marker is, and whether the user has said something since.
fn unread_of_long_conversations(open: &mut Opener<'_>) {
    const HEAD: u64 = 300;
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[ben, cleo]);
    // Nothing of amy's lies in the last third.
    let is_amys = |place: u64| place.is_multiple_of(3) && place <= 2 * HEAD / 3;
    let mut stores = Vec::new();
    for place in 1..=HEAD {
        let (sender, to) = if is_amys(place) { (amy, ben) } else { (ben, amy) };
        for target in [Target::User(to), Target::Group(tea)] {
            stores.push(StoreRequest::StoreMessage { envelope: trial.message(sender, target, "", "x") });
        }
        stores.push(StoreRequest::StoreMessage { envelope: trial.message(amy, Target::User(amy), "", "x") });
    }
    assert!(trial.requests(stores).iter().all(Result::is_ok));
    let late = trial.user("late");
    trial.join(late, tea);
    trial.post(late, tea, "x");
    for marker in [0, 1, 100, 149, 150, 151, 170, 199, 200, 201, 250, 299, 300] {
        for (user, other) in [(amy, ben), (ben, amy)] {
            for conversation in [with(other), Conversation::Group(tea), with(amy)] {
                let moved = StoreRequest::MoveMarker { user, conversation, pos: marker };
                drop(trial.request(moved));
            }
            let beyond = |is_own: &dyn Fn(u64) -> bool| {
                (marker + 1..=HEAD).filter(|place| !is_own(*place)).count() as u64
            };
            let others = if user == amy { beyond(&is_amys) } else { beyond(&|place| !is_amys(place)) };
            for head in all(&mut trial, user) {
                let unread = match head.conversation {
                    Conversation::With(peer) if peer == user => 0,
                    Conversation::With(_) => others,
                    Conversation::Group(_) => others + 1,
                };
                assert_eq!((head.read, head.unread), (marker, unread), "{:?}", head.conversation);
            }
        }
    }
    assert_eq!(only(&mut trial, cleo).unread, HEAD + 1);
    assert_eq!(only(&mut trial, late).unread, 0);
    trial.post(ben, tea, "x");
    assert_eq!(only(&mut trial, late).unread, 1);
}

fn what_came_before_joining(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[cleo]);
    for _ in 0..5 {
        trial.post(amy, tea, "x");
    }
    trial.join(ben, tea);
    assert_eq!(all(&mut trial, ben), [], "nothing was said since");
    trial.post(ben, tea, "x");
    trial.post(amy, tea, "x");
    let head = only(&mut trial, ben);
    assert_eq!((head.head, head.read, head.unread), (7, 0, 1));
    assert_eq!(only(&mut trial, cleo).unread, 7);
    // Whoever comes again has read nothing, and what was said meanwhile is from before.
    let group = Conversation::Group(tea);
    trial.request(StoreRequest::MoveMarker { user: ben, conversation: group, pos: 7 }).expect("moved");
    trial.request(StoreRequest::DelGroup { user: ben, group: tea, row: None }).expect("left");
    trial.post(amy, tea, "x");
    trial.join(ben, tea);
    assert_eq!(all(&mut trial, ben), []);
    trial.post(amy, tea, "x");
    let head = only(&mut trial, ben);
    assert_eq!((head.head, head.unread), (9, 1));
}

fn a_head_is_the_last_by_place(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    trial.tell(amy, ben, "x");
    let target = Target::User(amy);
    let late = sealed(ben, target, MessageId(8), "late", "{}");
    assert!(trial.store(&late).is_ok());
    let head = only(&mut trial, amy);
    assert_eq!((head.head, head.mid, head.ts, head.unread), (2, MessageId(8), ts_of(MessageId(8)), 1));
    // The same again is no other message.
    let again = sealed(ben, target, MessageId(9), "late", "{}");
    assert!(trial.store(&again).is_ok());
    assert_eq!(only(&mut trial, amy), head);
}

fn a_blocker_tells_nothing(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    trial.tell(amy, ben, "x");
    let conversation = with(amy);
    trial.request(StoreRequest::MoveMarker { user: ben, conversation, pos: 1 }).expect("it is moved");
    assert_eq!(only(&mut trial, amy).peer_read, Some(1));
    let answers = trial.requests(vec![
        StoreRequest::Heads { user: amy, before: None, heads: 9 },
        StoreRequest::Block { user: ben, blocked: amy },
        StoreRequest::Heads { user: amy, before: None, heads: 9 },
    ]);
    let told = |answer: &Result<StoreReply, Code>| match answer {
        Ok(StoreReply::Heads(page)) => page.heads[0].peer_read,
        other => panic!("{other:?}"),
    };
    assert_eq!((told(&answers[0]), told(&answers[2])), (Some(1), None));
    assert_eq!(only(&mut trial, ben).peer_read, Some(0), "it is one way");
    trial.request(StoreRequest::Unblock { user: ben, blocked: amy }).expect("it was blocked");
    assert_eq!(only(&mut trial, amy).peer_read, Some(1));
}

fn a_login_is_told(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    trial.tell(ben, amy, "x");
    trial.tell(cleo, amy, "x");
    let heads = all(&mut trial, amy);
    for issue in [Issue::Nothing, Issue::Token] {
        for most in 0..=3 {
            let (proof, detail, device) = (trial.proof(amy), Detail::Counts, None);
            let load = StoreRequest::LoadProfile { user: amy, proof, detail, issue, device, heads: most };
            let Ok(StoreReply::Profile(profile)) = trial.request(load) else { panic!("it is given") };
            assert_eq!(profile.heads.heads, heads[..most.min(2)]);
            assert_eq!(profile.heads.complete, most >= 2);
        }
    }
}

fn two_hundred_fit(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    let mut stores = Vec::new();
    for number in 0..100 {
        let other = trial.user(&format!("u{number}"));
        let group = trial.group(&format!("g{number}"), other, &[amy]);
        for (sender, target) in
            [(other, Target::User(amy)), (amy, Target::User(other)), (other, Target::Group(group))]
        {
            stores.push(StoreRequest::StoreMessage { envelope: trial.message(sender, target, "", "x") });
        }
    }
    assert!(trial.requests(stores).iter().all(Result::is_ok));
    let heads = all(&mut trial, amy);
    assert_eq!(heads.len(), 200);
    assert!(heads.is_sorted_by(|one, other| one.mid > other.mid));
    assert!(heads.iter().all(|head| head.unread == 1));
}
