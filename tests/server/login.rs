//! Accounts: who may in, who may not, and that there is one login a user.

use crate::common::chatd::{Chatd, SECRET, Setup};
use crate::common::client::{Client, User};
use serde_json::{Value, json};
use std::sync::Barrier;

/// What chatd answers to a login, byte for byte.
fn answer_to(chatd: &Chatd, id: u64, password: &str) -> String {
    let mut client = chatd.connect();
    client.say(json!({"msgid": 1, "id": id, "password": password}));
    client.hear_text("the answer to a login")
}

#[test]
fn nobody_learns_whether_a_user_exists() {
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    let refused = r#"{"errmsg":"id or password is invalid!","errno":1,"msgid":2}"#;
    let long = "x".repeat(257);
    for (id, password) in [
        (amy.id, "wrong"),
        (amy.id, ""),
        (amy.id, &*amy.password.to_uppercase()),
        (amy.id, &*format!("{} ", amy.password)),
        (amy.id, &*long),
        (99, &*amy.password),
        (2_147_483_647, ""),
        (99, &*long),
    ] {
        assert_eq!(answer_to(&chatd, id, password), refused, "{id} {password}");
    }
    // Not even while she is online, and her session is not disturbed.
    let mut online = chatd.enter(&amy);
    assert_eq!(answer_to(&chatd, amy.id, "wrong"), refused);
    online.hear_nothing();
}

#[test]
fn the_default_password_cost_works_too() {
    let chatd = Setup::new(2).default_cost().start();
    let amy = chatd.register("amy");
    let mut client = chatd.enter(&amy);
    client.hear_nothing();
    assert!(answer_to(&chatd, amy.id, "wrong").contains("invalid"));
    assert!(!chatd.printed().contains("warning    passwords"), "{}", chatd.printed());
}

#[test]
fn a_connection_that_was_refused_may_try_again() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let mut client = chatd.connect();
    for _ in 0..4 {
        client.say(json!({"msgid": 1, "id": amy.id, "password": "wrong"}));
        assert_eq!(client.hear("a refusal")["errno"], 1);
    }
    client.login(&amy);
}

/// Twenty connections ask at the same moment; the winner's, and the errnos of all.
fn race(chatd: &Chatd, user: &User, count: usize) -> (Client, Vec<u64>) {
    let mut clients: Vec<Client> = (0..count).map(|_| chatd.connect()).collect();
    let barrier = Barrier::new(count);
    let mut answered: Vec<(u64, Client)> = std::thread::scope(|scope| {
        let racers: Vec<_> = clients
            .drain(..)
            .map(|mut client| {
                scope.spawn(|| {
                    barrier.wait();
                    client.ask_login(user);
                    let answer = client.hear("the answer to one of many logins");
                    assert_eq!(answer["msgid"], 2, "{answer}");
                    (answer["errno"].as_u64().expect("an errno"), client)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    answered.sort_by_key(|(errno, _)| *errno);
    let errnos = answered.iter().map(|(errno, _)| *errno).collect();
    (answered.remove(0).1, errnos)
}

#[test]
fn of_twenty_logins_at_once_exactly_one_wins() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let amy = chatd.register("amy");
        for round in 0..6 {
            let (mut winner, errnos) = race(&chatd, &amy, 20);
            let expected = [vec![0], vec![2; 19]].concat();
            assert_eq!(errnos, expected, "round {round} on {cores} cores");
            winner.hear_nothing();
            winner.logout();
            winner.hear_until_logged_out();
            chatd.until_offline(&amy);
        }
    }
}

#[test]
fn after_a_logout_the_connection_may_be_somebody_else() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut client = chatd.enter(&amy);
        for round in 0..20 {
            let user = if round % 2 == 0 { &ben } else { &amy };
            client.logout();
            client.login(user);
        }
        // It is amy now, and ben is nobody.
        client.say(json!({"msgid": 13, "id": ben.id}));
        client.hear_error(104);
        chatd.enter(&ben).hear_nothing();
    }
}

#[test]
fn a_session_does_not_log_in_twice() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = chatd.enter(&amy);
    for user in [&amy, &ben] {
        client.say(json!({"msgid": 1, "id": user.id, "password": user.password}));
        assert_eq!(client.hear("a refusal")["errno"], 2);
    }
    client.hear_nothing();
    chatd.enter(&ben).hear_nothing();
}

#[test]
fn registrations_that_cannot_be() {
    let chatd = Chatd::start(2);
    let mut client = chatd.connect();
    let mut register = |name: &str, password: &str| -> Value {
        client.say(json!({"msgid": 4, "name": name, "password": password}));
        let answer = client.hear("the answer to a registration");
        assert_eq!(answer["msgid"], 5, "{answer}");
        answer
    };
    for (name, password) in [
        ("", SECRET),
        (&*"x".repeat(51), SECRET),
        (&*"名".repeat(51), SECRET),
        ("  ", SECRET),
        ("\u{3000}", SECRET),
        ("\u{200b}", SECRET),
        ("a\u{200b}my", SECRET),
        ("amy\u{200d}", SECRET),
        ("a\u{ad}my", SECRET),
        ("\u{202e}yma", SECRET),
        ("\u{2800}", SECRET),
        ("\u{feff}amy", SECRET),
        ("a\nmy", SECRET),
        ("a\0my", SECRET),
        ("amy", ""),
        ("amy", &*SECRET.repeat(30)),
    ] {
        let answer = register(name, password);
        assert_eq!(answer["errno"], 1, "{name:?}: {answer}");
        assert!(answer.get("id").is_none(), "{name:?}: {answer}");
    }
    for name in ["x", &*"名".repeat(50), "O'Brien\"\\", "a b", "🙂"] {
        assert_eq!(register(name, SECRET)["errno"], 0, "{name:?}");
        assert_eq!(register(name, "another"), json!({"errno": 1, "msgid": 5}), "{name:?} is taken");
    }
    // Blanks at the ends are taken off; case, width and composition make no other name.
    let amy = register(" Ämy\u{3000}", SECRET)["id"].clone();
    for name in ["Ämy", "äMY", "A\u{308}my", "\tÄ\u{ff4d}y "] {
        assert_eq!(register(name, "another"), json!({"errno": 1, "msgid": 5}), "{name:?} is taken");
        let mut client = chatd.connect().with_newlines();
        client.id = amy.as_u64().expect("an id");
        client.say(json!({"msgid": 1, "name": name, "password": SECRET, "v": 2}));
        let answer = client.hear_login();
        assert_eq!((&answer["id"], &answer["name"]), (&amy, &json!("Ämy")), "as it was written");
        client.say(json!({"msgid": 29, "name": name}));
        assert_eq!(client.hear("FIND_ACK")["name"], "Ämy", "{name:?}");
        client.say(json!({"msgid": 3, "id": amy, "cid": "l"}));
        client.hear_ack("l");
    }
}

/// The same name at the same time, from everywhere: one account, nineteen refusals.
#[test]
fn one_name_is_one_account() {
    let chatd = Chatd::start(8);
    for round in 0..3 {
        let mut clients: Vec<Client> = (0..20).map(|_| chatd.connect()).collect();
        for client in &mut clients {
            client.say(json!({"msgid": 4, "name": format!("amy{round}"), "password": SECRET}));
        }
        let errnos: Vec<Value> =
            clients.iter_mut().map(|client| client.hear("a registration")["errno"].clone()).collect();
        assert_eq!(errnos.iter().filter(|&errno| errno == 0).count(), 1, "{errnos:?}");
        assert_eq!(errnos.iter().filter(|&errno| errno == 1).count(), 19, "{errnos:?}");
    }
}

#[test]
fn guessing_gets_slower_and_others_may_log_in_meanwhile() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let mut guesser = chatd.connect();
    let guess = |guesser: &mut Client| {
        guesser.say(json!({"msgid": 1, "id": amy.id, "password": "guess"}));
        guesser.hear("the answer to a guess")
    };
    for _ in 0..5 {
        assert_eq!(guess(&mut guesser)["errno"], 1);
    }
    let refused = guess(&mut guesser);
    assert_eq!((&refused["msgid"], &refused["errno"]), (&json!(2), &json!(109)), "{refused}");
    assert!(refused["retry_after_ms"].as_u64().is_some_and(|ms| ms <= 1_000), "{refused}");
    chatd.enter(&amy).hear_nothing();
    // In the end it is listened to again.
    while guess(&mut guesser)["errno"] == 109 {}
}
