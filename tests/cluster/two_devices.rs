//! Two people, each with a device on either of two servers, and everything that they can do to a conversation, while the
//! servers are killed under them. Whoever comes back and syncs ends with the same conversation.
//!
//! `TWO_DEVICES_OPS=100000` makes it long, `TWO_DEVICES_SEED` another one.

mod device;

use crate::common::chatd::Chatd;
use crate::common::client::User;
use crate::common::cluster::{Backends, Shared};
use crate::rng::Rng;
use device::{Copy, Device};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Requests of a device that are under way at once.
const WINDOW: usize = 16;
/// Operations between two kills.
const KILL_EVERY: u64 = 600;
/// Operations of all devices between two SYNC of each.
const SYNC_EVERY: u64 = 150;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Everything that is there.
struct World {
    shared: Shared,
    servers: Vec<Option<Chatd>>,
    devices: Vec<Device>,
    rng: Rng,
}

impl World {
    fn new(seed: u64) -> Self {
        let shared = Backends::of_all_tests().share();
        let servers = vec![Some(shared.start(2)), Some(shared.start(2))];
        let server = servers[0].as_ref().expect("it is there");
        let (amy, ben) = (server.register("amy"), server.register("ben"));
        let device = |name, user: &User, peer: &User| Device::new(name, user, peer.id);
        let devices = vec![
            device("amys-desk", &amy, &ben),
            device("amys-phone", &amy, &ben),
            device("bens-desk", &ben, &amy),
            device("bens-phone", &ben, &amy),
        ];
        Self { shared, servers, devices, rng: Rng::new(seed) }
    }

    /// Whoever is nowhere comes back: mostly to the server of before, which may be there again.
    fn come_back(&mut self, nth: usize) {
        if self.devices[nth].line.is_some() {
            return;
        }
        let usual = if self.rng.chance(800) { nth % 2 } else { 1 - nth % 2 };
        let at = if self.servers[usual].is_some() { usual } else { 1 - usual };
        let server = self.servers[at].as_ref().expect("one of them is there");
        self.devices[nth].come(at, server);
    }

    fn kill_one(&mut self) {
        let at = self.rng.index(2);
        if let Some(mut server) = self.servers[at].take() {
            server.end(libc::SIGKILL);
        }
        // The other one was killed before, and is not up again yet.
        for at in [at, 1 - at] {
            if self.servers[at].is_none() && (self.rng.chance(500) || self.servers[1 - at].is_none()) {
                self.servers[at] = Some(self.shared.start(2));
            }
        }
    }

    fn step(&mut self, nth: usize) {
        self.come_back(nth);
        let device = &mut self.devices[nth];
        device.act(&mut self.rng);
        device.since_sync += 1;
        while device.waiting.len() > WINDOW && device.line.is_some() {
            device.hear();
        }
        if device.since_sync >= SYNC_EVERY / 4 && device.line.is_some() {
            device.sync();
        }
    }

    /// Everybody hears all answers, and what has come since.
    fn settle(&mut self) {
        for nth in 0..self.devices.len() {
            while !self.devices[nth].waiting.is_empty() {
                self.come_back(nth);
                self.devices[nth].hear();
            }
        }
        for nth in 0..self.devices.len() {
            self.come_back(nth);
            self.devices[nth].sync();
        }
    }
}

/// What a device hears that has never been there: the whole conversation, and where it stands.
fn fresh(world: &World, user: &User, peer: u64) -> (Copy, Value) {
    let server = world.servers.iter().flatten().next().expect("one of them is there");
    let mut device = Device::new("fresh", user, peer);
    device.come(0, server);
    device.say(&json!({"msgid": 36, "cid": "heads"}));
    let heads = loop {
        if let Some(answer) = device.hear() {
            break answer["heads"].clone();
        }
    };
    let head = heads.as_array().expect("heads").iter().find(|head| head["with"] == peer).expect("a head");
    (device.copy, head.clone())
}

#[test]
fn two_devices_on_two_servers_end_with_the_same_conversation_whatever_is_killed() {
    let seed = number("TWO_DEVICES_SEED", 1);
    println!("TWO_DEVICES_SEED={seed}");
    let mut world = World::new(seed);
    let ops = number("TWO_DEVICES_OPS", 2_500);
    for op in 0..ops {
        if op % KILL_EVERY == KILL_EVERY - 1 {
            world.kill_one();
        }
        let nth = world.rng.index(world.devices.len());
        world.step(nth);
    }
    world.settle();
    let cids: BTreeSet<String> =
        world.devices.iter().flat_map(|device| device.done.keys().cloned()).collect();
    assert!(cids.len() as u64 > ops / 2, "most of it was done: {} of {ops}", cids.len());
    for nth in 0..world.devices.len() {
        let (user, peer) = (world.devices[nth].user.clone(), world.devices[nth].peer);
        let (all, head) = fresh(&world, &user, peer);
        let device = &world.devices[nth];
        assert_eq!(device.copy, all, "{}: what it learnt bit by bit is what there is", device.name);
        let sent = device.done.values().filter(|ack| ack["re"] == 6);
        for ack in sent {
            let pos = ack["pos"].as_u64().expect("a place");
            assert_eq!(Some(all.rows[&pos].mid.as_str()), ack["mid"].as_str(), "{}: {ack}", device.name);
        }
        let read = head["read"].as_u64().expect("read");
        let moved = world.devices.iter().filter(|other| other.user.id == user.id);
        let moved = moved.flat_map(|other| other.done.values()).filter(|ack| ack["re"] == 38);
        let furthest = moved.filter_map(|ack| ack["pos"].as_u64()).max().unwrap_or(0);
        assert_eq!(read, furthest, "{}: a marker that was acknowledged stays", device.name);
        let unread = all.rows.range(read + 1..).filter(|(_, row)| row.from != user.id && !row.recalled);
        assert_eq!(head["unread"], unread.count(), "{}: {head}", device.name);
        assert_eq!(head["head"], all.rows.len(), "{head}");
    }
}
