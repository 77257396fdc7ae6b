//! One event or effect as it is written down: 32 bytes, without anything that somebody said.

use super::kind::{self, Kind};
use chatd_chat::model::ids::{ConnectionId, RequestId, UserId};
use chatd_chat::port::effect::{Effect, Frame};
use chatd_chat::port::event::{Channel, Event};
use chatd_chat::port::store::{StoreReply, StoreRequest};
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Bits of a request's slot and of its generation that are kept. Above them is one that says that there is a request, and
/// below them a size.
const REQUEST_BITS: u32 = 20;
const SIZE_BITS: u32 = 63 - 2 * REQUEST_BITS;

/// What is written down. What does not apply is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// Microseconds since the server was started, to 48 bits: for nine years.
    pub(super) at_us: u64,
    pub(super) kind: Kind,
    /// A msgid, an errno, the kind of an envelope, or of a request to the store.
    detail: u8,
    /// Of a connection or of a channel: see [`about`].
    about: u64,
    /// The id of a message; of a request of a client, the user that it says it is.
    number: u64,
    /// A request and a size.
    rest: u64,
}

/// A connection, or a channel: of which kind is in the top two bits, which no slot of a connection has.
mod about {
    pub(super) const CONNECTION: u64 = 1 << 62;
    pub(super) const USER: u64 = 2 << 62;
    pub(super) const GROUP: u64 = 3 << 62;
    pub(super) const KINDS: u64 = 3 << 62;
    /// Slots have fewer bits than that; all of them are one of the API.
    pub(super) const SLOTS: u32 = (1 << 30) - 1;
}

/// A connection of this server: its core, its slot there, and how many had that slot before; `api` stands for the slot of
/// one of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionName {
    /// Its core, from 0.
    pub core: usize,
    /// Which of that core.
    pub id: ConnectionId,
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { core, id } = self;
        match id.is_acting() {
            true => write!(f, "{core}.api.{}", id.generation),
            false => write!(f, "{core}.{}.{}", id.index, id.generation),
        }
    }
}

impl FromStr for SessionName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let [core, index, generation] = text.split('.').collect::<Vec<_>>()[..] else { return Err(()) };
        let number = |text: &str| text.parse::<u32>().map_err(|_| ());
        let generation = number(generation)?;
        let id = match index {
            "api" => ConnectionId::acting(generation),
            index => ConnectionId { index: number(index)?, generation },
        };
        Ok(Self { core: number(core)? as usize, id })
    }
}

impl Entry {
    fn new(kind: Kind, at_us: u64) -> Self {
        Self { at_us: at_us & ((1 << 48) - 1), kind, detail: 0, about: 0, number: 0, rest: 0 }
    }

    pub(super) fn of_connection(self, id: ConnectionId) -> Self {
        Self { about: about_connection(id), ..self }
    }

    fn on(self, channel: Channel) -> Self {
        let about = match channel {
            Channel::User(user) => about::USER | u64::from(user.get()),
            Channel::Group(group) => about::GROUP | u64::from(group.get()),
            Channel::Cores => 0,
        };
        Self { about, ..self }
    }

    fn detail(self, detail: u32) -> Self {
        Self { detail: u8::try_from(detail).unwrap_or(u8::MAX), ..self }
    }

    fn number(self, number: u64) -> Self {
        Self { number, ..self }
    }

    fn request(self, id: RequestId) -> Self {
        let bits = |number: u32| u64::from(number) & ((1 << REQUEST_BITS) - 1);
        let key = 1 << (2 * REQUEST_BITS) | bits(id.index) << REQUEST_BITS | bits(id.generation);
        Self { rest: self.rest | key << SIZE_BITS, ..self }
    }

    fn size(self, bytes: usize) -> Self {
        Self { rest: self.rest | (bytes as u64).min((1 << SIZE_BITS) - 1), ..self }
    }

    fn framed(self, frame: &Frame) -> Self {
        match (frame.message(), frame) {
            (Some(envelope), _) => {
                self.detail(envelope.kind() as u32).number(envelope.mid().0).size(envelope.body().len())
            }
            (None, Frame::Reply(bytes)) => self.size(bytes.len()),
            (None, _) => self,
        }
    }

    pub(super) fn event(event: &Event<'_>, at_us: u64) -> Self {
        let new = |kind| Self::new(kind, at_us);
        let of = |kind, connection: &ConnectionId| new(kind).of_connection(*connection);
        match event {
            Event::Opened { connection, .. } => of(Kind::Opened, connection),
            Event::Located { connection, .. } => of(Kind::Located, connection),
            Event::Request { connection, request, .. } => of(Kind::Request, connection)
                .detail(request.body.msgid())
                .number(request.id.map_or(0, |user| user.get().into()))
                .size(request.bytes as usize),
            Event::Upgraded { connection } => of(Kind::Upgraded, connection),
            Event::BadFrame { connection, fault } => {
                of(Kind::BadFrame, connection).detail(fault.code.errno().into())
            }
            Event::FrameTimeout { connection } => of(Kind::FrameTimeout, connection),
            Event::Shed { connection } => of(Kind::Shed, connection),
            Event::Acked { connection, bytes } => of(Kind::Acked, connection).number(*bytes),
            Event::HalfClosed { connection } => of(Kind::HalfClosed, connection),
            Event::Closed { connection, acked } => of(Kind::Closed, connection).number(*acked),
            Event::Joined { id, result } => new(Kind::Joined).request(*id).detail(result.is_err().into()),
            Event::Published { id, receivers } => new(Kind::Published)
                .request(*id)
                .size(receivers.unwrap_or(0) as usize)
                .detail(receivers.is_err().into()),
            Event::Arrived { channel, envelope } => new(Kind::Arrived)
                .on(*channel)
                .detail(envelope.kind() as u32)
                .number(envelope.mid().0)
                .size(envelope.bytes().len()),
            Event::PresenceResult { id, online } => {
                new(Kind::PresenceResult).request(*id).detail(online.is_err().into())
            }
            Event::Acted { connection, .. } => of(Kind::Acted, connection),
            Event::BusLost => new(Kind::BusLost),
            Event::BusSilent => new(Kind::BusSilent),
            Event::BusHeard => new(Kind::BusHeard),
            Event::Rejoined { core } => new(Kind::Rejoined).number(core.0.into()),
            Event::CoreGone { core } => new(Kind::CoreGone).number(core.0.into()),
            Event::Answered { id, result } => {
                let stored = |reply: &StoreReply| match reply {
                    StoreReply::Stored(stored) => stored.mid.0,
                    _ => 0,
                };
                let (errno, mid) =
                    (result.as_ref().err().map_or(0, |code| code.errno()), result.as_ref().map_or(0, stored));
                new(Kind::Answered).request(*id).detail(errno.into()).number(mid)
            }
            Event::Tick { .. } => new(Kind::Tick),
            Event::Drain => new(Kind::Drain),
        }
    }

    pub(super) fn effect(effect: &Effect, at_us: u64) -> Self {
        let new = |kind| Self::new(kind, at_us);
        let of = |kind, connection: &ConnectionId| new(kind).of_connection(*connection);
        match effect {
            Effect::Send { connection, frame } => new(Kind::Send).framed(frame).of_connection(*connection),
            // Its connections are for the recorder to write down, each in an entry of its own.
            Effect::SendAll { frame, .. } => new(Kind::Send).framed(frame),
            Effect::Close { connection, why } => {
                of(Kind::Close, connection).detail(why.map_or(0, |code| code.errno()).into())
            }
            Effect::Pause { connection } => of(Kind::Pause, connection),
            Effect::Resume { connection } => of(Kind::Resume, connection),
            Effect::Probe { connection } => of(Kind::Probe, connection),
            Effect::Join { id, channel } => new(Kind::Join).on(*channel).request(*id),
            Effect::Leave { channel } => new(Kind::Leave).on(*channel),
            Effect::Publish { id, channel, envelope } => {
                let entry = new(Kind::Publish)
                    .on(*channel)
                    .detail(envelope.kind() as u32)
                    .number(envelope.mid().0)
                    .size(envelope.bytes().len());
                id.map_or(entry, |id| entry.request(id))
            }
            Effect::QueryPresence { id, users } => new(Kind::QueryPresence).request(*id).size(users.len()),
            Effect::Store { id, request } => {
                let entry = new(Kind::Store).request(*id).detail(kind::number_of(request).into());
                match request {
                    StoreRequest::StoreMessage { envelope } => {
                        entry.number(envelope.mid().0).size(envelope.bytes().len())
                    }
                    _ => entry,
                }
            }
        }
    }

    pub(super) fn words(self) -> [u64; 4] {
        let first = self.at_us << 16 | u64::from(self.kind as u8) << 8 | u64::from(self.detail);
        [first, self.about, self.number, self.rest]
    }

    /// Nothing where the words are none of an entry.
    pub(super) fn of([first, about, number, rest]: [u64; 4]) -> Option<Self> {
        let kind = Kind::of((first >> 8) as u8)?;
        Some(Self { at_us: first >> 16, kind, detail: first as u8, about, number, rest })
    }

    /// Whether it is about this connection.
    pub(super) fn has_connection(&self, id: ConnectionId) -> bool {
        self.about == about_connection(id)
    }

    /// The connection that it is about.
    pub(super) fn connection(&self) -> Option<ConnectionId> {
        let bits = self.about & !about::KINDS;
        let (index, generation) = ((bits >> 32) as u32, bits as u32);
        let id = match index {
            about::SLOTS => ConnectionId::acting(generation),
            index => ConnectionId { index, generation },
        };
        (self.about & about::KINDS == about::CONNECTION).then_some(id)
    }

    /// Whether it is on this user's channel, or a request of somebody who says to be that.
    pub(super) fn has_user(&self, user: UserId) -> bool {
        let is_asked = self.kind == Kind::Request && self.number == u64::from(user.get());
        is_asked || self.about == about::USER | u64::from(user.get())
    }

    /// Whether it is about this message.
    pub(super) fn has_message(&self, mid: u64) -> bool {
        let has =
            matches!(self.kind, Kind::Arrived | Kind::Answered | Kind::Send | Kind::Publish | Kind::Store);
        has && self.number == mid
    }

    /// The request that it makes or that is answered.
    pub(super) fn key(&self) -> Option<u64> {
        Some(self.rest >> SIZE_BITS).filter(|key| *key != 0)
    }

    fn bytes(&self) -> u64 {
        self.rest & ((1 << SIZE_BITS) - 1)
    }
}

fn about_connection(id: ConnectionId) -> u64 {
    about::CONNECTION | u64::from(id.index & about::SLOTS) << 32 | u64::from(id.generation)
}

/// An entry as people see it.
pub(super) struct Line {
    pub(super) core: usize,
    /// When the server was started, by the wall clock, in microseconds.
    pub(super) began_us: u64,
    pub(super) entry: Entry,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { core, began_us, entry } = self;
        let at_us = began_us.saturating_add(entry.at_us);
        let at =
            i64::try_from(at_us).ok().and_then(|at| Timestamp::from_microsecond(at).ok()).unwrap_or_default();
        let way = if entry.kind.is_event() { '>' } else { '<' };
        write!(f, "{at:.6} core={core} {way} {}", entry.kind.name())?;
        match (entry.connection(), entry.about & about::KINDS) {
            (Some(id), _) => write!(f, " session={}", SessionName { core: *core, id })?,
            (None, about::USER) => write!(f, " channel=user:{}", entry.about as u32)?,
            (None, about::GROUP) => write!(f, " channel=group:{}", entry.about as u32)?,
            (None, _) => {}
        }
        if let Some(key) = entry.key() {
            let part = |number: u64| number & ((1 << REQUEST_BITS) - 1);
            write!(f, " request={}.{}", part(key >> REQUEST_BITS), part(key))?;
        }
        self.details(f)
    }
}

impl Line {
    fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { kind, detail, number, .. } = self.entry;
        let bytes = self.entry.bytes();
        match kind {
            Kind::Request => write!(f, " user={number} msgid={detail} bytes={bytes}"),
            Kind::BadFrame => write!(f, " errno={detail}"),
            Kind::Close if detail != 0 => write!(f, " errno={detail}"),
            Kind::Acked | Kind::Closed => write!(f, " acked={number}"),
            Kind::Joined | Kind::PresenceResult if detail != 0 => f.write_str(" down"),
            Kind::Published if detail != 0 => f.write_str(" down"),
            Kind::Published => write!(f, " receivers={bytes}"),
            Kind::Rejoined | Kind::CoreGone => write!(f, " number={number}"),
            Kind::Arrived | Kind::Publish => write!(f, " kind={detail} mid={number} bytes={bytes}"),
            Kind::Send if detail != 0 => write!(f, " kind={detail} mid={number} bytes={bytes}"),
            Kind::Send => write!(f, " bytes={bytes}"),
            Kind::QueryPresence => write!(f, " users={bytes}"),
            Kind::Store if number != 0 => {
                write!(f, " {} mid={number} bytes={bytes}", kind::request(detail))
            }
            Kind::Store => write!(f, " {}", kind::request(detail)),
            Kind::Answered if detail != 0 => write!(f, " errno={detail}"),
            Kind::Answered if number != 0 => write!(f, " mid={number}"),
            Kind::Opened
            | Kind::Located
            | Kind::Upgraded
            | Kind::FrameTimeout
            | Kind::Shed
            | Kind::HalfClosed => Ok(()),
            Kind::Joined | Kind::PresenceResult | Kind::Answered | Kind::Tick | Kind::Drain | Kind::Close => {
                Ok(())
            }
            Kind::BusLost | Kind::BusSilent | Kind::BusHeard => Ok(()),
            Kind::Acted | Kind::Pause | Kind::Resume | Kind::Probe | Kind::Join | Kind::Leave => Ok(()),
        }
    }
}
