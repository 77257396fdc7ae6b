//! Anything in any order: a few connections say what v2 has, as anybody and to anybody, and log in
//! and out, resume, take over and break off. Whatever that comes to, the server lives.

use super::v2_hostile::enter_v2;
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use crate::common::{Random, seed};
use serde_json::{Value, json};

/// What the connections have heard so far, and may say.
struct Known {
    users: Vec<User>,
    tokens: Vec<Value>,
    mids: Vec<Value>,
}

impl Known {
    fn learn(&mut self, frame: &Value) {
        for (heard, known) in [(&frame["token"], &mut self.tokens), (&frame["mid"], &mut self.mids)] {
            if heard.is_string() {
                known.push(heard.clone());
            }
        }
        for message in frame["offlinemsg"].as_array().into_iter().flatten() {
            self.mids.push(message["mid"].clone());
        }
    }

    /// Any request, of whoever is or is not logged in.
    fn request(&self, random: &mut Random, number: u64) -> Value {
        let user = &self.users[random.below(self.users.len())];
        let (id, other) = (user.id, self.users[random.below(self.users.len())].id);
        let group = 1 + random.below(3);
        let pick = |random: &mut Random, of: &[Value]| match of.len() {
            0 => json!("1"),
            len => of[random.below(len)].clone(),
        };
        let mut request = match random.below(24) {
            0 | 1 => json!({"msgid": 1, "id": id, "password": user.password, "v": 2, "takeover": true}),
            2 => json!({"msgid": 1, "name": user.name, "password": user.password, "v": 2}),
            3 => json!({"msgid": 1, "id": id, "password": user.password}),
            4 | 5 => json!({"msgid": 25, "token": pick(random, &self.tokens)}),
            6 => json!({"msgid": 3, "id": id}),
            7 => json!({"msgid": 4, "name": format!("new {number}"), "password": "pw", "v": 2}),
            8..=10 => json!({"msgid": 6, "id": id, "toid": other, "msg": "hello"}),
            11 | 12 => json!({"msgid": 10, "id": id, "groupid": group, "msg": "hello all"}),
            13 => json!({"msgid": 24, "mids": [pick(random, &self.mids), pick(random, &self.mids)]}),
            14 => json!({"msgid": 26, "with": other, "before": number + 1}),
            15 => json!({"msgid": 26, "groupid": group, "after": 0, "limit": 5}),
            16 => json!({"msgid": 29, "name": user.name}),
            17 => json!({"msgid": 32, "userid": other}),
            18 => json!({"msgid": 33, "userid": other}),
            19 => json!({"msgid": 34, "groupid": group}),
            20 => json!({"msgid": 7, "id": id, "friendid": other}),
            21 => json!({"msgid": 12, "id": id, "friendid": other}),
            22 => json!({"msgid": 9, "id": id, "groupid": group}),
            _ => match random.below(4) {
                0 => json!({"msgid": 8, "id": id, "groupname": format!("g{number}"), "groupdesc": ""}),
                1 => json!({"msgid": 11, "id": id, "groupid": group}),
                2 => json!({"msgid": 31, "old": user.password, "new": user.password}),
                _ => json!({"msgid": 13, "id": id}),
            },
        };
        if random.below(2) == 0 {
            request["cid"] = json!(format!("c{number}"));
        }
        request
    }
}

/// Hears everything up to the answer to a ping; whether the connection is still there.
fn hear_all(client: &mut Client, n: u64, known: &mut Known) -> bool {
    let ping = json!({"msgid": 22, "n": n}).to_string() + "\n";
    if client.try_write(ping.as_bytes()).is_err() {
        return false;
    }
    loop {
        let Some(frame) = client.hear_or_end("a pong") else { return false };
        if frame["msgid"] == 23 && frame["n"] == n {
            return true;
        }
        known.learn(&frame);
    }
}

#[test]
fn any_requests_in_any_order() {
    const CONNECTIONS: usize = 6;
    let seed = seed();
    println!("CHATD_SEED={seed}");
    let mut random = Random(seed);
    let chatd = Chatd::start(2);
    let users = ["amy", "ben", "cat"].map(|name| chatd.register(name)).to_vec();
    let mut known = Known { users, tokens: Vec::new(), mids: Vec::new() };
    let connect = || chatd.connect().with_newlines();
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| connect()).collect();
    for round in 0..300 {
        let client = &mut clients[random.below(CONNECTIONS)];
        let burst = (0..random.below(12)).map(|at| known.request(&mut random, round * 12 + at as u64));
        let burst: String = burst.map(|request| format!("{request}\n")).collect();
        let broken = client.try_write(burst.as_bytes()).is_err();
        if broken || random.below(20) == 0 || !hear_all(client, round, &mut known) {
            *client = connect();
        }
    }
    drop(clients);
    // Everybody can come back, and is heard.
    let [amy, ben] = [known.users[0].clone(), known.users[1].clone()];
    chatd.until_offline(&amy);
    chatd.until_offline(&ben);
    let (mut first, mut second) = (enter_v2(&chatd, &amy).0, enter_v2(&chatd, &ben).0);
    for (client, other) in [(&mut first, ben.id), (&mut second, amy.id)] {
        client.say(json!({"msgid": 33, "userid": other}));
        hear_all(client, 1, &mut known);
    }
    first.say(json!({"msgid": 6, "id": amy.id, "toid": ben.id, "msg": "at last", "cid": "last"}));
    while second.hear("the last message")["msg"] != "at last" {}
}
