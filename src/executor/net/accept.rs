//! Takes connections in: as many as the limits allow, the rest is told so and closed.

use crate::event_loop::{give_way, readable, sleep};
use crate::shard::SharedShard;
use chatd_chat::model::source::Source;
use chatd_chat::port::event::Event;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::reply::{self, Refusal};
use rustix::net::{Shutdown, SocketAddrAny, SocketFlags};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;
use tracing::debug;

/// Connections taken in before others get a turn.
const ACCEPTS_A_TURN: usize = 32;
/// How long to wait when the system has no descriptor or memory for a connection, or for a look whether there is one.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// A listening socket that listens no more once it is dropped. Closing it is not enough: a poll of
/// it that the kernel has not got rid of yet keeps it open for a while, and with it the port.
struct Listening(TcpListener);

impl AsRawFd for Listening {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Fails only if it does not listen, which is what is wanted.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }
}

/// Accepts until the core stops.
pub(crate) async fn accept(shard: SharedShard, listener: TcpListener) {
    let listener = Listening(listener);
    loop {
        if readable(&listener).await.is_err() {
            sleep(SHORTAGE_PAUSE).await;
            continue;
        }
        for _ in 0..ACCEPTS_A_TURN {
            match rustix::net::acceptfrom_with(&listener.0, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok((socket, peer)) => welcome(&shard, TcpStream::from(socket), address_of(peer)),
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
                Err(_) => {
                    sleep(SHORTAGE_PAUSE).await;
                    break;
                }
            }
        }
        give_way().await;
    }
}

/// Who has made a connection. One whose address is not told shares with all others of that sort.
fn address_of(peer: Option<SocketAddrAny>) -> IpAddr {
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// Where a connection comes from that this address has made.
pub(super) fn source(address: IpAddr) -> Source {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::LOCALHOST) | IpAddr::V6(Ipv6Addr::LOCALHOST) => Source::Proxy,
        IpAddr::V4(address) => Source::V4(address.to_bits()),
        IpAddr::V6(address) => Source::V6((address.to_bits() >> 64) as u64),
    }
}

fn welcome(shard: &SharedShard, stream: TcpStream, peer: IpAddr) {
    let mut shard = shard.borrow_mut();
    shard.begin_turn();
    let is_proxy = shard.proxies.believes(peer);
    let from = if is_proxy { Source::Proxy } else { source(peer) };
    match shard.sockets.insert(stream) {
        Ok(connection) => {
            debug!("a connection from {peer}, session {}", shard.recorder.name(connection));
            shard.metrics.counters.accepted += 1;
            shard.feed(Event::Opened { connection, from });
            if is_proxy {
                shard.sockets.await_header(connection);
            }
        }
        Err(stream) => {
            debug!("a connection from {peer} is refused: there are too many");
            shard.metrics.counters.refused += 1;
            let text = "too many connections";
            let refusal =
                Refusal { code: Code::TooMany, text, re: None, cid: None, retry_after_ms: Some(1_000) };
            let mut frame = reply::error(refusal);
            frame.push(b'\n');
            // A fresh socket takes so few bytes at once, or it is of no use anyway.
            let _ = (&stream).write(&frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Source {
        source(address.parse().unwrap())
    }

    #[test]
    fn addresses_share_by_network_and_a_proxy_does_not() {
        for proxy in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(proxy), Source::Proxy, "{proxy}");
        }
        assert_eq!(of("127.0.0.9"), Source::V4(0x7f00_0009));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
    }
}
