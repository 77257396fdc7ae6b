//! `hash KEY`: a remainder, as Cache::Memcached has it, and hashing again where it leads nowhere.
//!
//! 1. *sum* is 0. At try *n*, from 0, it grows by bits 16 to 30 of the CRC-32 of the key, before
//!    which *n* is written in decimal unless it is 0.
//! 2. The remainder of *sum* by the weight of all addresses, those that are down too, falls into the
//!    weight of one of them, in the order of the configuration.
//! 3. If that one is down, failed or full, or has been tried for this connection, it is the next try;
//!    after 20 of them for a connection, it goes round robin. An empty key, and an upstream of one
//!    address, goes round robin at once.
//!
//! Here every *address* counts: a host name with two addresses has its weight twice.

use super::crc::crc32;
use super::{Choice, RingError, Server, TRIES, check};

/// See the module.
#[derive(Debug)]
pub struct Plain {
    servers: Vec<Server>,
    /// `ends[i]`: the weight of the servers up to and including `i`.
    ends: Vec<u64>,
}

impl Plain {
    /// The table of these servers.
    ///
    /// # Errors
    /// Where nginx would refuse them too.
    pub fn new(servers: Vec<Server>) -> Result<Self, RingError> {
        check(&servers)?;
        let mut weight = 0;
        let ends = servers.iter().map(|server| {
            weight += u64::from(server.weight);
            weight
        });
        let ends = ends.collect();
        Ok(Self { servers, ends })
    }

    /// What is chosen for this key.
    pub fn choose(&self, key: &[u8]) -> Choice {
        Tries::new(self, key).next().map_or(Choice::RoundRobin, Choice::Server)
    }

    /// The servers that are chosen one after another, each after those before have failed.
    pub fn route(&self, key: &[u8]) -> Vec<usize> {
        Tries::new(self, key).collect()
    }

    /// The servers, as they were given.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Where a sum leads.
    fn at(&self, sum: u32) -> usize {
        let weight = self.ends.last().expect("there is at least one server");
        let rest = u64::from(sum) % weight;
        self.ends.partition_point(|&end| end <= rest)
    }
}

/// The servers chosen for one connection, each after those before have failed.
struct Tries<'a> {
    plain: &'a Plain,
    key: &'a [u8],
    tried: Vec<usize>,
    sum: u32,
    /// How often it was hashed.
    hashed: u32,
    /// How often that led nowhere.
    tries: u32,
}

impl<'a> Tries<'a> {
    fn new(plain: &'a Plain, key: &'a [u8]) -> Self {
        let is_decided = plain.servers.len() == 1 && !plain.servers[0].down;
        // One address is chosen whatever the key; several, for an empty key, by nobody.
        let tries = if key.is_empty() && !is_decided { TRIES + 1 } else { 0 };
        Self { plain, key, tried: Vec::new(), sum: 0, hashed: 0, tries }
    }

    fn hash(&mut self) -> usize {
        let crc = match self.hashed {
            0 => crc32(self.key),
            again => crc32(&[again.to_string().as_bytes(), self.key].concat()),
        };
        self.hashed += 1;
        self.sum = self.sum.wrapping_add((crc >> 16) & 0x7fff);
        self.plain.at(self.sum)
    }
}

impl Iterator for Tries<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.tries <= TRIES {
            let server = self.hash();
            if !self.plain.servers[server].down && !self.tried.contains(&server) {
                self.tried.push(server);
                return Some(server);
            }
            self.tries += 1;
        }
        None
    }
}
