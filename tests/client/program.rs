//! A program that uses the library, and what it was told.

use super::library::{address, until, user};
use crate::common::client::User;
use chatd_client::{
    Answer, Change, Client, Config, Conversation, Device, Event, Events, Failure, GroupEvent, Head, Message,
    Request, RequestId, Welcome,
};
use std::net::SocketAddr;

/// A program on one device, and what it was told.
pub(super) struct Program {
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) told: Vec<Message>,
    pub(super) up_to: u64,
    pub(super) chg: u64,
    pub(super) welcome: Welcome,
    pub(super) heads: Vec<Head>,
    pub(super) changes: Vec<Change>,
    pub(super) happened: Vec<GroupEvent>,
}

impl Program {
    pub(super) fn start(server: SocketAddr, who: &User, device: Device) -> Self {
        let mut config = Config::new(vec![address(server)]);
        config.device = device;
        let (client, mut events) = Client::connect(config);
        client.login(user(who.id), who.password.as_str());
        let welcome = until(&mut events, "the login", |event| match event {
            Event::LoggedIn { welcome, .. } => Some(welcome),
            _ => None,
        });
        let heads = welcome.heads.clone().map(|heads| heads.heads).unwrap_or_default();
        Self {
            client,
            events,
            told: Vec::new(),
            up_to: 0,
            chg: 0,
            welcome,
            heads,
            changes: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// Takes in events until `pick` is content.
    pub(super) fn until<T>(&mut self, waited_for: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let Self { told, up_to, chg: changed, changes, happened, .. } = self;
        until(&mut self.events, waited_for, |event| {
            let picked = pick(&event);
            match event {
                Event::Message(message) => told.push(message),
                Event::UpTo { pos, chg, .. } => (*up_to, *changed) = (pos, chg),
                Event::Changed(change) => changes.push(change),
                Event::Group(event) => happened.push(event),
                _ => {}
            }
            picked
        })
    }

    /// Takes in events until it knows that it was told everything up to a place.
    pub(super) fn until_up_to(&mut self, wanted: u64) {
        if self.up_to < wanted {
            self.until("a place", |event| match event {
                Event::UpTo { pos, .. } if *pos >= wanted => Some(()),
                _ => None,
            });
        }
    }

    pub(super) fn say(&mut self, to: &User, text: &str) -> RequestId {
        self.client.say(Conversation::With(user(to.id)), text)
    }

    /// Says it, and waits until that is safe.
    pub(super) fn said(&mut self, to: &User, text: &str) {
        let wanted = self.say(to, text);
        let result = self.until("an answer", |event| match event {
            Event::Answered { request_id, result } if *request_id == wanted => Some(result.clone()),
            _ => None,
        });
        assert!(matches!(result, Ok(Answer::Safe(_))), "{result:?}");
    }

    /// Says it, and waits for its place.
    pub(super) fn placed(&mut self, to: Conversation, text: &str) -> u64 {
        let wanted = self.client.say(to, text);
        let Ok(Answer::Safe(mark)) = self.answer(wanted) else { panic!("{text} is not safe") };
        mark.pos.expect("a place")
    }

    pub(super) fn answer(&mut self, wanted: RequestId) -> Result<Answer, Failure> {
        self.until("an answer", |event| match event {
            Event::Answered { request_id, result } if *request_id == wanted => Some(result.clone()),
            _ => None,
        })
    }

    pub(super) fn settle(&mut self, request: Request) -> Answer {
        let wanted = self.client.ask(request);
        self.answer(wanted).unwrap()
    }

    /// The errno of what the server refuses.
    pub(super) fn refused(&mut self, request: Request) -> u16 {
        let wanted = self.client.ask(request);
        match self.answer(wanted) {
            Err(Failure::Refused(refusal)) => refusal.errno,
            other => panic!("{other:?}"),
        }
    }

    /// Takes in events until there are so many changes.
    pub(super) fn until_changes(&mut self, count: usize) {
        while self.changes.len() < count {
            self.until("a change", |event| matches!(event, Event::Changed(_)).then_some(()));
        }
    }

    /// Takes in events until it knows that it was told all changes up to this one.
    pub(super) fn until_changed_to(&mut self, wanted: u64) {
        while self.chg < wanted {
            self.until("changes", |event| matches!(event, Event::UpTo { .. }).then_some(()));
        }
    }

    /// Takes in events until so many have happened to groups.
    pub(super) fn until_happened(&mut self, count: usize) {
        while self.happened.len() < count {
            self.until("an event of a group", |event| matches!(event, Event::Group(_)).then_some(()));
        }
    }

    pub(super) fn texts(&self) -> Vec<&str> {
        self.told.iter().map(|message| message.text.as_str()).collect()
    }
}
