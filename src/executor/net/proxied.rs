//! Connections that a proxy has made: who may say for whom it speaks, and how it says so.
//!
//! A declared proxy begins each connection with a header of the PROXY protocol, before everything else; or it speaks HTTP,
//! in TLS or not, and `X-Forwarded-For` says it. From anybody else a header is what its first byte says: no HTTP, or no
//! frame; and the field is nothing.

use super::accept::source;
use super::connection::{Connection, Stage};
use super::sockets::Sockets;
use super::spoken::Spoken;
use crate::shard::Shard;
use chatd_chat::model::ids::ConnectionId;
use chatd_chat::model::source::Source;
use chatd_chat::port::event::Event;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::http;
use chatd_chat::wire::proxy::{self, Header};
use chatd_chat::wire::request::Fault;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Who says where a connection comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// It is known.
    Known,
    /// A proxy, with a header that is due.
    HeaderDue,
    /// A proxy that began without a header, so that a field of HTTP has to.
    FieldDue,
    /// A proxy, behind another: a field of HTTP may say more.
    Relayed,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

/// Who is believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Arc<[Network]>);

/// What they are told who are declared and do not say for whom they speak.
const SILENT: &str = "this address is declared as a proxy (--proxy-from): a PROXY header comes first";

impl Network {
    /// An address as one number that begins with its first bit, and how many bits it has.
    fn number(address: IpAddr) -> (u128, u8) {
        match address.to_canonical() {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        }
    }

    fn has(&self, address: IpAddr) -> bool {
        let ((first, length), (other, other_length)) = (Self::number(self.first), Self::number(address));
        length == other_length && (first ^ other).checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str = "a network such as 10.0.0.0/8 or 2001:db8::/32, or an address";
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| WANTED.to_owned())?;
        let (number, length) = Self::number(first);
        let bits = match bits {
            None => length,
            Some(bits) => bits.parse().ok().filter(|&bits| bits <= length).ok_or(WANTED)?,
        };
        if number.checked_shl(u32::from(bits)).unwrap_or(0) != 0 {
            return Err(format!("{text} has bits beyond /{bits}: is it one address, or which network?"));
        }
        Ok(Self { first, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl Proxies {
    /// Those in any of these.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks.into())
    }

    /// Whether an address is one of them.
    pub fn believes(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

impl Sockets {
    /// A connection of a proxy: its header is due, and has the time of a frame.
    pub(super) fn await_header(&mut self, id: ConnectionId) {
        let now = self.now;
        if let Some(connection) = self.at(id.index).filter(|connection| connection.stage == Stage::Open) {
            (connection.origin, connection.partial_since) = (Origin::HeaderDue, Some(now));
        }
    }
}

impl Shard {
    /// Bytes of a connection whose header is due.
    pub(super) fn received_header(&mut self, id: ConnectionId, bytes: &[u8]) {
        let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
        connection.tail.bytes.extend_from_slice(bytes);
        let end = match proxy::read(&connection.tail.bytes) {
            Header::Partial => return self.sockets.charge(id.index),
            Header::Broken => return self.refuse_silent(id),
            Header::Absent if Spoken::of(connection.tail.bytes[0]) == Spoken::Frames => {
                return self.refuse_silent(id);
            }
            Header::Absent => {
                connection.origin = Origin::FieldDue;
                0
            }
            Header::Whole(end, from) => {
                self.locate(id, from);
                end
            }
        };
        let connection = self.sockets.at(id.index).expect("looked at above");
        connection.partial_since = None;
        let mut said = std::mem::take(&mut connection.tail.bytes);
        self.sockets.charge(id.index);
        if said.len() > end && self.sockets.at(id.index).is_some_and(is_open) {
            self.received_open(id, &mut said[end..]);
        }
    }

    /// A proxy has said whom it speaks for, or that it does not say.
    fn locate(&mut self, id: ConnectionId, from: Option<IpAddr>) {
        let is_proxy = from.is_none_or(|from| self.proxies.believes(from));
        let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
        connection.origin = if is_proxy { Origin::Relayed } else { Origin::Known };
        let from = from.map_or(Source::Proxy, source);
        self.feed(Event::Located { connection: id, from });
    }

    /// Looks in the head of a request for whom it is; whether that is known then.
    pub(super) fn locate_by_field(&mut self, id: ConnectionId, head: &[u8]) -> bool {
        let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
        let origin = connection.origin;
        if origin == Origin::Known {
            return true;
        }
        let from = http::forwarded(head, |address| self.proxies.believes(address));
        if from.is_some() {
            self.locate(id, from);
        }
        from.is_some() || origin == Origin::Relayed
    }

    /// Refuses frames of a proxy that has not said whom it speaks for; whether they were.
    pub(super) fn refuse_unlocated(&mut self, id: ConnectionId) -> bool {
        let is_due = |connection: &mut Connection| connection.origin == Origin::FieldDue;
        let refused = self.sockets.at(id.index).is_some_and(is_due);
        if refused {
            self.refuse_silent(id);
        }
        refused
    }

    fn refuse_silent(&mut self, id: ConnectionId) {
        self.feed(Event::BadFrame { connection: id, fault: Fault::closing(Code::NotAFrame, SILENT) });
    }
}

fn is_open(connection: &mut Connection) -> bool {
    connection.stage == Stage::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        let has = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            Proxies::new(vec![network]).believes(address.parse().unwrap())
        };
        for (network, address) in [
            ("10.0.0.0/8", "10.255.0.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("192.0.2.128/25", "192.0.2.129"),
            ("0.0.0.0/0", "203.0.113.9"),
            ("::/0", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1"),
        ] {
            assert!(has(network, address), "{network} {address}");
        }
        for (network, address) in [
            ("10.0.0.0/8", "11.0.0.1"),
            ("127.0.0.1", "127.0.0.2"),
            ("192.0.2.128/25", "192.0.2.127"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "10.0.0.1"),
            ("2001:db8::/32", "2001:db9::1"),
        ] {
            assert!(!has(network, address), "{network} {address}");
        }
        assert!(!Proxies::default().believes(IpAddr::from([127, 0, 0, 1])));
        for wrong in
            ["", "10.0.0.0/33", "10.0.0.1/8", "2001:db8::/129", "localhost", "10.0.0.0/", "/8", "10/8"]
        {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
