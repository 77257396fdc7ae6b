//! Passwords and tokens under attack: what was checked before a queue is checked again where it takes
//! effect.

use super::v2_hostile::{ask_login_v2, enter_v2};
use crate::common::chatd::{SECRET, Setup};
use crate::common::client::Client;
use serde_json::json;

/// A hash takes some 50 ms: guesses wait in a queue, which is longer than a change of the password.
const UNHURRIED: &str = "m=32768,t=3,p=1";

/// Guesses of the old password that were looked up before the PASSWORD and are compared after it.
#[test]
fn once_a_new_password_is_acknowledged_the_old_one_lets_nobody_in() {
    let chatd = Setup::new(2).default_cost().argument("--password-cost").argument(UNHURRIED).start();
    let amy = chatd.register("amy");
    let (mut session, _) = enter_v2(&chatd, &amy);
    let mut guessers: Vec<Client> = (0..24).map(|_| chatd.connect().with_newlines()).collect();
    let new = format!("{SECRET} of another day");
    session.say(json!({"msgid": 31, "old": amy.password, "new": new, "cid": "p"}));
    session.say(json!({"msgid": 3, "id": amy.id, "cid": "l"}));
    for (number, guesser) in guessers.iter_mut().enumerate() {
        if number % 2 == 0 { guesser.ask_login(&amy) } else { ask_login_v2(guesser, &amy) }
    }
    assert!(session.hear_ack("p")["token"].is_string());
    session.hear_ack("l");
    for guesser in &mut guessers {
        let answer = guesser.hear("the answer to a guess");
        // Those that were compared before hear that she is online; nobody is let in.
        assert!(answer["errno"] == 1 || answer["errno"] == 2, "{answer}");
        assert!(answer.get("token").is_none(), "{answer}");
    }
    session.say(json!({"msgid": 1, "id": amy.id, "password": new}));
    session.hear_login();
}

/// Said in one breath: the ACK of a LOGINOUT is the end of its token.
#[test]
fn a_token_is_worthless_from_the_answer_to_the_logout_on() {
    let chatd = Setup::new(2).start();
    let amy = chatd.register("amy");
    for round in 0..20 {
        let (mut session, token) = enter_v2(&chatd, &amy);
        let mut other = chatd.connect().with_newlines();
        session.say(json!({"msgid": 3, "id": amy.id, "cid": "l"}));
        session.hear_ack("l");
        other.say(json!({"msgid": 25, "token": token}));
        assert_eq!(other.hear("a refusal")["errno"], 1, "round {round}");
    }
}
