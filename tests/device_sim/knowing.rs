//! What devices know of people: who of their friends is online, whom their user blocks and what it has chosen, whichever
//! device has done that; and that they are there only as long as what let them in is good.

use super::people::{number, text};
use super::world::World;
use chatd::chat::model::ids::UserId;
use chatd::chat::model::token::{Proof, TokenId};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a device was told in the session that it has.
#[derive(Default)]
pub struct Knowing {
    /// Its friends, and whether they are online.
    friends: BTreeMap<u64, bool>,
    /// Whom its user blocks, or does no more.
    blocked: BTreeMap<u64, bool>,
    /// Whether others are told how far its user has read.
    receipts: Option<bool>,
}

impl World {
    /// Changes something between users, or of its own devices.
    pub fn know_something(&mut self, device: usize, conn: usize) {
        let user = self.devices[device].user as u64;
        let users = self.plan.users as u64;
        let other = self.rng.between(1, users);
        // Nobody says anything to those who are blocked, nor they to anybody.
        let stranger = self.rng.between(users + 1, users + 2);
        let frame = match self.rng.below(20) {
            0..=5 => format!("\"msgid\":32,\"userid\":{stranger},\"cid\":\"x{stranger}\""),
            6..=10 => format!("\"msgid\":33,\"userid\":{stranger},\"cid\":\"x{stranger}\""),
            11..=13 if other != user => format!("\"msgid\":7,\"friendid\":{other},\"cid\":\"x{other}\""),
            14 if other != user => format!("\"msgid\":12,\"friendid\":{other},\"cid\":\"x{other}\""),
            15..=17 => {
                let on = self.rng.chance(500);
                format!("\"msgid\":60,\"read_receipts\":{on},\"cid\":\"x0\"")
            }
            18 => {
                let tokens = self.store.remembered.devices(UserId::new(user).expect("a user"));
                let Some(&(TokenId(token), _)) = tokens.first() else { return };
                format!("\"msgid\":42,\"deviceid\":\"{token}\",\"cid\":\"x0\"")
            }
            19 => format!("\"msgid\":31,\"old\":\"p{user}\",\"new\":\"p{user}\",\"cid\":\"x0\""),
            _ => return,
        };
        self.write(conn, format!("{{{frame},\"id\":{user}}}"));
    }

    /// A login answer, or a part of it, names friends and what was chosen.
    pub fn note_people(&mut self, device: usize, frame: &Value) {
        let known = &mut self.devices[device].knowing;
        for friend in frame["friends"].as_array().into_iter().flatten() {
            known.friends.insert(number(friend, "id").expect("an id"), friend["state"] == "online");
        }
        if let Some(receipts) = frame["settings"]["read_receipts"].as_bool() {
            known.receipts = Some(receipts);
        }
    }

    /// PRESENCE.
    pub fn on_presence(&mut self, device: usize, frame: &Value) {
        let friend = number(frame, "id").expect("an id");
        self.devices[device].knowing.friends.insert(friend, frame["state"] == "online");
        self.count("told who came or went");
    }

    /// FRIEND_EVENT.
    pub fn on_friend_event(&mut self, device: usize, frame: &Value) {
        let (whom, what) = (number(frame, "id").expect("an id"), text(frame, "what").expect("what"));
        let known = &mut self.devices[device].knowing;
        match what.as_str() {
            "gone" => drop(known.friends.remove(&whom)),
            "blocked" => drop(known.blocked.insert(whom, true)),
            "unblocked" => drop(known.blocked.insert(whom, false)),
            // How that one is follows.
            "added" | "accepted" => {}
            other => panic!("what is {other}? {frame}"),
        }
        self.count("told what another device did");
    }

    /// What the device itself has asked for is done, or was done before.
    pub fn on_known(&mut self, device: usize, frame: &Value) {
        let Some(whom) = text(frame, "cid").and_then(|cid| cid.strip_prefix('x')?.parse::<u64>().ok()) else {
            return;
        };
        let known = &mut self.devices[device].knowing;
        match (number(frame, "re"), number(frame, "errno")) {
            (Some(32), Some(0 | 108)) => drop(known.blocked.insert(whom, true)),
            (Some(33), Some(0 | 105)) => drop(known.blocked.insert(whom, false)),
            (Some(12), Some(0 | 105)) => drop(known.friends.remove(&whom)),
            (Some(60), Some(0)) => known.receipts = frame["read_receipts"].as_bool(),
            (Some(31), Some(0)) => {
                let token = text(frame, "token").expect("a new token");
                self.devices[device].token = Some(token);
            }
            _ => {}
        }
    }

    /// SETTINGS.
    pub fn on_settings(&mut self, device: usize, frame: &Value) {
        self.devices[device].knowing.receipts = frame["read_receipts"].as_bool();
    }

    /// All do something at one time; then some go, and come again.
    pub fn cross_and_part(&mut self) {
        for _ in 0..3 {
            if self.rng.chance(300) {
                self.fail_somewhere();
            }
            for device in (0..self.devices.len()).flat_map(|device| [device; 2]) {
                if let Some(conn) = self.devices[device].conn.filter(|_| self.devices[device].logged_in) {
                    self.know_something(device, conn);
                }
            }
            self.rest();
            self.check_known();
            self.part();
            for _ in 0..2 {
                for device in 0..self.devices.len() {
                    match self.devices[device].conn {
                        Some(conn) if !self.devices[device].logged_in => self.log_in(device, conn),
                        Some(_) => {}
                        None => self.connect(device),
                    }
                }
                self.rest();
            }
            self.check_known();
        }
    }

    /// Some go, one way or the other, and with them servers and buses: whoever is left knows who is there.
    fn part(&mut self) {
        for device in 0..self.devices.len() {
            let Some(conn) = self.devices[device].conn.filter(|_| self.rng.chance(500)) else { continue };
            if self.rng.chance(300) {
                let user = self.devices[device].user;
                self.write(conn, format!("{{\"msgid\":3,\"id\":{user}}}"));
                self.devices[device].logged_in = false;
            } else {
                self.break_off(conn);
            }
            if self.rng.chance(400) {
                self.fail_somewhere();
            }
            let most = self.rng.pick(&[1_000, 100_000, 500_000]);
            let later = self.now_us + self.rng.delay(most);
            self.run_until(later);
        }
        if self.rng.chance(500) {
            self.fail_somewhere();
        }
        self.rest();
        self.check_known();
    }

    /// Nothing is under way: all know what is so.
    pub fn check_known(&mut self) {
        for device in 0..self.devices.len() {
            if !self.devices[device].logged_in {
                continue;
            }
            let (user, conn) = (self.devices[device].id(), self.devices[device].conn);
            let who = format!("device {device} of {user:?} on conn {conn:?}");
            let is_online =
                |friend: u64| self.devices.iter().any(|other| other.user as u64 == friend && other.logged_in);
            let friends = self.store.friends_of(user).into_iter().map(|friend| u64::from(friend.id.get()));
            let friends: BTreeMap<u64, bool> = friends.map(|friend| (friend, is_online(friend))).collect();
            let known = &self.devices[device].knowing;
            assert_eq!(known.friends, friends, "(m) what {who} was told of friends");
            let blocks = |&whom: &u64| self.store.blocks(user, UserId::new(whom).expect("a user"));
            let blocked: BTreeMap<u64, bool> =
                known.blocked.keys().map(|whom| (*whom, blocks(whom))).collect();
            assert_eq!(known.blocked, blocked, "(m) whom {who} was told that its user blocks");
            let receipts = Some(self.store.settings_of(user).read_receipts);
            assert_eq!(known.receipts, receipts, "(m) what {who} was told that its user has chosen");
            let token = self.devices[device].token.as_deref().expect("a session has a token");
            let id = self.store.remembered.id_of(token);
            let is_good = id.is_some_and(|id| self.store.holds(user, Proof::Token(id)));
            assert!(
                is_good || self.store.remembered.displaced.contains(token),
                "(n) {who} is not to be there"
            );
            self.count("devices that know what is so");
        }
    }
}
