//! Two hubs and a store, all of it at once and in order: the world as the original servers had it.

use crate::store::Store;
use chatd::chat::hub::Hub;
use chatd::chat::model::ids::{ConnectionId, CoreId, Millis, Monotonic, Now, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::source::Source;
use chatd::chat::model::token::Password;
use chatd::chat::port::effect::Effect;
use chatd::chat::port::event::{Channel, Event};
use chatd::chat::port::store::StoreRequest;
use chatd::chat::wire::frame::Terminator;
use chatd::chat::wire::json::Parser;
use chatd::chat::wire::request;
use std::collections::{BTreeSet, VecDeque};

/// amy's server and ben's.
const NAMES: [&str; 2] = ["amy", "ben"];
const SESSION: ConnectionId = ConnectionId { index: 0, generation: 0 };

pub struct Cluster {
    hubs: Vec<Hub>,
    store: Store,
    joined: BTreeSet<(Channel, usize)>,
    queue: VecDeque<(usize, Event<'static>)>,
    heard: Vec<(&'static str, String)>,
    sent: [u64; 2],
}

impl Cluster {
    /// A cluster whose next user and group get these numbers.
    pub fn with_users_and_groups_before(user: usize, group: usize) -> Self {
        let mut store = Store::default();
        for number in 1..user {
            store.enroll(&format!("earlier {number}"), "pw");
        }
        for number in 1..group {
            let creator = UserId::new(1).unwrap();
            let ask = StoreRequest::CreateGroup {
                user: creator,
                name: format!("earlier {number}"),
                desc: String::new(),
            };
            store.answer(&ask).expect("an earlier group");
        }
        let hub = |number| Hub::new(CoreId(number), Limits::default());
        let mut cluster = Self {
            hubs: vec![hub(0), hub(1)],
            store,
            joined: BTreeSet::new(),
            queue: VecDeque::new(),
            heard: Vec::new(),
            sent: [0; 2],
        };
        for core in 0..2 {
            cluster.queue.push_back((core, Event::Opened { connection: SESSION, from: Source::Proxy }));
        }
        cluster.run();
        cluster
    }

    pub fn say(&mut self, who: &str, frame: &str) {
        let core = NAMES.iter().position(|name| *name == who).expect("amy or ben");
        let (mut bytes, mut effects) = (frame.as_bytes().to_vec(), Vec::new());
        let mut parser = Parser::new();
        let request = request::parse(&mut bytes, &mut parser, &Limits::default()).expect("a request");
        let event = Event::Request { connection: SESSION, terminator: Terminator::Nul, request };
        self.hubs[core].handle(now(), event, &mut effects);
        self.perform(core, effects);
        self.run();
    }

    /// What was heard since the last time, with empty lists left out as the original does.
    pub fn heard(&mut self) -> Vec<(&'static str, &'static str)> {
        let without = |text: String| {
            let text = text.replace("\"friends\":[],", "").replace("\"groups\":[],", "");
            text.replace(",\"offlinemsg\":[]", "").leak() as &'static str
        };
        std::mem::take(&mut self.heard).into_iter().map(|(who, text)| (who, without(text))).collect()
    }

    fn run(&mut self) {
        while let Some((core, event)) = self.queue.pop_front() {
            let mut effects = Vec::new();
            self.hubs[core].handle(now(), event, &mut effects);
            self.perform(core, effects);
        }
    }

    fn perform(&mut self, core: usize, effects: Vec<Effect>) {
        for effect in effects.into_iter().flat_map(Effect::singly) {
            let mut happens = |core, event| self.queue.push_back((core, event));
            match effect {
                Effect::Send { frame, .. } => {
                    self.sent[core] += frame.len() as u64 + 1;
                    let mut bytes = Vec::new();
                    frame.write(&mut bytes);
                    self.heard.push((NAMES[core], String::from_utf8(bytes).unwrap()));
                }
                Effect::SendAll { .. } => unreachable!("it was taken apart"),
                Effect::Probe { connection: session } => {
                    happens(core, Event::Acked { connection: session, bytes: self.sent[core] });
                }
                Effect::Join { id: ticket, channel } => {
                    self.joined.insert((channel, core));
                    happens(core, Event::Joined { id: ticket, result: Ok(()) });
                }
                Effect::Leave { channel } => drop(self.joined.remove(&(channel, core))),
                Effect::Publish { id: ticket, channel, envelope } => {
                    let listeners = (0..2).filter(|&core| self.joined.contains(&(channel, core)));
                    let listeners: Vec<usize> = listeners.collect();
                    let heard = listeners.len() as u32;
                    for listener in listeners {
                        happens(listener, Event::Arrived { channel, envelope: envelope.clone() });
                    }
                    if let Some(ticket) = ticket {
                        happens(core, Event::Published { id: ticket, receivers: Ok(heard) });
                    }
                }
                Effect::QueryPresence { id: ticket, users } => {
                    let online = |user: &UserId| {
                        (0..2).any(|core| self.joined.contains(&(Channel::User(*user), core)))
                    };
                    let online = users.iter().map(online).collect();
                    happens(core, Event::PresenceResult { id: ticket, online: Ok(online) });
                }
                Effect::Store { id: ticket, request: ask } => {
                    if let StoreRequest::Verify { password: Password(text), .. } = &ask {
                        assert!(["pw1", "pw2", "bad"].contains(&text.as_str()));
                    }
                    let answer = self.store.answer(&ask);
                    happens(core, Event::Answered { id: ticket, result: answer });
                }
                Effect::Close { .. } => panic!("nobody is thrown out"),
                Effect::Pause { .. } | Effect::Resume { .. } => {}
            }
        }
    }
}

fn now() -> Now {
    Now { monotonic: Monotonic(1), wall: Millis(1_795_392_254_000) }
}
