//! Servers and whoever takes their events are killed, again and again: every message is told of, in its order, also those
//! that an application sends and sends again.

use super::groups::told_of;
use super::orders::Application;
use super::receiver::{Mood, Receiver, once};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User, chat};
use crate::common::cluster::Backends;
use crate::common::scratch::Scratch;
use crate::common::{DEADLINE, Random, api, seed};
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
            let frame = client.hear("an ACK");
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

/// A conversation: a group, or two users, the smaller number first.
fn conversation(event: &Value) -> (u64, u64) {
    let number = |key: &str| event[key].as_u64();
    match (number("groupid"), number("from"), number("to")) {
        (Some(group), ..) => (0, group),
        (None, Some(from), Some(to)) => (from.min(to), from.max(to)),
        _ => panic!("of no conversation: {event}"),
    }
}

/// Every message that was acknowledged was told of; of each conversation none is missing; and whoever takes each event once
/// has them in their order.
fn check(receiver: &Receiver, said: &[Said; 2], application: &Application) {
    let wanted: HashSet<String> =
        said.iter().flat_map(|said| said.acknowledged.iter().cloned()).chain(application.cids()).collect();
    let all = |told: &[Value]| {
        let cids: HashSet<&str> = told.iter().filter_map(|event| event["cid"].as_str()).collect();
        wanted.iter().all(|cid| cids.contains(cid.as_str()))
    };
    let told = receiver.wait_until("every acknowledged message", all);
    let once = once(&told);
    let mut places: BTreeMap<(u64, u64), Vec<u64>> = BTreeMap::new();
    for event in &once {
        // Of a group its events have places too, all but that it was made.
        if let (Some("message" | "group"), Some(pos)) = (event["type"].as_str(), event["pos"].as_u64()) {
            places.entry(conversation(event)).or_default().push(pos);
        }
    }
    assert_eq!(places.len(), 2, "both conversations were told of");
    for (conversation, places) in places {
        let wanted: Vec<u64> = (1..=places.len() as u64).collect();
        assert_eq!(places, wanted, "{conversation:?}, in the order in which it was told");
    }
    application.check(&once);
    let told_of = check_told_of(receiver, application, &once);
    eprintln!(
        "{} acknowledged, {} events, {} of them once; {told_of} that somebody lacks something; {application}",
        wanted.len(),
        told.len(),
        once.len()
    );
}

/// Who is in the group and never there is told of, for each message at most once, up to the last; how often.
fn check_told_of(receiver: &Receiver, application: &Application, told: &[&Value]) -> usize {
    let group = application.group();
    let of_group = told.iter().filter(|event| event["type"] == "message" && event["groupid"] == group);
    let last = of_group.filter_map(|event| event["pos"].as_u64()).max().expect("something was said");
    let places = |told: &[Value]| -> Vec<u64> {
        let absent = |(_, users): &(u64, Vec<u64>)| users.contains(&application.absent());
        told_of(told, group).into_iter().filter(absent).map(|(pos, _)| pos).collect()
    };
    let told = receiver.wait_until("the last message of the group", |told| places(told).contains(&last));
    let places = places(&told);
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "each once, in their order: {places:?}");
    places.len()
}

/// Both say things to each other on their servers, which are killed in turn, and an application sends for them.
fn kill_in_turn(receiver: &Receiver, setup: impl Fn() -> Setup, count: usize) {
    let seed = seed();
    eprintln!("CHATD_SEED={seed} WEBHOOK_KILLS={}", kills());
    let mut random = Random(seed);
    let scratch = Scratch::new();
    let setup = || api::taking(setup(), &scratch).argument("--push-after-ms=200");
    let mut servers = Setup::start_together((0..count).map(|_| setup()));
    let people = [servers[0].register("amy"), servers[0].register("ben")];
    let absent = servers[0].register("cleo");
    let mut application = Application::new(&servers[0], &people, &absent);
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
                application.send(&servers, &mut random);
            }
        }
        for (which, client) in clients.iter_mut().enumerate() {
            said[which].hear(client, random.below(count + 1));
        }
        let under_way = application.begin(&servers, &mut random);
        let killed = kill % servers.len();
        servers[killed].end(libc::SIGKILL);
        drop(under_way);
        servers[killed] = setup().data(&servers[killed].data).start();
    }
    receiver.set(Mood::Takes);
    let mut client = enter(&servers[0], &people[0]);
    said[0].say(&mut client, &people[1]);
    said[0].hear(&mut client, 1);
    application.finish(&servers, &mut random);
    check(receiver, &said, &application);
}

#[test]
fn nothing_is_lost_whatever_is_killed() {
    let receiver = Receiver::start();
    kill_in_turn(&receiver, || receiver.told_by(Setup::new(2)), 1);
}

#[test]
fn nothing_is_lost_of_two_servers_whichever_is_killed() {
    let receiver = Receiver::start();
    let shared = Backends::of_all_tests().share();
    kill_in_turn(&receiver, || receiver.told_by(shared.setup(2)), 2);
}
