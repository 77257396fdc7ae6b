//! Servers and whoever takes their events are killed, again and again: every message is told of, in its order.

use super::receiver::{Mood, Receiver, once};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User, chat};
use crate::common::cluster::Backends;
use crate::common::{DEADLINE, Random, seed};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

fn kills() -> usize {
    std::env::var("WEBHOOK_KILLS").map_or(4, |kills| kills.parse().expect("WEBHOOK_KILLS is a number"))
}

/// What somebody says to somebody else, and what of it was acknowledged.
#[derive(Default)]
struct Said {
    said: usize,
    acknowledged: HashSet<String>,
}

impl Said {
    fn say(&mut self, client: &mut Client, to: &User) {
        self.said += 1;
        let mut frame = chat(client.id, to.id, &format!("number {}", self.said));
        frame["cid"] = json!(format!("{}-{}", client.id, self.said));
        client.say(frame);
    }

    /// Hears so many acknowledgements, past whatever else comes.
    fn hear(&mut self, client: &mut Client, count: usize) {
        let mut heard = 0;
        while heard < count {
            let frame = client.hear_past_pings("an ACK");
            if frame["msgid"] == 20 {
                assert_eq!(frame["errno"], 0, "{frame}");
                self.acknowledged.insert(frame["cid"].as_str().expect("a cid").to_owned());
                heard += 1;
            }
        }
    }
}

/// Logs in, also where the last session is not quite over.
fn enter(chatd: &Chatd, user: &User) -> Client {
    let end = Instant::now() + DEADLINE;
    loop {
        let mut client = chatd.connect();
        client.ask_login(user);
        let answer = client.hear("the answer to a login");
        match answer["errno"].as_u64() {
            Some(0) => return client,
            Some(2) => assert!(Instant::now() < end, "the last session of {} is still there", user.name),
            _ => panic!("{answer}"),
        }
    }
}

fn mood(random: &mut Random) -> Mood {
    let moods = [Mood::Takes, Mood::Dead, Mood::DiesAfterReading, Mood::DiesAfterWriting, Mood::Refuses(500)];
    moods[random.below(moods.len())]
}

/// Every message that was acknowledged was told of; of each conversation none is missing; and whoever takes each event once
/// has them in their order.
fn check(receiver: &Receiver, said: &[Said; 2]) {
    let wanted: HashSet<&str> = said.iter().flat_map(|said| &said.acknowledged).map(String::as_str).collect();
    let all = |told: &[Value]| {
        let cids: HashSet<&str> = told.iter().filter_map(|event| event["cid"].as_str()).collect();
        wanted.iter().all(|cid| cids.contains(cid))
    };
    let told = receiver.wait_until("every acknowledged message", all);
    let mut places: BTreeMap<(u64, u64), Vec<u64>> = BTreeMap::new();
    for event in once(&told).into_iter().filter(|event| event["type"] == "message") {
        let number = |key: &str| event[key].as_u64().expect("a number");
        let (from, to) = (number("from"), number("to"));
        places.entry((from.min(to), from.max(to))).or_default().push(number("pos"));
    }
    for (pair, places) in places {
        let wanted: Vec<u64> = (1..=places.len() as u64).collect();
        assert_eq!(places, wanted, "the conversation of {pair:?}, in the order in which it was told");
    }
    eprintln!("{} acknowledged, {} events, {} of them once", wanted.len(), told.len(), once(&told).len());
}

/// Both say things to each other on their servers, which are killed in turn.
fn kill_in_turn(receiver: &Receiver, mut servers: Vec<Chatd>, setup: impl Fn() -> Setup) {
    let seed = seed();
    eprintln!("CHATD_SEED={seed} WEBHOOK_KILLS={}", kills());
    let mut random = Random(seed);
    let people = [servers[0].register("amy"), servers[0].register("ben")];
    let mut said = [Said::default(), Said::default()];
    for kill in 0..kills() {
        receiver.set(mood(&mut random));
        let last = servers.len() - 1;
        let mut clients = [enter(&servers[0], &people[0]), enter(&servers[last], &people[1])];
        let count = 10 + random.below(60);
        for at in 0..count {
            for (which, client) in clients.iter_mut().enumerate() {
                said[which].say(client, &people[1 - which]);
            }
            if at == count / 2 {
                receiver.set(mood(&mut random));
            }
        }
        for (which, client) in clients.iter_mut().enumerate() {
            said[which].hear(client, random.below(count + 1));
        }
        let killed = kill % servers.len();
        servers[killed].end(libc::SIGKILL);
        servers[killed] = setup().data(&servers[killed].data).start();
    }
    receiver.set(Mood::Takes);
    let mut client = enter(&servers[0], &people[0]);
    said[0].say(&mut client, &people[1]);
    said[0].hear(&mut client, 1);
    check(receiver, &said);
}

#[test]
fn nothing_is_lost_whatever_is_killed() {
    let receiver = Receiver::start();
    let setup = || receiver.told_by(Setup::new(2));
    kill_in_turn(&receiver, vec![setup().start()], setup);
}

#[test]
fn nothing_is_lost_of_two_servers_whichever_is_killed() {
    let receiver = Receiver::start();
    let shared = Backends::of_all_tests().share();
    let setup = || receiver.told_by(shared.setup(2));
    let servers = Setup::start_together([setup(), setup()]);
    kill_in_turn(&receiver, servers, setup);
}
