//! What no honest v2 client sends: floods, what is malformed, and everything at a wrong time. Each is
//! answered as protocol.md says, and nobody else notices.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, chat, entries};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What may be said, and whether it is a request: `tests/wire_golden.rs` has the same.
const REQUESTS: &str = include_str!("../golden/v2_requests.txt");

/// (frame, errno of an ERROR if it is malformed)
fn requests() -> Vec<(&'static str, Option<u64>)> {
    let mut lines = REQUESTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut requests = Vec::new();
    while let (Some(frame), Some(meaning)) = (lines.next(), lines.next()) {
        let errno = meaning.strip_prefix("! ").map(|verdict| verdict[..3].parse().expect("an errno"));
        requests.push((frame.strip_prefix("> ").expect("a frame"), errno));
    }
    requests
}

fn msgid(frame: &str) -> u64 {
    let frame: Result<Value, _> = serde_json::from_str(frame);
    frame.ok().and_then(|frame| frame["msgid"].as_u64()).expect("the file has JSON")
}

/// Whether a message is one that only v2 knows and that needs a login.
fn only_v2(msgid: u64) -> bool {
    [23, 24, 26, 29, 31, 32, 33, 34, 36, 38, 39, 40, 42].contains(&msgid)
        || matches!(msgid, 43..=45 | 47..=50 | 52..=53 | 55..=57 | 59..=60)
}

pub fn ask_login_v2(client: &mut Client, user: &User) {
    client.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2}));
    client.id = user.id;
}

/// A v2 session; its token.
pub fn enter_v2(chatd: &Chatd, user: &User) -> (Client, String) {
    let mut client = chatd.connect().with_newlines();
    ask_login_v2(&mut client, user);
    let token = client.hear_login()["token"].as_str().expect("a token").to_owned();
    (client, token)
}

/// Two who talk to each other in v2, whatever others do to the server.
struct Neighbours([(Client, User); 2]);

impl Neighbours {
    fn new(chatd: &Chatd) -> Self {
        Self(["first neighbour", "second neighbour"].map(|name| {
            let user = chatd.register(name);
            (enter_v2(chatd, &user).0, user)
        }))
    }

    fn talk(&mut self) {
        let [(amy, _), (ben, to)] = &mut self.0;
        amy.chat(to, "still here?");
        let mid = ben.hear_msg("still here?")["mid"].clone();
        ben.say(json!({"msgid": 24, "mids": [mid]}));
    }
}

#[test]
fn what_is_malformed_is_answered_so_to_everybody_who_may_say_it() {
    let chatd = Chatd::start(2);
    let mut neighbours = Neighbours::new(&chatd);
    let mallory = chatd.register("mallory");
    let mut session = enter_v2(&chatd, &mallory).0;
    let mut seed = chatd.enter(&chatd.register("seed"));
    for (frame, errno) in requests().into_iter().filter(|&(_, errno)| errno.is_some()) {
        let errno = errno.expect("looked at above");
        session.say_text(frame);
        session.hear_error(errno);
        let mut nobody = chatd.connect();
        nobody.say_text(frame);
        nobody.hear_error(errno);
        seed.say_text(frame);
        seed.hear_error(if only_v2(msgid(frame)) { 101 } else { errno });
        neighbours.talk();
    }
    session.hear_nothing();
    seed.hear_nothing();
}

#[test]
fn the_seed_knows_nothing_of_v2() {
    let chatd = Chatd::start(2);
    let user = chatd.register("seed");
    let mut seed = chatd.enter(&user);
    for (frame, _) in requests().into_iter().filter(|(frame, _)| only_v2(msgid(frame))) {
        seed.say_text(frame);
        assert_eq!(seed.hear_error(101)["re"], msgid(frame), "{frame}");
    }
    seed.say(json!({"msgid": 22, "n": 7}));
    assert_eq!(seed.hear("a pong"), json!({"msgid": 23, "n": 7}));
    seed.hear_nothing();
}

#[test]
fn a_connection_speaks_what_its_last_login_asked_for() {
    let chatd = Chatd::start(1);
    let mut client = chatd.connect().with_newlines();
    client.say(json!({"msgid": 4, "name": "amy", "password": "pw", "v": 2}));
    let id = client.hear("the answer to a registration")["id"].as_u64().expect("an id");
    let amy = User { id, name: "amy".into(), password: "pw".into() };
    let ben = chatd.register("ben");
    let mut sender = chatd.enter(&ben);
    for v2 in [false, true, false] {
        if v2 {
            ask_login_v2(&mut client, &amy);
        } else {
            client.ask_login(&amy);
        }
        let answer = client.hear_login();
        assert_eq!(answer.get("token").is_some(), v2, "{answer}");
        sender.chat(&amy, "hello");
        let pushed = client.hear_msg("hello");
        assert_eq!(pushed.get("mid").is_some(), v2, "{pushed}");
        client.say(json!({"msgid": 29, "id": ben.id}));
        assert_eq!(client.hear("FIND")["errno"], if v2 { 0 } else { 101 });
        client.logout();
        client.hear_until_logged_out();
    }
}

#[test]
fn who_is_logged_in_registers_and_does_not_log_in_again() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let token = enter_v2(&chatd, &ben).1;
    let mut client = enter_v2(&chatd, &amy).0;
    client.say(json!({"msgid": 4, "name": "cat", "password": "pw"}));
    assert_eq!(client.hear("the answer to a registration")["errno"], 0);
    client.say(json!({"msgid": 4, "name": "cat", "password": "pw", "v": 2}));
    assert_eq!(client.hear("the answer to a registration"), json!({"errno": 1, "msgid": 5}));
    let again = [
        json!({"msgid": 1, "id": ben.id, "password": ben.password, "v": 2, "takeover": true, "cid": "l"}),
        json!({"msgid": 1, "id": amy.id, "password": amy.password, "v": 2, "takeover": true, "cid": "l"}),
        json!({"msgid": 25, "token": token, "cid": "l"}),
    ];
    for again in again {
        client.say(again);
        let answer = client.hear("the answer to a login");
        assert_eq!((&answer["errno"], &answer["msgid"], &answer["cid"]), (&json!(2), &json!(2), &json!("l")));
    }
    // It still is who it was, and speaks what it spoke.
    client.say(json!({"msgid": 29, "id": amy.id}));
    assert_eq!(client.hear("FIND_ACK")["state"], "online");
    client.hear_nothing();
}

#[test]
fn a_flood_of_bad_tokens_is_refused_one_by_one() {
    let chatd = Chatd::start(2);
    let mut neighbours = Neighbours::new(&chatd);
    let (mut victim, token) = enter_v2(&chatd, &chatd.register("victim"));
    let mut flood = chatd.connect().with_newlines();
    let wrong = |token: &str| {
        let mut letters = token.to_owned();
        let last = if letters.pop() == Some('A') { 'B' } else { 'A' };
        letters + &last.to_string()
    };
    let near = [wrong(&token), token[1..].to_owned(), format!("{token}="), token.to_lowercase(), " ".into()];
    let tokens = near.into_iter().chain(["".into(), "x".repeat(60_000), "\u{1f642}".repeat(11)]);
    for token in tokens.cycle().take(2_000) {
        flood.say(json!({"msgid": 25, "token": token}));
        let answer = flood.hear("the answer to RESUME");
        assert_eq!((&answer["errno"], &answer["msgid"]), (&json!(1), &json!(2)), "{answer}");
    }
    neighbours.talk();
    victim.hear_nothing();
}

#[test]
fn a_flood_of_pings_is_answered_and_of_pongs_is_not() {
    const PINGS: u64 = 5_000;
    let chatd = Chatd::start(1);
    let mut neighbours = Neighbours::new(&chatd);
    let mut client = chatd.connect().with_newlines();
    let frames: String = (0..PINGS).map(|n| format!("{{\"msgid\":22,\"n\":{n}}}\n")).collect();
    client.write(frames.as_bytes());
    for n in 0..PINGS {
        assert_eq!(client.hear("a pong"), json!({"msgid": 23, "n": n}));
    }
    let mut session = enter_v2(&chatd, &chatd.register("pongs")).0;
    session.write("{\"msgid\":23,\"n\":0}\n".repeat(5_000).as_bytes());
    session.hear_nothing();
    neighbours.talk();
}

#[test]
fn confirming_the_same_nothing_over_and_over_stops_nobody() {
    let chatd = Chatd::start(1);
    let mut neighbours = Neighbours::new(&chatd);
    let mut client = enter_v2(&chatd, &chatd.register("mallory")).0;
    let mids: Vec<String> = (1..=1_000_u64).map(|n| (n << 40).to_string()).collect();
    for round in 0..100 {
        client.say(json!({"msgid": 24, "mids": mids}));
        if round % 10 == 0 {
            client.hear_nothing();
            neighbours.talk();
        }
    }
    client.hear_nothing();
}

#[test]
fn who_never_confirms_is_not_stopped_and_hears_the_last_ones_again() {
    const MESSAGES: usize = 3_000;
    const UNCONFIRMED: usize = 1_000;
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut sender = chatd.enter(&amy);
    let mut reader = enter_v2(&chatd, &ben).0;
    for portion in 0..MESSAGES / 100 {
        for number in 0..100 {
            let mut frame = chat(amy.id, ben.id, &format!("{portion} {number}"));
            frame["cid"] = json!(format!("{portion}.{number}"));
            sender.say(frame);
        }
        for number in 0..100 {
            sender.hear("an ACK");
            reader.hear_msg(&format!("{portion} {number}"));
        }
    }
    reader.hear_nothing();
    drop(reader);
    chatd.until_offline(&ben);
    let (mut again, _) = enter_v2_with_backlog(&chatd, &ben);
    sender.chat(&ben, "the end");
    let mut heard = BTreeSet::new();
    loop {
        let message = again.hear("what was not confirmed");
        if message["msg"] == "the end" {
            break;
        }
        heard.insert(message["cid"].as_str().expect("a cid").to_owned());
    }
    assert!(heard.len() <= UNCONFIRMED, "{}", heard.len());
    assert!(heard.contains("29.99"), "the last one was not confirmed");
}

/// A v2 session of somebody for whom something waits; what was in the answer is put before what
/// follows it.
fn enter_v2_with_backlog(chatd: &Chatd, user: &User) -> (Client, Vec<Value>) {
    let mut client = chatd.connect().with_newlines();
    ask_login_v2(&mut client, user);
    let answer = client.hear_login();
    (client, answer["offlinemsg"].as_array().expect("a list of objects").clone())
}

#[test]
fn simultaneous_takeovers_leave_one() {
    const RIVALS: usize = 40;
    let chatd = Chatd::start(2);
    let mut neighbours = Neighbours::new(&chatd);
    let user = chatd.register("wanted");
    let mut rivals: Vec<Client> = (0..RIVALS).map(|_| chatd.connect().with_newlines()).collect();
    for rival in &mut rivals {
        rival.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2, "takeover": true}));
        rival.id = user.id;
    }
    // Once a message has reached whoever is left, nobody else is going to win.
    let mut alive = 0;
    for rival in &mut rivals {
        let answer = rival.hear("the answer to a login");
        match answer["errno"].as_u64() {
            Some(0) if rival.is_answered() => alive += 1,
            Some(0 | 2 | 110 | 113) => {}
            _ => panic!("{answer}"),
        }
    }
    assert!(alive >= 1, "somebody wins");
    neighbours.talk();
    let mut last = chatd.connect().with_newlines();
    last.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2, "takeover": true}));
    last.id = user.id;
    last.hear_login();
    let left: Vec<bool> = rivals.iter_mut().map(Client::is_answered).collect();
    assert!(left.iter().all(|&answered| !answered) || last.is_answered());
    last.hear_nothing();
}

#[test]
fn taking_over_somebody_else_needs_the_password() {
    let chatd = Chatd::start(2);
    let victim = chatd.register("victim");
    let mallory = chatd.register("mallory");
    let mut session = enter_v2(&chatd, &victim).0;
    let mut attacker = chatd.connect();
    for who in [json!({"id": victim.id}), json!({"name": "victim"})] {
        for password in ["", "guess", &mallory.password, &"x".repeat(1_000)] {
            let mut login = json!({"msgid": 1, "password": password, "v": 2, "takeover": true});
            login.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
            attacker.say(login);
            let answer = attacker.hear("the answer to a login");
            assert!([json!(1), json!(109)].contains(&answer["errno"]), "{answer}");
        }
    }
    session.hear_nothing();
    let mut again = chatd.connect().with_newlines();
    again.say(json!({"msgid": 1, "id": victim.id, "password": victim.password, "v": 2}));
    assert_eq!(again.hear("the answer to a login")["errno"], 2, "without takeover it stays");
}

#[test]
fn tokens_end_with_the_password_and_with_the_logout() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (client, first) = enter_v2(&chatd, &amy);
    drop(client);
    chatd.until_offline(&amy);
    let (mut client, second) = enter_v2(&chatd, &amy);
    let (_other, of_ben) = enter_v2(&chatd, &ben);
    client.say(json!({"msgid": 31, "old": "guess", "new": "better", "cid": "p1"}));
    assert_eq!(client.hear_error(1)["cid"], "p1");
    for bad in ["".to_owned(), "x".repeat(257)] {
        client.say(json!({"msgid": 31, "old": amy.password, "new": bad}));
        client.hear_error(102);
    }
    client.say(json!({"msgid": 31, "old": amy.password, "new": "better", "cid": "p2"}));
    let third = client.hear_ack("p2")["token"].as_str().expect("a new token").to_owned();
    let resume = |token: &str| {
        let mut client = chatd.connect().with_newlines();
        client.say(json!({"msgid": 25, "token": token}));
        (client.hear("the answer to RESUME"), client)
    };
    for worthless in [&first, &second] {
        assert_eq!(resume(worthless).0["errno"], 1);
    }
    client.hear_nothing();
    let (answer, mut resumed) = resume(&third);
    assert_eq!((&answer["errno"], &answer["token"]), (&json!(0), &json!(third)));
    client.hear_error_and_end(113);
    assert_eq!(resume(&of_ben).0["errno"], 0, "another user's token is as it was");
    resumed.id = amy.id;
    resumed.logout();
    resumed.hear_until_logged_out();
    assert_eq!(resume(&third).0["errno"], 1);
    let mut login = chatd.connect();
    login.say(json!({"msgid": 1, "id": amy.id, "password": amy.password}));
    assert_eq!(login.hear("the answer to a login")["errno"], 1, "the old password");
    login.say(json!({"msgid": 1, "id": amy.id, "password": "better"}));
    assert_eq!(login.hear("the answer to a login")["errno"], 0);
}

/// A connection that comes with a token, and what it hears.
fn resume(chatd: &Chatd, user: &User, token: &str) -> (Client, Value) {
    let mut client = chatd.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 25, "token": token}));
    let answer = client.hear("the answer to RESUME");
    (client, answer)
}

#[test]
fn of_many_tokens_the_one_that_was_not_used_for_longest_goes() {
    const TOKENS: usize = 16;
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let tokens: Vec<String> = (0..=TOKENS)
        .map(|_| {
            let (client, token) = enter_v2(&chatd, &amy);
            drop(client);
            chatd.until_offline(&amy);
            token
        })
        .collect();
    assert_eq!(resume(&chatd, &amy, &tokens[0]).1["errno"], 1, "the seventeenth took its place");
    for token in &tokens[1..] {
        let (client, answer) = resume(&chatd, &amy, token);
        assert_eq!((&answer["errno"], &answer["token"]), (&json!(0), &json!(token)));
        drop(client);
        chatd.until_offline(&amy);
    }
}

#[test]
fn of_many_who_come_with_one_token_one_is_left() {
    const RIVALS: usize = 30;
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    let (mut first, token) = enter_v2(&chatd, &amy);
    let mut rivals: Vec<Client> = (0..RIVALS).map(|_| chatd.connect().with_newlines()).collect();
    for rival in &mut rivals {
        rival.say(json!({"msgid": 25, "token": token}));
        rival.id = amy.id;
    }
    first.hear_error_and_end(113);
    let answers: Vec<u64> = rivals
        .iter_mut()
        .map(|rival| rival.hear("the answer to RESUME")["errno"].as_u64().expect("an errno"))
        .collect();
    assert!(answers.iter().all(|errno| [0, 2, 110, 113].contains(errno)), "{answers:?}");
    // Whoever comes last and alone, comes in.
    let (mut last, answer) = resume(&chatd, &amy, &token);
    assert_eq!(answer["errno"], 0);
    for (rival, errno) in rivals.iter_mut().zip(answers) {
        if errno == 0 {
            rival.hear_error_and_end(113);
        }
    }
    last.hear_nothing();
}

#[test]
fn everything_said_in_one_breath_is_answered_before_the_end() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = enter_v2(&chatd, &amy).0;
    let frames = [
        json!({"msgid": 26, "with": ben.id, "cid": "h"}),
        json!({"msgid": 29, "name": "ben", "cid": "f"}),
        json!({"msgid": 29, "name": "nobody", "cid": "n"}),
        json!({"msgid": 32, "userid": ben.id, "cid": "b"}),
        json!({"msgid": 33, "userid": ben.id, "cid": "u"}),
        json!({"msgid": 24, "mids": [], "cid": "c"}),
        json!({"msgid": 22, "n": 1}),
    ];
    let lines: String = frames.iter().map(|frame| format!("{frame}\n")).collect();
    client.write(lines.as_bytes());
    client.half_close();
    let heard: Vec<(u64, Value)> = client
        .hear_until_end("all answers")
        .into_iter()
        .map(|frame| (frame["msgid"].as_u64().expect("a msgid"), frame["cid"].clone()))
        .collect();
    let expected: Vec<(u64, Value)> =
        [(27, json!("h")), (30, json!("f")), (30, json!("n")), (20, json!("b")), (20, json!("u"))]
            .into_iter()
            .chain([(20, json!("c")), (23, Value::Null)])
            .collect();
    assert_eq!(heard, expected);
}

#[test]
fn seed_clients_hear_of_v2_nothing_that_they_do_not_know() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut seed = chatd.enter(&amy);
    seed.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id}));
    seed.hear_nothing();
    let mut v2 = enter_v2(&chatd, &ben).0;
    v2.say(json!({"msgid": 6, "id": ben.id, "toid": amy.id, "msg": "hi", "time": "t", "cid": "c"}));
    v2.hear_ack("c");
    assert_eq!(
        seed.hear_text("a message"),
        format!(r#"{{"id":{},"msg":"hi","msgid":6,"name":"ben","time":"t","toid":{}}}"#, ben.id, amy.id)
    );
    v2.logout();
    v2.hear_until_logged_out();
    // A friend has come and gone; the seed asks if it wants to know.
    seed.say(json!({"msgid": 13, "id": amy.id}));
    let friends = seed.hear("the friend list");
    assert_eq!(entries(&friends["friends"])[0]["state"], "offline", "{friends}");
}
