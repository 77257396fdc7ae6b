//! Messages that are changed, without a terminal and without a server.

use super::*;
use chatd_chat::model::ids::{MessageId, Millis};
use chatd_client::{Change, Conversation, Row};

fn with_bob() -> Conversation {
    Conversation::With(user(2))
}

fn said(mid: u64, by: u64, pos: Option<u64>, text: &str) -> Message {
    let mut message = Message::new(with_bob(), user(by), "bob", text, "t");
    (message.mark.mid, message.mark.pos) = (Some(MessageId(mid)), pos);
    message
}

/// A conversation with bob, in which bob said what stands at 4 and the user what stands at 5.
fn talking() -> Trial {
    let mut trial = Trial::inside_of(Spoken::V2);
    trial.line("/open 2");
    trial.hear(Event::Message(said(40, 2, None, "how are you?")));
    let (_, request_id) = trial.ask("fine");
    trial.settle(request_id, Answer::Safe(Mark { pos: Some(5), ..Mark::default() }));
    trial.say.clear();
    trial
}

fn stored(trial: &mut Trial) {
    trial.hear(Event::Stored { conversation: with_bob(), places: vec![(MessageId(40), 4)] });
}

#[test]
fn the_last_message_is_meant_where_none_is_named() {
    let mut trial = talking();
    let of = with_bob();
    let react = |pos, on| Request::React { of, pos, emoji: "👍".into(), on };
    assert_eq!(trial.line("/react 👍"), Next::Bad, "nobody has said yet where it stands");
    stored(&mut trial);
    for (line, request) in [
        ("/edit better", Request::Edit { of, pos: 5, text: "better".into() }),
        ("/edit 3 better", Request::Edit { of, pos: 3, text: "better".into() }),
        ("/edit . 3 apples", Request::Edit { of, pos: 5, text: "3 apples".into() }),
        ("/recall", Request::Recall { of, pos: 5 }),
        ("/recall 4", Request::Recall { of, pos: 4 }),
        ("/react 👍", react(4, true)),
        ("/react 5 👍", react(5, true)),
        ("/unreact 👍", react(4, false)),
    ] {
        assert_eq!(trial.ask(line).0, request, "{line}");
    }
    trial.line("/close");
    assert_eq!(trial.line("/recall 4"), Next::Bad);
}

#[test]
fn what_is_changed_here_is_said_and_what_is_recalled_is_the_last_one_no_more() {
    let mut trial = talking();
    let row = Row::Said(said(30, 1, Some(3), "older"));
    let (_, request_id) = trial.ask("/history");
    trial.settle(request_id, Answer::History { rows: vec![row], chg: None, complete: true });
    let (_, request_id) = trial.ask("/edit better");
    trial.settle(request_id, Answer::Changed(1));
    let Some(Shown::Done(Deed::Edited { pos: 5, chg: 1, text, .. })) = trial.say.pop() else { panic!() };
    assert_eq!(text, "better");
    let (request, request_id) = trial.ask("/recall");
    assert_eq!(request, Request::Recall { of: with_bob(), pos: 5 });
    trial.settle(request_id, Answer::Changed(2));
    assert_eq!(trial.ask("/recall").0, Request::Recall { of: with_bob(), pos: 3 });
    let (_, request_id) = trial.ask("/edit late");
    trial.hear(Event::Answered { request_id, result: Err(refused(Code::NotYours)) });
    let Some(Shown::Failed(what, _)) = trial.say.pop() else { panic!("{:?}", trial.say) };
    assert_eq!(what, "message 3 of bob is as before");
}

#[test]
fn what_others_change_is_told_with_the_words_it_is_about() {
    let mut trial = talking();
    stored(&mut trial);
    trial.say.clear();
    let change = |what| Event::Changed(Change::new(with_bob(), 1, 4, user(2), Millis(1), what));
    trial.hear(change(chatd_client::Changed::Reacted { emoji: "👍".into(), on: true, n: 1 }));
    let Some(Shown::Changed { by, words, .. }) = trial.say.pop() else { panic!() };
    assert_eq!((by.as_str(), words.as_deref()), ("bob", Some("how are you?")));
    trial.hear(change(chatd_client::Changed::Recalled));
    assert_eq!(trial.line("/react 👍"), Next::Bad, "it is there no more");
}

/// What is shown again when a conversation is opened is what it is then.
#[test]
fn what_is_unread_is_shown_as_it_is_and_not_once_it_is_recalled() {
    let mut trial = Trial::inside_of(Spoken::V2);
    for (mid, text) in [(40, "first"), (41, "second")] {
        trial.hear(Event::Message(said(mid, 2, None, text)));
    }
    let places = vec![(MessageId(40), 4), (MessageId(41), 5)];
    trial.hear(Event::Stored { conversation: with_bob(), places });
    let change = |pos, what| Event::Changed(Change::new(with_bob(), 1, pos, user(2), Millis(1), what));
    trial.hear(change(4, chatd_client::Changed::Edited { text: "better".into(), rev: 1 }));
    trial.hear(change(5, chatd_client::Changed::Recalled));
    trial.say.clear();
    trial.line("/unread");
    assert_eq!(trial.say.pop(), Some(Shown::Unread(vec![("bob".into(), 1)])));
    trial.line("/open 2");
    let again: Vec<&str> = trial
        .say
        .iter()
        .filter_map(|shown| match shown {
            Shown::Said(message, ..) => Some(message.text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(again, ["better"]);
}

#[test]
fn a_search_goes_on_where_it_was_when_it_is_asked_for_again() {
    let mut trial = talking();
    let search = |of, before| Request::Search { words: "green tea".into(), of, before, limit: 20 };
    let found = |before| {
        let row = Row::Said(said(30, 2, Some(3), "green tea"));
        Answer::Sought { rows: vec![row], before, searched_to: None }
    };
    let (request, request_id) = trial.ask("/search green tea");
    assert_eq!(request, search(None, None));
    trial.settle(request_id, found(Some(MessageId(9))));
    let Some(Shown::Sought { rows, more: true, .. }) = trial.say.pop() else { panic!() };
    assert_eq!(rows[0].0, "bob");
    let (request, request_id) = trial.ask("/search green tea");
    assert_eq!(request, search(None, Some(MessageId(9))));
    trial.settle(request_id, found(Some(MessageId(7))));
    assert_eq!(trial.ask("/search here green tea").0, search(Some(with_bob()), None), "that is another one");
}

#[test]
fn places_are_told_to_a_person_who_wants_them() {
    let mut trial = talking();
    trial.line("/places");
    stored(&mut trial);
    let Some(Shown::Stored { words, .. }) = trial.say.pop() else { panic!() };
    assert_eq!(words, [Some("how are you?".to_owned())]);
    let (_, request_id) = trial.ask("and you");
    trial.settle(request_id, Answer::Safe(Mark { pos: Some(6), ..Mark::default() }));
    assert!(matches!(trial.say.pop(), Some(Shown::Done(Deed::Sent { numbered: true, .. }))));
}
