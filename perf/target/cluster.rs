//! A cluster that this harness starts: MariaDB, Redis, two chatd that share them, and nginx in front. Or one chatd, with a
//! proxy between it and MariaDB.
//!
//! What lies around the servers is the tests' own: private processes on free ports, gone with this one.

/// As the tests start them.
use chatd_testing::services;

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

use services::install;
use services::mariadb::MariaDb;
use services::nginx::{self, Nginx};
pub use services::proxy::Proxy;
use services::redis::Redis;

use super::{ChatdOptions, Kind, Target, start_one};
use crate::measure::{Process, Processes};

/// By which way users come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Through {
    /// The first server alone.
    OneServer,
    /// Both, in turn.
    BothServers,
    /// nginx, which leads to either.
    Nginx,
}

/// What the servers stand on. It ends after them.
pub struct Ground {
    _nginx: Option<Nginx>,
    _redis: Redis,
    _mariadb: MariaDb,
}

impl Target {
    /// Starts a cluster, and says by which way its users come in.
    pub fn start_cluster(
        options: &ChatdOptions,
        through: Through,
        cpus: &[usize],
        stop: &AtomicBool,
    ) -> Result<Target, String> {
        let (mariadb, redis) = backends()?;
        // Not on the command line, which a report shows.
        let urls = [
            ("CHATD_MYSQL", mariadb.url(&mariadb.make_database())),
            ("CHATD_REDIS", redis.url()),
            ("CHATD_PROXY_FROM", nginx::COMES_FROM.to_owned()),
        ];
        let mut children = Vec::new();
        let mut servers = [SocketAddr::from(([0, 0, 0, 0], 0)); 2];
        let mut first_admin = None;
        for server in &mut servers {
            let (child, address, admin) = start_one(options, &urls, cpus, stop)?;
            *server = address;
            first_admin = first_admin.or(admin);
            children.push(child);
        }
        let nginx = match through {
            Through::Nginx => Some(Nginx::start(servers, |conf| conf)?),
            Through::OneServer | Through::BothServers => None,
        };
        let addresses = match (&nginx, through) {
            (Some(nginx), _) => vec![nginx.address],
            (None, Through::OneServer) => vec![servers[0]],
            (None, _) => servers.to_vec(),
        };
        let pids = children.iter().filter_map(|child| child.pid());
        Ok(Target {
            kind: Kind::Chatd,
            door: options.door(addresses),
            processes: Processes { bus: redis.pid().map(|pid| Process { pid }), ..Processes::of(pids) },
            cpus: Some(cpus.to_vec()),
            // The stages of one of two servers would be half of the truth.
            admin: first_admin.filter(|_| through == Through::OneServer),
            children,
            _ground: Some(Ground { _nginx: nginx, _redis: redis, _mariadb: mariadb }),
        })
    }

    /// Starts one chatd on these. Its database can be made slow, or be taken away from it.
    pub fn start_behind_proxy(
        backends: Backends,
        options: &ChatdOptions,
        cpus: &[usize],
        stop: &AtomicBool,
    ) -> Result<(Target, Proxy), String> {
        let (child, address, admin) = start_one(options, &backends.urls, cpus, stop)?;
        let target = Target::of_child(Kind::Chatd, options.door(vec![address]), cpus, child);
        Ok((Target { admin, _ground: Some(backends.ground), ..target }, backends.proxy))
    }
}

/// A MariaDB behind a proxy, and a Redis: what one chatd needs to be a cluster.
pub struct Backends {
    proxy: Proxy,
    urls: [(&'static str, String); 2],
    ground: Ground,
}

impl Backends {
    /// As everything else on this machine; who is to go before them begins that afterwards.
    pub fn start() -> Result<Backends, String> {
        let (mariadb, redis) = backends()?;
        let proxy = Proxy::start(mariadb.address());
        let mysql = mariadb.url_by_way_of(proxy.address, &mariadb.make_database());
        let urls = [("CHATD_MYSQL", mysql), ("CHATD_REDIS", redis.url())];
        Ok(Backends { proxy, urls, ground: Ground { _nginx: None, _redis: redis, _mariadb: mariadb } })
    }
}

/// A MariaDB and a Redis of this run's own.
fn backends() -> Result<(MariaDb, Redis), String> {
    let missing = install::missing();
    if !missing.is_empty() {
        return Err(format!("a cluster needs more programs: {}", install::advice(&missing)));
    }
    // As much memory as a database server has that is meant for something.
    let mariadb = MariaDb::start(&["--innodb-buffer-pool-size=512M", "--innodb-log-file-size=512M"])?;
    mariadb.outlives_nobody();
    Ok((mariadb, Redis::start(&[])?))
}
