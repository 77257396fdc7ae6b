//! The direct scenario against chatd and against the relay, round about: A B A B …
//!
//! Both servers run and stay connected the whole time, on the same CPU; only one is driven at a time. Neighbours in
//! time are compared, so what the machine does to both falls out, and what it does to one shows in the spread.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Ending;
use super::direct::{bench, finish, placement};
use super::settings::Settings;
use super::side::Side;
use crate::report::{Ratio, SideFigures};
use crate::target::{Cpus, Target};

pub fn run(
    settings: &Settings,
    cpus: &Cpus,
    targets: [Target; 2],
    stop: &AtomicBool,
) -> Result<Ending, String> {
    let bench = bench(settings, cpus, stop);
    let [first, second] = targets;
    let mut first = Side::connect(first, &bench)?;
    let mut second = Side::connect(second, &bench)?;
    let (mut first_rounds, mut second_rounds) = (Vec::new(), Vec::new());
    for round in 0..settings.rounds {
        bench.progress.line(&format!("round {} of {}", round + 1, settings.rounds));
        first_rounds.push(first.round(&bench, round, second.target.process)?);
        second_rounds.push(second.round(&bench, round, first.target.process)?);
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
    }
    let frame_bytes = first.frame_bytes();
    let figures =
        |side: &Side, rounds| SideFigures::new(side.target.kind.word(), side.target.description(), rounds);
    let sides = vec![figures(&first, first_rounds), figures(&second, second_rounds)];
    drop((first, second));
    let ratio = Ratio::of(&sides[0], &sides[1]);
    finish(&bench, format!("{}; rounds interleaved", placement(cpus)), frame_bytes, sides, ratio)
}
