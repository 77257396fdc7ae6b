//! A TCP proxy that makes what lies behind it slow.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// One in front of a server. It works until the test binary ends.
pub struct Proxy {
    pub address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
}

impl Proxy {
    /// In front of `server`, with no delay yet.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delay = delay_ms.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                carry(clone(&client), clone(&server), Arc::default());
                carry(server, client, delay.clone());
            }
        });
        Self { address, delay_ms }
    }

    /// From now on answers come so much later.
    pub fn delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis() as u64, Ordering::Relaxed);
    }
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
