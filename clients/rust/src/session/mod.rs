//! The rules of being connected: who is logged in, what is unanswered, when to try again.
//!
//! A [`Session`] is fed an [`Input`] and the time, and says [`Output`]s, to be performed in their
//! order. It has no socket, no clock and no thread. Logging in is next door, in
//! `account`; what the server says is in `receive`, what is written in `flow`; what is unanswered in `outbox`, which also knows
//! what to do about a server that never acknowledges anything.

mod account;
mod catch_up;
mod changes;
mod confirm;
mod dedup;
mod failover;
mod flow;
mod keepalive;
mod outbox;
mod people;
mod places;
mod reassembly;
mod receive;
#[cfg(test)]
mod tests;

use super::address::Address;
use super::device::Device;
use super::dialect::{Dialect, Saying};
use super::event::{Answer, Event, Lost, RequestId};
use super::refusal::{Failure, Refusal};
use super::request::Request;
use super::roster::{Person, Spoken};
use account::{Account, Credentials};
use chatd_chat::model::ids::MessageId;
use chatd_chat::wire::code::Code;
use confirm::Arrived;
use dedup::Dedup;
use failover::Failover;
use keepalive::Keepalive;
use outbox::Outbox;
use places::Places;
use reassembly::Reassembly;
use std::time::Instant;
use zeroize::Zeroizing;

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The user wants this.
    Ask(RequestId, Request),
    /// The connection that was asked for is there.
    Connected(Address),
    /// The connection that was asked for could not be had.
    Unreachable(Address, String),
    /// The server said this.
    Frame(&'a [u8]),
    /// The connection has ended.
    Lost(Lost),
    /// This message has arrived where it was to arrive.
    Arrived(MessageId),
    /// Time has passed.
    Tick,
}

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Connect; the answer is `Connected` or `Unreachable`.
    Connect(Address),
    /// Write this; it may hold a password.
    Write(Zeroizing<Vec<u8>>),
    /// End the connection. Nothing more is to be fed of it, that it is lost neither.
    HangUp,
    /// Tell the user.
    Tell(Event),
}

#[derive(Debug)]
enum Link {
    /// None; the next is not to be tried before this instant.
    Down(Instant),
    Connecting,
    Up,
}

#[derive(Debug)]
struct Registration {
    request_id: RequestId,
    request: Request,
    attempts: u32,
    under_way: bool,
}

/// One user's dealings with the servers. See the module.
pub struct Session {
    dialect: Box<dyn Dialect>,
    failover: Failover,
    link: Link,
    account: Account,
    outbox: Outbox,
    registration: Option<Registration>,
    /// What the server speaks that let the user in.
    spoken: Spoken,
    /// What the program says of its device.
    device: Device,
    places: Places,
    dedup: Dedup,
    arrived: Arrived,
    keepalive: Keepalive,
    reassembly: Reassembly,
    /// The last friend list heard, for whoever asked for it.
    friends: Vec<Person>,
    /// What the server said before it hung up.
    last_words: Option<Refusal>,
    /// When the last connection was lost.
    lost_at: Option<Instant>,
    /// Whether there has ever been a connection.
    connected: bool,
    /// Whether it was said that there is none now.
    outage_told: bool,
    garbled_told: bool,
}

impl Session {
    /// A session that will try `addresses` in turn and holds at most `most_waiting` requests.
    ///
    /// # Panics
    /// If there is no address.
    pub fn new(
        dialect: Box<dyn Dialect>,
        addresses: Vec<Address>,
        most_waiting: usize,
        now: Instant,
    ) -> Self {
        Self {
            dialect,
            failover: Failover::new(addresses),
            link: Link::Down(now),
            account: Account::Nobody,
            outbox: Outbox::new(most_waiting),
            registration: None,
            spoken: Spoken::Seed,
            device: Device::default(),
            places: Places::default(),
            dedup: Dedup::default(),
            arrived: Arrived::default(),
            keepalive: Keepalive::new(now),
            reassembly: Reassembly::default(),
            friends: Vec::new(),
            last_words: None,
            lost_at: None,
            connected: false,
            outage_told: false,
            garbled_told: false,
        }
    }

    /// The same session, on this device.
    #[must_use]
    pub fn on(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Takes in what happened at `now` and says what is to be done about it.
    pub fn handle(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Ask(request_id, request) => self.ask(request_id, request, now, out),
            Input::Connected(address) => self.is_connected(address, now, out),
            Input::Unreachable(address, reason) => self.unreachable(address, reason, now, out),
            Input::Frame(frame) => self.on_frame(frame, now, out),
            Input::Lost(reason) => self.lost(reason, now, out),
            Input::Arrived(mid) => self.arrived.add(mid, now),
            Input::Tick => {}
        }
        self.advance(now, out);
    }

    /// When a `Tick` is due, if nothing else happens before.
    pub fn wake_at(&self) -> Option<Instant> {
        match self.link {
            Link::Down(at) => Some(at).filter(|_| self.needs_link()),
            Link::Connecting => None,
            Link::Up => {
                let inside = if self.speaks_v2() {
                    let silent = Some(self.keepalive.wake_at(self.outbox.unanswered()));
                    [self.arrived.wake_at(), silent, self.places.wake_at()]
                } else {
                    [None, None, None]
                };
                let due = [self.login_due(), self.outbox.wake_at()];
                due.into_iter().chain(inside).flatten().min()
            }
        }
    }

    /// Whether somebody is logged in with a server that speaks v2.
    fn speaks_v2(&self) -> bool {
        self.spoken == Spoken::V2 && matches!(self.account, Account::Inside { .. })
    }

    /// The longest frame that the server may send.
    pub fn frame_bytes(&self) -> usize {
        self.dialect.frame_bytes()
    }

    fn ask(&mut self, request_id: RequestId, request: Request, now: Instant, out: &mut Vec<Output>) {
        let failure = match request {
            Request::Register { .. } if self.registration.is_some() => Some(Failure::Busy),
            Request::Register { .. } => {
                self.registration = Some(Registration { request_id, request, attempts: 0, under_way: false });
                None
            }
            Request::Login { user, password, takeover } => {
                self.enter(request_id, Credentials::new(user, password, takeover), now)
            }
            Request::LoginJwt { jwt, takeover } if self.account.speaker().is_none() => {
                self.enter(request_id, Credentials::vouched(jwt, takeover), now)
            }
            _ if matches!(self.account, Account::Nobody) => Some(Failure::LoggedOut),
            Request::Typing { .. } if self.account.speaker().is_none() => Some(Failure::Unanswered),
            request => {
                if request == Request::Logout {
                    self.arrived.hurry(now);
                }
                (!self.outbox.push(request_id, request)).then_some(Failure::Full)
            }
        };
        if let Some(failure) = failure {
            out.push(resolved(request_id, Err(failure)));
        }
    }

    fn needs_link(&self) -> bool {
        !self.connected || self.registration.is_some() || !matches!(self.account, Account::Nobody)
    }

    fn is_connected(&mut self, address: Address, now: Instant, out: &mut Vec<Output>) {
        self.link = Link::Up;
        self.keepalive = Keepalive::new(now);
        self.reassembly = Reassembly::default();
        self.failover.reached();
        self.last_words = None;
        self.garbled_told = false;
        let again = self.connected || self.outage_told;
        (self.connected, self.outage_told) = (true, false);
        out.push(Output::Tell(Event::Connected { address, again }));
    }

    fn unreachable(&mut self, address: Address, reason: String, now: Instant, out: &mut Vec<Output>) {
        self.link = Link::Down(self.failover.failed(now));
        if self.failover.exhausted() && !std::mem::replace(&mut self.outage_told, true) {
            out.push(Output::Tell(Event::Unreachable { address, reason }));
        }
    }

    fn lost(&mut self, reason: Lost, now: Instant, out: &mut Vec<Output>) {
        let wait = self.failover.lost();
        self.link = Link::Down(now + wait);
        self.lost_at = Some(now);
        self.outbox.interrupt();
        self.places.interrupt();
        self.outbox.settle(|entry| {
            // Whoever typed then does not any more.
            let is_over = matches!(entry.request, Request::Typing { .. });
            out.extend(is_over.then(|| resolved(entry.request_id, Err(Failure::Unanswered))));
            is_over
        });
        if let Some(registration) = &mut self.registration {
            registration.under_way = false;
        }
        self.leave_link(now, out);
        self.give_up_what_is_too_large(out);
        let words = self.last_words.take();
        if let Some(words) = words.as_ref().filter(|words| words.errno == Code::Replaced.errno()) {
            self.is_replaced(words, out);
        }
        let reason = match (reason, words) {
            (Lost::Closed | Lost::Io(_), Some(words)) => Lost::Said(words),
            (reason, _) => reason,
        };
        let retry_in = self.needs_link().then_some(wait);
        if !std::mem::replace(&mut self.outage_told, true) {
            out.push(Output::Tell(Event::Lost { reason, retry_in }));
        }
    }

    /// Does what can be done now.
    fn advance(&mut self, now: Instant, out: &mut Vec<Output>) {
        match self.link {
            Link::Down(at) if self.needs_link() && now >= at => {
                self.link = Link::Connecting;
                out.push(Output::Connect(self.failover.address().clone()));
            }
            Link::Down(_) | Link::Connecting => {}
            Link::Up => {
                if let Some(registration) = self.registration.as_mut().filter(|asked| !asked.under_way) {
                    registration.under_way = true;
                    registration.attempts += 1;
                    let request = registration.request.clone();
                    self.write(Saying::Ask(&request), out);
                }
                self.ask_to_enter(now, out);
                self.check_keepalive(now, out);
                self.confirm(now, out);
                self.catch_up(now, out);
                self.let_go_what_nobody_acknowledges(now, out);
                self.flush(now, out);
            }
        }
    }
}

fn resolved(request_id: RequestId, result: Result<Answer, Failure>) -> Output {
    Output::Tell(Event::Answered { request_id, result })
}
