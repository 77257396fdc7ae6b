//! What the tests of the real binary are made of: a chatd that is cleaned up after, and clients.
//!
//! Nothing here sleeps. Whoever waits, waits for an event, says what for, and gives up aloud.

#![expect(clippy::new_without_default, reason = "new directories, clocks and authorities are no defaults")]

pub mod api;
pub mod chatd;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod door;
pub mod node;
pub mod original;
pub mod services;
pub mod websocket;

pub use services::scratch;
use std::path::PathBuf;
use std::time::Duration;

/// How long anybody waits for anything. What takes longer has failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A program of the workspace that `cargo build --workspace --bins` made, as `tests/run` does: it stands
/// beside the folder of the test that runs.
///
/// # Panics
/// If it is not there.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let built = test.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    built.unwrap_or_else(|| panic!("{name} is not built: cargo build --workspace --bins"))
}

/// Says aloud that a test could not run, and why.
pub fn cannot_run(test: &str, why: &str) {
    eprintln!("*** {test} DID NOT RUN: {why}");
}

/// Raises the number of files that this process may open; what it is then.
pub fn raise_open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain numbers, written and read during the calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    limit.rlim_cur
}

/// A generator of numbers that are the same for the same seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }
}

/// The seed of a random test: from CHATD_SEED if it is there, else the same each time, so that a run says what the one
/// before it has said. Print it.
pub fn seed() -> u64 {
    match std::env::var("CHATD_SEED") {
        Ok(seed) => seed.parse().expect("CHATD_SEED is a number"),
        Err(_) => 17,
    }
}
