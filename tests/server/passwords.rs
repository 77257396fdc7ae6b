//! Passwords and tokens under attack: what was checked before a queue is checked again where it takes
//! effect.

use super::v2_hostile::{ask_login_v2, enter_v2};
use crate::common::chatd::{Chatd, SECRET, Setup};
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

fn connect_from(chatd: &Chatd, source: [u8; 4]) -> Client {
    Client::connect_from(source, chatd.address).with_newlines()
}

fn guess(client: &mut Client, id: u64) {
    client.say(json!({"msgid": 1, "id": id, "password": "guess"}));
}

/// What a login was answered: 1 if its password was looked at, 109 if not.
fn verdict(client: &mut Client) -> u64 {
    let answer = client.hear("the answer to a guess");
    let errno = answer["errno"].as_u64().expect("an errno");
    assert!(errno == 1 || (errno == 109 && answer["retry_after_ms"].as_u64() > Some(0)), "{answer}");
    errno
}

/// Hundreds of logins wait; whoever comes from another place is nearly the next one.
#[test]
fn a_login_does_not_wait_for_all_that_somebody_else_has_waiting() {
    let chatd = Setup::new(1).default_cost().argument("--password-cost").argument(UNHURRIED).start();
    let amy = chatd.register("amy");
    let mut attackers: Vec<Client> = (0..300).map(|_| connect_from(&chatd, [127, 0, 0, 9])).collect();
    for (number, attacker) in attackers.iter_mut().enumerate() {
        guess(attacker, 1_000 + number as u64);
    }
    connect_from(&chatd, [127, 0, 0, 2]).login(&amy);
    let looked_at = |attacker: &mut Client| {
        let taken = attacker.taken();
        taken.windows(10).any(|part| part == b"\"errno\":1,")
    };
    let before: usize = attackers.iter_mut().map(|attacker| usize::from(looked_at(attacker))).sum();
    assert!(before < 100, "{before} were looked at before");
}

/// From however many addresses one account is guessed at, it is so often; its owner gets in.
#[test]
fn guesses_of_one_account_have_a_bound_and_its_owner_gets_in() {
    let chatd = Setup::new(2).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    // The owner of one was here before, of the other not.
    let mut known = connect_from(&chatd, [127, 0, 0, 2]);
    known.login(&amy);
    known.logout();
    let mut looked_at = 0;
    for address in 0..200 {
        let mut attacker = connect_from(&chatd, [127, 0, 1, address]);
        guess(&mut attacker, amy.id);
        looked_at += u32::from(verdict(&mut attacker) == 1);
    }
    assert!((20..60).contains(&looked_at), "{looked_at} of 200 were looked at");
    connect_from(&chatd, [127, 0, 0, 2]).login(&amy);
    // Ten who guess on and on, a connection for every guess, leave room for whoever comes for the first time.
    let mut turned_away = 0;
    for round in 0..200 {
        let mut attacker = connect_from(&chatd, [127, 0, 2, round % 10]);
        guess(&mut attacker, ben.id);
        turned_away += u32::from(verdict(&mut attacker) == 109);
    }
    assert!(turned_away > 100, "{turned_away} of 200 were turned away");
    connect_from(&chatd, [127, 0, 0, 3]).login(&ben);
}
