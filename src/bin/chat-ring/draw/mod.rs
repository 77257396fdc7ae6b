//! The ring as a picture: in letters for terminals and change requests, and as SVG.
//!
//! What is drawn is a list of slices of the ring, each with the server that has it; nothing here
//! knows how it came about.

pub mod colours;
pub mod letters;
pub mod svg;

use chat_ring::Choice;

/// A part of the ring, from hash to hash, and who has it: before a change, and after it. Where nothing
/// changes, both are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slice {
    /// The first hash.
    pub first: u32,
    /// The last one.
    pub last: u32,
    /// Who has it, by the index of the picture's servers; nobody, where it goes round robin.
    pub before: Option<usize>,
    /// Who has it after the change.
    pub after: Option<usize>,
}

/// The index of a picture's server in what was chosen.
pub fn server(choice: Choice) -> Option<usize> {
    match choice {
        Choice::Server(server) => Some(server),
        Choice::RoundRobin => None,
    }
}
