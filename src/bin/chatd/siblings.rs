//! The other servers of the same database: whether all of them are heard on the bus.
//!
//! Owns a thread that once in a while has this server written down in the database as one that lives,
//! reads which others do, asks the cores whom they hear, and tells them what came of it. The buses of
//! servers may be two without any error: a Redis that lost its master's place to another one, an address
//! that leads to two. What is one and what is not is judged in [`judge`].

mod judge;

use crate::settings::Settings;
use chatd::chat::model::envelope::BUS_VERSION;
use chatd::executor::boot::Delivery;
use chatd::executor::bus::Unity;
use chatd::executor::observer::Observer;
use chatd::storage::Backend;
use chatd::storage::siblings::{AnotherVersion, Entry, Hearing, SiblingLine};
use flume::{Receiver, RecvTimeoutError, Sender};
use judge::Judge;
use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{error, info};

/// How often a server is written down, and the others are looked for.
const ROUND: Duration = Duration::from_secs(2);
/// How long the store may take, and the cores.
const STORE: Duration = Duration::from_secs(3);
const CORES: Duration = Duration::from_millis(500);
/// Characters of a place at most: what its column holds.
const PLACE_CHARS: usize = 200;

/// The thread.
pub struct Siblings {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// What the thread works with.
struct Watch {
    entry: Entry,
    line: SiblingLine,
    observer: Observer,
    judge: Judge,
    unity: Unity,
}

impl Siblings {
    /// Looks for the others once, and from then on, where servers may share a database and a bus.
    ///
    /// # Errors
    /// If a server lives that speaks another version of the bus, or the system gives no thread.
    pub fn start(
        settings: &Settings,
        address: SocketAddr,
        line: SiblingLine,
        observer: Observer,
    ) -> io::Result<Option<Self>> {
        let (Delivery::Redis(redis), Backend::MySql(_)) = (&settings.delivery, &settings.backend) else {
            return Ok(None);
        };
        let place: String =
            format!("{address} (Redis at {})", redis.at()).chars().take(PLACE_CHARS).collect();
        let cores = u16::try_from(settings.cpus.len()).expect("fewer cores than core ids");
        let entry = Entry {
            server: redis.id(),
            place,
            cores,
            bus: String::new(),
            hearing: Hearing::All,
            bus_version: BUS_VERSION,
        };
        let judge = Judge::new(entry.server, cores);
        let mut watch = Watch { entry, line, observer, judge, unity: Unity::Whole };
        // Who starts on another bus than the others says so before anything else; and who speaks another version than one
        // that started at the same moment does not go on. The store has refused all that were there before.
        if let Some(another) = watch.round() {
            watch.line.withdraw(watch.entry.server, STORE);
            return Err(io::Error::other(another));
        }
        let (stop, stopped) = flume::bounded(1);
        let thread =
            std::thread::Builder::new().name("siblings".to_owned()).spawn(move || watch.run(&stopped))?;
        Ok(Some(Self { stop, thread }))
    }

    /// Strikes this server out. The store must still be there.
    pub fn stop(self) {
        drop(self.stop);
        // A panic in it is on stderr already.
        drop(self.thread.join());
    }
}

impl Watch {
    fn run(mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
            drop(self.round());
        }
        self.line.withdraw(self.entry.server, STORE);
    }

    /// Looks once. Gives the server, if there is one, that speaks another version of the bus.
    fn round(&mut self) -> Option<AnotherVersion> {
        let cores = self.observer.set_unity(self.unity, CORES);
        if let Some(bus) = cores.iter().find_map(|core| core.bus.clone()) {
            self.entry.bus = bus.chars().take(PLACE_CHARS).collect();
        }
        // Nobody is let in without the store; what was so before still is, as far as anybody knows.
        let siblings = self.line.announce(self.entry.clone(), STORE)?;
        let judgement = self.judge.judge(&cores, &siblings);
        self.entry.hearing = judgement.hearing;
        if judgement.unity == self.unity {
            return judgement.another;
        }
        self.unity = judgement.unity;
        self.observer.set_unity(self.unity, CORES);
        match judgement.why {
            Some(why) => error!(
                "the cluster is split: {why}; who is logged in stays, nobody else is let in until all servers \
                 of the database hear each other"
            ),
            None => info!("the cluster is whole again: all servers of the database hear each other"),
        }
        if judgement.hearing == Hearing::NotAll {
            // The others are to know it at once.
            drop(self.line.announce(self.entry.clone(), STORE));
        }
        judgement.another
    }
}
