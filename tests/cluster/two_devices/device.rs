//! A device: what it says, what it hears, and what it has of the conversation.

use crate::cluster::patience::{SOON, until};
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use crate::rng::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

const EMOJI: [&str; 3] = ["+1", "\u{1f642}", "\u{2764}\u{fe0f}"];

/// A message as a device has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    pub mid: String,
    pub from: u64,
    pub msg: String,
    pub rev: u64,
    pub recalled: bool,
    /// How many of each, and whether the user's own is among them.
    pub reactions: BTreeMap<String, (u64, bool)>,
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
pub struct Copy {
    pub rows: BTreeMap<u64, Row>,
    /// How many changes it has: from the first answer on.
    pub chg: Option<u64>,
}

/// A device and what it is about to do.
pub struct Device {
    pub name: &'static str,
    pub user: User,
    pub peer: u64,
    pub token: Option<String>,
    /// Where it is connected, if it is.
    pub line: Option<(usize, Client)>,
    pub copy: Copy,
    /// Requests without an answer, by cid.
    pub waiting: BTreeMap<String, Value>,
    /// What was acknowledged, by cid.
    pub done: HashMap<String, Value>,
    pub said: u64,
    pub since_sync: u64,
}

impl Device {
    /// One that has never been there.
    pub fn new(name: &'static str, user: &User, peer: u64) -> Self {
        Self {
            name,
            user: user.clone(),
            peer,
            token: None,
            line: None,
            copy: Copy::default(),
            waiting: BTreeMap::new(),
            done: HashMap::new(),
            said: 0,
            since_sync: 0,
        }
    }

    /// Says it, if it is connected; it is said again when it comes back.
    pub fn say(&mut self, frame: &Value) {
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
    pub fn act(&mut self, rng: &mut Rng) {
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
    pub fn hear(&mut self) -> Option<Value> {
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
    pub fn sync(&mut self) {
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
    pub fn come(&mut self, at: usize, server: &Chatd) {
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
