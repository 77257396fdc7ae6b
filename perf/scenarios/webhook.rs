//! What a webhook costs those who talk: nobody is told, somebody who takes all of it, a port at which nobody listens, and
//! somebody who takes connections and answers nothing.
//!
//! Four chatd, driven in turn; each message is stored and acknowledged. What is still to be told after a round is told before
//! the next one begins, since they share a CPU; and every message must have been told once it is over.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::Ending;
use super::bench::{Bench, Measured};
use super::file::Scenario;
use super::finish::{self, Finish, finish};
use super::settings::{Settings, Sides};
use super::side::Side;
use super::talk;
use crate::cli;
use crate::load::Receiver;
use crate::measure::Figures;
use crate::report::{Compared, Pushes, SideFigures, Spread};
use crate::target::{ChatdOptions, Cpus, Target, confine, step_back};

/// How much more CPU a message may cost that is told.
const CPU_US_MOST: f64 = 4.0;
/// How long what waits for the receiver may take after a round.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Whom a chatd tells.
enum Told {
    Nobody,
    Takes(Receiver),
    /// Nobody has this port; nobody is given it meanwhile.
    Dead(SocketAddr),
    /// The kernel takes its connections, and nobody reads them.
    Silent(TcpListener),
}

impl Told {
    fn word(&self) -> &'static str {
        match self {
            Told::Nobody => "no webhook",
            Told::Takes(_) => "takes all",
            Told::Dead(_) => "dead",
            Told::Silent(_) => "silent",
        }
    }

    fn address(&self) -> Result<Option<SocketAddr>, String> {
        match self {
            Told::Nobody => Ok(None),
            Told::Takes(receiver) => Ok(Some(receiver.address)),
            Told::Dead(address) => Ok(Some(*address)),
            Told::Silent(listener) => listener.local_addr().map(Some).map_err(|error| error.to_string()),
        }
    }
}

/// One chatd with its people, and what came of its rounds.
struct Server {
    told: Told,
    side: Side,
    rounds: Vec<Measured>,
    /// Messages that were acknowledged.
    acked: u64,
    /// Events that were still to be told at the end of a round, at most.
    behind: u64,
}

pub fn webhook(flags: &cli::Webhook, stop: &AtomicBool) -> Result<Ending, String> {
    let settings = settings(&flags.load)?;
    let outputs = finish::outputs(&flags.outputs)?;
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let servers = everybody(cpus.load[0])?.into_iter().map(|told| Server::start(told, &settings, &bench));
    let mut servers = servers.collect::<Result<Vec<Server>, String>>()?;
    for round in 0..settings.rounds {
        let mut order: Vec<usize> = (0..servers.len()).collect();
        // Who comes first in one round comes last in the next.
        if round % 2 == 1 {
            order.reverse();
        }
        for number in order {
            let server = &mut servers[number];
            let word = server.told.word();
            bench.progress.line(&format!("round {} of {}, {word}", round + 1, settings.rounds));
            server.round(&settings, &bench, round)?;
            bench.fail_if_stopped()?;
        }
    }
    let frame_bytes = servers[0].side.frame_bytes();
    let told = servers.iter().filter_map(Server::tell).collect::<Vec<String>>();
    let sides: Vec<SideFigures> = servers.into_iter().map(|server| server.figures(&settings)).collect();
    let costs: Vec<String> = sides[1..].iter().filter_map(|side| cost(side, &sides[0])).collect();
    let compared = Pushes::of(&sides).map_or(Compared::Nothing, Compared::Pushes);
    let ending = finish(&settings, &bench, Finish { is_pinned: true, frame_bytes, outputs }, sides, compared);
    println!("\nserver CPU of a message, over that of one without a webhook in the same round");
    costs.iter().chain(&told).for_each(|line| println!("  {line}"));
    ending
}

/// Pairs, every message of whom is stored, and so is told.
fn settings(load: &cli::Load) -> Result<Settings, String> {
    let mut scenario = Scenario::open("direct")?;
    scenario.name = "webhook".into();
    scenario.put(
        "what",
        "pairs of users while an application is told what they say, and while it is not, in turn",
    );
    scenario.put("rate", 5_000);
    scenario.put("ack", true);
    scenario.put("v2", true);
    let settings = Settings::new(load.applied_to(scenario)?, Sides::TwoInterleaved, load.waiting)?;
    if settings.tls.is_some() {
        return Err("what a webhook costs is compared in clear text".into());
    }
    Ok(settings)
}

/// The receiver works on this CPU, behind the load.
fn everybody(cpu: usize) -> Result<[Told; 4], String> {
    let failed = |error: std::io::Error| format!("no port for a receiver: {error}");
    let begin = move || {
        // A refusal only costs steadiness.
        let _ = confine(&[cpu]);
        step_back();
    };
    let dead = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(failed)?;
    Ok([
        Told::Nobody,
        Told::Takes(Receiver::start(begin).map_err(failed)?),
        Told::Dead(dead),
        Told::Silent(TcpListener::bind("127.0.0.1:0").map_err(failed)?),
    ])
}

impl Server {
    fn start(told: Told, settings: &Settings, bench: &Bench) -> Result<Server, String> {
        let mut options = settings.chatd_options();
        if let Some(address) = told.address()? {
            options = ChatdOptions {
                more: vec!["--webhook-url".to_owned(), format!("http://{address}/")],
                files: vec![("--webhook-secret-file", b"a secret of chat-perf, for all runs".to_vec())],
                ..options
            };
        }
        let target = Target::start_chatd(&options, &bench.cpus.server, bench.stop)?;
        let side = Side::connect(target, settings, bench)?;
        Ok(Server { told, side, rounds: Vec::new(), acked: 0, behind: 0 })
    }

    fn round(&mut self, settings: &Settings, bench: &Bench, round: u32) -> Result<(), String> {
        let measured = self.side.round(settings, bench, round, None)?;
        self.acked += measured.figures.recorder.counts.acked;
        self.rounds.push(measured);
        let Told::Takes(receiver) = &self.told else { return Ok(()) };
        let (deadline, waits) = (Instant::now() + PATIENCE, || self.acked.saturating_sub(receiver.told()));
        self.behind = self.behind.max(waits());
        while waits() > 0 {
            bench.fail_if_stopped()?;
            if Instant::now() > deadline {
                return Err(format!(
                    "{} messages were acknowledged and not told within {PATIENCE:?}",
                    waits()
                ));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// What was told, if anybody takes it.
    fn tell(&self) -> Option<String> {
        let Told::Takes(receiver) = &self.told else { return None };
        let (told, acked) = (receiver.told(), self.acked);
        let again = if told > acked { format!(", {} of them again", told - acked) } else { String::new() };
        let behind = self.behind;
        Some(format!(
            "told: {told} events of {acked} messages{again}; {behind} at most still to be told after a round"
        ))
    }

    fn figures(self, settings: &Settings) -> SideFigures {
        talk::figures(settings, self.told.word(), &self.side, self.rounds)
    }
}

/// What a message costs more. `None` where the server's CPU is not known.
fn cost(side: &SideFigures, none: &SideFigures) -> Option<String> {
    let both = side.rounds.iter().zip(&none.rounds);
    let each = |(one, other): (&Figures, &Figures)| Some((one.cpu_us_each()?, other.cpu_us_each()?));
    let both: Vec<(f64, f64)> = both.map(each).collect::<Option<_>>()?;
    let more = Spread::of(&both.iter().map(|(one, other)| one - other).collect::<Vec<_>>())?;
    let ratio = Spread::of(&both.iter().map(|(one, other)| one / other).collect::<Vec<_>>())?;
    let kept = if more.median <= CPU_US_MOST { "kept" } else { "MISSED" };
    Some(format!(
        "{:<10} {:+.2} µs (quartiles {:+.2} to {:+.2}), {:.3} times (quartiles {:.3}–{:.3}); at most {CPU_US_MOST:.0} µs more: {kept}",
        side.name,
        more.median,
        more.quartile_1,
        more.quartile_3,
        ratio.median,
        ratio.quartile_1,
        ratio.quartile_3
    ))
}
