//! Who may register: as whoever runs the server chose.

use crate::common::chatd::{Chatd, Setup};
use crate::common::scratch::Scratch;
use serde_json::{Value, json};
use std::fs;

const INVITATION: &str = "harbour-spring-2026";

pub(super) fn register(chatd: &Chatd, name: &str, invitation: Option<&str>) -> Value {
    let mut client = chatd.connect();
    let mut frame = json!({"msgid": 4, "name": name, "password": "hush-hush"});
    if let Some(invitation) = invitation {
        frame["token"] = json!(invitation);
    }
    client.say(frame);
    client.hear("an answer to a registration")
}

#[test]
fn a_closed_server_takes_nobody_and_those_who_are_there_go_on() {
    let chatd = Chatd::start(1);
    let (amy, data) = (chatd.register("amy"), chatd.data.clone());
    drop(chatd);
    let chatd = Setup::new(1).data(&data).argument("--registration=closed").start();
    let refused = register(&chatd, "ben", None);
    assert_eq!((&refused["errno"], &refused["msgid"]), (&json!(1), &json!(5)), "{refused}");
    assert!(refused["errmsg"].as_str().is_some_and(|text| text.contains("ask whoever runs")), "{refused}");
    chatd.enter(&amy);
}

#[test]
fn whoever_has_an_invitation_is_let_in_and_whoever_guesses_has_to_wait() {
    let scratch = Scratch::new();
    let file = scratch.path().join("invitations");
    fs::write(&file, format!("# for the harbour\n{INVITATION}\n")).unwrap();
    let tokens = format!("--registration-tokens={}", file.display());
    let chatd = Setup::new(1).argument("--registration=token").argument(&tokens).start();
    assert_eq!(register(&chatd, "amy", Some(INVITATION))["errno"], 0);
    for wrong in [None, Some(""), Some("harbour-spring-2025"), Some(&INVITATION[1..])] {
        assert_eq!(register(&chatd, "ben", wrong)["errno"], 1, "{wrong:?}");
    }
    // On one connection, each try makes it wait.
    let mut client = chatd.connect();
    for errno in [1, 109] {
        client.say(json!({"msgid": 4, "name": "cay", "password": "hush-hush", "token": "a guess"}));
        assert_eq!(client.hear("a refusal")["errno"], errno);
    }
    assert!(!chatd.printed().contains(INVITATION));
    fs::write(&file, "too short\n").unwrap();
    let failure = Setup::new(1).argument("--registration=token").argument(&tokens).fail();
    failure.says(&["invitations", "12 bytes"]);
    fs::write(&file, "# none\n").unwrap();
    Setup::new(1).argument("--registration=token").argument(&tokens).fail().says(&["there is none"]);
}

#[test]
fn beyond_loopback_nobody_registers_unless_it_was_said_twice() {
    let failure = Setup::new(1).argument("--bind=0.0.0.0").argument("--registration=open").fail();
    failure.says(&["--open-to-all"]);
    let open = ["--bind=0.0.0.0", "--registration=open", "--open-to-all"];
    for (arguments, far) in [(&open[..1], 1), (&open[..], 0)] {
        let setup =
            arguments.iter().fold(Setup::new(1).argument("--proxy-from=127.0.0.1"), |setup, argument| {
                setup.argument(argument)
            });
        let chatd = setup.start();
        // From this machine somebody is let in in either case.
        for (address, name, errno) in
            [("127.0.0.1", "amy", 0), ("127.0.0.9", "ben", 0), ("203.0.113.7", "cay", far)]
        {
            let mut client = chatd.connect();
            client.write(format!("PROXY TCP4 {address} 127.0.0.1 40000 6000\r\n").as_bytes());
            client.say(json!({"msgid": 4, "name": name, "password": "hush-hush"}));
            assert_eq!(client.hear("an answer")["errno"], errno, "{arguments:?} from {address}");
        }
    }
}
