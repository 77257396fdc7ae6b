//! Searching, with the library and with chat, on the real server.

use super::library::user;
use super::program::Program;
use super::screen::Screen;
use crate::common::chatd::Chatd;
use chatd_client::row::messages;
use chatd_client::{Answer, Conversation, Device, Request, Row};

#[test]
fn what_was_said_is_found_where_it_was_said_page_by_page() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("desk"));
    amys.said(&ben, "Green tea for two");
    bens.said(&amy, "black tea");
    let Answer::Group(group) = amys.settle(Request::CreateGroup { name: "tea".into(), desc: String::new() })
    else {
        panic!()
    };
    amys.placed(Conversation::In(group), "tea that is green");
    let search = |words: &str, of, before, limit| Request::Search { words: words.into(), of, before, limit };
    // What is stored is found a moment later.
    let everywhere = loop {
        let Answer::Sought { rows, before: None, .. } = amys.settle(search("GREEN te", None, None, 9)) else {
            continue;
        };
        if rows.len() == 2 {
            break rows;
        }
    };
    let found: Vec<(&str, Conversation, bool)> = messages(&everywhere)
        .map(|message| (message.text.as_str(), message.conversation, message.own))
        .collect();
    let with_ben = Conversation::With(user(ben.id));
    assert_eq!(
        found,
        [("tea that is green", Conversation::In(group), true), ("Green tea for two", with_ben, true)]
    );
    let Answer::Sought { rows, .. } = bens.settle(search("tea", None, None, 9)) else { panic!() };
    assert!(rows.iter().all(|row| row.conversation() == Conversation::With(user(amy.id))), "{rows:?}");
    let Answer::Sought { rows, before, .. } = amys.settle(search("tea", Some(with_ben), None, 1)) else {
        panic!()
    };
    assert_eq!(messages(&rows).next().unwrap().text, "black tea");
    let before = before.expect("there is more");
    let Answer::Sought { rows, .. } = amys.settle(search("tea", Some(with_ben), Some(before), 9)) else {
        panic!()
    };
    assert_eq!(rows.iter().filter_map(Row::pos).collect::<Vec<_>>(), [1]);
    assert_eq!(amys.refused(search("?", None, None, 9)), 102);

    drop(bens);
    chatd.until_offline(&ben);
    let mut screen = Screen::enter(chatd.address, ben.id, &ben.password);
    screen.line("/search black");
    screen.see("1 message of black");
    // Nobody has told her name here.
    screen.until("what was found", |rows| {
        rows.iter().any(|row| row.starts_with(&format!("{} 2 ", amy.id)) && row.ends_with("ben: black tea"))
    });
    screen.line("/search here black");
    screen.see("no conversation is open: /open WHO");
}
