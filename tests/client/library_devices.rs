//! Several devices of one user, with the library and the real server.

use super::library::{settled, user};
use super::program::Program;
use super::relay::Relay;
use super::screen::until_free;
use crate::common::chatd::{Chatd, Setup};
use chatd_client::event::Lost;
use chatd_client::row::messages;
use chatd_client::{Answer, Conversation, Device, Ending, Event, Head, Request, Since};

fn numbered(count: u64) -> Vec<String> {
    (1..=count).map(|n| format!("m{n}")).collect()
}

#[test]
fn what_one_device_says_the_other_sees_as_its_own() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut desk = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut pad = Program::start(chatd.address, &amy, Device::beside_others("pad"));
    let mut bens = Program::start(chatd.address, &ben, Device::default());
    desk.said(&ben, "from the desk");
    pad.until_up_to(1);
    let heard = &pad.told[0];
    assert_eq!((heard.text.as_str(), heard.own), ("from the desk", true));
    assert_eq!((heard.conversation, heard.from), (Conversation::With(user(ben.id)), user(amy.id)));
    bens.until("the message", |event| matches!(event, Event::Message(message) if !message.own).then_some(()));
    bens.said(&amy, "to both");
    for device in [&mut desk, &mut pad] {
        device.until_up_to(2);
        let heard = device.told.last().unwrap();
        assert_eq!((heard.text.as_str(), heard.own), ("to both", false));
        assert_eq!(heard.conversation, Conversation::With(user(ben.id)));
    }
    assert_eq!((desk.told.len(), pad.told.len()), (1, 2));
}

/// Its connection is cut while its user and others go on.
#[test]
fn a_device_that_was_cut_off_is_told_what_it_missed_once_and_in_order() {
    const EACH: u64 = 150;
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let relay = Relay::to(chatd.address);
    let mut desk = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut pad = Program::start(relay.address, &amy, Device::beside_others("pad"));
    let mut bens = Program::start(chatd.address, &ben, Device::default());
    desk.said(&ben, "m1");
    pad.until_up_to(1);
    relay.cut();
    pad.until("the loss", |event| matches!(event, Event::Lost { .. }).then_some(()));
    // The desk confirms what ben says, so that no backlog has it; what it says itself never was in one.
    for n in 2..=2 * EACH {
        let (program, to) = if n % 2 == 0 { (&mut bens, &amy) } else { (&mut desk, &ben) };
        program.said(to, &format!("m{n}"));
    }
    desk.until_up_to(2 * EACH);
    let heard = desk.told.iter().filter(|message| !message.own).count();
    assert_eq!(heard as u64, EACH);
    relay.mend();
    pad.until_up_to(2 * EACH);
    assert_eq!(pad.texts(), numbered(2 * EACH));
    let own = pad.told.iter().filter(|message| message.own).count();
    assert_eq!(own as u64, EACH);
    bens.said(&amy, "and on");
    pad.until_up_to(2 * EACH + 1);
    assert_eq!((pad.told.len() as u64, pad.told.last().unwrap().text.as_str()), (2 * EACH + 1, "and on"));
}

/// The server is killed under two devices that both speak and hear.
#[test]
fn devices_of_a_server_that_was_killed_end_with_the_same() {
    const EACH: u64 = 100;
    let mut chatd = Chatd::start_lasting(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (port, data) = (chatd.address.port(), chatd.data.clone());
    let mut devices =
        ["desk", "pad"].map(|name| Program::start(chatd.address, &amy, Device::beside_others(name)));
    let mut bens = Program::start(chatd.address, &ben, Device::default());
    for n in 0..EACH {
        devices[0].say(&ben, &format!("d{n}"));
        devices[1].say(&ben, &format!("p{n}"));
        let said = bens.say(&amy, &format!("b{n}"));
        if n == EACH / 2 {
            settled(&mut bens.events, said).unwrap();
            chatd.end(libc::SIGKILL);
            until_free(port);
        }
    }
    let _chatd = Setup::new(2).port(port).data(&data).start();
    for (device, others) in devices.iter_mut().zip(["p", "d"]) {
        device.until_up_to(3 * EACH);
        for who in [others, "b"] {
            let of = |text: &&&str| text.starts_with(who);
            let told: Vec<String> = device.texts().iter().filter(of).map(|text| (*text).to_owned()).collect();
            assert_eq!(told, (0..EACH).map(|n| format!("{who}{n}")).collect::<Vec<_>>());
        }
        assert_eq!(device.told.len() as u64, 2 * EACH, "what it said itself it is not told");
    }
}

/// The program itself has ended, and remembers only how far it was told.
#[test]
fn a_program_that_was_ended_goes_on_where_it_was() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut desk = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut pad = Program::start(chatd.address, &amy, Device::beside_others("pad"));
    for n in 1..=5 {
        desk.said(&ben, &format!("m{n}"));
    }
    pad.until_up_to(5);
    let (mut told, up_to) = (pad.told.clone(), pad.up_to);
    drop(pad);
    for n in 6..=9 {
        desk.said(&ben, &format!("m{n}"));
    }
    let conversation = Conversation::With(user(ben.id));
    let places = Some(vec![Since { conversation, after: up_to, chg: None }]);
    let again = Device { places, ..Device::beside_others("pad") };
    let mut pad = Program::start(chatd.address, &amy, again);
    assert_eq!((pad.heads[0].head, pad.heads[0].name.as_str()), (9, "ben"));
    pad.until_up_to(9);
    told.append(&mut pad.told);
    assert_eq!(told.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), numbered(9));
    // A device that is new begins with what comes.
    let new = Program::start(chatd.address, &amy, Device::beside_others("new"));
    assert_eq!((new.heads[0].head, new.told.len()), (9, 0));
}

#[test]
fn what_is_read_on_one_device_is_read_on_all_and_by_the_other_user_seen() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut desk = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("ben's"));
    for n in 1..=3 {
        bens.said(&amy, &format!("m{n}"));
    }
    let mut pad = Program::start(chatd.address, &amy, Device::beside_others("pad"));
    let unread = |heads: &[Head]| (heads[0].head, heads[0].read, heads[0].unread);
    assert_eq!(unread(&pad.heads), (3, 0, 3));
    let with_ben = Conversation::With(user(ben.id));
    let read = |pos| Request::Read { of: with_ben, pos, private: false };
    assert_eq!(desk.settle(read(2)), Answer::ReadUpTo(2));
    let marker = |event: &Event| match event {
        Event::Read { conversation, by, pos } => Some((*conversation, *by, *pos)),
        _ => None,
    };
    assert_eq!(pad.until("a marker", marker), (with_ben, user(amy.id), 2));
    let with_amy = Conversation::With(user(amy.id));
    assert_eq!(bens.until("a marker", marker), (with_amy, user(amy.id), 2));
    let Answer::Heads(heads) = pad.settle(Request::Heads { before: None, limit: 10 }) else { panic!() };
    assert_eq!(unread(&heads.heads), (3, 2, 1));
    // Beyond the end is the end; back is not.
    assert_eq!(desk.settle(read(9)), Answer::ReadUpTo(3));
    assert_eq!(desk.settle(read(1)), Answer::ReadUpTo(3));
    let sync = Request::Sync { since: vec![Since { conversation: with_ben, after: 1, chg: None }], limit: 1 };
    let Answer::Synced(synced) = pad.settle(sync) else { panic!() };
    let texts: Vec<&str> = messages(&synced[0].rows).map(|message| message.text.as_str()).collect();
    assert_eq!((texts, synced[0].complete, synced[0].head), (vec!["m2"], false, 3));

    assert_eq!(bens.settle(Request::Typing { to: with_amy, on: true }), Answer::Done);
    for device in [&mut desk, &mut pad] {
        let typing = device.until("somebody typing", |event| match event {
            Event::Typing { conversation, by, on, expires } => Some((*conversation, *by, *on, *expires)),
            _ => None,
        });
        assert_eq!((typing.0, typing.1, typing.2), (with_ben, user(ben.id), true));
        assert!(!typing.3.is_zero());
    }
}

#[test]
fn a_device_that_is_dropped_ends_and_stays_out() {
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    let mut desk = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut pad = Program::start(chatd.address, &amy, Device::beside_others("pad"));
    let Answer::Devices(devices) = pad.settle(Request::Devices) else { panic!() };
    let mut known: Vec<_> = devices.iter().map(|it| (it.name.as_str(), it.this)).collect();
    known.sort_unstable();
    assert_eq!(known, [("desk", false), ("pad", true)]);
    let other = devices.iter().find(|device| device.name == "desk").unwrap().id;
    assert_eq!(pad.settle(Request::DropDevice(other)), Answer::Done);
    let words = desk.until("the end", |event| match event {
        Event::SignedOut(refusal) => Some(refusal.clone()),
        _ => None,
    });
    assert_eq!((words.errno, words.ending()), (113, Some(Ending::Revoked)));
    desk.until("the end of the connection", |event| {
        matches!(event, Event::Lost { reason: Lost::Said(_), retry_in: None }).then_some(())
    });
    let Answer::Devices(devices) = pad.settle(Request::Devices) else { panic!() };
    assert_eq!(devices.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["pad"]);
}
