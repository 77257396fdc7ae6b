//! A rolling restart: one server after the other is stopped and started while people talk.

use super::patience::{SOON, until};
use crate::common::client::{Client, User};
use crate::common::cluster::Backends;
use crate::common::services::free_port;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const PEOPLE: usize = 12;

/// What everybody does, seen from outside.
struct World {
    servers: [SocketAddr; 2],
    people: Vec<User>,
    /// How many messages of each were acknowledged.
    acked: Vec<AtomicUsize>,
    heard: Vec<Mutex<BTreeSet<usize>>>,
    stop: AtomicBool,
}

/// One of them, who writes to the next one without a pause.
struct Person<'w> {
    world: &'w World,
    number: usize,
    client: Client,
    at: usize,
}

impl<'w> Person<'w> {
    fn new(world: &'w World, number: usize) -> Self {
        let mut person =
            Self { world, number, client: Client::connect(world.servers[number % 2]), at: number };
        person.come_back();
        person
    }

    /// A session at whichever server takes it in.
    fn come_back(&mut self) {
        let user = &self.world.people[self.number];
        until("a session at some server", SOON, || {
            self.at += 1;
            let stream = std::net::TcpStream::connect(self.world.servers[self.at % 2]).ok()?;
            self.client = Client::of(stream).with_newlines();
            self.client.id = user.id;
            let login =
                json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2, "takeover": true});
            self.client.try_write(format!("{login}\n").as_bytes()).ok()?;
            let answer = self.client.hear_or_end("the answer to a login")?;
            if answer["msgid"] != 2 || answer["errno"] != 0 {
                return None;
            }
            let waited = answer["offlinemsg"].as_array().expect("a list").clone();
            waited.iter().for_each(|message| self.take(message));
            Some(())
        });
    }

    /// A message has come, or something else.
    fn take(&mut self, frame: &Value) {
        if frame["msgid"] == 6 {
            let number = frame["msg"].as_str().and_then(|text| text.parse().ok()).expect("a number");
            self.world.heard[self.number].lock().unwrap().insert(number);
            let confirm = json!({"msgid": 24, "mids": [frame["mid"]]});
            let _ = self.client.try_write(format!("{confirm}\n").as_bytes());
        }
    }

    /// Whether an answer with this field came before the connection ended or it was sent away.
    fn hear_until(&mut self, field: &str, wanted: &Value) -> bool {
        while let Some(frame) = self.client.hear_or_end("an answer") {
            if &frame[field] == wanted {
                assert!(frame["msgid"] != 21, "{frame}");
                return true;
            }
            if frame["msgid"] == 21 {
                assert_eq!(frame["errno"], 114, "{frame}");
            }
            self.take(&frame);
        }
        false
    }

    /// Says a message once, and once more if it has to come back for that.
    fn say(&mut self, number: usize) {
        let to = &self.world.people[(self.number + 1) % PEOPLE];
        let cid = json!(format!("{} {number}", self.number));
        let message = json!({"msgid": 6, "id": self.client.id, "toid": to.id, "msg": number.to_string(),
            "time": "t", "cid": cid});
        for attempt in 0..2 {
            let said = self.client.try_write(format!("{message}\n").as_bytes()).is_ok();
            if said && self.hear_until("cid", &cid) {
                self.world.acked[self.number].store(number, Ordering::SeqCst);
                return;
            }
            assert_eq!(attempt, 0, "a message failed that was said again: {message}");
            self.come_back();
        }
    }

    fn talk(mut self) {
        let mut number = 0;
        while !self.world.stop.load(Ordering::SeqCst) {
            number += 1;
            self.say(number);
        }
        let before = (self.number + PEOPLE - 1) % PEOPLE;
        until("all that was acknowledged to be heard", SOON, || {
            self.client.say(json!({"msgid": 22, "n": 1}));
            assert!(self.hear_until("msgid", &json!(23)), "both servers are there");
            let acked = self.world.acked[before].load(Ordering::SeqCst);
            let heard = self.world.heard[self.number].lock().unwrap();
            (1..=acked).all(|number| heard.contains(&number)).then_some(())
        });
    }
}

impl World {
    /// Waits until everybody has been acknowledged some more messages.
    fn until_all_go_on(&self) {
        let now = || self.acked.iter().map(|acked| acked.load(Ordering::SeqCst)).collect::<Vec<_>>();
        let before = now();
        until("everybody to go on", SOON, || {
            std::thread::yield_now();
            let all = now().iter().zip(&before).all(|(now, before)| *now > before + 20);
            all.then_some(())
        });
    }
}

/// Nothing that was acknowledged is lost, and no message fails that is said again once.
#[test]
fn a_rolling_restart_under_load_loses_nothing() {
    let shared = Backends::of_all_tests().share();
    let mut servers = [free_port(), free_port()].map(|port| shared.setup(1).port(port).start());
    let people: Vec<User> =
        (0..PEOPLE).map(|number| servers[0].register(&format!("person {number}"))).collect();
    let world = World {
        servers: servers.each_ref().map(|server| server.address),
        people,
        acked: (0..PEOPLE).map(|_| AtomicUsize::new(0)).collect(),
        heard: (0..PEOPLE).map(|_| Mutex::default()).collect(),
        stop: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let talking: Vec<_> = (0..PEOPLE)
            .map(|number| {
                scope.spawn({
                    let world = &world;
                    move || Person::new(world, number).talk()
                })
            })
            .collect();
        world.until_all_go_on();
        for _ in 0..2 {
            for server in &mut servers {
                let port = server.address.port();
                server.end(libc::SIGTERM);
                *server = shared.setup(1).port(port).start();
                world.until_all_go_on();
            }
        }
        world.stop.store(true, Ordering::SeqCst);
        for person in talking {
            person.join().expect("nothing was lost, and nothing failed twice");
        }
    });
    let said: usize = world.acked.iter().map(|acked| acked.load(Ordering::SeqCst)).sum();
    assert!(said > PEOPLE * 100, "{said} messages");
    println!("{said} messages over four restarts");
}
