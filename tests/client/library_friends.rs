//! Friendships that are asked for, and settings, with the library and with chat, on the real server.

use super::library::user;
use super::program::Program;
use super::screen::Screen;
use crate::common::chatd::Chatd;
use chatd_client::{
    Answer, Conversation, Device, Event, Extras, FriendChange, FriendEvent, OwnDeed, Request, Settings,
    WhoWrites,
};

impl Program {
    fn friend_event(&mut self) -> FriendEvent {
        self.until("a word of a friendship", |event| match event {
            Event::Friend(event) => Some(event.clone()),
            _ => None,
        })
    }
}

#[test]
fn a_friendship_is_asked_for_and_accepted_and_ends_for_both() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let ask = Request::AskFriend { user: user(ben.id), note: "it is me".into() };
    assert_eq!(amys.settle(ask.clone()), Answer::Done);
    assert_eq!(amys.refused(ask), 108, "it waits already");
    // Ben comes later: his login tells.
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("desk"));
    let mut pad = Program::start(chatd.address, &ben, Device::beside_others("pad"));
    let asking: Vec<(u32, &str, &str)> = bens
        .welcome
        .asking
        .iter()
        .map(|asking| (asking.id.get(), asking.name.as_str(), asking.note.as_str()))
        .collect();
    assert_eq!(asking, [(user(amy.id).get(), "amy", "it is me")]);
    assert_eq!(bens.settle(Request::AnswerFriend { user: user(amy.id), yes: true }), Answer::Done);
    let accepted = |who, name| FriendEvent::new(user(who), Some(name), FriendChange::Accepted);
    assert_eq!(amys.friend_event(), accepted(ben.id, "ben"));
    assert_eq!(pad.friend_event(), accepted(amy.id, "amy"));
    let Answer::Friends(friends) = bens.settle(Request::ShowFriends) else { panic!() };
    assert_eq!(friends.iter().map(|friend| friend.name.as_str()).collect::<Vec<_>>(), ["amy"]);
    assert_eq!(bens.settle(Request::DelFriend(user(amy.id))), Answer::Done);
    assert_eq!(amys.friend_event(), FriendEvent::new(user(ben.id), Some("ben"), FriendChange::Gone));
    let own = pad.friend_event();
    assert_eq!((own.id, own.what), (user(amy.id), FriendChange::Own(OwnDeed::Gone)));
    let Answer::Friends(friends) = amys.settle(Request::ShowFriends) else { panic!() };
    assert!(friends.is_empty(), "{friends:?}");
}

#[test]
fn who_may_write_is_a_choice_that_all_devices_know() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut pad = Program::start(chatd.address, &amy, Device::beside_others("pad"));
    let mut bens = Program::start(chatd.address, &ben, Device::default());
    let all = Settings { who_writes: Some(WhoWrites::All), read_receipts: Some(true) };
    assert_eq!((amys.welcome.settings, bens.welcome.settings), (Some(all), None));
    assert_eq!(amys.settle(Request::Settings(Settings::default())), Answer::Settings(all));
    let friends = Settings { who_writes: Some(WhoWrites::Friends), read_receipts: None };
    let changed = Settings { who_writes: Some(WhoWrites::Friends), read_receipts: Some(true) };
    assert_eq!(amys.settle(Request::Settings(friends)), Answer::Settings(changed));
    let told = pad.until("settings", |event| match event {
        Event::Settings(settings) => Some(*settings),
        _ => None,
    });
    assert_eq!(told, changed);
    let say = Request::Say {
        to: Conversation::With(user(amy.id)),
        text: "hello".into(),
        time: "t".into(),
        extras: Extras::default(),
    };
    assert_eq!(bens.refused(say), 104);
}

#[test]
fn people_ask_each_other_in_words() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Screen::enter(chatd.address, amy.id, &amy.password);
    amys.line("/ask ben it is me");
    amys.see("ben is asked to be your friend");
    let mut bens = Screen::enter(chatd.address, ben.id, &ben.password);
    bens.see("amy asks to be your friend: it is me (/accept WHO or /refuse WHO)");
    bens.line("/accept amy");
    bens.see(&format!("amy ({}) is a friend now", amy.id));
    amys.see("ben is your friend now");
    amys.line("/friends");
    amys.see("1 friend, 1 online");
    bens.line("/settings writes none");
    bens.see("nobody may write to you");
    bens.see("others are told what you have read");
    amys.line("chat:ben:hello");
    amys.see("not said to ben (hello): your messages are not taken there");
    bens.line("/settings receipts off");
    bens.see("nobody is told what you have read");
}
