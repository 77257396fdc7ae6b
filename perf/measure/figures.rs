//! Everything that one round, or several of the same kind added up, came to.
//!
//! Facts only: whether they can be believed is the report's to say.

use std::sync::Arc;

use super::{CpuSource, Recorder, Series, Stages, Taken};

/// What the server used while it was measured.
#[derive(Clone, Copy, Debug)]
pub struct ServerUse {
    /// Of the servers, and of the Redis between them.
    pub cpu_ns: u64,
    /// Of that Redis, where there is one.
    pub bus_ns: Option<u64>,
    /// How long the CPU time was watched.
    pub wall_ns: u64,
    /// What it handled in that time: deliveries, or what else the scenario counts.
    pub handled: u64,
    pub source: CpuSource,
    pub rss_bytes: Option<u64>,
}

impl ServerUse {
    /// The figure that all comparisons are made of. `None` if nothing was handled.
    pub fn cpu_us_each(&self) -> Option<f64> {
        (self.handled > 0).then(|| self.cpu_ns as f64 / self.handled as f64 / 1e3)
    }

    /// Of that, what the Redis between the servers used.
    pub fn bus_us_each(&self) -> Option<f64> {
        (self.handled > 0).then(|| self.bus_ns.map(|used_ns| used_ns as f64 / self.handled as f64 / 1e3))?
    }

    pub fn cpus_busy(&self) -> f64 {
        self.cpu_ns as f64 / self.wall_ns.max(1) as f64
    }
}

pub struct Figures {
    pub recorder: Recorder,
    /// Length of the measured window, summed over rounds.
    pub window_ns: u64,
    /// `None` where the server's process cannot be looked at.
    pub server: Option<ServerUse>,
    /// CPU that the other, idle server of a comparison used meanwhile.
    pub other_cpus_busy: Option<f64>,
    /// What the host took from this machine meanwhile.
    pub taken: Option<Taken>,
    /// How it went, of one round; of a sum, one after the other.
    pub series: Vec<Arc<Series>>,
    /// What the server says of its own stages.
    pub stages: Option<Stages>,
}

impl Figures {
    pub fn delivered_per_s(&self) -> f64 {
        self.recorder.counts.delivered_in_window as f64 / self.window_s()
    }

    pub fn window_s(&self) -> f64 {
        self.window_ns as f64 / 1e9
    }

    pub fn cpu_us_each(&self) -> Option<f64> {
        self.server?.cpu_us_each()
    }

    /// Rounds of one kind, added up. `None` if there are none.
    pub fn sum(rounds: &[Figures]) -> Option<Figures> {
        let (first, rest) = rounds.split_first()?;
        let mut recorder = Recorder::new();
        recorder.add(&first.recorder);
        let mut sum = Figures {
            recorder,
            window_ns: first.window_ns,
            server: first.server,
            other_cpus_busy: first.other_cpus_busy,
            taken: first.taken,
            series: first.series.clone(),
            stages: first.stages.clone(),
        };
        for round in rest {
            sum.recorder.add(&round.recorder);
            sum.window_ns += round.window_ns;
            sum.series.extend(round.series.iter().cloned());
            sum.stages = Stages::sum(sum.stages.take(), round.stages.as_ref());
            sum.server = add_use(sum.server, round.server);
            // The busiest round is the one to worry about.
            sum.other_cpus_busy = sum.other_cpus_busy.zip(round.other_cpus_busy).map(|(a, b)| a.max(b));
            sum.taken = sum.taken.zip(round.taken).map(|(one, other)| one.and(other));
        }
        Some(sum)
    }
}

/// Unknown in one round is unknown in the sum.
fn add_use(one: Option<ServerUse>, other: Option<ServerUse>) -> Option<ServerUse> {
    let (one, other) = (one?, other?);
    Some(ServerUse {
        cpu_ns: one.cpu_ns + other.cpu_ns,
        bus_ns: one.bus_ns.zip(other.bus_ns).map(|(one, other)| one + other),
        wall_ns: one.wall_ns + other.wall_ns,
        handled: one.handled + other.handled,
        source: other.source,
        rss_bytes: other.rss_bytes.max(one.rss_bytes),
    })
}
