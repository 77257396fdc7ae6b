//! The walk of a one-to-one message: which rooms it enters, in which order. ARCHITECTURE.md tells it, and this holds it.
//!
//! The hub stands before all of them, `port`, `wire` and `model` are what they are made of. A room that calls itself is
//! entered once.

use super::Hub;
use crate::connection::Identity;
use crate::model::ids::{ConnectionId, CoreId, Millis, Monotonic, Now, RequestId, SessionEpoch, UserId};
use crate::model::limits::Limits;
use crate::model::source::Source;
use crate::port::effect::Effect;
use crate::port::event::Event;
use crate::port::store::{BacklogPage, StoreReply, StoreRequest, StoredMessage};
use crate::wire::frame::Terminator;
use crate::wire::request::{Body, Request};

const ROOMS: [&str; 6] = ["login", "direct", "group", "social", "backlog", "connection"];

/// A hub, and what it had done for the last event.
struct Core {
    hub: Hub,
    effects: Vec<Effect>,
}

impl Core {
    /// A core on which these users are logged in and have all of their backlogs, each on the connection of its number.
    fn with(number: u16, users: &[u64]) -> Self {
        let mut hub = Hub::new(CoreId(number), Limits::default());
        for &number in users {
            let (id, user, epoch) = (connection(number), user(number), SessionEpoch(1));
            let Hub { cx, connections, backlog, groups, .. } = &mut hub;
            connections.opened(cx, id, Source::Proxy);
            let connection = connections.get_mut(id).expect("it was opened");
            connection.begin_login(Identity { user, name: "ann".into(), epoch });
            connection.note_claimed();
            connection.finish_login();
            connections.hold(user, id);
            backlog.begin_login(id, user, epoch);
            groups.begin_login(id);
            backlog.finish_login(cx, id);
            hub.continue_catch_up(id);
            let Hub { cx, connections, backlog, .. } = &mut hub;
            let page = BacklogPage { messages: vec![], complete: true, heads: vec![], rules: vec![] };
            backlog.on_page(cx, connections, id, epoch, Ok(page));
            hub.continue_catch_up(id);
            assert!(!hub.backlog.is_under_way(&hub.connections, id), "{user} is live");
        }
        hub.cx.effects.clear();
        Self { hub, effects: Vec::new() }
    }

    /// The rooms that this event enters, in their order.
    fn walk(&mut self, event: Event<'_>) -> String {
        self.hub.cx.entered.clear();
        self.effects.clear();
        let now = Now { monotonic: Monotonic(10), wall: Millis(1_700_000_000_000) };
        self.hub.handle(now, event, &mut self.effects);
        let room = |file: &&str| {
            let folder = file.split('/').find(|folder| ROOMS.contains(folder));
            folder.unwrap_or_else(|| panic!("{file} is in no room")).to_owned()
        };
        let mut rooms: Vec<String> = self.hub.cx.entered.iter().map(room).collect();
        rooms.dedup();
        rooms.join(" ")
    }

    /// User 1 says something to somebody.
    fn say_to(&mut self, to: u64) -> String {
        let body = Body::OneChat { to: user(to), msg: "hello", time: None, extras: Ok(None) };
        let request = Request { id: Some(user(1)), cid: Some("c"), body, bytes: 100 };
        self.walk(Event::Request { connection: connection(1), terminator: Terminator::Nul, request })
    }

    /// The request for the store to store something.
    fn stored(&self) -> (RequestId, StoredMessage) {
        let found = self.effects.iter().find_map(|effect| match effect {
            Effect::Store { id, request: StoreRequest::StoreMessage { envelope } } => {
                Some((*id, StoredMessage { mid: envelope.mid(), ts: envelope.ts(), pos: Some(1) }))
            }
            _ => None,
        });
        found.expect("a message is to be stored")
    }

    fn has(&self, is: impl Fn(&Effect) -> bool) -> bool {
        self.effects.iter().any(is)
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).expect("a user")
}

fn connection(number: u64) -> ConnectionId {
    ConnectionId { index: number as u32, generation: 0 }
}

#[test]
fn a_message_to_a_reader_on_this_core_enters_each_room_once() {
    let mut core = Core::with(1, &[1, 2]);
    assert_eq!(core.say_to(2), "direct connection backlog connection", "its sender's, then its reader's");
    assert!(core.has(|effect| matches!(effect, Effect::Send { connection: to, .. } if *to == connection(2))));
    let (id, stored) = core.stored();
    assert_eq!(
        core.walk(Event::Answered { id, result: Ok(StoreReply::Stored(stored)) }),
        "direct connection"
    );
    assert!(core.has(|effect| matches!(effect, Effect::Send { connection: to, .. } if *to == connection(1))));
    let acked = core.walk(Event::Acked { connection: connection(2), bytes: u64::from(u32::MAX) });
    // Out of the window, then of the backlog; what is unconfirmed has a bound, and a catch-up would go on.
    assert_eq!(acked, "connection backlog direct backlog connection backlog");
    assert!(core.has(|effect| {
        matches!(effect, Effect::Store { request: StoreRequest::AckDelivered { mids, .. }, .. } if mids.len() == 1)
    }));
}

#[test]
fn a_message_to_a_reader_on_another_core_enters_each_room_once() {
    let (mut here, mut there) = (Core::with(1, &[1]), Core::with(2, &[2]));
    assert_eq!(here.say_to(2), "direct connection");
    let published = here.effects.iter().find_map(|effect| match effect {
        Effect::Publish { id: Some(id), channel, envelope } => Some((*id, *channel, envelope.clone())),
        _ => None,
    });
    let (id, channel, envelope) = published.expect("it is published");
    assert_eq!(there.walk(Event::Arrived { channel, envelope }), "direct backlog connection");
    assert!(there.has(|effect| matches!(effect, Effect::Send { .. })));
    assert_eq!(here.walk(Event::Published { id, receivers: Ok(1) }), "direct connection");
}

#[test]
fn a_message_that_nobody_hears_enters_each_room_once() {
    let mut core = Core::with(1, &[1]);
    assert_eq!(core.say_to(2), "direct connection");
    let published = core.effects.iter().find_map(|effect| match effect {
        Effect::Publish { id, .. } => *id,
        _ => None,
    });
    let id = published.expect("it is published");
    assert_eq!(core.walk(Event::Published { id, receivers: Ok(0) }), "direct");
    let (id, stored) = core.stored();
    let rooms = core.walk(Event::Answered { id, result: Ok(StoreReply::Stored(stored)) });
    assert_eq!(rooms, "direct connection");
    assert!(core.has(|effect| matches!(effect, Effect::Publish { .. })), "a hint");
}
