//! The ring of the seed's configurator, point for point, bugs aside.
//!
//! It has nothing to do with nginx: its points are MD5 sums of `host:port##1` … `host:port##num` and
//! of `host:port` itself, each sum folded into 32 bits by adding its four little-endian words. A
//! client `host:port` is folded in the same way and goes to the first point *after* it.
//!
//! Of equal points that of the server that was added first stays, so that deleting the other one
//! does not take it away. (The original overwrote it.)

use super::points::Points;
use super::{MAX_POINTS, RingError};
use md5::{Digest, Md5};

/// A text on the ring.
pub fn seed_hash(text: &str) -> u32 {
    let sum = Md5::digest(text.as_bytes());
    let (words, _) = sum.as_chunks::<4>();
    words.iter().fold(0, |folded: u32, word| folded.wrapping_add(u32::from_le_bytes(*word)))
}

/// The points of a server: that of its name, and those of its virtual nodes.
pub fn seed_points(host: &str, port: u16, virtual_nodes: u32) -> impl Iterator<Item = u32> + use<> {
    let name = format!("{host}:{port}");
    let bare = seed_hash(&name);
    std::iter::once(bare).chain((1..=virtual_nodes).map(move |n| seed_hash(&format!("{name}##{n}"))))
}

/// See the module. The indices that it speaks of are the places in which servers were given.
#[derive(Debug)]
pub struct Seed {
    points: Points,
}

impl Seed {
    /// The ring of these servers: host, port and how many virtual nodes each has.
    ///
    /// # Errors
    /// If there is no server, or there are more than [`MAX_POINTS`] points.
    pub fn new<'a>(servers: impl IntoIterator<Item = (&'a str, u16, u32)>) -> Result<Self, RingError> {
        let servers: Vec<_> = servers.into_iter().collect();
        if servers.is_empty() {
            return Err(RingError::NoServers);
        }
        if servers.iter().map(|&(_, _, nodes)| u64::from(nodes) + 1).sum::<u64>() > MAX_POINTS {
            return Err(RingError::TooManyPoints);
        }
        let points = servers
            .into_iter()
            .zip(0u32..)
            .flat_map(|((host, port, nodes), owner)| seed_points(host, port, nodes).map(move |h| (h, owner)));
        Ok(Self { points: Points::new(points) })
    }

    /// The server that a client belongs to: the first point after the client's own, around the end.
    pub fn choose(&self, host: &str, port: u16) -> usize {
        let after = seed_hash(&format!("{host}:{port}")).wrapping_add(1);
        self.points.owners()[self.points.at_or_after(after)] as usize
    }

    /// The points in ascending order, with whose they are.
    pub fn points(&self) -> impl ExactSizeIterator<Item = (u32, usize)> + '_ {
        let owners = self.points.owners().iter();
        self.points.hashes().iter().zip(owners).map(|(&hash, &owner)| (hash, owner as usize))
    }
}
