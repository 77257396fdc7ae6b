//! What happened between two looks at a server.

use super::look::Look;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Figures of one interval.
pub struct Figures {
    /// The version that runs there.
    pub version: String,
    /// How long it has been running.
    pub uptime: Duration,
    /// Why it is not ready, if it is not.
    pub trouble: Option<String>,
    /// Whether its store works.
    pub store_up: bool,
    /// Questions that wait for the store, and how many may.
    pub store_waiting: f64,
    /// See there.
    pub store_queue: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: f64,
    /// Seconds of the interval.
    pub seconds: f64,
    /// One for each core.
    pub cores: Vec<Core>,
    /// What happened in each stage and path, in nanoseconds, with its tag.
    pub histograms: Vec<(String, Histogram<u64>)>,
}

/// One core in the interval. Rates are by the second.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Core {
    /// Whether it answered.
    pub up: bool,
    /// CPU, in cores.
    pub cpu: f64,
    /// Connections.
    pub connections: f64,
    /// Sessions that are logged in.
    pub online: f64,
    /// Messages taken in.
    pub messages: f64,
    /// Messages pushed to readers.
    pub pushes: f64,
    /// Bytes received.
    pub received: f64,
    /// Bytes sent.
    pub sent: f64,
    /// Errors told to clients.
    pub errors: f64,
    /// Messages held back, on the detour, and changes of backlogs that wait.
    pub behind: f64,
    /// Questions that are not answered.
    pub tickets: f64,
    /// Parcels that wait on the bus.
    pub bus: f64,
}

impl Core {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            up: self.up && other.up,
            cpu: self.cpu + other.cpu,
            connections: self.connections + other.connections,
            online: self.online + other.online,
            messages: self.messages + other.messages,
            pushes: self.pushes + other.pushes,
            received: self.received + other.received,
            sent: self.sent + other.sent,
            errors: self.errors + other.errors,
            behind: self.behind + other.behind,
            tickets: self.tickets + other.tickets,
            bus: self.bus + other.bus,
        }
    }
}

impl Figures {
    /// What happened between `before` and `after`. A server that was started in between began with
    /// nothing.
    pub fn between(before: &Look, after: &Look) -> Self {
        let restarted = after.uptime < before.uptime;
        let elapsed = if restarted { after.uptime } else { after.uptime - before.uptime };
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let cores = after.sum("chatd_cores", &[]) as usize;
        let one = |core: usize| Core::between((!restarted).then_some(before), after, core, seconds);
        let histograms = after.histograms.iter().map(|(tag, histogram)| {
            let earlier = before.histograms.iter().find(|(earlier, _)| earlier == tag && !restarted);
            let mut new = histogram.clone();
            // A core that did not answer then and does now is left as it is.
            if earlier.is_none_or(|(_, earlier)| new.subtract(earlier).is_err()) {
                new = histogram.clone();
            }
            (tag.clone(), new)
        });
        Self {
            version: after.said("chatd_build_info", "version").unwrap_or("?").to_owned(),
            uptime: after.uptime,
            trouble: after.trouble.clone(),
            store_up: after.sum("chatd_store_up", &[]) > 0.0,
            store_waiting: after.sum("chatd_store_waiting", &[]),
            store_queue: after.sum("chatd_store_queue", &[]),
            resident_bytes: after.sum("process_resident_memory_bytes", &[]),
            seconds,
            cores: (0..cores).map(one).collect(),
            histograms: histograms.collect(),
        }
    }

    /// All cores together.
    pub fn total(&self) -> Core {
        self.cores.iter().copied().reduce(Core::and).unwrap_or_default()
    }
}

impl Core {
    fn between(before: Option<&Look>, after: &Look, core: usize, seconds: f64) -> Self {
        let core = core.to_string();
        let of = [("core", core.as_str())];
        let now = |name: &str| after.sum(name, &of);
        let rate = |name: &str| {
            let earlier = before.map_or(0.0, |before| before.sum(name, &of));
            (now(name) - earlier).max(0.0) / seconds
        };
        let online = [("core", core.as_str()), ("phase", "online")];
        Self {
            up: now("chatd_core_up") > 0.0,
            cpu: rate("chatd_core_cpu_seconds_total"),
            connections: now("chatd_connections"),
            online: after.sum("chatd_sessions", &online),
            messages: rate("chatd_messages_total"),
            pushes: rate("chatd_pushes_total"),
            received: rate("chatd_received_bytes_total"),
            sent: rate("chatd_sent_bytes_total"),
            errors: rate("chatd_errors_total"),
            behind: now("chatd_held_messages") + now("chatd_late_messages") + now("chatd_orphans"),
            tickets: now("chatd_tickets"),
            bus: now("chatd_bus_waiting"),
        }
    }
}
