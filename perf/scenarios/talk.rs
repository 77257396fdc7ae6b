//! People who talk: one server, or two interleaved round about, A B A B …
//!
//! In a comparison both servers run and stay connected the whole time, on the same CPU; only one is driven at a time.
//! Neighbours in time are compared, so what the machine does to both falls out, and what it does to one shows in the
//! spread.

use super::Ending;
use super::bench::{Bench, Measured};
use super::finish::{Finish, finish};
use super::settings::{Loop, Settings};
use super::side::Side;
use crate::measure::Recorder;
use crate::report::{Compared, Ratio, SideFigures};
use crate::target::Target;

/// Runs every round against `target`.
pub fn run(settings: &Settings, bench: &Bench, target: Target, finish_as: Finish) -> Result<Ending, String> {
    let mut side = Side::connect(target, settings, bench)?;
    let mut rounds = Vec::new();
    for round in 0..settings.rounds {
        rounds.push(side.round(settings, bench, round, None)?);
        bench.fail_if_stopped()?;
    }
    let frame_bytes = side.frame_bytes();
    let figures = figures(settings, side.target.kind.word(), &side, rounds);
    let is_pinned = side.target.cpus.is_some();
    drop(side);
    let finish_as = Finish { is_pinned, frame_bytes, ..finish_as };
    finish(settings, bench, finish_as, vec![figures], Compared::Nothing)
}

/// Runs every round against one and the other.
pub fn versus(
    bench: &Bench,
    sides: [(&Settings, Target); 2],
    names: [&'static str; 2],
    finish_as: Finish,
) -> Result<Ending, String> {
    let [(settings, first), (other_settings, second)] = sides;
    let mut first = Side::connect(first, settings, bench)?;
    let mut second = Side::connect(second, other_settings, bench)?;
    let (mut first_rounds, mut second_rounds) = (Vec::new(), Vec::new());
    for round in 0..settings.rounds {
        bench.progress.line(&format!("round {} of {}", round + 1, settings.rounds));
        first_rounds.push(first.round(settings, bench, round, Some(&second.target.processes))?);
        second_rounds.push(second.round(other_settings, bench, round, Some(&first.target.processes))?);
        bench.fail_if_stopped()?;
    }
    let frame_bytes = first.frame_bytes();
    let mut sides = vec![
        figures(settings, names[0], &first, first_rounds),
        figures(other_settings, names[1], &second, second_rounds),
    ];
    let (own, others) = (settings.crowd_words(), other_settings.crowd_words());
    if own != others {
        sides[1].description += &format!("; its load: {others}");
    }
    drop((first, second));
    let compared = Ratio::of(&sides[0], &sides[1]).map_or(Compared::Nothing, Compared::Cpu);
    finish(settings, bench, Finish { frame_bytes, ..finish_as }, sides, compared)
}

pub fn figures(settings: &Settings, name: &'static str, side: &Side, rounds: Vec<Measured>) -> SideFigures {
    let mut logins: Option<Recorder> = None;
    let mut all = Vec::new();
    for round in rounds {
        for beside in &round.beside {
            logins.get_or_insert_with(Recorder::new).add(beside);
        }
        all.push(round.figures);
    }
    let figures = SideFigures::new(name, side.target.description(), all);
    match settings.load_loop {
        Loop::Open { rate_per_s, .. } => {
            SideFigures { logins, asked: format!("{rate_per_s:.0} messages a second"), ..figures }
        }
        Loop::Closed { .. } => {
            let (latency_is, ack_is) = ("from send to delivery", "from send to ACK");
            SideFigures { logins, latency_is, ack_is, ..figures }
        }
    }
}
