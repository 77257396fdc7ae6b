//! Takes connections in: as many as the limits allow, the rest is told so and closed.

use crate::chat::event::Event;
use crate::chat::wire::code::Code;
use crate::chat::wire::reply::{self, Refusal};
use crate::executor::alarm;
use crate::executor::pace::Pace;
use crate::executor::shard::SharedShard;
use glommio::io::PollableFd;
use rustix::net::{Shutdown, SocketFlags};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

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
pub(in crate::executor) async fn accept(shard: SharedShard, pace: Pace, listener: TcpListener) {
    let listener = PollableFd::new(Listening(listener)).expect("this task runs on an executor");
    loop {
        if pace.wait(listener.readable()).await.is_err() {
            alarm::sleep(SHORTAGE_PAUSE).await;
            continue;
        }
        for _ in 0..ACCEPTS_A_TURN {
            match rustix::net::accept_with(
                &listener.get_ref().0,
                SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            ) {
                Ok(socket) => welcome(&shard, TcpStream::from(socket)),
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
                Err(_) => {
                    alarm::sleep(SHORTAGE_PAUSE).await;
                    break;
                }
            }
        }
        pace.give_way().await;
    }
}

fn welcome(shard: &SharedShard, stream: TcpStream) {
    let mut shard = shard.borrow_mut();
    shard.begin_turn();
    match shard.sockets.insert(stream) {
        Ok(session) => {
            shard.metrics.counters.accepted += 1;
            shard.feed(Event::Opened { session });
        }
        Err(stream) => {
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
