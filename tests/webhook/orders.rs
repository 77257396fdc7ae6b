//! An application that sends for its users through the API, and says again, also at another server, what was not answered:
//! however often it says it, it is one message.

use crate::common::Random;
use crate::common::api::Api;
use crate::common::chatd::Chatd;
use crate::common::client::User;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;

/// So many are under way at once, each on a connection of its own.
const TOGETHER: usize = 8;

/// What it wants to be sent, and what it was answered: the message's id and place.
struct Order {
    body: Value,
    answer: Option<(Value, Value)>,
    said: usize,
}

pub struct Application {
    people: [u64; 2],
    group: u64,
    absent: u64,
    orders: Vec<Order>,
}

impl Application {
    /// For these people, who have a group with somebody who is never there.
    pub fn new(chatd: &Chatd, people: &[User; 2], absent: &User) -> Self {
        let mut api = Api::of(chatd);
        let [amy, ben] = people.each_ref().map(|user| user.id);
        let made = api.done("groups.put", &json!({ "owner": { "id": amy }, "name": "orders" }));
        let group = made["groupid"].as_u64().expect("a group");
        let add =
            json!({ "groupid": group, "by": { "id": amy }, "add": [{ "id": ben }, { "id": absent.id }] });
        let added = api.done("groups.members", &add);
        assert!((0..2).all(|at| added["results"][at]["errno"] == 0), "{added}");
        Self { people: [amy, ben], group, absent: absent.id, orders: Vec::new() }
    }

    pub fn group(&self) -> u64 {
        self.group
    }

    /// Who is never there.
    pub fn absent(&self) -> u64 {
        self.absent
    }

    fn order(&mut self, random: &mut Random) -> usize {
        let number = self.orders.len();
        let which = random.below(2);
        let (from, with) = (self.people[which], self.people[1 - which]);
        let mut body =
            json!({ "from": { "id": from }, "msg": format!("order {number}"), "cid": format!("o{number}") });
        match random.below(2) {
            0 => body["with"] = json!({ "id": with }),
            _ => body["groupid"] = json!(self.group),
        }
        self.orders.push(Order { body, answer: None, said: 0 });
        number
    }

    /// So many new ones, all that are not answered, and some that are.
    fn due(&mut self, new: usize, random: &mut Random) -> Vec<usize> {
        let mut due: Vec<usize> = (0..self.orders.len())
            .filter(|&at| self.orders[at].answer.is_none() || random.below(10) == 0)
            .collect();
        due.extend((0..new).map(|_| self.order(random)));
        due
    }

    /// Says these, each on a connection to some server, some on two at once.
    fn say(&mut self, due: &[usize], servers: &[Chatd], random: &mut Random) -> Vec<(usize, Api)> {
        let mut under_way = Vec::new();
        for &at in due {
            for _ in 0..=usize::from(random.below(3) == 0) {
                let mut api = Api::of(&servers[random.below(servers.len())]);
                let order = &mut self.orders[at];
                order.said += 1;
                api.write(&Api::request("/v1/messages.send", &order.body.to_string()));
                under_way.push((at, api));
            }
        }
        under_way
    }

    /// Hears an answer. What was too much, or took too long, is said again later.
    fn hear(&mut self, at: usize, mut api: Api) {
        let answer = api.hear();
        if answer.status == 503 {
            return;
        }
        let (status, answer) = (answer.status, answer.json());
        let order = &mut self.orders[at];
        match answer["errno"].as_u64() {
            Some(110) => return,
            errno => assert_eq!((status, errno), (200, Some(0)), "{}: {answer}", order.body),
        }
        let is = (answer["mid"].clone(), answer["pos"].clone());
        let was = order.answer.get_or_insert_with(|| is.clone());
        assert_eq!(*was, is, "{} is one message, whenever it is said", order.body);
    }

    /// Says what is due, and hears all that comes of it.
    pub fn send(&mut self, servers: &[Chatd], random: &mut Random) {
        let due = self.due(10, random);
        for due in due.chunks(TOGETHER) {
            for (at, api) in self.say(due, servers, random) {
                self.hear(at, api);
            }
        }
    }

    /// The same, but hears only some of it: the rest is under way.
    pub fn begin(&mut self, servers: &[Chatd], random: &mut Random) -> Vec<(usize, Api)> {
        let due: Vec<usize> = (0..TOGETHER).map(|_| self.order(random)).collect();
        let mut under_way = self.say(&due, servers, random);
        for _ in 0..random.below(under_way.len() + 1) {
            let (at, api) = under_way.swap_remove(random.below(under_way.len()));
            self.hear(at, api);
        }
        under_way
    }

    /// Says everything again until it is answered.
    pub fn finish(&mut self, servers: &[Chatd], random: &mut Random) {
        let all: Vec<usize> = (0..self.orders.len()).collect();
        for due in all.chunks(TOGETHER) {
            for (at, api) in self.say(due, servers, random) {
                self.hear(at, api);
            }
        }
        let unanswered = self.orders.iter().filter(|order| order.answer.is_none()).count();
        assert_eq!(unanswered, 0, "all is well again");
        self.check_history(&mut Api::of(&servers[0]));
    }

    /// The names that it gave to what it sent.
    pub fn cids(&self) -> impl Iterator<Item = String> {
        self.orders.iter().map(|order| order.body["cid"].as_str().expect("a cid").to_owned())
    }

    /// What is kept of it: one message each.
    fn check_history(&self, api: &mut Api) {
        let mut kept: HashMap<String, usize> = HashMap::new();
        let [amy, ben] = self.people;
        for conversation in [json!({ "with": { "id": ben } }), json!({ "groupid": self.group })] {
            let mut after = 0;
            loop {
                let mut body = conversation.clone();
                body["user"] = json!({ "id": amy });
                body["after"] = json!(after);
                let page = api.done("history", &body);
                let messages = page["messages"].as_array().expect("messages");
                if messages.is_empty() {
                    break;
                }
                for message in messages {
                    after = message["pos"].as_u64().expect("a place");
                    *kept.entry(message["msg"].as_str().unwrap_or("").to_owned()).or_default() += 1;
                }
            }
        }
        for order in &self.orders {
            assert_eq!(kept.get(order.body["msg"].as_str().expect("a text")), Some(&1), "{}", order.body);
        }
    }

    /// Each was told of as one event, of the message that was answered.
    pub fn check(&self, once: &[&Value]) {
        let mut told: HashMap<&str, Vec<&Value>> = HashMap::new();
        for event in once.iter().filter(|event| event["type"] == "message") {
            told.entry(event["cid"].as_str().unwrap_or("")).or_default().push(event);
        }
        for order in &self.orders {
            let events = &told[order.body["cid"].as_str().expect("a cid")];
            assert_eq!(events.len(), 1, "{}: {events:?}", order.body);
            let is = (events[0]["mid"].clone(), events[0]["pos"].clone());
            assert_eq!(order.answer, Some(is), "{}", order.body);
        }
    }
}

impl fmt::Display for Application {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: usize = self.orders.iter().map(|order| order.said).sum();
        write!(to, "{} sent through the API, said {said} times", self.orders.len())
    }
}
