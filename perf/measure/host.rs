//! What the host of a virtual machine takes: time in which a CPU had work to do and was not there.
//!
//! Nothing in the machine can tell such a pause from a slow server or a late generator, so it is counted beside both.

use std::fs;

use super::process::TICK_NS;

/// CPU time that was taken from all CPUs of this machine, of how much there would have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    pub taken_ns: u64,
    pub of_ns: u64,
}

impl Taken {
    pub fn share(self) -> f64 {
        self.taken_ns as f64 / self.of_ns.max(1) as f64
    }

    pub fn and(self, other: Taken) -> Taken {
        Taken { taken_ns: self.taken_ns + other.taken_ns, of_ns: self.of_ns + other.of_ns }
    }
}

/// The clock of what was taken, in ticks of 10 ms: `steal` of `/proc/stat`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Steal {
    ticks: u64,
    cpus: u64,
}

impl Steal {
    /// So far. `None` where the kernel does not say it.
    pub fn now() -> Option<Steal> {
        parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// What was taken since `earlier`, `wall_ns` ago.
    pub fn since(self, earlier: Steal, wall_ns: u64) -> Taken {
        Taken { taken_ns: self.ticks.saturating_sub(earlier.ticks) * TICK_NS, of_ns: wall_ns * self.cpus }
    }
}

fn parse(stat: &str) -> Option<Steal> {
    let of_all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks = of_all.split_whitespace().nth(7)?.parse().ok()?;
    let is_one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    Some(Steal { ticks, cpus: stat.lines().filter(is_one).count() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_a_share_of_all_cpus() {
        let at = |ticks: u64| {
            parse(&format!(
                "cpu  9 1 2 3 4 0 7 {ticks} 0 0\ncpu0 1 1 1 1 1 0 1 1 0 0\ncpu1 8 0 1 2 3 0 6 9 0 0\nintr 5\n"
            ))
        };
        let taken = at(17).unwrap().since(at(12).unwrap(), 1_000_000_000);
        assert_eq!(taken, Taken { taken_ns: 50_000_000, of_ns: 2_000_000_000 });
        assert_eq!(taken.and(Taken { taken_ns: 0, of_ns: 2_000_000_000 }).share(), 0.0125);
        assert_eq!(parse("cpu  1 2 3\n"), None);
        assert_eq!(parse("intr 5\n"), None);
        assert!(Steal::now().unwrap().cpus > 0);
    }
}
