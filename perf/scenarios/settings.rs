//! What is meant, made from what was typed: checked, with every default settled.

use std::path::PathBuf;

use crate::cli;
use crate::load::{Message, Waiting};
use crate::plan::Arrival;
use crate::wire::STAMP_BYTES;

/// Whether the load follows a plan or the answers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Loop {
    Open { rate_per_s: f64, arrival: Arrival },
    Closed { under_way: u32 },
}

/// Whether a comparison is made, which settles the defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sides {
    One,
    TwoInterleaved,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub load_loop: Loop,
    pub pairs: u32,
    pub message: Message,
    pub duration_ns: u64,
    pub warmup_ns: u64,
    pub rounds: u32,
    pub seed: u64,
    pub server_cores: usize,
    pub waiting: Waiting,
    pub json: Option<PathBuf>,
}

/// A pair's number has five hexadecimal digits in a stamp; `cli` keeps users and pairs below that.
const TEXT_BYTES_MAX: usize = 16 * 1024;
const SECONDS_MAX: f64 = 3_600.0;

impl Settings {
    pub fn new(load: cli::Load, sides: Sides) -> Result<Settings, String> {
        let (duration_s, warmup_s, rounds) = match sides {
            Sides::One => (10.0, 1.0, 1),
            Sides::TwoInterleaved => (2.0, 0.5, 7),
        };
        let pairs = match load.users {
            Some(users) if !users.is_multiple_of(2) => {
                return Err(format!("{users} users do not make pairs: --users must be even"));
            }
            Some(users) => users / 2,
            None => load.pairs,
        };
        if !(STAMP_BYTES..=TEXT_BYTES_MAX).contains(&load.size) {
            return Err(format!(
                "--size must be {STAMP_BYTES} to {TEXT_BYTES_MAX}: the text carries a stamp of {STAMP_BYTES} bytes"
            ));
        }
        let rounds = load.rounds.unwrap_or(rounds);
        if !(1..=1_000).contains(&rounds) {
            return Err("--rounds must be 1 to 1000".into());
        }
        let load_loop = if load.closed {
            Loop::Closed { under_way: load.under_way }
        } else {
            Loop::Open { rate_per_s: load.rate, arrival: load.arrival }
        };
        Ok(Settings {
            load_loop,
            pairs,
            message: Message { text_bytes: load.size, time: local_time() },
            duration_ns: seconds("--duration", load.duration.unwrap_or(duration_s), 0.01)?,
            warmup_ns: seconds("--warmup", load.warmup.unwrap_or(warmup_s), 0.0)?,
            rounds,
            seed: load.seed,
            server_cores: usize::from(load.server_cores),
            waiting: load.waiting,
            json: load.json,
        })
    }

    pub fn loop_words(&self) -> String {
        let waiting = match self.waiting {
            Waiting::Sleep => "",
            Waiting::Spin => ", the load thread never sleeps",
        };
        match self.load_loop {
            Loop::Open { rate_per_s, arrival } => {
                format!("open loop, {} sends, {rate_per_s:.0} messages/s asked{waiting}", arrival.word())
            }
            Loop::Closed { under_way } => format!("closed loop, {under_way} under way a pair{waiting}"),
        }
    }
}

/// Seconds as typed, in nanoseconds.
pub fn seconds(flag: &str, value_s: f64, least_s: f64) -> Result<u64, String> {
    if !(least_s..=SECONDS_MAX).contains(&value_s) {
        return Err(format!("{flag} must be {least_s} to {SECONDS_MAX} seconds"));
    }
    Ok((value_s * 1e9) as u64)
}

/// As the original client writes it.
fn local_time() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}
