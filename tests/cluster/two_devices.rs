//! Two people, each with a device on either of two servers, and everything that they can do to a conversation, while the
//! servers are killed under them. Whoever comes back and syncs ends with the same conversation.
//!
//! `TWO_DEVICES_OPS=100000` makes it long, `TWO_DEVICES_SEED` another one.

use super::patience::{SOON, until};
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use crate::common::cluster::{Backends, Shared};
use crate::rng::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Requests of a device that are under way at once.
const WINDOW: usize = 16;
/// Operations between two kills.
const KILL_EVERY: u64 = 600;
/// Operations of all devices between two SYNC of each.
const SYNC_EVERY: u64 = 150;
const EMOJI: [&str; 3] = ["+1", "\u{1f642}", "\u{2764}\u{fe0f}"];

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// A message as a device has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Row {
    mid: String,
    from: u64,
    msg: String,
    rev: u64,
    recalled: bool,
    /// How many of each, and whether the user's own is among them.
    reactions: BTreeMap<String, (u64, bool)>,
}

impl Row {
    fn of(row: &Value) -> Self {
        let reactions = row["reactions"].as_array().into_iter().flatten().map(|one| {
            let count = (one["n"].as_u64().expect("n"), one["mine"].as_bool().expect("mine"));
            (one["emoji"].as_str().expect("emoji").to_owned(), count)
        });
        let recalled = row["recalled"] == true;
        Self {
            mid: row["mid"].as_str().expect("mid").to_owned(),
            // Of a recalled one it is told who recalled it: in a direct conversation that is its sender.
            from: row[if recalled { "by" } else { "id" }].as_u64().expect("who"),
            msg: row["msg"].as_str().unwrap_or_default().to_owned(),
            rev: row["rev"].as_u64().unwrap_or(0),
            recalled,
            reactions: reactions.collect(),
        }
    }

    /// What a change does to it, as the user `me` sees it.
    fn change(&mut self, change: &Value, me: u64) {
        match change["kind"].as_str().expect("a kind") {
            "edit" => {
                change["msg"].as_str().expect("a text").clone_into(&mut self.msg);
                self.rev = change["rev"].as_u64().expect("rev");
            }
            "recall" => {
                *self = Self { mid: self.mid.clone(), from: self.from, recalled: true, ..Self::default() };
            }
            "react" => {
                let emoji = change["emoji"].as_str().expect("an emoji").to_owned();
                let reaction = self.reactions.entry(emoji.clone()).or_default();
                reaction.0 = change["n"].as_u64().expect("n");
                if change["by"] == me {
                    reaction.1 = change["on"] == true;
                }
                if reaction.0 == 0 {
                    self.reactions.remove(&emoji);
                }
            }
            other => panic!("nothing else is done here: {other}"),
        }
    }
}

/// A conversation as a device has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Copy {
    rows: BTreeMap<u64, Row>,
    /// How many changes it has: from the first answer on.
    chg: Option<u64>,
}

/// A device and what it is about to do.
struct Device {
    name: &'static str,
    user: User,
    peer: u64,
    token: Option<String>,
    /// Where it is connected, if it is.
    line: Option<(usize, Client)>,
    copy: Copy,
    /// Requests without an answer, by cid.
    waiting: BTreeMap<String, Value>,
    /// What was acknowledged, by cid.
    done: HashMap<String, Value>,
    said: u64,
    since_sync: u64,
}

impl Device {
    /// Says it, if it is connected; it is said again when it comes back.
    fn say(&mut self, frame: &Value) {
        let Some((_, client)) = &mut self.line else { return };
        if client.try_write(format!("{frame}\n").as_bytes()).is_err() {
            self.line = None;
        }
    }

    fn ask(&mut self, mut frame: Value) {
        let cid = format!("{}-{}", self.name, self.said);
        self.said += 1;
        frame["cid"] = json!(cid);
        self.say(&frame);
        self.waiting.insert(cid, frame);
    }

    /// One thing that the user does.
    fn act(&mut self, rng: &mut Rng) {
        let places: Vec<u64> = self.copy.rows.keys().rev().take(40).copied().collect();
        let with = json!({"with": self.peer});
        let at = |msgid: u64, pos: u64| json!({"msgid": msgid, "with": with["with"], "pos": pos});
        if places.is_empty() || rng.chance(550) {
            let msg = format!("{} says {}", self.name, self.said);
            return self.ask(json!({"msgid": 6, "id": self.user.id, "toid": self.peer, "msg": msg}));
        }
        let pos = places[rng.index(places.len())];
        let mut frame = match rng.below(10) {
            0..=2 => at(38, pos),
            3..=4 => at(43, pos),
            5 => at(44, pos),
            _ => at(45, pos),
        };
        if frame["msgid"] == 43 {
            frame["msg"] = json!(format!("{} says better {}", self.name, self.said));
        }
        if frame["msgid"] == 45 {
            frame["emoji"] = json!(EMOJI[rng.index(EMOJI.len())]);
            frame["on"] = json!(rng.chance(700));
        }
        self.ask(frame);
    }

    /// Hears one frame. Gives back the answer to a SYNC; `None` inside if the connection has ended.
    fn hear(&mut self) -> Option<Value> {
        let (_, client) = self.line.as_mut()?;
        let Some(frame) = client.hear_or_end("an answer") else {
            self.line = None;
            return None;
        };
        match frame["msgid"].as_u64().expect("a msgid") {
            22 => self.say(&json!({"msgid": 23, "n": frame["n"]})),
            6 => self.say(&json!({"msgid": 24, "mids": [frame["mid"]]})),
            20 => drop(self.settle(&frame)),
            21 => self.refused(&frame),
            37 => return Some(frame),
            // Pushes of what SYNC tells as well, and presence.
            2 | 28 | 38 | 46 | 61 => {}
            other => panic!("{other} was not asked for: {frame}"),
        }
        None
    }

    fn settle(&mut self, frame: &Value) -> Option<Value> {
        let cid = frame["cid"].as_str()?;
        let asked = self.waiting.remove(cid)?;
        self.done.insert(cid.to_owned(), frame.clone());
        Some(asked)
    }

    fn refused(&mut self, frame: &Value) {
        let errno = frame["errno"].as_u64().expect("an errno");
        let cid = frame["cid"].as_str().unwrap_or_default().to_owned();
        match errno {
            // Not stored, or not known to be: the same again.
            109 | 110 => {
                if let Some(again) = self.waiting.get(&cid).cloned() {
                    self.say(&again);
                }
            }
            // Somebody else's message, or one that was recalled.
            104 | 105 if !cid.is_empty() => drop(self.waiting.remove(&cid)),
            // The connection ends.
            113..=115 => {}
            _ => panic!("{}: {frame}", self.name),
        }
    }

    /// Fetches what it lacks, by place and by change.
    fn sync(&mut self) {
        self.since_sync = 0;
        loop {
            let after = self.copy.rows.keys().next_back().copied().unwrap_or(0);
            let mut since = json!({"with": self.peer, "after": after});
            if let Some(chg) = self.copy.chg {
                since["chg"] = json!(chg);
            }
            self.say(&json!({"msgid": 36, "since": [since], "limit": 200, "cid": "sync"}));
            let answer = loop {
                if self.line.is_none() {
                    return;
                }
                if let Some(answer) = self.hear() {
                    break answer;
                }
            };
            assert_eq!(answer["complete"], true, "one conversation fits: {answer}");
            let Some(conv) = answer["convs"].get(0) else { return };
            self.apply(conv);
            if conv["complete"] == true {
                return;
            }
        }
    }

    fn apply(&mut self, conv: &Value) {
        for row in conv["messages"].as_array().expect("messages") {
            let pos = row["pos"].as_u64().expect("pos");
            let last = self.copy.rows.keys().next_back().copied().unwrap_or(0);
            assert_eq!(pos, last + 1, "{}: places have no gap", self.name);
            self.copy.rows.insert(pos, Row::of(row));
        }
        // The first answer shows its messages as they are after so many changes.
        let total = conv["chg"].as_u64().expect("chg");
        let mut told = self.copy.chg.unwrap_or(total);
        for change in conv["changes"].as_array().expect("changes") {
            let (chg, pos) = (change["chg"].as_u64().expect("chg"), change["pos"].as_u64().expect("pos"));
            assert!(chg > told, "{}: changes in their order, each once: {change} after {told}", self.name);
            told = chg;
            // One that is still to come will be as it is then.
            if let Some(row) = self.copy.rows.get_mut(&pos) {
                assert_eq!(row.mid, change["mid"].as_str().expect("mid"));
                row.change(change, self.user.id);
            }
        }
        self.copy.chg = Some(if conv["complete"] == true { total } else { told });
    }

    /// Comes back to this server: by its token, if it has one.
    fn come(&mut self, at: usize, server: &Chatd) {
        let frame = match &self.token {
            Some(token) => json!({"msgid": 25, "token": token}),
            None => json!({"msgid": 1, "id": self.user.id, "password": self.user.password}),
        };
        let client = until(&format!("{} to be let in", self.name), SOON, || {
            let mut client = server.connect().with_newlines();
            client.id = self.user.id;
            let mut frame = frame.clone();
            let caps = json!(["own", "read", "changed"]);
            (frame["v"], frame["multi"], frame["device"]) = (json!(2), json!(true), json!(self.name));
            frame["caps"] = caps;
            client.try_write(format!("{frame}\n").as_bytes()).ok()?;
            let answer = client.hear_or_end("the answer to a login")?;
            if answer["errno"] != 0 {
                return None;
            }
            self.token = answer["token"].as_str().map(str::to_owned);
            Some(client)
        });
        self.line = Some((at, client));
        self.sync();
        for frame in self.waiting.values().cloned().collect::<Vec<_>>() {
            self.say(&frame);
        }
    }
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
        let device = |name, user: &User, peer: &User| Device {
            name,
            user: user.clone(),
            peer: peer.id,
            token: None,
            line: None,
            copy: Copy::default(),
            waiting: BTreeMap::new(),
            done: HashMap::new(),
            said: 0,
            since_sync: 0,
        };
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
    let mut device = Device {
        name: "fresh",
        user: user.clone(),
        peer,
        token: None,
        line: None,
        copy: Copy::default(),
        waiting: BTreeMap::new(),
        done: HashMap::new(),
        said: 0,
        since_sync: 0,
    };
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
