//! `hash KEY consistent`: points on a ring of 2³², 160 for each unit of weight.
//!
//! 1. The text of a server is cut at its last `:` if only digits follow, into HOST and PORT; else all
//!    of it is HOST and PORT is empty. Of `unix:PATH`, HOST is PATH.
//! 2. *base* is the CRC-32 register after HOST, a zero byte, PORT.
//! 3. The first point is the CRC of base and four zero bytes; each further one that of base and the
//!    point before, in four little-endian bytes.
//! 4. All points are sorted; of equal ones that of the server that comes first stays. (nginx leaves
//!    this to the C library's `qsort`, which keeps the order of equals in glibc.)
//! 5. A key goes to the first point at or after its CRC, around the end.
//! 6. A server that is down, failed or full keeps its points: the next point is tried, 20 times in
//!    all for a connection, and then it goes round robin. An empty key goes round robin at once.
//!
//! Points belong to *names*. Two servers of one name (a host with two addresses, a line that is
//! repeated) share theirs and take turns, so the choice is the first of them. Where only one name
//! is left, there is nothing to choose: round robin gives the same.

use super::crc::{Register, crc32};
use super::points::Points;
use super::{Choice, MAX_POINTS, RingError, Server, TRIES, check};
use std::collections::HashMap;

/// How many points a unit of weight has.
pub const POINTS_PER_WEIGHT: u32 = 160;

/// Stands for [`Choice::RoundRobin`] where there are only indices.
const NOBODY: u32 = u32::MAX;

/// See the module.
#[derive(Debug)]
pub struct Consistent {
    servers: Vec<Server>,
    points: Points,
    /// Of a server: whether it, or another of the same name, can be chosen.
    up: Vec<bool>,
    /// Of a point: who is chosen there, the tries counted; or [`NOBODY`].
    chosen: Vec<u32>,
    /// Whether all servers have one name.
    is_one: bool,
}

/// A part of the ring whose keys all go to one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arc {
    /// The first hash that belongs to it.
    pub first: u32,
    /// The last one, never before the first: the part over the end of the ring is two arcs.
    pub last: u32,
    /// Where they go.
    pub choice: Choice,
}

impl Arc {
    /// How many hashes it has, of the 2³² that there are.
    pub fn length(&self) -> u64 {
        u64::from(self.last) - u64::from(self.first) + 1
    }
}

/// The points of a server in the order in which nginx makes them; of weight `w`, the first 160 × `w`
/// belong to it.
pub fn server_points(name: &str) -> impl Iterator<Item = u32> + use<> {
    let (host, port) = host_and_port(name);
    let base = Register::default().with(host).with(&[0]).with(port);
    let mut before = 0;
    std::iter::repeat_with(move || {
        before = base.with_number(before).value();
        before
    })
}

/// Step 1 of the module.
fn host_and_port(name: &str) -> (&[u8], &[u8]) {
    let text = name.as_bytes();
    if let Some(path) = text.get(5..).filter(|_| text[..5].eq_ignore_ascii_case(b"unix:")) {
        return (path, b"");
    }
    let before_digits = text.iter().rposition(|byte| !byte.is_ascii_digit());
    match before_digits {
        Some(at) if text[at] == b':' => (&text[..at], &text[at + 1..]),
        _ => (text, b""),
    }
}

impl Consistent {
    /// The ring of these servers.
    ///
    /// # Errors
    /// Where nginx would refuse them too.
    pub fn new(servers: Vec<Server>) -> Result<Self, RingError> {
        check(&servers)?;
        let weight: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
        if weight * u64::from(POINTS_PER_WEIGHT) > MAX_POINTS {
            return Err(RingError::TooManyPoints);
        }
        let counts = servers.iter().map(|server| server.weight * POINTS_PER_WEIGHT).collect::<Vec<u32>>();
        Ok(Self::made(servers, &counts))
    }

    /// A ring on which each server has so many of its points, which need be no weight's.
    ///
    /// # Errors
    /// If there is no server, one has no point, or there are more than [`MAX_POINTS`].
    pub fn with_points(servers: Vec<(Server, u32)>) -> Result<Self, RingError> {
        let (servers, counts): (Vec<Server>, Vec<u32>) = servers.into_iter().unzip();
        let all: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        match counts.iter().min() {
            None => Err(RingError::NoServers),
            Some(0) => Err(RingError::WeightZero),
            Some(_) if all > MAX_POINTS => Err(RingError::TooManyPoints),
            Some(_) => Ok(Self::made(servers, &counts)),
        }
    }

    fn made(servers: Vec<Server>, counts: &[u32]) -> Self {
        let mut first_of = HashMap::new();
        let mut up = vec![false; servers.len()];
        let mut owned = Vec::with_capacity(servers.len());
        for ((server, &count), index) in servers.iter().zip(counts).zip(0u32..) {
            let owner = *first_of.entry(server.name.as_str()).or_insert(index);
            up[owner as usize] |= !server.down;
            owned.push((server, count as usize, owner));
        }
        let is_one = first_of.len() == 1;
        let points = Points::new(owned.into_iter().flat_map(|(server, count, owner)| {
            server_points(&server.name).take(count).map(move |hash| (hash, owner))
        }));
        let chosen = chosen(points.owners(), &up);
        Self { servers, points, up, chosen, is_one }
    }

    /// What is chosen for this key.
    pub fn choose(&self, key: &[u8]) -> Choice {
        if key.is_empty() && !self.is_one {
            return Choice::RoundRobin;
        }
        self.choose_hash(crc32(key))
    }

    /// What is chosen for a key of this CRC that is not empty.
    pub fn choose_hash(&self, hash: u32) -> Choice {
        choice(self.chosen[self.points.at_or_after(hash)])
    }

    /// The servers that are chosen one after another, each after those before have failed.
    pub fn route(&self, key: &[u8]) -> Vec<usize> {
        let mut route: Vec<usize> = Vec::new();
        if key.is_empty() && !self.is_one {
            return route;
        }
        // Tries are counted over the whole of a connection.
        let first = self.points.at_or_after(crc32(key));
        let around = self.points.owners().iter().cycle().skip(first);
        let mut tries = 0;
        for owner in around.map(|&owner| owner as usize) {
            if self.up[owner] && !route.contains(&owner) {
                route.push(owner);
            }
            // Once its server has failed, a point is looked at again, in vain: it costs a try too.
            tries += 1;
            if tries > TRIES {
                break;
            }
        }
        route
    }

    /// The servers, as they were given.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The points in ascending order, each with the first server of its name.
    pub fn points(&self) -> impl ExactSizeIterator<Item = (u32, usize)> + '_ {
        let owners = self.points.owners().iter();
        self.points.hashes().iter().zip(owners).map(|(&hash, &owner)| (hash, owner as usize))
    }

    /// The whole ring from hash 0 on, without a gap: one arc a point, and one that is left over at
    /// the end.
    pub fn arcs(&self) -> impl Iterator<Item = Arc> + '_ {
        let mut next = Some(0u32);
        let points = self.points.hashes().iter().zip(&self.chosen);
        let within = points.map(|(&last, &chosen)| (last, chosen));
        let over = std::iter::once((u32::MAX, self.chosen[0]));
        within.chain(over).filter_map(move |(last, chosen)| {
            let first = next?;
            next = last.checked_add(1);
            Some(Arc { first, last, choice: choice(chosen) })
        })
    }

    /// How much of the ring's 2³² hashes goes to each server, and after them, how much goes round
    /// robin.
    pub fn shares(&self) -> Vec<u64> {
        let mut shares = vec![0; self.servers.len() + 1];
        for arc in self.arcs() {
            let at = match arc.choice {
                Choice::Server(server) => server,
                Choice::RoundRobin => self.servers.len(),
            };
            shares[at] += arc.length();
        }
        shares
    }
}

fn choice(chosen: u32) -> Choice {
    if chosen == NOBODY { Choice::RoundRobin } else { Choice::Server(chosen as usize) }
}

/// Step 6 for every point: the first owner that is up, there or at one of the next 20.
fn chosen(owners: &[u32], up: &[bool]) -> Vec<u32> {
    let count = owners.len();
    let mut chosen = vec![NOBODY; count];
    // Backwards, and once more around, since the last points look at the first ones.
    let (mut nearest, mut tries) = (NOBODY, 0);
    for at in (0..2 * count).rev() {
        let owner = owners[at % count];
        if up[owner as usize] {
            (nearest, tries) = (owner, 0);
        } else {
            tries += 1;
        }
        if at < count {
            chosen[at] = if tries > TRIES { NOBODY } else { nearest };
        }
    }
    chosen
}
