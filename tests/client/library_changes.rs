//! Messages that are edited, recalled and reacted to, with the library on the real server.

use super::library::user;
use super::program::Program;
use super::relay::Relay;
use super::screen::until_free;
use crate::common::chatd::{Chatd, Setup};
use chatd_client::{Answer, Changed, Conversation, Device, Event, Reaction, Recalled, Request, Row, Since};

fn edited(text: &str, rev: u64) -> Option<Changed> {
    Some(Changed::Edited { text: text.to_owned(), rev })
}

fn reacted(emoji: &str, on: bool, n: u64) -> Option<Changed> {
    Some(Changed::Reacted { emoji: emoji.to_owned(), on, n })
}

fn whats(program: &Program) -> Vec<Option<Changed>> {
    program.changes.iter().map(|change| change.what.clone()).collect()
}

#[test]
fn what_is_changed_is_told_to_everybody_else_and_shown_in_the_history() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut pad = Program::start(chatd.address, &amy, Device::beside_others("pad"));
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("desk"));
    let (with_ben, with_amy) = (Conversation::With(user(ben.id)), Conversation::With(user(amy.id)));
    let first = amys.placed(with_ben, "At hlaf past two");
    let second = amys.placed(with_ben, "or not");
    let edit = Request::Edit { of: with_ben, pos: first, text: "At half past two".into() };
    assert_eq!(amys.settle(edit.clone()), Answer::Changed(1));
    assert_eq!(amys.settle(edit), Answer::Changed(1), "nothing is changed by it");
    let react = |on| Request::React { of: with_amy, pos: first, emoji: "👍".into(), on };
    assert_eq!(bens.settle(react(true)), Answer::Changed(2));
    assert_eq!(amys.settle(Request::Recall { of: with_ben, pos: second }), Answer::Changed(3));
    let all = [edited("At half past two", 1), reacted("👍", true, 1), Some(Changed::Recalled)];
    pad.until_changes(3);
    amys.until_changed_to(3);
    bens.until_changed_to(3);
    assert_eq!(whats(&pad), all);
    assert_eq!((whats(&amys), amys.chg), (vec![all[1].clone()], 3), "what it changed itself it is not told");
    assert_eq!((whats(&bens), bens.chg), (vec![all[0].clone(), all[2].clone()], 3));
    let change = &bens.changes[0];
    assert_eq!((change.conversation, change.pos, change.by), (with_amy, first, user(amy.id)));

    let page = Request::History { of: with_amy, span: chatd_client::Span::Latest, limit: 9 };
    let Answer::History { rows, chg, .. } = bens.settle(page) else { panic!() };
    let Row::Said(said) = &rows[0] else { panic!("{rows:?}") };
    assert_eq!((said.text.as_str(), said.rev, chg), ("At half past two", 1, Some(3)));
    assert_eq!(said.reactions, [Reaction { emoji: "👍".into(), n: 1, mine: true }]);
    let Row::Recalled(Recalled { pos, by, .. }) = rows[1] else { panic!("{rows:?}") };
    assert_eq!((pos, by), (second, user(amy.id)));
    assert_eq!(bens.settle(react(false)), Answer::Changed(4));
    // Another's message, and one that is not there.
    assert_eq!(bens.refused(Request::Edit { of: with_amy, pos: first, text: "x".into() }), 104);
    assert_eq!(bens.refused(Request::Recall { of: with_amy, pos: second }), 105);
    assert_eq!(bens.refused(Request::Recall { of: with_amy, pos: 99 }), 105);
}

/// Its connection is cut while others change what it has.
#[test]
fn a_device_that_was_cut_off_is_told_each_change_once_and_in_order() {
    const EACH: u64 = 40;
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let relay = Relay::to(chatd.address);
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut pad = Program::start(relay.address, &amy, Device::beside_others("pad"));
    let with_ben = Conversation::With(user(ben.id));
    let first = amys.placed(with_ben, "first");
    let edit = |n: u64| Request::Edit { of: with_ben, pos: first, text: format!("e{n}") };
    amys.settle(edit(1));
    pad.until_changes(1);
    for round in 1..=3 {
        relay.cut();
        pad.until("the loss", |event| matches!(event, Event::Lost { .. }).then_some(()));
        for n in (round - 1) * EACH + 2..=round * EACH + 1 {
            amys.settle(edit(n));
        }
        // Something new, too, that is changed before it is heard of.
        let pos = amys.placed(with_ben, "new");
        amys.settle(Request::Edit { of: with_ben, pos, text: format!("new {round}") });
        relay.mend();
        pad.until_up_to(pos);
        pad.until_changed_to(round * (EACH + 1) + 1);
        let new = pad.told.last().unwrap();
        assert_eq!((new.text.as_str(), new.mark.pos), (format!("new {round}").as_str(), Some(pos)));
    }
    let of_first: Vec<u64> =
        pad.changes.iter().filter(|change| change.pos == first).map(|change| change.chg).collect();
    assert_eq!(of_first.len() as u64, 3 * EACH + 1);
    assert!(of_first.is_sorted_by(|one, next| one < next), "{of_first:?}");
    let last = pad.changes.iter().rfind(|change| change.pos == first).unwrap();
    assert_eq!(last.what, edited(&format!("e{}", 3 * EACH + 1), 3 * EACH + 1));
    assert_eq!(pad.told.len(), 4);
    // And live again.
    amys.settle(edit(0));
    pad.until("the change", |event| match event {
        Event::Changed(change) if change.pos == first => Some(()),
        _ => None,
    });
}

/// The server is killed while changes are under way: each is made once, whoever says it again.
#[test]
fn changes_survive_a_server_that_is_killed_and_are_made_once() {
    const COUNT: u64 = 60;
    let mut chatd = Chatd::start_lasting(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (port, data) = (chatd.address.port(), chatd.data.clone());
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("desk"));
    let (with_ben, with_amy) = (Conversation::With(user(ben.id)), Conversation::With(user(amy.id)));
    let pos = amys.placed(with_ben, "first");
    bens.until_up_to(pos);
    let asked: Vec<_> = (1..=COUNT)
        .map(|n| {
            let asked = amys.client.edit(with_ben, pos, format!("e{n}"));
            if n == COUNT / 2 {
                assert!(matches!(amys.answer(asked), Ok(Answer::Changed(_))));
                chatd.end(libc::SIGKILL);
                until_free(port);
            }
            asked
        })
        .collect();
    let _chatd = Setup::new(2).port(port).data(&data).start();
    let last = *asked.last().unwrap();
    assert_eq!(amys.answer(last), Ok(Answer::Changed(COUNT)));
    bens.until_changed_to(COUNT);
    let counted: Vec<u64> = bens.changes.iter().map(|change| change.chg).collect();
    assert_eq!(counted, (1..=COUNT).collect::<Vec<_>>());
    assert_eq!(bens.changes.last().unwrap().what, edited(&format!("e{COUNT}"), COUNT));

    // A program that was ended goes on with what it kept.
    drop(bens);
    assert_eq!(amys.settle(Request::Recall { of: with_ben, pos }), Answer::Changed(COUNT + 1));
    let since = Since { conversation: with_amy, after: pos, chg: Some(COUNT) };
    let places = Some(vec![since]);
    let mut bens = Program::start(_chatd.address, &ben, Device { places, ..Device::beside_others("desk") });
    bens.until_changes(1);
    assert_eq!((whats(&bens), bens.told.len()), (vec![Some(Changed::Recalled)], 0));
}
