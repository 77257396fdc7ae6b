//! Messages that are edited, recalled and reacted to.

use super::trial::Trial;
use super::{Case, Opener};
use chatd_chat::model::change::{Alteration, Altered, Done, Reaction, RowState, Wanted};
use chatd_chat::model::envelope::said::said;
use chatd_chat::model::history::{Conversation, Placed, Span, SyncFrom, SyncedConversation};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::{HistoryPage, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case {
        name: "an edited message says something else wherever it is read",
        run: an_edit_is_read_everywhere,
    },
    Case { name: "a recalled message keeps its place and nothing else", run: a_recall_leaves_the_place },
    Case { name: "changes are counted once, whatever is repeated", run: changes_are_counted_once },
    Case { name: "who may change what", run: who_may_change_what },
    Case { name: "reactions are counted, and are no more than there may be", run: reactions_are_counted },
];

/// All that there is.
const ALL: Wanted = Wanted { changes: true, events: true };

pub fn edit(msg: &str) -> Alteration {
    Alteration::Edit { msg: msg.into() }
}

pub fn react(emoji: &str, on: bool) -> Alteration {
    Alteration::React { emoji: emoji.into(), on }
}

/// A request whose message was said just before.
fn wish(
    user: UserId,
    conversation: Conversation,
    pos: u64,
    alteration: Alteration,
    cid: &str,
) -> StoreRequest {
    let cid = (!cid.is_empty()).then(|| cid.into());
    StoreRequest::Alter { user, conversation, pos, alteration, cid, ts: Millis(2_000) }
}

fn altered(answer: Result<StoreReply, Code>) -> Result<Altered, Code> {
    match answer? {
        StoreReply::Altered(altered) => Ok(*altered),
        other => panic!("it is changed or not, not {other:?}"),
    }
}

/// The number that a change gets, and what was done if it is new.
pub fn ask(
    trial: &mut Trial,
    user: UserId,
    conversation: Conversation,
    pos: u64,
    alteration: Alteration,
    cid: &str,
) -> Result<(u64, Option<Done>), Code> {
    let altered = altered(trial.request(wish(user, conversation, pos, alteration, cid)))?;
    if let Some(changed) = &altered.changed {
        assert_eq!((changed.chg, changed.pos, changed.by), (altered.chg, pos, user));
        assert_eq!(changed.ts, Millis(2_000));
    }
    Ok((altered.chg, altered.changed.map(|changed| changed.what)))
}

fn rows(
    trial: &mut Trial,
    user: UserId,
    conversation: Conversation,
    span: Span,
    most: usize,
) -> (Vec<Placed>, u64) {
    let wanted = ALL;
    let bytes = usize::MAX;
    match trial.request(StoreRequest::History { user, conversation, span, wanted, messages: most, bytes }) {
        Ok(StoreReply::History(HistoryPage { messages, chg, .. })) => (messages, chg),
        other => panic!("it was told, not {other:?}"),
    }
}

fn states(trial: &mut Trial, user: UserId, conversation: Conversation) -> Vec<(u64, RowState)> {
    let (rows, _) = rows(trial, user, conversation, Span::Newest, 99);
    rows.into_iter().map(|row| (row.pos, row.state)).collect()
}

fn texts(rows: &[Placed]) -> Vec<String> {
    let text = |row: &Placed| match row.envelope.body() {
        [] => String::new(),
        body => String::from_utf8(said(body).to_vec()).expect("a text"),
    };
    rows.iter().map(text).collect()
}

pub fn synced(
    trial: &mut Trial,
    user: UserId,
    from: SyncFrom,
    most: usize,
    bytes: usize,
) -> SyncedConversation {
    let request = StoreRequest::Sync { user, since: vec![from], wanted: ALL, messages: most, bytes };
    match trial.request(request) {
        Ok(StoreReply::Synced(mut page)) => page.conversations.remove(0),
        other => panic!("it is told, not {other:?}"),
    }
}

fn an_edit_is_read_everywhere(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    for conversation in [Conversation::With(ben), Conversation::Group(tea)] {
        let seen = match conversation {
            Conversation::With(_) => Conversation::With(amy),
            group => group,
        };
        for _ in 0..2 {
            match conversation {
                Conversation::With(_) => drop(trial.tell(amy, ben, "before")),
                Conversation::Group(group) => drop(trial.post(amy, group, "before")),
            }
        }
        let cid = if conversation == seen { "in a group" } else { "in With" };
        let said = Done::Edited { msg: "a \"b\"\n".into() };
        assert_eq!(ask(&mut trial, amy, conversation, 2, edit("a \"b\"\n"), cid), Ok((1, Some(said))));
        let again = Done::Edited { msg: "last".into() };
        let answer = ask(&mut trial, amy, conversation, 2, edit("last"), "");
        assert_eq!(answer, Ok((2, Some(again))));
        let (rows, chg) = rows(&mut trial, ben, seen, Span::Newest, 9);
        assert_eq!((texts(&rows), chg), (vec!["before".to_owned(), "last".to_owned()], 2));
        assert_eq!(rows[0].state, RowState::AsSaid);
        assert_eq!(rows[1].state, RowState::Changed { rev: 2, reactions: vec![] });
        let told = trial.history(ben, seen);
        assert_eq!(
            told.messages[1],
            Placed::as_said(rows[1].envelope.clone(), 2),
            "who does not ask hears the text"
        );
        // What waits is what it says by now.
        let page = trial.fetch(ben);
        let waiting: Vec<_> = page.messages.iter().map(|waiting| waiting.envelope.body().to_vec()).collect();
        assert!(waiting.contains(&rows[1].envelope.body().to_vec()), "{conversation:?}");
        assert_eq!(ask(&mut trial, amy, conversation, 1, edit("x"), cid), Err(Code::CidReused));
    }
    let names = ask(&mut trial, amy, Conversation::Group(tea), 2, edit("a \"b\"\n"), "in With");
    assert_eq!(names, Err(Code::CidReused), "a name is used in all conversations");
}

fn a_recall_leaves_the_place(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", ben, &[amy]);
    for conversation in [Conversation::With(ben), Conversation::Group(tea)] {
        let seen =
            if conversation == Conversation::With(ben) { Conversation::With(amy) } else { conversation };
        let k = if conversation == seen { "in a group" } else { "in With" };
        let mids: Vec<MessageId> = ["one", "two", "three"]
            .iter()
            .map(|text| match conversation {
                Conversation::With(_) => trial.tell(amy, ben, text),
                Conversation::Group(group) => trial.post(amy, group, text).0,
            })
            .collect();
        assert_eq!(trial.fetch(ben).mids(), mids.iter().map(|mid| mid.0).collect::<Vec<_>>());
        ask(&mut trial, amy, conversation, 2, edit("secret"), "").expect("an edit");
        ask(&mut trial, ben, seen, 2, react("+1", true), k).expect("a reaction");
        assert_eq!(
            ask(&mut trial, amy, conversation, 2, Alteration::Recall, k),
            Ok((3, Some(Done::Recalled)))
        );
        let stub = RowState::Recalled { by: amy, ts: Millis(2_000) };
        for (user, seen) in [(amy, conversation), (ben, seen)] {
            let (rows, chg) = rows(&mut trial, user, seen, Span::Newest, 9);
            assert_eq!((texts(&rows), chg), (vec!["one".to_owned(), String::new(), "three".to_owned()], 3));
            assert_eq!((&rows[1].state, rows[1].envelope.mid()), (&stub, mids[1]));
            let told = trial.history(user, seen);
            assert_eq!(told.mids(), [mids[0].0, mids[2].0], "who does not ask for stubs gets none");
            let from = SyncFrom { conversation: seen, after: 0, chg: Some(0) };
            let synced = synced(&mut trial, user, from, 9, usize::MAX);
            assert_eq!((synced.messages.len(), synced.head, synced.chg, synced.complete), (3, 3, 3, true));
            assert_eq!(synced.messages[1].state, stub);
            // Nobody hears what it said, or who thought what of it.
            let done: Vec<_> =
                synced.changes.iter().map(|changed| (changed.chg, changed.by, &changed.what)).collect();
            assert_eq!(
                done,
                [(1, amy, &Done::Recalled), (2, amy, &Done::Recalled), (3, amy, &Done::Recalled)]
            );
        }
        assert_eq!(trial.fetch(ben).mids(), [mids[0].0, mids[2].0], "it waits for nobody");
        // It is no message any more, but what was asked for is answered as it was.
        assert_eq!(ask(&mut trial, amy, conversation, 2, edit("x"), ""), Err(Code::NoSuchUser));
        assert_eq!(ask(&mut trial, ben, seen, 2, react("+1", true), ""), Err(Code::NoSuchUser));
        assert_eq!(ask(&mut trial, amy, conversation, 2, Alteration::Recall, ""), Err(Code::NoSuchUser));
        assert_eq!(ask(&mut trial, amy, conversation, 2, Alteration::Recall, k), Ok((3, None)));
        assert_eq!(ask(&mut trial, ben, seen, 2, react("+1", true), k), Ok((2, None)));
        let page = trial.fetch(ben);
        match conversation {
            Conversation::With(_) => trial.ack(ben, &[mids[0], mids[2]], vec![]),
            Conversation::Group(group) => {
                trial.ack_group(ben, group, page.head(group).expect("a member"), &[])
            }
        }
        assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
    }
}

fn changes_are_counted_once(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    trial.tell(amy, ben, "x");
    trial.tell(amy, cleo, "x");
    let (there, back) = (Conversation::With(ben), Conversation::With(amy));
    let edited = |msg: &str| Some(Done::Edited { msg: msg.into() });
    assert_eq!(ask(&mut trial, amy, there, 1, edit("a"), "1"), Ok((1, edited("a"))));
    assert_eq!(ask(&mut trial, amy, there, 1, edit("b"), "2"), Ok((2, edited("b"))));
    // Repeated, also in one batch, and what it would do by now.
    let repeated = trial.requests(vec![
        wish(amy, there, 1, edit("a"), "1"),
        wish(amy, there, 1, edit("c"), "3"),
        wish(amy, there, 1, edit("c"), "3"),
        wish(amy, there, 1, edit("c"), "4"),
        wish(amy, there, 1, edit("d"), "4"),
        wish(amy, there, 1, Alteration::Recall, "1"),
        wish(amy, Conversation::With(cleo), 1, edit("a"), "1"),
        wish(ben, back, 1, react("+1", true), "1"),
    ]);
    let numbers: Vec<Result<u64, Code>> =
        repeated.into_iter().map(|answer| altered(answer).map(|altered| altered.chg)).collect();
    let reused = Err(Code::CidReused);
    assert_eq!(numbers, [Ok(1), Ok(3), Ok(3), Ok(3), reused, reused, reused, Ok(4)]);
    // What changes nothing has no number of its own, and its name is used all the same.
    assert_eq!(ask(&mut trial, ben, back, 1, react("+1", true), "2"), Ok((4, None)));
    assert_eq!(
        ask(&mut trial, ben, back, 1, react("+1", false), "3"),
        Ok((5, Some(reacted("+1", false, 0))))
    );
    assert_eq!(
        ask(&mut trial, ben, back, 1, react("+1", true), "2"),
        Ok((4, None)),
        "it is as it was answered"
    );
    assert_eq!(ask(&mut trial, ben, back, 1, react("+1", false), ""), Ok((5, None)));
    assert_eq!(ask(&mut trial, amy, there, 1, edit("c"), ""), Ok((5, None)));
    let from = SyncFrom { conversation: back, after: 1, chg: Some(0) };
    let numbers: Vec<u64> =
        synced(&mut trial, ben, from, 99, usize::MAX).changes.iter().map(|changed| changed.chg).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

fn reacted(emoji: &str, on: bool, n: u64) -> Done {
    Done::Reacted { emoji: emoji.into(), on, n }
}

fn who_may_change_what(open: &mut Opener<'_>) {
    let limits = Limits { edit_ms: 500, ..Limits::default() };
    let mut trial = Trial::with(open, &limits);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[ben]);
    let group = Conversation::Group(tea);
    let (mid, _) = trial.post(ben, tea, "x");
    trial.tell(ben, amy, "x");
    let with = Conversation::With;
    let late = mid.0 + 7 + 501;
    let mut at = |user, conversation, pos, alteration: Alteration, ts| {
        let alter = StoreRequest::Alter { user, conversation, pos, alteration, cid: None, ts: Millis(ts) };
        altered(trial.request(alter)).map(|altered| altered.chg)
    };
    assert_eq!(at(amy, group, 1, edit("y"), late - 1), Err(Code::NotYours), "another's");
    assert_eq!(at(ben, group, 1, edit("y"), late), Err(Code::NotYours), "too late");
    assert_eq!(at(ben, group, 1, Alteration::Recall, late), Err(Code::NotYours));
    assert_eq!(at(ben, group, 1, edit("y"), late - 1), Ok(1));
    assert_eq!(at(amy, group, 1, react("+1", true), late + 9_999), Ok(2), "at any time");
    assert_eq!(at(amy, with(ben), 1, Alteration::Recall, late - 1), Err(Code::NotYours));
    assert_eq!(at(amy, group, 1, Alteration::Recall, late + 9_999), Ok(3), "who made the group may");
    for (user, conversation, pos, code) in [
        (cleo, group, 1, Code::NotAMember),
        (cleo, with(amy), 1, Code::NoSuchUser),
        (amy, group, 2, Code::NoSuchUser),
        (amy, with(ben), 2, Code::NoSuchUser),
        (amy, with(UserId::new(77).unwrap()), 1, Code::NoSuchUser),
        (amy, Conversation::Group(GroupId::new(77).unwrap()), 1, Code::NoSuchGroup),
        (amy, with(ben), u64::MAX, Code::NoSuchUser),
    ] {
        assert_eq!(at(user, conversation, pos, react("+1", true), late), Err(code), "{conversation:?} {pos}");
    }
    // Whoever is blocked may take back what it said, and no more.
    trial.request(StoreRequest::Block { user: amy, blocked: ben }).expect("blocked");
    let mut at = |user, conversation, alteration: Alteration| {
        let ts = Millis(late);
        let alter = StoreRequest::Alter { user, conversation, pos: 1, alteration, cid: None, ts };
        altered(trial.request(alter)).map(|altered| altered.chg)
    };
    assert_eq!(at(ben, with(amy), edit("y")), Err(Code::NotYours));
    assert_eq!(at(ben, with(amy), react("+1", true)), Err(Code::NotYours));
    assert_eq!(at(amy, with(ben), react("+1", true)), Ok(1), "it is one way");
    assert_eq!(at(ben, with(amy), Alteration::Recall), Ok(2));
}

fn reactions_are_counted(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { emojis: 3, ..Limits::default() });
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[ben, cleo]);
    let group = Conversation::Group(tea);
    trial.post(amy, tea, "x");
    trial.post(amy, tea, "y");
    for (user, emoji, on, answer) in [
        (amy, "+1", true, Ok((1, Some(1)))),
        (ben, "+1", true, Ok((2, Some(2)))),
        (ben, "+1 ", true, Ok((3, Some(1)))),
        (cleo, "\u{1f642}", true, Ok((4, Some(1)))),
        (cleo, "\u{1f643}", true, Err(Code::TooMany)),
        (amy, "\u{1f642}", true, Ok((5, Some(2)))),
        (cleo, "+1", false, Ok((5, None))),
        (ben, "+1 ", false, Ok((6, Some(0)))),
        (cleo, "\u{1f643}", true, Ok((7, Some(1)))),
        (ben, "+1", false, Ok((8, Some(1)))),
    ] {
        let expected = answer.map(|(chg, n)| (chg, n.map(|n| reacted(emoji, on, n))));
        assert_eq!(ask(&mut trial, user, group, 1, react(emoji, on), ""), expected, "{emoji} {on}");
    }
    let reaction = |emoji: &str, n, mine| Reaction { emoji: emoji.into(), n, mine };
    for (user, mine) in [(amy, [true, true, false]), (ben, [false; 3]), (cleo, [false, true, true])] {
        let reactions = [("+1", 1), ("\u{1f642}", 2), ("\u{1f643}", 1)];
        let reactions =
            reactions.iter().zip(mine).map(|(&(emoji, n), mine)| reaction(emoji, n, mine)).collect();
        let expected = [(1, RowState::Changed { rev: 0, reactions }), (2, RowState::AsSaid)];
        assert_eq!(states(&mut trial, user, group), expected);
    }
    for (user, emoji) in [(amy, "+1"), (amy, "\u{1f642}"), (cleo, "\u{1f642}"), (cleo, "\u{1f643}")] {
        ask(&mut trial, user, group, 1, react(emoji, false), "").expect("taken back");
    }
    assert_eq!(states(&mut trial, amy, group)[0], (1, RowState::AsSaid));
}
