//! The handle that a program holds, and the thread behind it.
//!
//! One thread feeds the [`Session`] and performs what it says; one more for each connection reads.

use super::address::Address;
use super::clock::local_time;
use super::device::Device;
use super::dialect::{Dialect, v2::V2};
use super::event::{Event, Lost, RequestId};
use super::link::{self, Credit};
use super::message::{Conversation, Extras};
use super::request::{Named, Request, Takeover};
use super::secret::Secret;
use super::secure::{Security, Writing};
use super::session::{Input, Output, Session};
use chatd_chat::model::ids::MessageId;
use chatd_tls::Trust;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// Requests that may wait for the connection, by default.
const MOST_WAITING: usize = 1_000;
/// Events that wait for whoever reads them; behind them, the server waits.
const EVENTS: usize = 256;

/// What a client is made with.
pub struct Config {
    /// The servers, tried in this order. At least one.
    pub addresses: Vec<Address>,
    /// Requests that may wait for the connection. Above: [`Failure::Full`](super::Failure::Full).
    pub most_waiting: usize,
    /// What is spoken: v2, which falls back to the seed's dialect by itself.
    pub dialect: Box<dyn Dialect>,
    /// When a message counts as arrived.
    pub confirming: Confirming,
    /// Whose certificates are believed, where an address begins with `tls://`.
    pub trust: Trust,
    /// What is said of this device when somebody logs in. By default nothing.
    pub device: Device,
}

/// When the server is told that a message has arrived. Until then it is the server's to keep: it
/// comes again on the next connection, and is told again where this program has ended meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Confirming {
    /// When the event after it is asked for: whoever asks on has dealt with it.
    #[default]
    WhenTaken,
    /// When [`Client::arrived`] says so.
    WhenSaid,
}

impl Config {
    /// The defaults, for these servers.
    pub fn new(addresses: Vec<Address>) -> Self {
        Self {
            addresses,
            most_waiting: MOST_WAITING,
            dialect: Box::new(V2),
            confirming: Confirming::WhenTaken,
            trust: Trust::System,
            device: Device::default(),
        }
    }
}

/// Says requests. Clones say them on the same connection.
///
/// When the last clone is dropped the connection ends; what was not written by then is not said.
#[derive(Clone, Debug)]
pub struct Client(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    inputs: Sender<Incoming>,
    request_ids: AtomicU64,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Where the thread has ended already, there is nobody to tell.
        let _ = self.inputs.send(Incoming::Close);
    }
}

/// Tells what happens; ends when the [`Client`] does.
#[derive(Debug)]
pub struct Events {
    told: Receiver<Event>,
    /// Where to say that a message was dealt with; nowhere, where that is for somebody else to say.
    arrived: Option<Sender<Incoming>>,
    /// The message told last.
    last: Option<MessageId>,
}

#[derive(Debug)]
enum Incoming {
    Ask(RequestId, Request),
    Arrived(MessageId),
    /// Of the connection with this number.
    Link(u64, FromLink),
    Close,
}

#[derive(Debug)]
enum FromLink {
    Connected(Address, Writing),
    Unreachable(Address, String),
    Frame(Vec<u8>),
    Lost(Lost),
}

impl Client {
    /// Begins to connect, and goes on until it is dropped.
    ///
    /// # Panics
    /// If there is no address, or no thread to be had.
    pub fn connect(config: Config) -> (Self, Events) {
        let (inputs, incoming) = mpsc::channel();
        let (events, told) = mpsc::sync_channel(EVENTS);
        let session = Session::new(config.dialect, config.addresses, config.most_waiting, Instant::now())
            .on(config.device);
        let links = Links {
            inputs: inputs.clone(),
            number: 0,
            writing: None,
            credit: Credit::default(),
            security: Arc::new(Security::new(config.trust)),
        };
        let arrived = (config.confirming == Confirming::WhenTaken).then(|| inputs.clone());
        let engine = Engine { session, links, events, incoming };
        thread::Builder::new()
            .name("chat-client".to_owned())
            .spawn(move || engine.run())
            .expect("a thread can be started");
        (
            Self(Arc::new(Handle { inputs, request_ids: AtomicU64::new(0) })),
            Events { told, arrived, last: None },
        )
    }

    /// Asks for something. The answer is an [`Event::Answered`] with the same request_id.
    pub fn ask(&self, request: Request) -> RequestId {
        let request_id = RequestId(self.0.request_ids.fetch_add(1, Ordering::Relaxed));
        // Where the thread has ended, because nobody reads the events, nobody would read the answer.
        let _ = self.0.inputs.send(Incoming::Ask(request_id, request));
        request_id
    }

    /// Logs a user in, who is named by id or, where the server speaks v2, by name.
    pub fn login(&self, user: impl Into<Named>, password: impl Into<Secret>) -> RequestId {
        let takeover = Takeover::Refuse;
        self.ask(Request::Login { user: user.into(), password: password.into(), takeover })
    }

    /// Logs the user of another application in by what that has signed, or has a session go on that was let in so: when a
    /// notice says that it expires ([`Code::Expired`](chatd_chat::wire::code::Code::Expired)). v2.
    pub fn login_jwt(&self, jwt: impl Into<Secret>) -> RequestId {
        self.ask(Request::LoginJwt { jwt: jwt.into(), takeover: Takeover::Refuse })
    }

    /// This message has arrived where it was to arrive: see [`Confirming`].
    pub fn arrived(&self, mid: MessageId) {
        // Where the thread has ended, the message comes again at the next login.
        let _ = self.0.inputs.send(Incoming::Arrived(mid));
    }

    /// Says something, now by the local clock.
    pub fn say(&self, to: Conversation, text: impl Into<String>) -> RequestId {
        self.ask(Request::Say { to, text: text.into(), time: local_time(), extras: Extras::default() })
    }

    /// Puts another text in the place of one that the user has said: see [`Message::mark`](super::Message::mark) and
    /// [`Event::Stored`] for where that is.
    pub fn edit(&self, of: Conversation, pos: u64, text: impl Into<String>) -> RequestId {
        self.ask(Request::Edit { of, pos, text: text.into() })
    }

    /// Takes back what was said at this place.
    pub fn recall(&self, of: Conversation, pos: u64) -> RequestId {
        self.ask(Request::Recall { of, pos })
    }

    /// Reacts to what was said at this place, or does so no more.
    pub fn react(&self, of: Conversation, pos: u64, emoji: impl Into<String>, on: bool) -> RequestId {
        self.ask(Request::React { of, pos, emoji: emoji.into(), on })
    }
}

impl Events {
    /// The next event, if one comes in time. Nothing also where the client has ended.
    pub fn next_within(&mut self, wait: Duration) -> Option<Event> {
        self.confirm_last();
        let event = self.told.recv_timeout(wait).ok();
        self.note(event)
    }

    fn confirm_last(&mut self) {
        if let (Some(inputs), Some(mid)) = (&self.arrived, self.last.take()) {
            // As above.
            let _ = inputs.send(Incoming::Arrived(mid));
        }
    }

    fn note(&mut self, event: Option<Event>) -> Option<Event> {
        match &event {
            Some(Event::Message(message)) => {
                // What the user says elsewhere waits for nobody, but for what is said to oneself.
                let waits = !message.own || message.conversation == Conversation::With(message.from);
                self.last = message.mark.mid.filter(|_| waits);
            }
            Some(Event::Group(event)) => self.last = event.mark.mid,
            _ => {}
        }
        event
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.confirm_last();
        let event = self.told.recv().ok();
        self.note(event)
    }
}

/// The thread behind a client.
struct Engine {
    session: Session,
    links: Links,
    events: SyncSender<Event>,
    incoming: Receiver<Incoming>,
}

impl Engine {
    fn run(mut self) {
        let mut out = Vec::new();
        self.session.handle(Instant::now(), Input::Tick, &mut out);
        while self.perform(&mut out) {
            let incoming = match self.session.wake_at() {
                None => self.incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self.incoming.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match incoming {
                Ok(Incoming::Ask(request_id, request)) => {
                    self.feed(Input::Ask(request_id, request), &mut out)
                }
                Ok(Incoming::Arrived(mid)) => self.feed(Input::Arrived(mid), &mut out),
                Ok(Incoming::Link(number, what)) => self.hear(number, what, &mut out),
                Err(RecvTimeoutError::Timeout) => self.feed(Input::Tick, &mut out),
                Ok(Incoming::Close) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.links.hang_up();
    }

    fn feed(&mut self, input: Input<'_>, out: &mut Vec<Output>) {
        self.session.handle(Instant::now(), input, out);
    }

    fn hear(&mut self, number: u64, what: FromLink, out: &mut Vec<Output>) {
        if number != self.links.number {
            return;
        }
        match what {
            FromLink::Connected(address, writing) => {
                self.links.writing = Some(writing);
                self.feed(Input::Connected(address), out);
            }
            FromLink::Unreachable(address, reason) => self.feed(Input::Unreachable(address, reason), out),
            FromLink::Frame(frame) => {
                self.feed(Input::Frame(&frame), out);
                self.links.credit.give(frame.len());
            }
            FromLink::Lost(reason) => {
                self.links.hang_up();
                self.feed(Input::Lost(reason), out);
            }
        }
    }

    /// False once nobody reads the events any more.
    fn perform(&mut self, out: &mut Vec<Output>) -> bool {
        out.drain(..).all(|output| match output {
            Output::Connect(address) => {
                self.links.open(address, self.session.frame_bytes());
                true
            }
            Output::Write(bytes) => {
                self.links.write(&bytes);
                true
            }
            Output::HangUp => {
                self.links.forget();
                true
            }
            Output::Tell(event) => self.events.send(event).is_ok(),
        })
    }
}

/// The connection that there is, and how many there were.
struct Links {
    inputs: Sender<Incoming>,
    number: u64,
    writing: Option<Writing>,
    credit: Credit,
    security: Arc<Security>,
}

impl Links {
    fn open(&mut self, address: Address, frame_bytes: usize) {
        self.number += 1;
        self.credit = Credit::default();
        let (number, inputs, credit) = (self.number, self.inputs.clone(), self.credit.clone());
        let (refused, unreached, security) = (inputs.clone(), address.clone(), self.security.clone());
        let tell = move |what| inputs.send(Incoming::Link(number, what)).is_ok();
        let body = move || {
            let (reading, writing) = match link::connect(&address, &security) {
                Ok(halves) => halves,
                Err(error) => return tell(FromLink::Unreachable(address, error.to_string())),
            };
            let lost = tell(FromLink::Connected(address, writing)).then(|| {
                link::read(reading, frame_bytes, |frame| {
                    credit.take(frame.len());
                    tell(FromLink::Frame(frame.to_vec()))
                })
            });
            tell(FromLink::Lost(lost.unwrap_or(Lost::Closed)))
        };
        if let Err(error) = thread::Builder::new().name("chat-link".to_owned()).spawn(body) {
            // This thread holds the other end of the channel.
            let _ = refused.send(Incoming::Link(number, FromLink::Unreachable(unreached, error.to_string())));
        }
    }

    /// Writes all of it, or ends the connection: its reader then tells how it ended.
    fn write(&mut self, bytes: &[u8]) {
        if self.writing.as_mut().is_some_and(|writing| writing.write(bytes).is_err()) {
            self.shut_down();
        }
    }

    fn hang_up(&mut self) {
        self.shut_down();
        self.writing = None;
    }

    /// Ends the connection, and hears nothing of it any more.
    fn forget(&mut self) {
        self.hang_up();
        self.number += 1;
    }

    fn shut_down(&self) {
        if let Some(writing) = &self.writing {
            writing.end();
        }
    }
}
