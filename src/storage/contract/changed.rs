//! What is read where messages were changed: by devices, by who reads on, and by who stores again.

use super::changes::{ask, edit, react, synced};
use super::heads;
use super::trial::{Trial, body, sealed};
use super::{Case, Opener};
use chatd_chat::model::change::{Alteration, Changed, Done};
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::{Conversation, Span, SyncFrom};
use chatd_chat::model::ids::{MessageId, Millis};
use chatd_chat::port::store::StoreRequest;
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "a device gets the changes that it lacks", run: a_device_gets_changes },
    Case { name: "changes from before joining are nobody's", run: nothing_from_before_joining },
    Case { name: "recalled messages are unread to nobody", run: recalled_is_not_unread },
    Case { name: "a page without stubs is as full as it may be", run: pages_without_stubs_are_full },
    Case { name: "a changed message that is stored again is the same", run: stored_again_is_the_same },
    Case { name: "a cursor goes over what is recalled", run: a_cursor_goes_over },
    Case { name: "a group that goes takes its changes with it", run: a_group_takes_its_changes },
];

fn a_device_gets_changes(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let with = Conversation::With(ben);
    let mids: Vec<MessageId> = (0..3).map(|_| trial.tell(amy, ben, "x")).collect();
    for number in 0..5 {
        ask(&mut trial, amy, with, 1 + number % 3, edit(&format!("{number} said")), "").expect("an edit");
    }
    let from = |after, chg| SyncFrom { conversation: with, after, chg };
    let none = synced(&mut trial, amy, from(0, None), 9, usize::MAX);
    assert_eq!((none.changes.len(), none.chg, none.messages.len(), none.complete), (0, 5, 3, true));
    let all = synced(&mut trial, amy, from(3, Some(0)), 9, usize::MAX);
    assert_eq!((all.changes.len(), all.messages.len(), all.complete), (5, 0, true));
    let what = Done::Edited { msg: "3 said".into() };
    let ts = Millis(2_000);
    assert_eq!(all.changes[3], Changed { chg: 4, pos: 1, mid: mids[0], by: amy, ts, rev: 2, what });
    for chg in [5, 6, u64::MAX] {
        let last = synced(&mut trial, amy, from(3, Some(chg)), 9, usize::MAX);
        assert_eq!((last.changes.len(), last.chg, last.complete), (0, 5, true));
    }
    // A few at a time, bounded by number or by bytes.
    for (most, bytes) in [(1, usize::MAX), (2, usize::MAX), (9, 1), (9, 140), (9, 400)] {
        let (mut after, mut chg, mut heard, mut seen) = (0, 0, Vec::new(), Vec::new());
        loop {
            let page = synced(&mut trial, amy, from(after, Some(chg)), most, bytes);
            assert!(page.messages.len() <= most && page.changes.len() <= most);
            assert!(!page.messages.is_empty() || !page.changes.is_empty() || page.complete, "it goes on");
            heard.extend(page.changes.iter().map(|changed| changed.chg));
            seen.extend(page.messages.iter().map(|message| message.pos));
            (after, chg) = (seen.last().copied().unwrap_or(0), heard.last().copied().unwrap_or(0));
            if page.complete {
                break;
            }
        }
        assert_eq!((heard, seen), (vec![1, 2, 3, 4, 5], vec![1, 2, 3]), "{most} and {bytes} bytes at a time");
    }
}

fn nothing_from_before_joining(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[]);
    let group = Conversation::Group(tea);
    trial.post(amy, tea, "x");
    trial.join(ben, tea);
    trial.post(amy, tea, "y");
    for pos in [1, 2, 1] {
        ask(&mut trial, amy, group, pos, react(&format!("{pos}"), pos == 2), "").ok();
        ask(&mut trial, amy, group, pos, edit(&format!("{pos}!")), "").expect("an edit");
    }
    assert_eq!(ask(&mut trial, ben, group, 1, react("+1", true), ""), Err(Code::NoSuchUser));
    let from = SyncFrom { conversation: group, after: 0, chg: Some(0) };
    let synced = synced(&mut trial, ben, from, 9, usize::MAX);
    let places: Vec<u64> = synced.changes.iter().map(|changed| changed.pos).collect();
    assert_eq!((places, synced.complete), (vec![2, 2], true));
    assert_eq!(synced.chg, 3, "the second 1! changed nothing");
}

fn recalled_is_not_unread(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    let group = Conversation::Group(tea);
    for number in 0..8 {
        let (sender, other) = if number % 4 == 3 { (ben, amy) } else { (amy, ben) };
        trial.tell(sender, other, "x");
        trial.post(sender, tea, "x");
    }
    let unread = |trial: &mut Trial, user| -> Vec<u64> {
        heads::all(trial, user).iter().map(|head| head.unread).collect()
    };
    assert_eq!((unread(&mut trial, amy), unread(&mut trial, ben)), (vec![2, 2], vec![6, 6]));
    for (pos, ours, theirs) in [(2, 2, 5), (8, 1, 5), (3, 1, 4)] {
        let (sender, other) = if pos == 8 { (ben, amy) } else { (amy, ben) };
        for conversation in [Conversation::With(other), group] {
            ask(&mut trial, sender, conversation, pos, Alteration::Recall, "").expect("recalled");
        }
        assert_eq!(
            (unread(&mut trial, amy), unread(&mut trial, ben)),
            (vec![ours; 2], vec![theirs; 2]),
            "{pos}"
        );
    }
    for head in heads::all(&mut trial, amy) {
        assert_eq!((head.head, head.chg), (8, 3));
    }
    for (pos, theirs) in [(1, 3), (3, 3), (5, 2), (7, 0)] {
        for conversation in [Conversation::With(amy), group] {
            trial.request(StoreRequest::MoveMarker { user: ben, conversation, pos }).expect("it is moved");
        }
        assert_eq!(unread(&mut trial, ben), [theirs; 2], "ben has read {pos}");
    }
}

fn pages_without_stubs_are_full(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    for conversation in [Conversation::With(ben), Conversation::Group(tea)] {
        let mut left = Vec::new();
        for pos in 1..=12_u64 {
            let mid = match conversation {
                Conversation::With(_) => trial.tell(amy, ben, "x"),
                Conversation::Group(group) => trial.post(amy, group, "x").0,
            };
            if [1, 6, 12].contains(&pos) {
                left.push(mid.0);
            } else {
                ask(&mut trial, amy, conversation, pos, Alteration::Recall, "").expect("recalled");
            }
        }
        for (span, most, expected) in [
            (Span::Newest, 2, &left[1..]),
            (Span::Newest, 9, &left[..]),
            (Span::Before(12), 1, &left[1..2]),
            (Span::Before(6), 1, &left[..1]),
            (Span::After(0), 2, &left[..2]),
            (Span::After(1), 1, &left[1..2]),
            (Span::After(6), 5, &left[2..]),
            (Span::After(12), 5, &left[3..]),
        ] {
            assert_eq!(trial.span(amy, conversation, span, most, usize::MAX).mids(), expected, "{span:?}");
        }
        for (after, most, expected, complete) in
            [(0, 2, &left[..2], false), (1, 9, &left[1..], true), (6, 1, &left[2..], true)]
        {
            let from = SyncFrom { conversation, after, chg: None };
            let page = super::sync::sync(&mut trial, amy, &[from], most, usize::MAX);
            let mids: Vec<u64> =
                page.conversations[0].messages.iter().map(|message| message.envelope.mid().0).collect();
            assert_eq!((&mids[..], page.conversations[0].complete), (expected, complete), "after {after}");
        }
        // Of which the last ones are recalled.
        ask(&mut trial, amy, conversation, 12, Alteration::Recall, "").expect("recalled");
        let from = SyncFrom { conversation, after: 6, chg: None };
        let page = super::sync::sync(&mut trial, amy, &[from], 1, usize::MAX);
        let synced = &page.conversations[0];
        assert_eq!((synced.messages.len(), synced.head, synced.complete), (0, 12, true));
    }
}

fn stored_again_is_the_same(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let with = Conversation::With(ben);
    for (at, cid) in ["", "named"].into_iter().enumerate() {
        for (pos, alteration) in [(1, edit("later")), (2, Alteration::Recall), (3, react("+1", true))] {
            let pos = pos + 3 * at as u64;
            let cid = if cid.is_empty() { String::new() } else { format!("{cid} {pos}") };
            let envelope = trial.message(amy, Target::User(ben), &cid, "first");
            let stored = trial.store(&envelope);
            trial.ack(ben, &[envelope.mid()], vec![]);
            ask(&mut trial, amy, with, pos, alteration.clone(), "").expect("a change");
            assert_eq!(trial.store(&envelope), stored, "{alteration:?}");
            if !cid.is_empty() {
                // Said again, under another id.
                let again = sealed(
                    amy,
                    Target::User(ben),
                    trial.mid(),
                    &cid,
                    &body(amy, Target::User(ben), "first", "2026-01-02 00:00:00"),
                );
                assert_eq!(trial.store(&again), stored, "{alteration:?}");
                let to_amy = sealed(amy, Target::User(amy), trial.mid(), &cid, "{}");
                assert_eq!(trial.store(&to_amy), Err(Code::CidReused));
            }
            let waiting = trial.fetch(ben).mids();
            let recalled = alteration == Alteration::Recall;
            assert_eq!(waiting.contains(&envelope.mid().0), !recalled, "{alteration:?}");
            trial.ack(ben, &[envelope.mid()], vec![]);
        }
    }
    assert_eq!(trial.history(ben, Conversation::With(amy)).mids().len(), 4);
}

fn a_cursor_goes_over(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    let group = Conversation::Group(tea);
    let mids: Vec<MessageId> = (0..5).map(|_| trial.post(amy, tea, "x").0).collect();
    for pos in [2, 4] {
        ask(&mut trial, amy, group, pos, Alteration::Recall, "").expect("recalled");
    }
    assert_eq!(trial.fetch(ben).mids(), [mids[0].0, mids[2].0, mids[4].0]);
    trial.ack_group(ben, tea, 0, &[mids[0], mids[2]]);
    assert_eq!(trial.fetch(ben).places(), [(mids[4].0, Some(5))]);
    ask(&mut trial, amy, group, 5, Alteration::Recall, "").expect("recalled");
    let page = trial.fetch(ben);
    assert_eq!((page.mids(), page.complete, page.head(tea)), (vec![], true, Some(5)));
}

fn a_group_takes_its_changes(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    let group = Conversation::Group(tea);
    trial.post(amy, tea, "x");
    trial.post(amy, tea, "y");
    ask(&mut trial, ben, group, 1, react("+1", true), "b").expect("a reaction");
    ask(&mut trial, amy, group, 2, Alteration::Recall, "a").expect("recalled");
    trial.request(StoreRequest::DelGroup { user: amy, group: tea, row: None }).expect("dissolved");
    for _ in 0..4 {
        trial.tell(amy, ben, "z");
    }
    assert_eq!(ask(&mut trial, amy, group, 1, edit("x"), ""), Err(Code::NoSuchGroup));
    let with = Conversation::With(amy);
    assert_eq!(
        ask(&mut trial, ben, with, 1, react("+1", true), "b").map(|(chg, _)| chg),
        Ok(1),
        "the name is free"
    );
}
