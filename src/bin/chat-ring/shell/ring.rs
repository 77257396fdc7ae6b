//! The ring that is put together by hand, nginx's or the seed's, and what is answered about it.

use super::command::{COMMANDS, Command};
use crate::options::Whose;
use crate::show::{Set, count, counted, percent, table, visible};
use chat_ring::{
    Choice, Consistent, MAX_POINTS, POINTS_PER_WEIGHT, Seed, Server, seed_points, server_points,
};
use std::collections::BTreeSet;

/// Clients that are remembered for `statDist`, at most; further ones are answered and not counted.
const CLIENTS: usize = 1_000_000;

/// A server as it was added.
#[derive(Debug)]
struct Added {
    host: String,
    port: u16,
    nodes: u32,
}

impl Added {
    /// As nginx's configuration writes it.
    fn name(&self) -> String {
        name(&self.host, self.port)
    }
}

fn name(host: &str, port: u16) -> String {
    // nginx wants brackets around an address with colons.
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The ring of the servers that are there now.
#[derive(Debug)]
enum Ring {
    Nginx(Consistent),
    Seed(Seed),
}

impl Ring {
    fn points(&self) -> Box<dyn ExactSizeIterator<Item = (u32, usize)> + '_> {
        match self {
            Ring::Nginx(ring) => Box::new(ring.points()),
            Ring::Seed(ring) => Box::new(ring.points()),
        }
    }
}

/// What is answered to a command.
pub type Answer = Result<String, String>;

/// See the module.
#[derive(Debug)]
pub struct Shell {
    whose: Whose,
    /// What of a client is hashed on nginx's ring.
    key: String,
    servers: Vec<Added>,
    /// Made when it is needed, and forgotten when the servers change.
    ring: Option<Ring>,
    /// Who was asked about.
    clients: BTreeSet<(String, u16)>,
}

impl Shell {
    /// An empty ring.
    pub fn new(whose: Whose, key: &str) -> Self {
        Self { whose, key: key.to_owned(), servers: Vec::new(), ring: None, clients: BTreeSet::new() }
    }

    /// What is answered to a command that is not [`Command::Quit`]; with a newline at its end.
    ///
    /// # Errors
    /// A sentence, if it cannot be done.
    pub fn answer(&mut self, command: &Command<'_>) -> Answer {
        match *command {
            Command::Add(host, port, nodes) => self.add(host, port, nodes.unwrap_or(POINTS_PER_WEIGHT)),
            Command::Del(host, port) => self.del(host, port),
            Command::Get(host, port) => self.get(host, port),
            Command::VirtualNodes(host, port) => self.virtual_nodes(host, port),
            Command::Points => self.points(),
            Command::Servers => Ok(counted(self.servers.len() as u64, "server") + "\n"),
            Command::AllNodes => self.all_nodes(),
            Command::Distribution => self.distribution(),
            Command::Help => Ok(help()),
            Command::Quit => Ok(String::new()),
        }
    }

    /// The servers that are there, for completion: host and port.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.servers.iter().map(|server| format!("{} {}", server.host, server.port))
    }

    fn place(&self, host: &str, port: u16) -> Option<usize> {
        self.servers.iter().position(|server| server.host == host && server.port == port)
    }

    fn add(&mut self, host: &str, port: u16, nodes: u32) -> Answer {
        if self.place(host, port).is_some() {
            return Err(format!("{} is there already: del it first", visible(&name(host, port))));
        }
        let there: u64 = self.servers.iter().map(|server| u64::from(server.nodes) + 1).sum();
        if there + u64::from(nodes) + 1 > MAX_POINTS {
            return Err(format!("{nodes} are too many: a ring has {} at most", counted(MAX_POINTS, "point")));
        }
        self.servers.push(Added { host: host.to_owned(), port, nodes });
        self.ring = None;
        let mut line =
            format!("{} has {}\n", visible(&name(host, port)), counted(nodes.into(), "virtual node"));
        if self.whose == Whose::Nginx && !nodes.is_multiple_of(POINTS_PER_WEIGHT) {
            let weight = nodes.div_ceil(POINTS_PER_WEIGHT);
            line.push_str(&format!(
                "  (no weight gives as many: weight={weight} gives {})\n",
                count((weight * POINTS_PER_WEIGHT).into())
            ));
        }
        Ok(line)
    }

    fn del(&mut self, host: &str, port: u16) -> Answer {
        let Some(at) = self.place(host, port) else { return Err(self.unknown(host, port)) };
        let gone = self.servers.remove(at);
        self.ring = None;
        Ok(format!("{} is gone\n", visible(&gone.name())))
    }

    fn get(&mut self, host: &str, port: u16) -> Answer {
        let owner = self.owner(host, port)?;
        let owner = self.servers[owner].name();
        let client = visible(&name(host, port));
        let line = match self.whose {
            Whose::Seed => format!("{client} belongs to {}\n", visible(&owner)),
            Whose::Nginx => {
                format!(
                    "{client} belongs to {} (by {})\n",
                    visible(&owner),
                    visible(&key(&self.key, host, port))
                )
            }
        };
        if self.clients.len() < CLIENTS {
            self.clients.insert((host.to_owned(), port));
        }
        Ok(line)
    }

    /// The place of the server that a client belongs to.
    fn owner(&mut self, host: &str, port: u16) -> Result<usize, String> {
        let key = key(&self.key, host, port);
        match self.ring()? {
            Ring::Seed(ring) => Ok(ring.choose(host, port)),
            Ring::Nginx(ring) => match ring.choose(key.as_bytes()) {
                Choice::Server(server) => Ok(server),
                Choice::RoundRobin => Err("an empty key goes round robin".to_owned()),
            },
        }
    }

    fn virtual_nodes(&self, host: &str, port: u16) -> Answer {
        let Some(at) = self.place(host, port) else { return Err(self.unknown(host, port)) };
        let server = &self.servers[at];
        let hashes: Vec<u32> = match self.whose {
            Whose::Nginx => server_points(&server.name()).take(server.nodes as usize).collect(),
            Whose::Seed => seed_points(&server.host, server.port, server.nodes).skip(1).collect(),
        };
        let mut out =
            format!("{} has {}\n", visible(&server.name()), counted(server.nodes.into(), "virtual node"));
        for row in hashes.chunks(8) {
            let row: Vec<String> = row.iter().map(|hash| format!("{hash:08x}")).collect();
            out.push_str(&format!("  {}\n", row.join(" ")));
        }
        Ok(out)
    }

    fn points(&mut self) -> Answer {
        let names: Vec<String> = self.servers.iter().map(|server| visible(&server.name())).collect();
        let points = self.ring()?.points();
        Ok(points.map(|(hash, server)| format!("{hash:08x} {}\n", names[server])).collect())
    }

    fn all_nodes(&mut self) -> Answer {
        if self.servers.is_empty() {
            return Ok("0 points\n".to_owned());
        }
        Ok(counted(self.ring()?.points().len() as u64, "point") + "\n")
    }

    fn distribution(&mut self) -> Answer {
        let clients = std::mem::take(&mut self.clients);
        let mut asked = vec![0u64; self.servers.len()];
        let counted: Result<(), String> = clients.iter().try_for_each(|(host, port)| {
            asked[self.owner(host, *port)?] += 1;
            Ok(())
        });
        self.clients = clients;
        counted?;
        let mut parts = vec![0u64; self.servers.len()];
        let points: Vec<(u32, usize)> = self.ring()?.points().collect();
        let last = points.last().map_or(0, |point| u64::from(point.0));
        // What lies behind the last point belongs to the first one.
        let mut before = last as i64 - (1i64 << 32);
        for &(hash, server) in &points {
            parts[server] += (i64::from(hash) - before) as u64;
            before = i64::from(hash);
        }
        let mut rows = vec![["server", "virtual nodes", "share", "clients", ""].map(str::to_owned).to_vec()];
        for ((server, part), asked) in self.servers.iter().zip(parts).zip(asked) {
            let bar = "█".repeat((part * 40 / (1 << 32)) as usize);
            let nodes = count(server.nodes.into());
            rows.push(vec![visible(&server.name()), nodes, percent(part, 1 << 32), count(asked), bar]);
        }
        Ok(table(&[Set::Left, Set::Right, Set::Right, Set::Right, Set::Left], &rows))
    }

    fn ring(&mut self) -> Result<&Ring, String> {
        if self.servers.is_empty() {
            return Err("the ring is empty: add a server first".to_owned());
        }
        if self.ring.is_none() {
            self.ring = Some(self.made().map_err(|error| error.to_string())?);
        }
        Ok(self.ring.as_ref().expect("it was made above"))
    }

    fn made(&self) -> Result<Ring, chat_ring::RingError> {
        match self.whose {
            Whose::Seed => {
                let servers =
                    self.servers.iter().map(|server| (server.host.as_str(), server.port, server.nodes));
                Seed::new(servers).map(Ring::Seed)
            }
            Whose::Nginx => {
                let servers = self.servers.iter().map(|server| (Server::new(server.name()), server.nodes));
                Consistent::with_points(servers.collect()).map(Ring::Nginx)
            }
        }
    }

    fn unknown(&self, host: &str, port: u16) -> String {
        let names: Vec<String> = self.servers.iter().map(|server| visible(&server.name())).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("there is no server {}; there is {there}", visible(&name(host, port)))
    }
}

/// The text that nginx hashes for a client.
fn key(written: &str, host: &str, port: u16) -> String {
    let port = port.to_string();
    let mut key = written.to_owned();
    for (variable, value) in [("remote_addr", host), ("remote_port", &port)] {
        key = key.replace(&format!("${{{variable}}}"), value).replace(&format!("${variable}"), value);
    }
    key
}

fn help() -> String {
    let row = |(written, what): &(&str, &str)| vec![String::new(), (*written).to_owned(), (*what).to_owned()];
    table(&[Set::Left, Set::Left, Set::Left], &COMMANDS.iter().map(row).collect::<Vec<_>>())
}
