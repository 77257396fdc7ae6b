//! What all rounds of a run share, and the one way in which anything is measured: threads that load, a watcher that
//! reads clocks around the measured window, and what came of both.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::progress::{self, Progress};
use crate::load::{Clock, Orders, Pace, Waiting};
use crate::measure::{
    CpuOfAll, Figures, Interval, Live, Processes, Recorder, Series, ServerUse, Steal, Taken, slice_ns,
};
use crate::target::{Cpus, Target, pin_this_thread};

pub struct Bench<'a> {
    pub cpus: &'a Cpus,
    pub clock: Clock,
    pub progress: Progress,
    pub waiting: Waiting,
    pub stop: &'a AtomicBool,
}

/// Between handing over the orders and the first intended send, so that the load threads are there in time.
const LEAD_NS: u64 = 5_000_000;
/// A server that has delivered nothing for so long after the last send has lost what is missing.
const PATIENCE_NS: u64 = 5_000_000_000;
const NOTICE_STOP_NS: u64 = 100_000_000;
/// The server's CPU is read a little outside the window, so that reading it disturbs nothing that is measured.
const ASIDE_NS: u64 = 10_000_000;

/// The work of a load thread: it is given its orders and gives back what it counted.
pub type Work<'a> = Box<dyn FnOnce(&Orders) -> io::Result<(Recorder, Interval)> + Send + 'a>;

/// What one load thread is to do.
pub struct Job<'a> {
    pub pace: Pace<'a>,
    pub live: &'a Live,
    pub rank: Rank,
    pub work: Work<'a>,
}

/// Whether what a load thread does is what the run is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rank {
    Main,
    /// Its recorder is kept apart, and it is in no series.
    Beside,
}

/// How long a round is, and its measured part.
#[derive(Clone, Copy)]
pub struct Times {
    pub lead_ns: u64,
    pub duration_ns: u64,
}

/// What came of one round.
pub struct Measured {
    /// Of the main jobs together.
    pub figures: Figures,
    /// Of the jobs beside, in their order.
    pub beside: Vec<Recorder>,
}

impl<'a> Bench<'a> {
    pub fn new(cpus: &'a Cpus, waiting: Waiting, stop: &'a AtomicBool) -> Bench<'a> {
        Bench { cpus, clock: Clock::start(), progress: Progress::detect(), waiting, stop }
    }

    pub fn fail_if_stopped(&self) -> Result<(), String> {
        if self.stop.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
    }

    /// Runs all jobs, each on a thread, and measures `target`. `other` is a server that should idle meanwhile.
    pub fn measure(
        &self,
        target: &Target,
        other: Option<&Processes>,
        times: Times,
        jobs: Vec<Job>,
    ) -> Result<Measured, String> {
        let stages_before = target.stages();
        let start_ns = self.clock.now_ns() + LEAD_NS;
        let window = start_ns + times.lead_ns..start_ns + times.lead_ns + times.duration_ns;
        let slice_ns = slice_ns(times.lead_ns + times.duration_ns);
        let lives: Vec<&Live> =
            jobs.iter().filter(|job| job.rank == Rank::Main).map(|job| job.live).collect();
        let mut series = Series::new(start_ns, slice_ns);
        let (results, seen) = std::thread::scope(|scope| {
            let threads: Vec<_> = jobs
                .into_iter()
                .enumerate()
                .map(|(number, job)| {
                    let orders = Orders {
                        pace: job.pace,
                        start_ns,
                        window: window.clone(),
                        patience_ns: PATIENCE_NS,
                        waiting: self.waiting,
                        clock: self.clock,
                        live: job.live,
                        slice_ns,
                        stop: self.stop,
                    };
                    let cpu = self.cpus.load[number % self.cpus.load.len()];
                    let thread = scope.spawn(move || {
                        pin_this_thread(cpu);
                        (job.work)(&orders)
                    });
                    (job.rank, thread)
                })
                .collect();
            let who = [Some(&target.processes), other];
            let begin_ns = window.start - ASIDE_NS.min(times.lead_ns / 2);
            while self.clock.now_ns() < begin_ns && !self.stop.load(Ordering::Relaxed) {
                self.clock.sleep_until(begin_ns.min(self.clock.now_ns() + NOTICE_STOP_NS));
                lives.iter().flat_map(|live| live.take()).for_each(|interval| series.add(interval));
            }
            let before = Snapshot::take(self.clock, &lives, who);
            let has_ended = || threads.iter().all(|(_, thread)| thread.is_finished());
            progress::watch(self, &lives, window.end, has_ended, &mut series);
            let after = Snapshot::take(self.clock, &lives, who);
            let results: Vec<_> = threads
                .into_iter()
                .map(|(rank, thread)| (rank, thread.join().expect("a load thread does not panic")))
                .collect();
            (results, (before, after))
        });
        lives.iter().flat_map(|live| live.take()).for_each(|interval| series.add(interval));
        let (mut recorder, mut beside) = (Recorder::new(), Vec::new());
        for (rank, result) in results {
            let (one, rest) = result.map_err(|error| format!("the load generator failed: {error}"))?;
            match rank {
                Rank::Main => {
                    recorder.add(&one);
                    series.add(rest);
                }
                Rank::Beside => beside.push(one),
            }
        }
        let stages = stages_before.zip(target.stages()).map(|(before, after)| after.since(&before));
        let (server, other_cpus_busy, taken) = used(seen, &target.processes);
        let series = vec![Arc::new(series)];
        let window_ns = times.duration_ns;
        Ok(Measured {
            figures: Figures { recorder, window_ns, server, other_cpus_busy, taken, series, stages },
            beside,
        })
    }
}

/// CPU and what was handled, at one moment.
#[derive(Clone, Copy)]
struct Snapshot {
    at_ns: u64,
    handled: u64,
    driven: Option<CpuOfAll>,
    other: Option<CpuOfAll>,
    steal: Option<Steal>,
}

impl Snapshot {
    fn take(clock: Clock, lives: &[&Live], [driven, other]: [Option<&Processes>; 2]) -> Snapshot {
        Snapshot {
            driven: driven.and_then(Processes::cpu),
            handled: lives.iter().map(|live| live.handled()).sum(),
            at_ns: clock.now_ns(),
            other: other.and_then(Processes::cpu),
            steal: Steal::now(),
        }
    }
}

/// Of the server, of the other one, and by the host.
fn used(
    (before, after): (Snapshot, Snapshot),
    processes: &Processes,
) -> (Option<ServerUse>, Option<f64>, Option<Taken>) {
    let wall_ns = after.at_ns - before.at_ns;
    let used_ns = |earlier: Option<CpuOfAll>, later: Option<CpuOfAll>| later?.all.since(earlier?.all);
    let bus_ns = processes.bus.and(before.driven).zip(after.driven);
    let server = used_ns(before.driven, after.driven).zip(after.driven).map(|(cpu_ns, cpu)| ServerUse {
        cpu_ns,
        bus_ns: bus_ns.map(|(before, after)| after.bus_ns.saturating_sub(before.bus_ns)),
        wall_ns,
        handled: after.handled - before.handled,
        source: cpu.all.source,
        rss_bytes: processes.rss_bytes(),
    });
    let other_ns = used_ns(before.other, after.other);
    let taken = before.steal.zip(after.steal).map(|(earlier, later)| later.since(earlier, wall_ns));
    (server, other_ns.map(|cpu_ns| cpu_ns as f64 / wall_ns.max(1) as f64), taken)
}
