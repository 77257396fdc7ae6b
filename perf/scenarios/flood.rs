//! What others feel of somebody who is no good neighbour: guesses of passwords, one who shouts, one who does not read.
//!
//! One chatd and the same connections, calm and flooded in turn, so that neighbouring rounds differ in nothing but the
//! flood. Its clients are threads beside the load, on the CPU of the load, which goes before them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Ending;
use super::bench::{Bench, Measured};
use super::file::Scenario;
use super::settings::{Settings, Sides};
use super::side::Side;
use crate::cli::{self, FloodKind};
use crate::load::{self, Door, Nuisance, Nuisances, Orders, Pace, Stay, Storm, Visit, run_storm};
use crate::measure::{Live, Recorder, slice_ns};
use crate::plan::{Arrival, Plan, Wish};
use crate::report::{Machine, Spread, time_text};
use crate::target::{ChatdOptions, Cpus, Target, confine};
use crate::wire::{self, Acks, ChatFrame, Dialect, Framing, STAMP_BYTES, Speaker, Stamp, To};

/// The limits of a server that others reach, as docs/operations.md has them.
const LIMITS: [&str; 14] = [
    "--message-rate",
    "20:200",
    "--byte-rate",
    "65536:1048576",
    "--lookup-rate",
    "10:400",
    "--change-rate",
    "1:60",
    "--guess-rate",
    "1:50",
    "--connect-rate",
    "20:200",
    "--address-connections",
    "200",
];
/// As chatd has it by itself: a password is to cost something where they are guessed.
const PASSWORD_COST: &str = "m=19456,t=2,p=1";
const GUESSES_PER_S: f64 = 1_000.0;
/// 127.0.0.2 and on: 127.0.0.1 has no bound.
const GUESSERS: usize = 50;
/// Accounts that are tried, from this id on.
const ACCOUNTS: usize = 5_000;
const UNKNOWN: i64 = 1_000_000;
/// People who log in meanwhile, each from an address of its own.
const LOGINS_PER_S: f64 = 2.0;
const SHOUTED_PER_S: u64 = 10_000;
/// The only group of a server that was started for this.
const GROUP: i64 = 1;
/// After what the flood does last.
const PATIENCE_NS: u64 = 2_000_000_000;

impl FloodKind {
    /// How much longer the p99 of others may be, and what the load is.
    fn most(self) -> f64 {
        match self {
            FloodKind::Guesses => 1.5,
            FloodKind::Shouting => 1.1,
            FloodKind::Stalled => 1.2,
        }
    }

    fn scenario(self) -> Result<Scenario, String> {
        let mut scenario = Scenario::open(if self == FloodKind::Stalled { "groups-1000" } else { "direct" })?;
        match self {
            FloodKind::Guesses => {
                scenario.put(
                    "what",
                    "pairs of users while passwords are guessed and while they are not, in turn",
                );
                scenario.put("pairs", 16);
                scenario.put("rate", 200);
            }
            FloodKind::Shouting => {
                scenario
                    .put("what", "pairs of users while somebody says 10,000 messages a second, and in peace");
                scenario.put("rate", 640);
            }
            FloodKind::Stalled => {
                scenario
                    .put("what", "a group of a thousand while one more member does not read, and without it");
                scenario.put("size", 2_000);
            }
        }
        scenario.put("duration", 5);
        Ok(scenario)
    }
}

pub fn flood(flags: &cli::Flood, stop: &AtomicBool) -> Result<Ending, String> {
    let scenario = flags.load.applied_to(flags.kind.scenario()?)?;
    let settings = Settings::new(scenario, Sides::TwoInterleaved, flags.load.waiting)?;
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let is_guessed = flags.kind == FloodKind::Guesses;
    let limits = if flags.kind == FloodKind::Stalled { &[][..] } else { &LIMITS[..] };
    let options = ChatdOptions {
        framing: Framing::Lines,
        password_cost: is_guessed.then(|| PASSWORD_COST.to_owned()),
        more: limits.iter().map(|&limit| limit.to_owned()).collect(),
        ..settings.chatd_options()
    };
    let target = Target::start_chatd(&options, &cpus.server, stop)?;
    let people = load::register(&target.door, &load::name_prefix(), 12, stop)?;
    let mut side = Side::connect(target, &settings, &bench)?;
    let mut figures = Figures::default();
    for round in 0..settings.rounds {
        let flood = Flood { kind: flags.kind, door: side.target.door.clone(), people: &people };
        // Who comes first in one round comes last in the next.
        for is_flooded in [round % 2 == 1, round.is_multiple_of(2)] {
            bench.progress.line(&format!(
                "round {} of {}, {}",
                round + 1,
                settings.rounds,
                if is_flooded { "flooded" } else { "calm" }
            ));
            if is_flooded {
                let (measured, beside) = flood.during(&settings, &bench, &mut side, round)?;
                figures.flooded(measured, beside);
            } else {
                figures.calm(side.round(&settings, &bench, round, None)?);
            }
            bench.fail_if_stopped()?;
        }
    }
    Ok(figures.conclude(flags.kind, &settings, &side.target.description()))
}

/// What is done beside the load.
struct Flood<'a> {
    kind: FloodKind,
    door: Door,
    people: &'a [Speaker],
}

/// What came of it.
enum Beside {
    /// Of attempts to log in that are to fail, and of those that are to succeed.
    Logins(Box<[Recorder; 2]>),
    Nuisance(Nuisances),
}

impl Flood<'_> {
    /// One round of the load, with the flood from its beginning to its end.
    fn during(
        &self,
        settings: &Settings,
        bench: &Bench,
        side: &mut Side,
        round: u32,
    ) -> Result<(Measured, Beside), String> {
        let enough = AtomicBool::new(false);
        let cpu = bench.cpus.load[0];
        std::thread::scope(|scope| {
            let flooding = scope.spawn(|| {
                confine(&[cpu])?;
                self.flow(settings, bench, round, &enough)
            });
            let measured = side.round(settings, bench, round, None);
            enough.store(true, Ordering::Relaxed);
            let beside = flooding.join().expect("the flood does not panic")?;
            Ok((measured?, beside))
        })
    }

    fn flow(
        &self,
        settings: &Settings,
        bench: &Bench,
        round: u32,
        enough: &AtomicBool,
    ) -> Result<Beside, String> {
        let [one, other, ..] = self.people else { return Err("nobody to flood with".into()) };
        let nuisance = Nuisance { door: &self.door, number: 0, speaker: one };
        match self.kind {
            FloodKind::Guesses => self.guess(settings, bench, round),
            FloodKind::Shouting => {
                let to = To::User(other.id);
                let message = ChatFrame::new(one, to, "", STAMP_BYTES, Acks::NotAsked, Framing::Lines);
                let mut frame = Vec::new();
                message.append(Stamp { talk: 0, sequence: 0, time_ns: 0 }, &mut frame);
                let shouted = nuisance.shout(&frame, SHOUTED_PER_S, enough);
                shouted.map(Beside::Nuisance).map_err(|error| format!("who shouts cannot: {error}"))
            }
            FloodKind::Stalled => nuisance.stall(GROUP, enough).map(Beside::Nuisance),
        }
    }

    /// Wrong passwords from many addresses, and people who have theirs.
    fn guess(&self, settings: &Settings, bench: &Bench, round: u32) -> Result<Beside, String> {
        let door = Door { sources: 1 + (GUESSERS + self.people.len()) as u32, ..self.door.clone() };
        // Of one account few would be tried at all, and a user who is not there costs as much.
        let wrong = |number: usize| Visit {
            user: 1 + number % GUESSERS,
            login: wire::login(UNKNOWN + number as i64, "guessed", Dialect::Seed),
            messages: 0,
        };
        let guesses: Vec<Visit> = (0..ACCOUNTS).map(wrong).collect();
        let admitted = self.people[2..].iter().zip(GUESSERS + 1..);
        let login = |(speaker, user): (&Speaker, usize)| Visit {
            user,
            login: load::login(speaker, Dialect::Seed),
            messages: 0,
        };
        let logins: Vec<Visit> = admitted.map(login).collect();
        let arrive = |visits: &[Visit], rate_per_s: f64| {
            confine(&[bench.cpus.load[0]])?;
            arrivals(&door, visits, rate_per_s, settings, bench, round)
        };
        std::thread::scope(|scope| {
            let guessing = scope.spawn(|| arrive(&guesses, GUESSES_PER_S));
            let admitted = arrive(&logins, LOGINS_PER_S)?;
            let guessed = guessing.join().expect("who guesses does not panic")?;
            Ok(Beside::Logins(Box::new([guessed, admitted])))
        })
    }
}

/// So many a second, as long as a round of the load takes.
fn arrivals(
    door: &Door,
    visits: &[Visit],
    rate_per_s: f64,
    settings: &Settings,
    bench: &Bench,
    round: u32,
) -> Result<Recorder, String> {
    let duration_ns = settings.lead_ns() + settings.duration_ns;
    let seed = settings.seed.wrapping_add(u64::from(round) << 32) ^ 0x666c_6f6f_6473;
    let wish = Wish { rate_per_s, talks: 0..1, duration_ns, ramp_ns: 0, arrival: Arrival::Uniform, seed };
    let plan = Plan::lay_out(&[wish])?;
    let (live, start_ns) = (Live::new(), bench.clock.now_ns());
    let orders = Orders {
        pace: Pace::Open(&[]),
        start_ns,
        window: start_ns..start_ns + duration_ns,
        patience_ns: PATIENCE_NS,
        waiting: bench.waiting,
        clock: bench.clock,
        live: &live,
        slice_ns: slice_ns(duration_ns),
        stop: bench.stop,
    };
    let storm = Storm { door, visits, stay: Stay::Leave, arrivals: plan.sends() };
    let done = run_storm(&storm, &orders).map_err(|error| format!("the flood failed: {error}"))?;
    Ok(done.0)
}

/// Of all rounds.
#[derive(Default)]
struct Figures {
    calm_ns: Vec<f64>,
    flooded_ns: Vec<f64>,
    /// CPU that the server used, divided by the messages of others, of each round.
    calm_cpu_us: Vec<f64>,
    flooded_cpu_us: Vec<f64>,
    lag_ns: u64,
    faults: u64,
    guessed: Option<Recorder>,
    admitted: Option<Recorder>,
    nuisances: Nuisances,
}

impl Figures {
    fn calm(&mut self, measured: Measured) {
        self.calm_cpu_us.extend(measured.figures.cpu_us_each());
        let p99_ns = self.take(measured);
        self.calm_ns.push(p99_ns);
    }

    fn flooded(&mut self, measured: Measured, beside: Beside) {
        self.flooded_cpu_us.extend(measured.figures.cpu_us_each());
        let p99_ns = self.take(measured);
        self.flooded_ns.push(p99_ns);
        match beside {
            Beside::Logins(logins) => {
                let [guessed, admitted] = *logins;
                self.guessed.get_or_insert_with(Recorder::new).add(&guessed);
                self.admitted.get_or_insert_with(Recorder::new).add(&admitted);
            }
            Beside::Nuisance(more) => {
                self.nuisances.said += more.said;
                self.nuisances.unsaid += more.unsaid;
                self.nuisances.cut += more.cut;
            }
        }
    }

    fn take(&mut self, measured: Measured) -> f64 {
        let recorder = &measured.figures.recorder;
        self.faults += u64::from(!recorder.counts.is_clean());
        self.lag_ns = self.lag_ns.max(recorder.lag.value_at_quantile(0.99));
        recorder.latency.value_at_quantile(0.99) as f64
    }

    fn conclude(&self, kind: FloodKind, settings: &Settings, description: &str) -> Ending {
        println!(
            "flood: {}\n  {}\n  {description}\n  {}",
            settings.what,
            settings.crowd_words(),
            Machine::look().text()
        );
        for (number, (calm, flooded)) in self.calm_ns.iter().zip(&self.flooded_ns).enumerate() {
            println!(
                "  round {:<3} p99 calm {:>9}   flooded {:>9}   ratio {:.2}",
                number + 1,
                time_text(*calm as u64),
                time_text(*flooded as u64),
                flooded / calm
            );
        }
        println!("  the generator's own lag, p99 of the worst round: {}", time_text(self.lag_ns));
        if let [Some(calm), Some(flooded)] =
            [&self.calm_cpu_us, &self.flooded_cpu_us].map(|us| Spread::of(us))
        {
            let (calm, flooded) = (calm.median, flooded.median);
            println!("  the server's CPU a message of others: calm {calm:.2} µs, flooded {flooded:.2} µs");
        }
        self.tell_of_the_flood();
        let ratios: Vec<f64> =
            self.flooded_ns.iter().zip(&self.calm_ns).map(|(flooded, calm)| flooded / calm).collect();
        if let Some(spread) = Spread::of_neighbours(&self.calm_ns) {
            println!("  calm over calm      {}", spread.text());
        }
        if let Some(spread) = Spread::of(&ratios) {
            let kept = if spread.median <= kind.most() { "kept" } else { "MISSED" };
            println!("  flooded over calm   {}", spread.text());
            println!("  p99 of others: {:.2} times, at most {:.1}: {kept}", spread.median, kind.most());
        }
        if self.faults == 0 {
            return Ending::Fine;
        }
        println!("  FAULTY: messages were lost, refused or came twice in {} rounds", self.faults);
        Ending::Faulty
    }

    fn tell_of_the_flood(&self) {
        let Nuisances { said, unsaid, cut } = self.nuisances;
        if said + unsaid + cut > 0 {
            println!("  the flood: {said} messages said, {unsaid} not taken, cut {cut} times");
        }
        if let Some(guessed) = &self.guessed {
            let counts = &guessed.counts;
            println!(
                "  the flood: {} attempts, answered by errno {:?}, {} still waited, {} connections closed, {} not made",
                counts.intended,
                counts.server_errors,
                counts.sent - counts.server_errors.values().sum::<u64>().min(counts.sent),
                counts.connections_closed,
                counts.socket_errors.values().sum::<u64>()
            );
        }
        if let Some(admitted) = &self.admitted {
            let (longest_ns, failed) =
                (admitted.latency.max(), admitted.counts.server_errors.values().sum::<u64>());
            let p50_ns = admitted.latency.value_at_quantile(0.5);
            let kept = if longest_ns < 1_000_000_000 && failed == 0 { "kept" } else { "MISSED" };
            println!(
                "  a login meanwhile: {} of {}, p50 {}, longest {}, under 1 s: {kept}",
                admitted.latency.len(),
                admitted.counts.intended,
                time_text(p50_ns),
                time_text(longest_ns)
            );
        }
    }
}
