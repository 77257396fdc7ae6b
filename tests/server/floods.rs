//! Floods: who asks too fast is refused, then not read from, then closed, and nobody else notices.

use super::v2_hostile::enter_v2;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User, texts};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn start(arguments: &[&str]) -> Chatd {
    arguments.iter().fold(Setup::new(1), |setup, argument| setup.argument(argument)).start()
}

fn enter(chatd: &Chatd, name: &str) -> (Client, User) {
    let user = chatd.register(name);
    (enter_v2(chatd, &user).0, user)
}

fn message(from: u64, to: &User, number: usize) -> Value {
    json!({"msgid": 6, "id": from, "toid": to.id, "msg": number.to_string(), "time": "t", "cid": number.to_string()})
}

#[test]
fn who_waits_as_it_is_told_gets_everything_through() {
    let chatd = start(&["--message-rate", "8:20"]);
    let ((mut amy, _), ben) = (enter(&chatd, "amy"), chatd.register("ben"));
    let begun = Instant::now();
    // Some at once: however slow the machine is, that is too fast.
    let said: String = (0..30).map(|number| message(amy.id, &ben, number).to_string() + "\n").collect();
    amy.write(said.as_bytes());
    let mut left: BTreeSet<usize> = (0..40).collect();
    for _ in 0..30 {
        let answer = amy.hear("an ACK or a refusal");
        let number = answer["cid"].as_str().and_then(|cid| cid.parse().ok()).expect("a number");
        match answer["msgid"] == 20 {
            true => assert!(left.remove(&number), "{answer}"),
            false => assert_eq!(answer["errno"], 109, "{answer}"),
        }
    }
    let mut refused = left.range(..30).count();
    for number in left {
        loop {
            amy.say(message(amy.id, &ben, number));
            let answer = amy.hear("an ACK or a refusal");
            if answer["msgid"] == 20 {
                break;
            }
            assert_eq!(
                (&answer["errno"], &answer["cid"]),
                (&json!(109), &json!(number.to_string())),
                "{answer}"
            );
            refused += 1;
            let until =
                Instant::now() + Duration::from_millis(answer["retry_after_ms"].as_u64().expect("when"));
            while Instant::now() < until {
                std::thread::yield_now();
            }
        }
    }
    assert!(
        refused > 0 && begun.elapsed() >= Duration::from_millis(2_400),
        "{refused} in {:?}",
        begun.elapsed()
    );
    let waited = chatd.connect().with_newlines().login_with_backlog(&ben, 40);
    let heard: BTreeSet<String> = texts(&waited).into_iter().collect();
    assert_eq!((waited.len(), heard), (40, (0..40).map(|number: usize| number.to_string()).collect()));
}

/// One that does not listen: some refusals, then its bytes wait at its own side, and a neighbour talks as ever.
#[test]
fn who_floods_is_not_read_from_and_a_neighbour_does_not_notice() {
    let chatd = start(&["--message-rate", "10:50", "--lookup-rate", "5:20"]);
    let ((mut mallory, _), (mut amy, _), ben) =
        (enter(&chatd, "mallory"), enter(&chatd, "amy"), chatd.register("ben"));
    let mut bens = chatd.enter(&ben);
    mallory.stream.set_nonblocking(true).unwrap();
    let flood = message(mallory.id, &ben, 0).to_string().replace("\"cid\":\"0\",", "") + "\n";
    let flood = flood.repeat(200);
    let (mut stuck, mut from, mut sent) = (false, 0, 0);
    let end = Instant::now() + Duration::from_secs(30);
    // Until the kernel takes no more for it.
    while !stuck && Instant::now() < end {
        match mallory.try_part(&flood.as_bytes()[from..]) {
            Ok(written) => {
                sent += written;
                from = (from + written) % flood.len();
            }
            Err(error) => stuck = error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
    assert!(stuck, "it is read from all the time");
    for number in 0..40 {
        amy.say(message(amy.id, &ben, number));
        assert_eq!(amy.hear("an ACK")["msgid"], 20);
    }
    let mut heard = 0;
    while heard < 40 {
        heard += usize::from(bens.hear("a message")["name"] == "amy");
    }
    let told = mallory.taken();
    let refusals = told.windows(11).filter(|part| part == b"\"errno\":109").count();
    let said = sent / flood.len() * 200;
    assert!(refusals > 10 && refusals * 50 < said, "{refusals} refusals of {said} messages");
}

/// A device that was away, with 200 conversations: the burst of the documentation is enough for it.
#[test]
fn who_comes_back_has_a_burst_for_that() {
    let chatd = start(&["--lookup-rate", "10:400", "--message-rate", "20:200", "--change-rate", "1:60"]);
    let (mut amy, _) = enter(&chatd, "amy");
    let since: Vec<Value> = (2..202).map(|with| json!({"with": with, "after": 0})).collect();
    for round in 0..10 {
        amy.say(json!({"msgid": 36, "since": since, "cid": format!("s{round}")}));
        loop {
            let answer = amy.hear("a SYNC_ACK");
            assert_eq!(
                (&answer["msgid"], &answer["errno"]),
                (&json!(37), &json!(0)),
                "round {round}: {answer}"
            );
            if answer["complete"] == true {
                break;
            }
        }
    }
    for round in 0..30 {
        amy.say(json!({"msgid": 36, "cid": format!("h{round}")}));
        assert_eq!(amy.hear("heads")["errno"], 0);
    }
    // And no more than that.
    let refused = (0..400).any(|round| {
        amy.say(json!({"msgid": 36, "since": since, "cid": format!("f{round}")}));
        amy.hear("an answer")["errno"] == 109
    });
    assert!(refused);
}

#[test]
fn an_address_has_so_many_connections_and_wrong_passwords() {
    let chatd = start(&["--address-connections", "20", "--guess-rate", "1:10"]);
    let amy = chatd.register("amy");
    let from = |source| Client::connect_from(source, chatd.address).with_newlines();
    let mut clients: Vec<Client> = (0..20).map(|_| from([127, 0, 0, 7])).collect();
    for client in &mut clients {
        client.say(json!({"msgid": 99}));
        client.hear_error(101);
    }
    from([127, 0, 0, 7]).hear_error_and_end(116);
    let mut other = from([127, 0, 0, 8]);
    other.say(json!({"msgid": 99}));
    other.hear_error(101);
    drop(clients.pop());
    // One that has gone makes room.
    let begun = Instant::now();
    while begun.elapsed() < crate::common::DEADLINE {
        let mut client = from([127, 0, 0, 7]);
        let _ = client.try_write(b"{\"msgid\":99}\n");
        if client.hear_or_end("an answer").is_some_and(|answer| answer["errno"] == 101) {
            break;
        }
    }
    // Each guess from another connection, and for somebody else.
    drop(clients);
    let verdict = |number: usize, source| {
        let mut guesser = from(source);
        guesser.say(json!({"msgid": 1, "id": 1_000 + number, "password": "guess"}));
        guesser.hear_or_end("an answer").map_or(json!(0), |answer| answer["errno"].clone())
    };
    let wrong = (0..60).filter(|&number| verdict(number, [127, 0, 0, 9]) == 1).count();
    assert!((10..30).contains(&wrong), "{wrong} of 60 were looked at");
    from([127, 0, 0, 10]).login(&amy);
}

/// Each core counts for itself: on several, an address has at least as much as is said, and at most that much of each.
#[test]
fn what_an_address_has_it_has_of_each_core() {
    const CORES: usize = 2;
    const EACH: usize = 10;
    let chatd = Setup::new(CORES).argument("--address-connections").argument("10").start();
    let mut taken = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect_from([127, 0, 0, 7], chatd.address).with_newlines();
        let _ = client.try_write(b"{\"msgid\":99}\n");
        if client
            .hear_or_end("an answer, or that there are too many")
            .is_some_and(|answer| answer["errno"] == 101)
        {
            taken.push(client);
        }
    }
    // The kernel spreads a hundred so that no core gets fewer than ten.
    assert_eq!(taken.len(), CORES * EACH);
}

#[test]
fn one_that_others_reach_says_what_it_does_not_bound() {
    let warns = |arguments: &[&str]| {
        let chatd = start(arguments);
        chatd.stdout_lines().iter().any(|line| line.contains("nothing bounds how fast"))
    };
    assert!(!warns(&[]), "on loopback");
    assert!(warns(&["--bind", "0.0.0.0"]));
    let all =
        ["--message-rate", "--byte-rate", "--lookup-rate", "--change-rate", "--guess-rate", "--connect-rate"];
    let mut arguments: Vec<&str> = all.iter().flat_map(|name| [*name, "1000:100000"]).collect();
    arguments.extend(["--bind", "0.0.0.0", "--address-connections", "1000"]);
    assert!(!warns(&arguments));
}
