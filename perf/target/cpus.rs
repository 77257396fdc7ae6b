//! Which CPUs the server gets and which one the load thread gets.
//!
//! Kept apart wherever there are enough; where there are not, the report says so.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::precedence;

/// The placement of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cpus {
    pub server: Vec<usize>,
    /// One for each load thread; several may share one.
    pub load: Vec<usize>,
}

/// More load threads than this only disturb each other, unless they are asked for.
const LOAD_THREADS_MAX: usize = 4;

impl Cpus {
    /// The first `server_cores` CPUs that this process may use for the server, the others for the load: the last one
    /// where none are left. `load_threads`: as many as there are CPUs left, up to four, if not said.
    pub fn place(server_cores: usize, load_threads: Option<u32>) -> Result<Cpus, String> {
        let allowed =
            sched_getaffinity(None).map_err(|error| format!("cannot read the CPU affinity: {error}"))?;
        Ok(Cpus::among(
            (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect(),
            server_cores,
            load_threads,
        ))
    }

    fn among(allowed: Vec<usize>, server_cores: usize, load_threads: Option<u32>) -> Cpus {
        let last = *allowed.last().expect("a running process may use at least one CPU");
        let server: Vec<usize> = allowed.iter().copied().take(server_cores.max(1)).collect();
        let mut free: Vec<usize> = allowed.into_iter().filter(|cpu| !server.contains(cpu)).rev().collect();
        if free.is_empty() {
            free.push(last);
        }
        let threads = load_threads.map_or(free.len().min(LOAD_THREADS_MAX), |threads| threads as usize);
        let load = (0..threads.max(1)).map(|thread| free[thread % free.len()]).collect();
        Cpus { server, load }
    }

    pub fn are_apart(&self) -> bool {
        !self.load.iter().any(|cpu| self.server.contains(cpu))
    }
}

/// Pins the calling thread. A refusal (a container's rules, say) only costs steadiness, so it is not fatal.
pub fn pin_this_thread(cpu: usize) {
    if !core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        eprintln!("chat-perf: could not pin the load thread to CPU {cpu}; figures will be noisier");
    }
    precedence::go_first();
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
        let two = Cpus::among(vec![0, 1], 1, None);
        assert_eq!(two, Cpus { server: vec![0], load: vec![1] });
        assert!(two.are_apart());
        assert!(!Cpus::among(vec![0, 1], 2, None).are_apart());
        assert!(!Cpus::among(vec![3], 1, None).are_apart());
        assert_eq!(Cpus::among(vec![2, 3, 5, 7], 2, None), Cpus { server: vec![2, 3], load: vec![7, 5] });
        assert_eq!(Cpus::among((0..16).collect(), 2, None).load, [15, 14, 13, 12]);
        assert_eq!(Cpus::among(vec![0, 1], 1, Some(3)).load, [1, 1, 1]);
    }
}
