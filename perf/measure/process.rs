//! What the kernel has counted for one process: CPU time over all its threads, and resident memory.
//!
//! Reads `/proc` and nothing else; it never signals or changes the process.

use std::fs;
use std::path::PathBuf;

/// A process that is being measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    pub pid: u32,
}

/// CPU time that a process, or several together, has used so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu {
    pub used_ns: u64,
    pub source: CpuSource,
}

/// Where the figure is from, since the two differ in grain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuSource {
    /// The scheduler's nanoseconds, summed over the threads that are alive.
    Schedstat,
    /// utime + stime in clock ticks of 10 ms.
    Stat,
}

impl Cpu {
    /// What was used since `earlier`; `None` if the two were read from different places.
    pub fn since(self, earlier: Cpu) -> Option<u64> {
        (self.source == earlier.source).then(|| self.used_ns.saturating_sub(earlier.used_ns))
    }
}

impl CpuSource {
    pub fn words(self) -> &'static str {
        match self {
            CpuSource::Schedstat => "/proc/PID/task/*/schedstat, ns",
            CpuSource::Stat => "/proc/PID/stat utime+stime, 10 ms ticks",
        }
    }
}

/// Every Linux that this runs on reports ticks to user space at 100 Hz, whatever the kernel's own.
pub(super) const TICK_NS: u64 = 10_000_000;

impl Process {
    fn path(self, rest: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{rest}", self.pid))
    }

    /// CPU time of all threads. `None` if the process is gone or may not be looked at.
    ///
    /// Threads that have ended drop out of the scheduler's figures, so where the ticks know of clearly more
    /// time, the ticks are believed. (Ticks are samples: on a busy machine they are some per cent off.)
    pub fn cpu(self) -> Option<Cpu> {
        let ticks_ns = self.cpu_from_stat()?;
        match self.cpu_from_schedstat() {
            Some(used_ns) if used_ns + 3 * TICK_NS + ticks_ns / 10 >= ticks_ns => {
                Some(Cpu { used_ns, source: CpuSource::Schedstat })
            }
            _ => Some(Cpu { used_ns: ticks_ns, source: CpuSource::Stat }),
        }
    }

    fn cpu_from_schedstat(self) -> Option<u64> {
        let mut used_ns = 0;
        for thread in fs::read_dir(self.path("task")).ok()? {
            // A thread that ends between the listing and the reading is no fault.
            let Ok(text) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else { continue };
            used_ns += text.split_whitespace().next()?.parse::<u64>().ok()?;
        }
        (used_ns > 0).then_some(used_ns)
    }

    fn cpu_from_stat(self) -> Option<u64> {
        parse_stat(&fs::read_to_string(self.path("stat")).ok()?)
    }

    /// Resident memory in bytes.
    pub fn rss_bytes(self) -> Option<u64> {
        // smaps_rollup counts pages; status batches its counters per CPU and can be many pages off.
        kibibytes(&fs::read_to_string(self.path("smaps_rollup")).ok()?, "Rss:")
            .or_else(|| kibibytes(&fs::read_to_string(self.path("status")).ok()?, "VmRSS:"))
    }

    pub fn command_line(self) -> Option<String> {
        let bytes = fs::read(self.path("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned())
    }
}

/// The processes of one target, looked at together.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Processes {
    pub servers: Vec<Process>,
    /// The Redis between them: a message costs what it costs there, too.
    pub bus: Option<Process>,
}

/// What they have used so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuOfAll {
    /// Of the servers and the bus.
    pub all: Cpu,
    pub bus_ns: u64,
}

impl Processes {
    /// Servers without a bus.
    pub fn of(pids: impl IntoIterator<Item = u32>) -> Processes {
        Processes { servers: pids.into_iter().map(|pid| Process { pid }).collect(), bus: None }
    }

    /// `None` if there are none, or if any cannot be looked at.
    pub fn cpu(&self) -> Option<CpuOfAll> {
        let each: Option<Vec<Cpu>> =
            self.servers.iter().chain(&self.bus).map(|process| process.cpu()).collect();
        let each = each?;
        let bus_ns = if self.bus.is_some() { each.last()?.used_ns } else { 0 };
        let all = each.into_iter().reduce(|one, other| Cpu {
            used_ns: one.used_ns + other.used_ns,
            source: if one.source == other.source { one.source } else { CpuSource::Stat },
        })?;
        Some(CpuOfAll { all, bus_ns })
    }

    /// Of the servers.
    pub fn rss_bytes(&self) -> Option<u64> {
        let each: Option<Vec<u64>> = self.servers.iter().map(|process| process.rss_bytes()).collect();
        each.filter(|each| !each.is_empty()).map(|each| each.iter().sum())
    }
}

/// utime + stime. The command name stands in brackets and may hold spaces and brackets itself.
fn parse_stat(text: &str) -> Option<u64> {
    let after_name = &text[text.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace().skip(11);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some((utime + stime) * TICK_NS)
}

fn kibibytes(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(label))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_with_a_nasty_name() {
        let line = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 3 0 100 1000 50";
        assert_eq!(parse_stat(line), Some(12 * TICK_NS));
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn reads_itself() {
        let own = Process { pid: std::process::id() };
        let before = own.cpu().unwrap();
        let mut sum = 0_u64;
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 50 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(own.cpu().unwrap().used_ns > before.used_ns);
        assert!(own.rss_bytes().unwrap() > 100_000);
        assert!(Process { pid: u32::MAX }.cpu().is_none());
    }

    #[test]
    fn a_bus_is_counted_in_and_apart() {
        let own = std::process::id();
        let alone = Processes::of([own]);
        let both = Processes { bus: Some(Process { pid: own }), ..alone.clone() };
        assert_eq!(alone.cpu().unwrap().bus_ns, 0);
        let used = both.cpu().unwrap();
        assert!(0 < used.bus_ns && used.bus_ns < used.all.used_ns, "{used:?}");
        assert!(Processes { bus: Some(Process { pid: u32::MAX }), ..alone }.cpu().is_none());
        assert!(Processes::of([]).cpu().is_none());
    }
}
