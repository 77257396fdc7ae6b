//! Which CPUs the server gets and which one the load thread gets.
//!
//! Kept apart wherever there are enough; where there are not, the report says so. Both go before everything else
//! that wants these CPUs, where this user may ask for that: what other programs do is not what is measured.

use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The placement of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cpus {
    pub server: Vec<usize>,
    pub load: usize,
}

impl Cpus {
    /// The first `server_cores` CPUs that this process may use for the server, the last one for the load.
    pub fn place(server_cores: usize) -> Result<Cpus, String> {
        let allowed =
            sched_getaffinity(None).map_err(|error| format!("cannot read the CPU affinity: {error}"))?;
        Ok(Cpus::among((0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect(), server_cores))
    }

    fn among(allowed: Vec<usize>, server_cores: usize) -> Cpus {
        let load = *allowed.last().expect("a running process may use at least one CPU");
        let server = allowed.into_iter().take(server_cores.max(1)).collect();
        Cpus { server, load }
    }

    pub fn are_apart(&self) -> bool {
        !self.server.contains(&self.load)
    }
}

/// Pins the calling thread. A refusal (a container's rules, say) only costs steadiness, so it is not fatal.
pub fn pin_this_thread(cpu: usize) {
    if !core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        eprintln!("chat-perf: could not pin the load thread to CPU {cpu}; figures will be noisier");
    }
    go_first();
}

/// The highest precedence short of real time.
const NICENESS: i32 = -20;

/// Puts this thread, and what it starts, before others. Without the privilege nothing changes; `niceness_words`
/// says in the report what came of it.
pub fn go_first() {
    let _ = setpriority_process(None, NICENESS);
}

/// What `go_first` comes to here. Asked of a thread that ends at once, since there is no way back.
pub fn niceness_words() -> String {
    let asked = std::thread::spawn(|| {
        go_first();
        getpriority_process(None).unwrap_or(0)
    });
    format!("both at nice {}", asked.join().expect("the thread does not panic"))
}

/// Confines this process, and what it executes, to these CPUs.
pub fn confine(cpus: &[usize]) -> Result<(), String> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    sched_setaffinity(None, &set)
        .map_err(|error| format!("cannot confine the server to CPUs {cpus:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_load_are_apart_where_they_can_be() {
        let two = Cpus::among(vec![0, 1], 1);
        assert_eq!(two, Cpus { server: vec![0], load: 1 });
        assert!(two.are_apart());
        assert!(!Cpus::among(vec![0, 1], 2).are_apart());
        assert!(!Cpus::among(vec![3], 1).are_apart());
        assert_eq!(Cpus::among(vec![2, 3, 5, 7], 2), Cpus { server: vec![2, 3], load: 7 });
    }
}
