//! One server with its connected fleet, ready for round after round.
//!
//! Two of them make a comparison. Both stay up and connected the whole time, so that rounds differ in nothing but
//! who is driven; an idle server's CPU is watched and reported.

use std::sync::atomic::{AtomicBool, Ordering};

use super::progress::{self, Progress};
use super::settings::{Loop, Settings};
use crate::load::{Clock, Fleet, Orders, Pace, run_round};
use crate::measure::{Cpu, Figures, Live, Process, Recorder, ServerUse};
use crate::plan::{Plan, Wish};
use crate::target::{Cpus, Target, pin_this_thread};

/// Dropped in this order: everybody leaves before the server is stopped.
pub struct Side {
    fleet: Fleet,
    pub target: Target,
    live: Live,
}

/// What all rounds of a run share.
pub struct Bench<'a> {
    pub settings: &'a Settings,
    pub cpus: &'a Cpus,
    pub clock: Clock,
    pub progress: Progress,
    pub stop: &'a AtomicBool,
}

/// Between handing over the orders and the first intended send, so that the load thread is there in time.
const LEAD_NS: u64 = 5_000_000;
/// A server that has delivered nothing for so long after the last send has lost what is missing.
const PATIENCE_NS: u64 = 5_000_000_000;
const NOTICE_STOP_NS: u64 = 100_000_000;
/// The server's CPU is read a little outside the window, so that reading it disturbs nothing that is measured.
const ASIDE_NS: u64 = 10_000_000;

impl Side {
    pub fn connect(target: Target, bench: &Bench) -> Result<Side, String> {
        let fleet = target.connect(bench.settings.pairs as usize, &bench.settings.message, bench.stop)?;
        Ok(Side { fleet, target, live: Live::new() })
    }

    pub fn frame_bytes(&self) -> usize {
        self.fleet.frame_bytes()
    }

    /// Drives one round. `other` is a server that should idle meanwhile.
    pub fn round(&mut self, bench: &Bench, round: u32, other: Option<Process>) -> Result<Figures, String> {
        let Bench { settings, clock, .. } = bench;
        let plan = lay_out(settings, round)?;
        let pace = match (&plan, settings.load_loop) {
            (Some(plan), _) => Pace::Open(plan.sends()),
            (None, Loop::Closed { under_way }) => Pace::Closed { under_way, messages_max: u64::MAX },
            (None, Loop::Open { .. }) => unreachable!("an open loop has a plan"),
        };
        let start_ns = clock.now_ns() + LEAD_NS;
        let window_start_ns = start_ns + settings.warmup_ns;
        let orders = Orders {
            pace,
            start_ns,
            window: window_start_ns..window_start_ns + settings.duration_ns,
            patience_ns: PATIENCE_NS,
            waiting: settings.waiting,
            clock: *clock,
            live: &self.live,
            stop: bench.stop,
        };
        let (fleet, live, process) = (&mut self.fleet, &self.live, self.target.process);
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                pin_this_thread(bench.cpus.load);
                run_round(fleet, &orders)
            });
            let watch = || progress::watch(bench, live, &orders, &load);
            let seen = Watched::during(&orders, live, [process, other], watch);
            let recorder = load.join().expect("the load thread does not panic");
            let recorder = recorder.map_err(|error| format!("the load generator failed: {error}"))?;
            Ok(seen.into_figures(recorder, &orders, process))
        })
    }
}

/// The plan of this round; each has a seed of its own, made from the run's.
fn lay_out(settings: &Settings, round: u32) -> Result<Option<Plan>, String> {
    let Loop::Open { rate_per_s, arrival } = settings.load_loop else { return Ok(None) };
    let duration_ns = settings.warmup_ns + settings.duration_ns;
    let seed = settings.seed.wrapping_add(u64::from(round) << 32);
    Plan::lay_out(&Wish { rate_per_s, pairs: settings.pairs, duration_ns, arrival, seed }).map(Some)
}

/// CPU and deliveries at one moment.
#[derive(Clone, Copy)]
struct Snapshot {
    at_ns: u64,
    delivered: u64,
    driven: Option<Cpu>,
    other: Option<Cpu>,
}

impl Snapshot {
    fn take(clock: Clock, live: &Live, [driven, other]: [Option<Process>; 2]) -> Snapshot {
        Snapshot {
            driven: driven.and_then(Process::cpu),
            delivered: live.delivered(),
            at_ns: clock.now_ns(),
            other: other.and_then(Process::cpu),
        }
    }
}

struct Watched {
    before: Snapshot,
    after: Snapshot,
}

impl Watched {
    /// Snapshots around the measured window; `watch` runs until its end.
    fn during(orders: &Orders, live: &Live, who: [Option<Process>; 2], watch: impl FnOnce()) -> Watched {
        let warmup_ns = orders.window.start - orders.start_ns;
        let begin_ns = orders.window.start - ASIDE_NS.min(warmup_ns / 2);
        while orders.clock.now_ns() < begin_ns && !orders.stop.load(Ordering::Relaxed) {
            orders.clock.sleep_until(begin_ns.min(orders.clock.now_ns() + NOTICE_STOP_NS));
        }
        let before = Snapshot::take(orders.clock, live, who);
        watch();
        let after = Snapshot::take(orders.clock, live, who);
        Watched { before, after }
    }

    fn into_figures(self, recorder: Recorder, orders: &Orders, process: Option<Process>) -> Figures {
        let Watched { before, after } = self;
        let wall_ns = after.at_ns - before.at_ns;
        let used_ns = |earlier: Option<Cpu>, later: Option<Cpu>| later?.since(earlier?);
        let server = used_ns(before.driven, after.driven).zip(after.driven).map(|(cpu_ns, cpu)| ServerUse {
            cpu_ns,
            wall_ns,
            delivered: after.delivered - before.delivered,
            source: cpu.source,
            rss_bytes: process.and_then(Process::rss_bytes),
        });
        let other_ns = used_ns(before.other, after.other);
        Figures {
            recorder,
            window_ns: orders.window.end - orders.window.start,
            server,
            other_cpus_busy: other_ns.map(|cpu_ns| cpu_ns as f64 / wall_ns as f64),
        }
    }
}
