//! Read markers.

use super::accounts::stranger;
use super::heads::all;
use super::trial::Trial;
use super::{Case, Opener};
use chatd_chat::model::device::Marker;
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::port::store::{StoreReply, StoreRequest, StoreResult};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "a read marker moves forward, and to the head at most", run: a_marker_moves_forward },
    Case { name: "a read marker of a group begins where its user joined", run: a_marker_of_a_group },
    Case { name: "nobody has a marker where it has no part", run: nobody_has_a_marker },
    Case { name: "markers move in the order asked", run: in_the_order_asked },
];

fn mark(user: UserId, conversation: Conversation, pos: u64) -> StoreRequest {
    StoreRequest::MoveMarker { user, conversation, pos }
}

fn moved(pos: u64) -> StoreResult {
    Ok(StoreReply::Marker(Marker { pos, moved: true }))
}

fn stays(pos: u64) -> StoreResult {
    Ok(StoreReply::Marker(Marker { pos, moved: false }))
}

fn a_marker_moves_forward(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    for _ in 0..5 {
        trial.tell(amy, ben, "x");
        trial.tell(ben, ben, "x");
        trial.post(amy, tea, "x");
    }
    for conversation in [Conversation::With(amy), Conversation::With(ben), Conversation::Group(tea)] {
        let marks = [
            (0, stays(0)),
            (2, moved(2)),
            (2, stays(2)),
            (1, stays(2)),
            (0, stays(2)),
            (3, moved(3)),
            (u64::MAX, moved(5)),
            (6, stays(5)),
        ];
        for (pos, expected) in marks {
            assert_eq!(trial.request(mark(ben, conversation, pos)), expected, "{conversation:?} to {pos}");
        }
    }
    assert!(all(&mut trial, ben).iter().all(|head| (head.read, head.unread) == (5, 0)));
    assert!(all(&mut trial, amy).iter().all(|head| head.read == 0), "it is one user's");
    trial.tell(amy, ben, "x");
    assert_eq!(trial.request(mark(ben, Conversation::With(amy), u64::MAX)), moved(6));
}

fn a_marker_of_a_group(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[]);
    let conversation = Conversation::Group(tea);
    for _ in 0..3 {
        trial.post(amy, tea, "x");
    }
    trial.join(ben, tea);
    assert_eq!(trial.request(mark(ben, conversation, 2)), stays(3), "what came before counts as read");
    assert_eq!(trial.request(mark(ben, conversation, 9)), stays(3));
    trial.post(amy, tea, "x");
    assert_eq!(trial.request(mark(ben, conversation, 3)), stays(3));
    assert_eq!(trial.request(mark(ben, conversation, 4)), moved(4));
}

fn nobody_has_a_marker(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[ben]);
    trial.post(amy, tea, "x");
    let nowhere = GroupId::new(77).expect("an id");
    for (conversation, expected) in [
        (Conversation::With(stranger()), Err(Code::NoSuchUser)),
        (Conversation::With(amy), stays(0)),
        (Conversation::With(cleo), stays(0)),
        (Conversation::Group(tea), Err(Code::NotAMember)),
        (Conversation::Group(nowhere), Err(Code::NoSuchGroup)),
    ] {
        assert_eq!(trial.request(mark(cleo, conversation, 1)), expected, "{conversation:?}");
    }
    assert_eq!(all(&mut trial, cleo), []);
    trial.request(StoreRequest::DelGroup { user: ben, group: tea, row: None }).expect("ben is a member");
    assert_eq!(trial.request(mark(ben, Conversation::Group(tea), 1)), Err(Code::NotAMember));
    trial.request(StoreRequest::DelGroup { user: amy, group: tea, row: None }).expect("amy made it");
    assert_eq!(trial.request(mark(ben, Conversation::Group(tea), 1)), Err(Code::NoSuchGroup));
}

/// One batch, in which messages are stored, groups are joined and left, and markers move between that.
fn in_the_order_asked(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[]);
    let mut tell = |sender, to| StoreRequest::StoreMessage { envelope: trial.message(sender, to, "", "x") };
    let (with_amy, in_tea) = (Conversation::With(amy), Conversation::Group(tea));
    let requests = vec![
        mark(ben, with_amy, 0),
        tell(amy, Target::User(ben)),
        mark(ben, with_amy, 1),
        tell(amy, Target::User(ben)),
        mark(ben, with_amy, 2),
        mark(ben, with_amy, 1),
        mark(ben, in_tea, 1),
        StoreRequest::AddGroup { user: ben, group: tea, row: None },
        tell(amy, Target::Group(tea)),
        mark(ben, in_tea, 1),
        StoreRequest::DelGroup { user: ben, group: tea, row: None },
        mark(ben, in_tea, 1),
        tell(ben, Target::User(cleo)),
        mark(cleo, Conversation::With(ben), 1),
        mark(ben, Conversation::With(cleo), 1),
    ];
    let answers = trial.requests(requests);
    let (marks, others): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| matches!(answer, Ok(StoreReply::Marker(_)) | Err(_)));
    assert!(others.iter().all(Result::is_ok));
    let expected = [
        stays(0),
        moved(1),
        moved(2),
        stays(2),
        Err(Code::NotAMember),
        moved(1),
        Err(Code::NotAMember),
        moved(1),
        moved(1),
    ];
    assert_eq!(marks, expected);
    // Many at once.
    let marks = [amy, ben, cleo].into_iter().flat_map(|user| {
        [amy, ben, cleo].into_iter().map(move |peer| mark(user, Conversation::With(peer), 9))
    });
    let answers = trial.requests(marks.collect());
    let expected = [stays(0), moved(2), stays(0), stays(2), stays(0), stays(1), stays(0), stays(1), stays(0)];
    assert_eq!(answers, expected);
}
