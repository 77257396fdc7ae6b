//! What was said, page by page, and whether that is all.

use super::accounts::stranger;
use super::trial::{Told, Trial, body, sealed};
use super::{Case, Opener};
use chatd_chat::model::change::Wanted;
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::{Conversation, Span};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::{HistoryPage, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "a history is read in both directions", run: a_history_is_read_in_both_directions },
    Case { name: "a page of history is bounded by bytes", run: a_page_is_bounded_by_bytes },
    Case { name: "a history is for those who were there", run: a_history_is_for_those_who_were_there },
    Case { name: "a history says what it does not have", run: a_history_says_what_it_does_not_have },
];

fn a_history_is_read_in_both_directions(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben, cleo]);
    let (mut direct, mut of_group, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..30 {
        let (sender, to) = if number % 3 == 0 { (ben, amy) } else { (amy, ben) };
        direct.push(trial.tell(sender, to, "x").0);
        of_group.push(trial.post(sender, group, "x").0.0);
        trial.tell(cleo, amy, "x");
        if number % 2 == 0 {
            notes.push(trial.tell(amy, amy, "x").0);
        }
    }
    // Stored late, it has a late place.
    let late = sealed(ben, Target::User(amy), MessageId(8), "late", &body(ben, Target::User(amy), "x", ""));
    assert!(trial.store(&late).is_ok());
    direct.push(8);
    for (user, conversation, all) in [
        (amy, Conversation::With(ben), &direct),
        (ben, Conversation::With(amy), &direct),
        (amy, Conversation::With(amy), &notes),
        (ben, Conversation::Group(group), &of_group),
        (ben, Conversation::With(cleo), &vec![]),
    ] {
        check(&mut trial, user, conversation, all);
    }
}

/// Reads the conversation in every way that there is.
fn check(trial: &mut Trial, user: UserId, conversation: Conversation, all: &[u64]) {
    let told = trial.history(user, conversation);
    assert_eq!((told.mids(), told.complete), (all.to_vec(), true));
    let places: Vec<u64> = told.messages.iter().map(|message| message.pos).collect();
    assert_eq!(places, (1..=all.len() as u64).collect::<Vec<_>>());
    for most in [1, 2, 7, 100] {
        let (mut back, mut span) = (Vec::new(), Span::Newest);
        while let Some(first) = page(trial, user, conversation, span, most, &mut back) {
            span = Span::Before(first.0);
        }
        back.sort_unstable();
        assert_eq!(back.iter().map(|(_, mid)| *mid).collect::<Vec<_>>(), all, "back, {most} at a time");
        let (mut forth, mut span) = (Vec::new(), Span::After(0));
        while let Some(last) = page(trial, user, conversation, span, most, &mut forth) {
            span = Span::After(last.1);
        }
        assert_eq!(forth.iter().map(|(_, mid)| *mid).collect::<Vec<_>>(), all, "forth, {most} at a time");
    }
    let end = all.len() as u64;
    for (span, mids) in [
        (Span::After(end), &all[..0]),
        (Span::After(u64::MAX), &all[..0]),
        (Span::Before(0), &all[..0]),
        (Span::Before(1), &all[..0]),
        (Span::Before(u64::MAX), all),
    ] {
        assert_eq!(trial.span(user, conversation, span, 100, usize::MAX).mids(), mids, "{span:?}");
    }
}

/// Adds a page to what was told, and returns its first and last place.
fn page(
    trial: &mut Trial,
    user: UserId,
    conversation: Conversation,
    span: Span,
    most: usize,
    told: &mut Vec<(u64, u64)>,
) -> Option<(u64, u64)> {
    let Told { messages, .. } = trial.span(user, conversation, span, most, usize::MAX);
    assert!(messages.len() <= most && messages.is_sorted_by_key(|message| message.pos));
    told.extend(messages.iter().map(|message| (message.pos, message.envelope.mid().0)));
    Some((messages.first()?.pos, messages.last()?.pos))
}

fn a_page_is_bounded_by_bytes(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let mids: Vec<u64> = (0..6).map(|_| trial.tell(amy, ben, &"x".repeat(1_000)).0).collect();
    let all = trial.history(amy, Conversation::With(ben));
    let size = all.messages[0].envelope.body().len();
    let mut mids_of = |span, bytes| trial.span(ben, Conversation::With(amy), span, 100, bytes).mids();
    assert_eq!(mids_of(Span::Newest, 3 * size), mids[3..]);
    assert_eq!(mids_of(Span::Newest, 3 * size - 1), mids[4..]);
    assert_eq!(mids_of(Span::Newest, 0), mids[5..], "one is always given");
    assert_eq!(mids_of(Span::After(0), 2 * size), mids[..2]);
    assert_eq!(mids_of(Span::After(3), 0), mids[3..4]);
    assert_eq!(mids_of(Span::Before(4), 2 * size), mids[1..3]);
}

fn a_history_is_for_those_who_were_there(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[]);
    let mut mids: Vec<u64> = (0..3).map(|_| trial.post(amy, group, "before").0.0).collect();
    trial.join(ben, group);
    mids.extend((0..2).map(|_| trial.post(amy, group, "after").0.0));
    let conversation = Conversation::Group(group);
    assert_eq!(trial.history(amy, conversation).mids(), mids);
    for span in [Span::Newest, Span::After(0), Span::After(2), Span::Before(9)] {
        let told = trial.span(ben, conversation, span, 100, usize::MAX);
        assert_eq!((told.mids(), told.complete), (mids[3..].to_vec(), true));
    }
    assert_eq!(trial.span(ben, conversation, Span::Before(4), 100, usize::MAX).mids(), [0_u64; 0]);
    let mut request = |user, conversation| {
        trial.request(StoreRequest::History {
            user,
            conversation,
            span: Span::Newest,
            wanted: Wanted::default(),
            messages: 9,
            bytes: 9_999,
        })
    };
    let nowhere = Conversation::Group(GroupId::new(77).expect("an id"));
    assert_eq!(request(cleo, conversation), Err(Code::NotAMember));
    assert_eq!(request(amy, nowhere), Err(Code::NoSuchGroup));
    assert_eq!(request(amy, Conversation::With(stranger())), Err(Code::NoSuchUser));
    assert_eq!(
        request(amy, Conversation::With(ben)),
        Ok(StoreReply::History(HistoryPage { messages: vec![], chg: 0, complete: true })),
        "nothing was said"
    );
}

fn a_history_says_what_it_does_not_have(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    trial.post(amy, group, "x");
    let (with_ben, in_group) = (Conversation::With(ben), Conversation::Group(group));
    let store = |trial: &mut Trial, mid: u64| {
        let target = Target::User(ben);
        let message = sealed(amy, target, MessageId(mid), "", &body(amy, target, "x", ""));
        assert!(trial.store(&message).is_ok());
    };
    // As a server does at every start.
    trial.set_retention(Retention::All);
    assert!(trial.history(amy, with_ben).complete);
    store(&mut trial, 1_000);
    assert!(trial.history(amy, with_ben).complete);
    trial.set_retention(Retention::Undelivered);
    store(&mut trial, 2_000);
    assert!(!trial.history(amy, with_ben).complete);
    assert!(trial.history(amy, in_group).complete, "of groups all is stored");
    for again in [Retention::All, Retention::All] {
        trial.set_retention(again);
        // Far beyond the clock of this machine.
        let far = if trial.history(amy, with_ben).messages.len() == 2 { 1 << 62 } else { (1 << 62) + 1 };
        store(&mut trial, far);
        assert!(!trial.history(amy, with_ben).complete, "the old ones are in it");
    }
    let complete = |trial: &mut Trial, span| trial.span(amy, with_ben, span, 100, usize::MAX).complete;
    assert!(!complete(&mut trial, Span::After(2)), "what followed the second one may be missing");
    assert!(complete(&mut trial, Span::After(3)), "what follows the third one is not");
    assert!(complete(&mut trial, Span::After(4)), "and nothing follows the fourth one");
    assert!(!complete(&mut trial, Span::Before(3)));
    assert!(!trial.history(ben, Conversation::With(ben)).complete, "what was not stored is not known of");
}
