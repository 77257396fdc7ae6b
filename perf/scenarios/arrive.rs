//! Scenarios of people who arrive: a login storm, sessions that come back with their tokens, and readers who come back
//! to what waited for them.

use super::Ending;
use super::bench::{Bench, Rank, Times};
use super::finish::{Finish, finish};
use super::settings::{Loop, Settings, Work};
use super::side::Side;
use super::visits::Visitors;
use crate::load::{self, Stay};
use crate::report::{Compared, SideFigures};
use crate::target::Target;
use crate::wire;

/// Users connect, log in with a password or a token, and stay, round after round others.
pub fn arrivals(
    settings: &Settings,
    bench: &Bench,
    target: Target,
    finish_as: Finish,
) -> Result<Ending, String> {
    let arriving_s = (settings.lead_ns() + settings.duration_ns) as f64 / 1e9;
    let count = settings.users.unwrap_or((settings.logins_per_s * arriving_s) as u32).max(1) as usize;
    let mut rounds = Vec::new();
    for round in 0..settings.rounds {
        bench.progress.line(&format!("registering {count} users"));
        let speakers = load::register(&target.door, &load::name_prefix(), count, bench.stop)?;
        let logins: Vec<Vec<u8>> = match settings.work {
            Work::Resumptions => {
                bench.progress.line(&format!("logging {count} users in, and cutting them off"));
                let tokens = load::tokens(&target.door, &speakers, bench.stop)?;
                tokens.iter().map(|token| wire::resume(token)).collect()
            }
            _ => speakers.iter().map(|speaker| load::login(speaker, settings.message.dialect)).collect(),
        };
        let visitors = Visitors::of(logins.into_iter().map(|login| (login, 0)), Stay::UntilTheEnd);
        let plan = visitors.plan(settings, settings.seed.wrapping_add(u64::from(round) << 32))?;
        let times = Times { lead_ns: settings.lead_ns(), duration_ns: settings.duration_ns };
        let jobs = vec![visitors.job(&target, &plan, Rank::Main)];
        rounds.push(bench.measure(&target, None, times, jobs)?.figures);
        bench.fail_if_stopped()?;
    }
    let figures = SideFigures {
        unit: if settings.work == Work::Resumptions { "resumption" } else { "login" },
        asked: format!("{} a second", settings.logins_per_s),
        latency_is: "from intended arrival to the answer",
        ..SideFigures::new(target.kind.word(), target.description(), rounds)
    };
    let is_pinned = target.cpus.is_some();
    drop(target);
    let rate = settings.logins_per_s;
    let mut settings = settings.clone();
    settings.load_loop = Loop::Open { rate_per_s: rate, arrival: crate::plan::Arrival::Poisson };
    finish(&settings, bench, Finish { is_pinned, ..finish_as }, vec![figures], Compared::Nothing)
}

/// Messages to users who are away, then the users come and take them.
pub fn backlog(
    settings: &Settings,
    bench: &Bench,
    target: Target,
    finish_as: Finish,
) -> Result<Ending, String> {
    let mut side = Side::connect(target, settings, bench)?;
    let stored = side.round(settings, bench, 0, None)?.figures;
    bench.fail_if_stopped()?;
    let readers = side.absent_readers();
    let drained = {
        let coming_ns = (readers.len() as f64 / settings.logins_per_s * 1e9) as u64;
        let dialect = settings.message.dialect;
        let logins = readers.iter().map(|(reader, waiting)| (load::login(reader, dialect), *waiting));
        let visitors = Visitors::of(logins, Stay::UntilTheEnd);
        let mut at_once = settings.clone();
        at_once.ramp_ns = 0;
        let plan = visitors.plan(&at_once, settings.seed)?;
        // All of it is measured: a backlog is drained once.
        let times = Times { lead_ns: 0, duration_ns: coming_ns.max(100_000_000) + 500_000_000 };
        bench.measure(&side.target, None, times, vec![visitors.job(&side.target, &plan, Rank::Main)])?.figures
    };
    let description = side.target.description();
    let frame_bytes = side.frame_bytes();
    let is_pinned = side.target.cpus.is_some();
    drop(side);
    let storing = SideFigures {
        unit: "stored message",
        asked: format!("{:.0} messages a second", settings.rate_per_s().unwrap_or(0.0)),
        latency_is: "from intended send to ACK",
        ..SideFigures::new("storing", description.clone(), vec![stored])
    };
    let draining = SideFigures {
        unit: "drained message",
        asked: format!("{} readers a second", settings.logins_per_s),
        latency_is: "from intended arrival to the last message that waited",
        ack_is: "from intended arrival to the answer to the login",
        ..SideFigures::new("draining", description, vec![drained])
    };
    finish(
        settings,
        bench,
        Finish { is_pinned, frame_bytes, ..finish_as },
        vec![storing, draining],
        Compared::Nothing,
    )
}
