//! An application that has messages sent through the API while people talk: how long an act takes, and what others feel.
//!
//! One chatd and the same connections, with and without the application in turn. What it sends is heard by users of its own,
//! who must hear each message once.

use std::sync::atomic::AtomicBool;

use super::Ending;
use super::bench::{Bench, Job, Measured, Rank, Work};
use super::file::Scenario;
use super::finish::{self, Finish, finish};
use super::settings::{Settings, Sides};
use super::side::Side;
use super::talk;
use crate::cli;
use crate::load::{self, Office, Pace};
use crate::measure::{Figures, Live, Recorder, ServerUse};
use crate::plan::{Arrival, Plan, Wish};
use crate::report::{Compared, Pushes, SideFigures, Spread, time_text};
use crate::target::{ChatdOptions, Cpus, Target, step_back};

/// How much longer the p99 of those who talk may be.
const OTHERS_MOST: f64 = 1.1;
const P99_NS_MOST: u64 = 10_000_000;
/// In whose names is written, and to as many others.
const TALKS: usize = 64;
const TOKEN: &str = "a-token-of-chat-perf-for-this-run";

pub fn api(flags: &cli::Api, stop: &AtomicBool) -> Result<Ending, String> {
    let settings = settings(&flags.load)?;
    let outputs = finish::outputs(&flags.outputs)?;
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let options = ChatdOptions {
        files: vec![("--api-token-file", format!("perf {TOKEN}\n").into_bytes())],
        ..settings.chatd_options()
    };
    let target = Target::start_chatd(&options, &cpus.server, stop)?;
    let admin = target.admin.ok_or("this chatd has no admin address, where its API is")?;
    let people = load::register(&target.door, &load::name_prefix(), 2 * TALKS, stop)?;
    let mut side = Side::connect(target, &settings, &bench)?;
    let door = &side.target.door;
    let mut office = Office::open(admin, TOKEN, flags.connections as usize, door, &people, stop)?;
    let (mut calm, mut beside) = (Vec::new(), Vec::new());
    for round in 0..settings.rounds {
        // Who comes first in one round comes last in the next.
        for has_acts in [round % 2 == 1, round.is_multiple_of(2)] {
            let word = if has_acts { "with the API" } else { "calm" };
            bench.progress.line(&format!("round {} of {}, {word}", round + 1, settings.rounds));
            let (plan, live) = (plan(flags.acts, &settings, &office, round)?, Live::new());
            let jobs = if has_acts { vec![job(&mut office, &plan, &live)] } else { Vec::new() };
            let measured = side.round_beside(&settings, &bench, round, jobs)?;
            if has_acts { &mut beside } else { &mut calm }.push(measured);
            bench.fail_if_stopped()?;
        }
    }
    let sides = figures(flags, &settings, &side, calm, beside);
    let compared = Pushes::of(&sides[..2]).map_or(Compared::Nothing, Compared::Pushes);
    let said = verdicts(&sides);
    let finish_as = Finish { is_pinned: true, frame_bytes: side.frame_bytes(), outputs };
    drop((office, side));
    let ending = finish(&settings, &bench, finish_as, sides.into(), compared);
    println!();
    said.iter().for_each(|line| println!("{line}"));
    ending
}

fn settings(load: &cli::Load) -> Result<Settings, String> {
    let mut scenario = Scenario::open("direct")?;
    scenario.name = "api".into();
    scenario.put("what", "pairs of users while an application sends through the API, and in peace");
    let settings = Settings::new(load.applied_to(scenario)?, Sides::TwoInterleaved, load.waiting)?;
    match (settings.tls, settings.rate_per_s()) {
        (Some(_), _) => Err("the API is measured beside people who talk in clear text".into()),
        (None, None) => {
            Err("who talks as fast as it is answered has no p99 to keep: this needs an open loop".into())
        }
        (None, Some(_)) => Ok(settings),
    }
}

fn plan(acts_per_s: f64, settings: &Settings, office: &Office, round: u32) -> Result<Plan, String> {
    Plan::lay_out(&[Wish {
        rate_per_s: acts_per_s,
        talks: 0..office.talks(),
        duration_ns: settings.lead_ns() + settings.duration_ns,
        ramp_ns: settings.ramp_ns,
        arrival: Arrival::Poisson,
        seed: settings.seed.wrapping_add(u64::from(round) << 32) ^ 0x6163_7473,
    }])
}

/// What the application does in a round. Whoever talks goes before it, where they share a CPU.
fn job<'a>(office: &'a mut Office, plan: &'a Plan, live: &'a Live) -> Job<'a> {
    let work: Work = Box::new(move |orders| {
        step_back();
        office.work(plan.sends(), orders)
    });
    Job { pace: Pace::Open(&[]), live, rank: Rank::Beside, work }
}

/// Those who talk in peace and with the API beside them, and the application.
fn figures(
    flags: &cli::Api,
    settings: &Settings,
    side: &Side,
    calm: Vec<Measured>,
    mut beside: Vec<Measured>,
) -> [SideFigures; 3] {
    let rounds = beside.iter_mut().zip(&calm).flat_map(|(beside, calm)| {
        let Measured { figures, beside } = beside;
        beside.drain(..).map(|recorder| acts(recorder, figures, &calm.figures))
    });
    let asked = format!("{:.0} acts a second over {} connections", flags.acts, flags.connections);
    let description =
        format!("the application, {asked}; its CPU is what the server used more than in the calm round");
    let acts = SideFigures {
        unit: "act",
        asked,
        latency_is: "from intended act to its answer",
        ack_is: "from intended act to its reader, who heard it",
        ..SideFigures::new("API", description, rounds.collect())
    };
    [talk::figures(settings, "calm", side, calm), talk::figures(settings, "with the API", side, beside), acts]
}

/// One round of the application, with the CPU that it has cost the server.
fn acts(recorder: Recorder, beside: &Figures, calm: &Figures) -> Figures {
    let window_ns = beside.window_ns;
    let answered = recorder.counts.delivered_in_window as f64;
    let more = |(beside, calm): (ServerUse, ServerUse)| ServerUse {
        cpu_ns: ((beside.cpus_busy() - calm.cpus_busy()) * beside.wall_ns as f64) as u64,
        bus_ns: None,
        handled: (answered * beside.wall_ns as f64 / window_ns as f64) as u64,
        rss_bytes: None,
        ..beside
    };
    let server = beside.server.zip(calm.server).map(more);
    Figures {
        recorder,
        window_ns,
        server,
        other_cpus_busy: None,
        taken: beside.taken,
        series: Vec::new(),
        stages: None,
    }
}

/// What is asked, and whether it is kept.
fn verdicts([calm, beside, acts]: &[SideFigures; 3]) -> Vec<String> {
    let kept = |is_kept: bool| if is_kept { "kept" } else { "MISSED" };
    let p99_ns = |side: &SideFigures| -> Vec<f64> {
        let of_one = |round: &Figures| round.recorder.latency.value_at_quantile(0.99) as f64;
        side.rounds.iter().map(of_one).collect()
    };
    let mut said = Vec::new();
    let of_rounds = Spread::of(&p99_ns(acts)).map_or(0.0, |spread| spread.median) as u64;
    let p99 = acts.sum.recorder.latency.value_at_quantile(0.99);
    said.push(format!(
        "an act: {:.0} a second answered, p99 {} (of the median round {}); at most {}: {}",
        acts.sum.delivered_per_s(),
        time_text(p99),
        time_text(of_rounds),
        time_text(P99_NS_MOST),
        kept(p99 <= P99_NS_MOST)
    ));
    let ratios: Vec<f64> =
        p99_ns(beside).iter().zip(p99_ns(calm)).map(|(beside, calm)| beside / calm).collect();
    said.extend(Spread::of(&ratios).map(|Spread { median, .. }| {
        let kept = kept(median <= OTHERS_MOST);
        format!(
            "p99 of those who talk: {median:.2} times what it is in peace; at most {OTHERS_MOST:.1}: {kept}"
        )
    }));
    let cpu_us: Vec<f64> = acts.rounds.iter().filter_map(Figures::cpu_us_each).collect();
    said.extend(Spread::of(&cpu_us).map(|Spread { median, quartile_1, quartile_3, .. }| {
        format!("the server's CPU: {median:.1} µs an act (quartiles {quartile_1:.1}–{quartile_3:.1})")
    }));
    said
}
