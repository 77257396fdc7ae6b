//! SIGHUP: what is read again while people are there, and what is said of the rest.

use super::configuration::{file, until_said};
use super::jwt::{believing, claims, login, signed_with};
use super::registering::register;
use crate::common::chatd::{Chatd, Setup};
use crate::common::scratch::Scratch;
use serde_json::json;

#[test]
fn a_server_with_nothing_to_read_again_says_so_and_goes_on() {
    let mut chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), chatd.enter(&ben));
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "SIGHUP received, the options stay as they are: there is no file");
    amys.chat_stored(&ben, "still here", "c");
    bens.hear_msg("still here");
    drop((amys, bens));
    chatd.end(libc::SIGTERM);
}

#[test]
fn keys_for_jwt_are_read_again() {
    const ONE: &str = "one secret of thirty-two bytes at least";
    const OTHER: &str = "another secret, which is not shorter than that";
    let scratch = Scratch::new();
    let key = file(&scratch, "key", ONE);
    let chatd = believing(Setup::new(1)).argument(&format!("--jwt-secret={key}")).start();
    let come = |secret: &str| {
        let word = signed_with(secret.as_bytes(), &json!({"alg": "HS256"}), &claims("u-1", "Amy"));
        login(&chatd, &word)
    };
    let (mut before, answer) = come(ONE);
    assert_eq!(answer["errno"], 0, "{answer}");
    file(&scratch, "key", OTHER);
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, &format!("the keys for jwt were read again: 1 in {key}"));
    assert_eq!(come(ONE).1["errno"], 1, "it is worthless");
    // Who is there stays; the user is the same.
    before.say(json!({"msgid": 22, "n": 1}));
    assert_eq!(before.hear("a pong")["n"], 1);
    drop(before);
    assert_eq!(come(OTHER).1["id"], answer["id"]);
    file(&scratch, "key", "too short");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the keys for jwt stay as they were");
    assert_ne!(come(OTHER).1["errno"], 1);
    assert!(!chatd.printed().contains("too short") && !chatd.printed().contains(OTHER));
}

#[test]
fn invitations_are_read_again() {
    let scratch = Scratch::new();
    let tokens = file(&scratch, "tokens", "harbour-spring-2026\n");
    let chatd = Setup::new(2).argument("--registration=token");
    let chatd = chatd.argument(&format!("--registration-tokens={tokens}")).start();
    assert_eq!(register(&chatd, "amy", Some("harbour-spring-2026"))["errno"], 0);
    file(&scratch, "tokens", "harbour-summer-2026\nharbour-autumn-2026\n");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the invitations were read again: 2 in");
    // Each core takes them up in its turn.
    let mut number = 0;
    while register(&chatd, &format!("ben {number}"), Some("harbour-summer-2026"))["errno"] != 0 {
        number += 1;
    }
    file(&scratch, "tokens", "short\n");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the invitations stay as they were");
    assert!(!chatd.printed().contains("harbour"), "{}", chatd.printed());
}
