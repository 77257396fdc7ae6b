//! Ends a connection so that its last words arrive, and finds out what did.

use super::connection::Connection;
use crate::chat::event::Event;
use crate::executor::shard::SharedShard;
use futures_lite::FutureExt;
use glommio::timer::sleep;
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// How long a closed connection may take to deliver what was sent last.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes from a client that are thrown away while its connection is being closed.
const DISCARD_BYTES: usize = 1 << 20;

/// How a connection comes to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// The server closes it: what was said last is to arrive.
    Ours,
    /// The peer is gone.
    Broken,
}

/// Closes the connection and tells the hub what its peer's TCP had acknowledged.
pub(super) async fn close(shard: &SharedShard, connection: &Connection, ending: Ending) {
    connection.closing.set(true);
    connection.partial_since.set(None);
    let blocked = connection.outbox.borrow().blocked;
    if ending == Ending::Ours && !blocked && connection.write().is_ok() {
        let deadline = Instant::now() + LINGER;
        connection.shutdown(Shutdown::Write);
        discard_input(connection).or(async { sleep(LINGER).await }).await;
        let mut pause = Duration::from_millis(1);
        while connection.acked() < connection.outbox.borrow().sent && Instant::now() < deadline {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
    let acked = connection.acked();
    connection.shutdown(Shutdown::Both);
    let mut shard = shard.borrow_mut();
    shard.connections.remove(connection.id);
    shard.begin_turn();
    shard.feed(Event::Closed { session: connection.id, acked });
}

/// Reads until the client has closed too: closing a socket with unread bytes resets the
/// connection, and a reset may overtake what was said last.
async fn discard_input(connection: &Connection) {
    let mut discarded = 0;
    let mut buffer = [0; 4096];
    while discarded < DISCARD_BYTES {
        match connection.read(&mut buffer) {
            Ok(0) => return,
            Ok(bytes) => discarded += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if !connection.readable().await {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
