//! A TCP proxy that makes what lies behind it slow, or takes it away.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One in front of a server. It works until the process ends.
pub struct Proxy {
    pub address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
    tamper: Arc<Mutex<Option<Tamper>>>,
    ways: Arc<Mutex<Ways>>,
    gate: Arc<Gate>,
    record: Record,
}

/// What has passed, both ways, if it is kept.
type Record = Arc<Mutex<Option<Vec<u8>>>>;

/// What clients say passes here; when it has said the last of these words it is shut.
#[derive(Default)]
struct Gate(Mutex<(Vec<&'static str>, bool)>, Condvar);

/// Changes one portion of what the server says; false if it is not one that it is after.
pub type Tamper = fn(&mut Vec<u8>) -> bool;

/// The connections that it carries.
#[derive(Default)]
struct Ways {
    is_cut: bool,
    /// Where new ones lead to, if that is not where they led at first.
    elsewhere: Option<SocketAddr>,
    /// Both ends of each, those that have ended among them.
    sockets: Vec<TcpStream>,
}

impl Proxy {
    /// In front of `server`, with no delay yet.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let proxy = Self {
            address,
            delay_ms: Arc::default(),
            tamper: Arc::default(),
            ways: Arc::default(),
            gate: Arc::default(),
            record: Arc::default(),
        };
        let (delay, ways, gate) = (proxy.delay_ms.clone(), proxy.ways.clone(), proxy.gate.clone());
        let (tamper, record) = (proxy.tamper.clone(), proxy.record.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Held until the connection is among the others, so that a cut misses none.
                let mut ways = lock(&ways);
                if ways.is_cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(ways.elsewhere.unwrap_or(server)) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                // A small answer would wait for the acknowledgement of the one before it.
                let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
                ways.sockets.extend([clone(&client), clone(&server)]);
                carry(clone(&client), clone(&server), Arc::default(), Arc::default(), gate.clone(), &record);
                carry(server, client, delay.clone(), tamper.clone(), Arc::default(), &record);
            }
        });
        proxy
    }

    /// How many connections it has carried.
    pub fn carried(&self) -> usize {
        lock(&self.ways).sockets.len() / 2
    }

    /// From now on all that passes is kept.
    pub fn record(&self) {
        *lock(&self.record) = Some(Vec::new());
    }

    /// What has passed since then, both ways.
    pub fn recorded(&self) -> Vec<u8> {
        lock(&self.record).clone().unwrap_or_default()
    }

    /// From now on answers come so much later.
    pub fn delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis() as u64, Ordering::Relaxed);
    }

    /// The next portion of an answer that it is after is changed by this, and no other.
    pub fn tamper(&self, tamper: Tamper) {
        *lock(&self.tamper) = Some(tamper);
    }

    /// Whether that has happened.
    pub fn has_tampered(&self) -> bool {
        lock(&self.tamper).is_none()
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

    /// From now on new connections lead to another server, and those that are there stay where they are.
    pub fn lead_new_ones_to(&self, server: SocketAddr) {
        lock(&self.ways).elsewhere = Some(server);
    }

    /// Leads to another server from now on, and closes every connection.
    pub fn lead_to(&self, server: SocketAddr) {
        self.cut();
        let mut ways = lock(&self.ways);
        (ways.elsewhere, ways.is_cut) = (Some(server), false);
    }

    /// Says something to each client, as if it came from the server; false where nobody listens any
    /// more.
    pub fn say(&self, bytes: &[u8]) -> bool {
        let clients: Vec<TcpStream> = lock(&self.ways)
            .sockets
            .iter()
            .step_by(2)
            .map(|client| client.try_clone().expect("a descriptor"))
            .collect();
        let heard = clients.into_iter().filter_map(|mut client| client.write_all(bytes).ok());
        heard.count() > 0
    }

    /// Nothing that clients say passes any more once they have said these words, one after the other.
    pub fn shut_after(&self, words: &[&'static str]) {
        let words = words.iter().rev().copied().collect();
        *self.gate.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = (words, false);
    }

    /// Waits until that is so.
    pub fn await_shut(&self) {
        self.gate.wait_while(|is_shut| !is_shut);
    }

    /// What clients say passes again.
    pub fn open(&self) {
        self.gate.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).1 = false;
        self.gate.1.notify_all();
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        lock(&self.ways).is_cut = false;
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Gate {
    fn wait_while(&self, condition: impl Fn(bool) -> bool) {
        let state = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        drop(self.1.wait_while(state, |(_, is_shut)| condition(*is_shut)));
    }

    /// These bytes have passed.
    fn passed(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(word) = state.0.last().copied() else { return };
        if bytes.windows(word.len()).any(|window| window == word.as_bytes()) {
            state.0.pop();
            state.1 = state.0.is_empty();
            self.1.notify_all();
        }
    }
}

/// Carries bytes one way, each portion so long after it came.
fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    delay_ms: Arc<AtomicU64>,
    tamper: Arc<Mutex<Option<Tamper>>>,
    gate: Arc<Gate>,
    record: &Record,
) {
    let record = record.clone();
    let (pass, passed) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let due = Instant::now() + Duration::from_millis(delay_ms.load(Ordering::Relaxed));
            let mut portion = bytes[..count].to_vec();
            if let Some(record) = &mut *lock(&record) {
                record.extend_from_slice(&portion);
            }
            lock(&tamper).take_if(|tamper| tamper(&mut portion));
            if pass.send((due, portion)).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Read);
    });
    std::thread::spawn(move || {
        for (due, bytes) in passed {
            // This is the slowness itself, and nobody waits by it for something to happen.
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            gate.wait_while(|is_shut| is_shut);
            if to.write_all(&bytes).is_err() {
                break;
            }
            gate.passed(&bytes);
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
