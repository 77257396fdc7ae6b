//! A TCP proxy that makes what lies behind it slow, or takes it away.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One in front of a server. It works until the process ends.
pub struct Proxy {
    pub address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
    ways: Arc<Mutex<Ways>>,
}

/// The connections that it carries.
#[derive(Default)]
struct Ways {
    is_cut: bool,
    /// Both ends of each, those that have ended among them.
    sockets: Vec<TcpStream>,
}

impl Proxy {
    /// In front of `server`, with no delay yet.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let proxy = Self { address, delay_ms: Arc::default(), ways: Arc::default() };
        let (delay, ways) = (proxy.delay_ms.clone(), proxy.ways.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Held until the connection is among the others, so that a cut misses none.
                let mut ways = lock(&ways);
                if ways.is_cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                // A small answer would wait for the acknowledgement of the one before it.
                let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
                ways.sockets.extend([clone(&client), clone(&server)]);
                carry(clone(&client), clone(&server), Arc::default());
                carry(server, client, delay.clone());
            }
        });
        proxy
    }

    /// From now on answers come so much later.
    pub fn delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis() as u64, Ordering::Relaxed);
    }

    /// Closes every connection, and from now on each new one as soon as it is made.
    pub fn cut(&self) {
        let mut ways = lock(&self.ways);
        ways.is_cut = true;
        for socket in ways.sockets.drain(..) {
            // It fails where the connection has ended.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        lock(&self.ways).is_cut = false;
    }
}

fn lock(ways: &Mutex<Ways>) -> MutexGuard<'_, Ways> {
    ways.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Carries bytes one way, each portion so long after it came.
fn carry(mut from: TcpStream, mut to: TcpStream, delay_ms: Arc<AtomicU64>) {
    let (pass, passed) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let due = Instant::now() + Duration::from_millis(delay_ms.load(Ordering::Relaxed));
            if pass.send((due, bytes[..count].to_vec())).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Read);
    });
    std::thread::spawn(move || {
        for (due, bytes) in passed {
            // This is the slowness itself, and nobody waits by it for something to happen.
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
