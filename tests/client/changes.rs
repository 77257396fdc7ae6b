//! Messages that are changed, who is typing and who has read: as people see it, and as programs do.

use super::devices::{Program, person};
use super::library::user;
use super::program::Program as Library;
use super::screen::{Screen, Setup};
use crate::common::chatd::Chatd;
use chatd_client::{Conversation, Device, Request};
use serde_json::json;

#[test]
fn people_edit_take_back_and_react_and_see_others_do_so() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Screen::enter(chatd.address, amy.id, &amy.password);
    let mut bens = Screen::enter(chatd.address, ben.id, &ben.password);
    for (screen, other) in [(&mut amys, "ben"), (&mut bens, "amy")] {
        screen.line(&format!("/open {other}"));
        screen.see_last(&format!("{other}>"));
    }
    bens.line("/places");
    bens.see("what comes is numbered from now on");
    amys.line("at hlaf past two");
    amys.see("✓ safe: at hlaf past two");
    bens.see("amy: at hlaf past two");
    bens.see("1: at hlaf past two");
    amys.line("/edit at half past two");
    amys.see("message 1 is now: at half past two");
    bens.see("amy edited message 1: at half past two");
    bens.line("/react 👍");
    bens.see("👍 to message 1 (at half past two)");
    amys.see("ben reacted with 👍 to message 1 (at half past two)");
    bens.line("/history");
    bens.see("amy: at half past two (edited)  👍");
    bens.line("/unreact 1 👍");
    amys.see("ben took 👍 back from message 1");
    bens.line("/edit 1 mine");
    bens.see("message 1 of amy is as before: only its sender may change this, and not for long (errno 104)");
    amys.line("/recall");
    amys.see("message 1 is taken back");
    bens.see("amy took back message 1");
    bens.line("/history");
    bens.see("   1  taken back by amy");
    amys.line("/recall");
    amys.see("which message? /history shows their numbers");
}

#[test]
fn people_reply_and_see_to_what() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Screen::enter(chatd.address, amy.id, &amy.password);
    let mut bens = Screen::enter(chatd.address, ben.id, &ben.password);
    for (screen, other) in [(&mut amys, "ben"), (&mut bens, "amy")] {
        screen.line(&format!("/open {other}"));
        screen.see_last(&format!("{other}>"));
    }
    bens.line("/places");
    bens.see("what comes is numbered from now on");
    bens.line("/reply to nothing");
    bens.see("which message? /history shows their numbers");
    amys.line("tea?");
    bens.see("1: tea?");
    amys.line("or coffee?");
    bens.see("2: or coffee?");
    bens.line("/reply the latter");
    bens.see("✓ safe: the latter");
    amys.see("ben: (to 2: or coffee?) the latter");
    bens.line("/reply 1 no, thanks");
    amys.see("ben: (to 1: tea?) no, thanks");
    // What it is edited to is what is replied to. What was never heard of has a number only.
    amys.line("/edit 1 mint tea?");
    bens.see("amy edited message 1: mint tea?");
    bens.line("/reply 1 oh, yes");
    amys.see("ben: (to 1: mint tea?) oh, yes");
    bens.line("/reply 99 what?");
    amys.see("ben: (to 99) what?");
    amys.line("/history");
    amys.see("ben: (to 2) the latter");
}

#[test]
fn a_program_is_told_all_fields() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Program::enter(&chatd, &amy, "desk");
    let mut bens = Program::enter(&chatd, &ben, "desk");
    amys.line("/open ben");
    bens.line("/open amy");
    amys.line("first");
    assert_eq!(amys.hear("done")["pos"], 1);
    let stored = bens.hear("stored");
    let mid = &stored["places"][0]["mid"];
    assert_eq!((&stored["id"], &stored["places"][0]["pos"]), (&json!(amy.id), &json!(1)));
    amys.line("/edit better");
    let done = amys.hear("done");
    assert_eq!(
        (&done["what"], &done["pos"], &done["chg"], &done["text"]),
        (&json!("edited"), &json!(1), &json!(1), &json!("better"))
    );
    let changed = bens.hear("changed");
    assert_eq!(
        (&changed["what"], &changed["text"], &changed["rev"]),
        (&json!("edit"), &json!("better"), &json!(1))
    );
    assert_eq!((&changed["mid"], &changed["by"], &changed["chg"]), (mid, &json!(amy.id), &json!(1)));
    bens.line("/react ❤️");
    let changed = amys.hear("changed");
    assert_eq!((&changed["emoji"], &changed["on"], &changed["n"]), (&json!("❤️"), &json!(true), &json!(1)));
    bens.line("/history");
    let row = &bens.hear("history")["messages"][0];
    assert_eq!(row["reactions"], json!([{"emoji": "❤️", "n": 1, "mine": true}]));
    assert_eq!((&row["rev"], &row["text"]), (&json!(1), &json!("better")));
    bens.line("/reply 1 I see");
    let message = amys.hear("message");
    assert_eq!((&message["reply"], &message["text"]), (&json!(1), &json!("I see")));
    amys.line("/recall");
    assert_eq!(bens.hear("changed")["what"], "recall");
    // Else the same again were what was before.
    bens.line("/unread");
    bens.line("/history");
    let row = &bens.hear("history")["messages"][0];
    assert_eq!((&row["recalled"], &row["by"], &row["pos"]), (&json!(true), &json!(amy.id), &json!(1)));
    for program in [amys, bens] {
        program.end();
    }
}

#[test]
fn a_person_sees_who_is_typing_and_what_was_read() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Setup::new().argument(chatd.address).start();
    amys.login(amy.id, &amy.password);
    let mut bens = person(&chatd, &ben, "desk");
    amys.line("/open ben");
    amys.line("how are you?");
    amys.see("✓ safe: how are you?");
    bens.line("/open amy");
    bens.see("amy: how are you?");
    bens.line("/history");
    bens.see("amy, messages 1 to 1");
    bens.line("/read");
    bens.see("amy is read");
    amys.see("ben has read what you said");
    let cat = chatd.register("cat");
    let mut cats = Library::start(chatd.address, &cat, Device::default());
    bens.line("/open cat");
    bens.see("talking to cat");
    cats.settle(Request::Typing { to: Conversation::With(user(ben.id)), on: true });
    bens.see("cat is typing");
}
