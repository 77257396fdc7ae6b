//! Backlogs, and cursors.

use super::trial::{Trial, body, sealed};
use super::{Case, Opener};
use chatd_chat::model::envelope::Target;
use chatd_chat::model::ids::MessageId;
use chatd_chat::port::store::{CursorUpdate, Detail, Issue, Left, StoreReply, StoreRequest};

pub const CASES: &[Case] = &[
    Case { name: "fetching takes nothing away, acknowledging does", run: fetching_takes_nothing_away },
    Case { name: "a member sees what came after it joined", run: a_member_sees_what_came_after },
    Case { name: "the user's own messages are not given", run: own_messages_are_not_given },
    Case { name: "a cursor goes forward and nowhere else", run: a_cursor_goes_forward },
    Case { name: "a cursor follows what lies beyond it", run: a_cursor_follows_what_lies_beyond },
    Case { name: "a cursor does not jump over what comes late", run: a_cursor_does_not_jump },
    Case { name: "who left gets nothing more of a group", run: who_left_gets_nothing_more },
];

fn fetching_takes_nothing_away(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben]);
    let first = trial.tell(amy, ben, "one");
    let (second, _) = trial.post(amy, group, "two");
    let third = trial.tell(cleo, ben, "three");
    let other = trial.tell(amy, cleo, "for somebody else");
    for _ in 0..2 {
        let page = trial.fetch(ben);
        assert_eq!(page.places(), [(first.0, None), (second.0, Some(1)), (third.0, None)]);
        assert!(page.complete);
        assert_eq!(page.heads, [(group, 1)]);
    }
    trial.ack(ben, &[third, third, other, MessageId(u64::MAX), MessageId(0)], vec![]);
    assert_eq!(trial.fetch(ben).mids(), [first.0, second.0]);
    let cursors = CursorUpdate { group, upto: 1, beyond: vec![] };
    trial.ack(ben, &[first], vec![cursors]);
    let page = trial.fetch(ben);
    assert_eq!((page.mids(), page.complete, page.heads), (vec![], true, vec![(group, 1)]));
    assert_eq!(trial.fetch(cleo).mids(), [other.0], "nobody acknowledges for somebody else");
}

fn a_member_sees_what_came_after(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[]);
    trial.post(amy, group, "before");
    assert_eq!(trial.join(ben, group), 1);
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
    let (after, pos) = trial.post(amy, group, "after");
    assert_eq!(trial.fetch(ben).places(), [(after.0, Some(pos))]);
}

fn own_messages_are_not_given(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    trial.post(ben, group, "1");
    let page = trial.fetch(ben);
    assert_eq!((page.mids(), page.complete, page.heads), (vec![], true, vec![(group, 1)]));
    let (two, _) = trial.post(amy, group, "2");
    trial.post(ben, group, "3");
    let (four, _) = trial.post(amy, group, "4");
    trial.post(ben, group, "5");
    let page = trial.fetch(ben);
    assert_eq!(page.places(), [(two.0, Some(2)), (four.0, Some(4))]);
    assert_eq!((page.complete, page.heads), (true, vec![(group, 5)]));
    let page = trial.page(ben, &[], 1, usize::MAX);
    assert_eq!(page.places(), [(two.0, Some(2))]);
    assert_eq!((page.complete, page.heads), (false, vec![(group, 3)]), "its own 3 counts as had");
    // A cursor goes over the user's own messages by itself.
    trial.ack_group(ben, group, 2, &[]);
    assert_eq!(cursor(&mut trial, ben), 3);
    trial.ack_group(ben, group, 4, &[]);
    assert_eq!(cursor(&mut trial, ben), 5);
}

/// The cursor in the user's only group.
fn cursor(trial: &mut Trial, user: chatd_chat::model::ids::UserId) -> u64 {
    let proof = trial.proof(user);
    match trial.request(StoreRequest::LoadProfile {
        user,
        proof,
        detail: Detail::Members,
        issue: Issue::Nothing,
        device: None,
        heads: 0,
    }) {
        Ok(StoreReply::Profile(profile)) => profile.groups[0].cursor,
        other => panic!("{other:?}"),
    }
}

fn a_cursor_goes_forward(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben]);
    for text in ["1", "2", "3"] {
        trial.post(amy, group, text);
    }
    trial.ack_group(ben, group, 2, &[]);
    assert_eq!(cursor(&mut trial, ben), 2);
    trial.ack_group(ben, group, 1, &[]);
    assert_eq!(cursor(&mut trial, ben), 2, "never back");
    trial.ack_group(ben, group, u64::MAX, &[]);
    assert_eq!(cursor(&mut trial, ben), 3, "never over what is not written yet");
    let (four, _) = trial.post(amy, group, "4");
    assert_eq!(trial.fetch(ben).mids(), [four.0]);
    // Who is no member has no cursor.
    trial.ack_group(cleo, group, 2, &[]);
    assert_eq!(trial.fetch(cleo).heads, []);
    // The asking core may know more than the store.
    let page = trial.page(ben, &[(group, 4)], 10, 1_000);
    assert_eq!((page.mids(), page.heads), (vec![], vec![(group, 4)]));
    let page = trial.page(ben, &[(group, 1)], 10, 1_000);
    assert_eq!((page.mids(), page.heads), (vec![four.0], vec![(group, 4)]));
    let page = trial.page(ben, &[(group, u64::MAX)], 10, 1_000);
    assert_eq!((page.mids(), page.heads), (vec![], vec![(group, 4)]), "but not more than there is");
}

fn a_cursor_follows_what_lies_beyond(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let mids: Vec<MessageId> =
        (1..=8).map(|pos| trial.post(if pos == 3 || pos == 7 { ben } else { amy }, group, "x").0).collect();
    // 2, 4 and 6 are there, 1 is not.
    trial.ack_group(ben, group, 0, &[mids[5], mids[1], mids[3]]);
    assert_eq!(cursor(&mut trial, ben), 0);
    // 1 is there too: over 1, 2, its own 3 and 4, up to 5.
    trial.ack_group(ben, group, 0, &[mids[0], mids[3], mids[1], mids[5]]);
    assert_eq!(cursor(&mut trial, ben), 4);
    trial.ack_group(ben, group, 5, &[mids[5]]);
    assert_eq!(cursor(&mut trial, ben), 7);
    assert_eq!(trial.fetch(ben).mids(), [mids[7].0]);
}

fn a_cursor_does_not_jump(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let group = trial.group("g", amy, &[ben, cleo, dan]);
    let late = trial.mid();
    let (early, _) = trial.post(amy, group, "early by place");
    trial.ack_group(ben, group, 1, &[]);
    let target = Target::Group(group);
    let late = sealed(cleo, target, late, "", &body(cleo, target, "late by place", ""));
    assert!(trial.store(&late).is_ok());
    assert!(late.mid() < early);
    assert_eq!(trial.fetch(ben).places(), [(late.mid().0, Some(2))]);
    let page = trial.fetch(dan);
    assert_eq!(page.places(), [(late.mid().0, Some(2)), (early.0, Some(1))], "together they come by id");
    // Cut in between, the cursor stays where it can: at its place, not at its id.
    let page = trial.page(dan, &[], 1, usize::MAX);
    assert_eq!((page.places(), page.heads), (vec![(early.0, Some(1))], vec![(group, 1)]));
}

fn who_left_gets_nothing_more(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    trial.post(amy, group, "x");
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: ben, group, row: None }),
        Ok(StoreReply::Left(Left { dissolved: false, row: None }))
    );
    let page = trial.fetch(ben);
    assert_eq!((page.mids(), page.complete, page.heads), (vec![], true, vec![]));
}
