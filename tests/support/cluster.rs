//! A cluster: two chatd that share a MariaDB and a Redis, and a door that leads to each in turn.
//!
//! Its type has what [`super::chatd::Chatd`] has, so that what is true of one server can be asked of
//! two as well.

use super::chatd::{Chatd, Setup};
use super::door::Door;
use super::services::install;
use super::services::mariadb::MariaDb;
use super::services::nginx;
use super::services::redis::Redis;
use std::net::SocketAddr;
use std::ops::Deref;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};

/// What servers share: a database, and channels of their own on a Redis.
#[derive(Clone)]
pub struct Shared {
    /// How a server finds the database.
    pub mysql: String,
    /// How a server finds Redis.
    pub redis: String,
    /// What the names of the channels begin with.
    pub prefix: String,
}

/// A MariaDB and a Redis.
pub struct Backends {
    pub mariadb: MariaDb,
    pub redis: Redis,
}

impl Backends {
    /// For one test, which may do with them what it likes.
    pub fn start() -> Self {
        install::by_apt();
        Self { mariadb: MariaDb::start(&[]).unwrap(), redis: Redis::start(&[]).unwrap() }
    }

    /// For all tests of a binary that only use them.
    pub fn of_all_tests() -> &'static Self {
        static BACKENDS: OnceLock<Backends> = OnceLock::new();
        BACKENDS.get_or_init(|| {
            let (tell, told) = mpsc::channel();
            // They end with the thread that starts them: one that does not end before the tests do.
            std::thread::spawn(move || {
                let backends = Self::start();
                backends.mariadb.outlives_nobody();
                tell.send(backends).expect("somebody waits");
                loop {
                    std::thread::park();
                }
            });
            told.recv().expect("MariaDB and Redis start")
        })
    }

    /// A database and channels that nobody else has.
    pub fn share(&self) -> Shared {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("test{}:", NEXT.fetch_add(1, Ordering::Relaxed));
        let mysql = self.mariadb.url(&self.mariadb.make_database());
        Shared { mysql, redis: self.redis.url(), prefix }
    }
}

impl Shared {
    /// A server that shares it, and is to be started.
    pub fn setup(&self, cores: usize) -> Setup {
        Setup::new(cores)
            .environment("CHATD_MYSQL", &self.mysql)
            .environment("CHATD_REDIS", &self.redis)
            .environment("CHATD_PROXY_FROM", nginx::COMES_FROM)
            .argument("--redis-prefix")
            .argument(&self.prefix)
    }

    /// A server that shares it.
    pub fn start(&self, cores: usize) -> Chatd {
        self.setup(cores).start()
    }

    /// Two of them.
    pub fn cluster(&self, cores: usize) -> Cluster {
        Cluster::new([self.setup(cores), self.setup(cores)], self.clone())
    }
}

/// Two servers.
pub struct Cluster {
    pub servers: [Chatd; 2],
    pub shared: Shared,
    door: Door,
}

impl Deref for Cluster {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Cluster {
    /// Starts both at once.
    fn new(setups: [Setup; 2], shared: Shared) -> Self {
        let servers = Setup::start_together(setups).try_into();
        let servers: [Chatd; 2] = servers.unwrap_or_else(|_| unreachable!("as many as setups"));
        let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
        let door = Door::new(addresses[0], addresses[1..].to_vec());
        Self { servers, shared, door }
    }

    /// Two servers of so many cores each, with nothing special.
    pub fn start(cores: usize) -> Self {
        Backends::of_all_tests().share().cluster(few(cores))
    }

    /// Ends both and starts two others on what they shared.
    pub fn restart(mut self, signal_number: i32, cores: usize) -> Self {
        self.servers.iter_mut().for_each(|server| server.end(signal_number));
        self.shared.cluster(few(cores))
    }

    /// Starts two others on what these, which were killed, had shared.
    pub fn after_kill(mut self, cores: usize) -> Self {
        let _: [ExitStatus; 2] = self.servers.each_mut().map(Chatd::wait);
        self.shared.cluster(few(cores))
    }

    /// Sends both a signal.
    pub fn signal(&self, signal_number: i32) {
        self.servers.iter().for_each(|server| server.signal(signal_number));
    }

    /// Everything that both printed so far.
    pub fn printed(&self) -> String {
        self.servers.iter().map(Chatd::printed).collect()
    }
}

/// There are two servers: eight cores of one are as many as a few of each.
fn few(cores: usize) -> usize {
    cores.min(3)
}

/// Two servers that are to be started, as [`super::chatd::Setup`] is one.
pub struct ClusterSetup {
    cores: usize,
    default_cost: bool,
}

impl ClusterSetup {
    pub fn new(cores: usize) -> Self {
        Self { cores: few(cores), default_cost: false }
    }

    /// With the password cost that chatd has by itself.
    pub fn default_cost(mut self) -> Self {
        self.default_cost = true;
        self
    }

    pub fn start(self) -> Cluster {
        let shared = Backends::of_all_tests().share();
        let setup = || {
            let setup = shared.setup(self.cores);
            if self.default_cost { setup.default_cost() } else { setup }
        };
        Cluster::new([setup(), setup()], shared.clone())
    }
}
