//! Which thread goes first where several share a CPU: a core before all others of the process, and before strangers.
//!
//! A machine may have no more CPUs than chatd has cores. Then the thread that stores, those that hash passwords and the API
//! run between the turns of a core, and a message that comes is not to wait until one of them has had its time.

use std::mem::size_of;

/// How long a core wants to run at a time, in nanoseconds: the least that Linux grants. The shorter that is, the sooner a
/// thread runs that is woken (EEVDF, Linux 6.12; before it, it counts for nothing). It takes no CPU from others: what
/// a thread gets of it is for niceness to say.
const SLICE_NS: u64 = 100_000;

/// What a thread of the process does beside the cores, which are as nice as the process was started: mostly 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beside {
    /// Stores.
    Store,
    /// Does what an application asks for over the API.
    Api,
    /// Searches, and fills the index.
    Search,
    /// Writes the log, which is not to be woken in the middle of what it is told of.
    Log,
    /// Hashes passwords: at 10 it gets about a tenth of a CPU that a core keeps busy, and all of one that is idle.
    Passwords,
}

impl Beside {
    /// How nice it is: 0 is everybody's, 19 the most patient.
    fn niceness(self) -> i32 {
        match self {
            Self::Store | Self::Api => 5,
            Self::Search | Self::Log => 8,
            Self::Passwords => 10,
        }
    }

    /// Has the calling thread stand back behind the cores. Where that is forbidden it does not: all works, only less smoothly.
    pub fn stand_back(self) {
        // On Linux these are of the calling thread. Root may lower its niceness, and would go before its siblings with that.
        if rustix::process::getpriority_process(None).is_ok_and(|own| own < self.niceness()) {
            let _ = rustix::process::setpriority_process(None, self.niceness());
        }
    }
}

/// Has the calling thread run as soon as it is woken, where it may. Whoever has given the process another policy than the
/// usual one (`chrt`) knows better, and is left alone.
pub fn run_when_woken() {
    let Some(mut own) = Attributes::of_this_thread() else { return };
    if own.policy == libc::SCHED_OTHER as u32 {
        own.runtime = SLICE_NS;
        own.set();
    }
}

/// `struct sched_attr` of Linux, in its first version: what it says beside niceness is the slice.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

impl Attributes {
    const SIZE: u32 = size_of::<Self>() as u32;

    fn of_this_thread() -> Option<Self> {
        let mut found = Self::default();
        // SAFETY: the kernel writes at most as many bytes as it is told, which is what there is.
        let done = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut found, Self::SIZE, 0) };
        (done == 0).then_some(found)
    }

    fn set(mut self) {
        self.size = Self::SIZE;
        // SAFETY: the kernel reads as many bytes as `size` says, which is what there is. It may refuse.
        let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const self, 0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_thread_stands_back_and_its_siblings_do_not() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let of_others = |beside: Beside| {
            thread::spawn(move || {
                beside.stand_back();
                nice()
            })
            .join()
            .unwrap()
        };
        assert_eq!(of_others(Beside::Store), before.max(5));
        assert_eq!(of_others(Beside::Passwords), before.max(10));
        assert_eq!(nice(), before);
    }

    #[test]
    fn a_thread_of_a_process_that_stands_back_itself_does_not_go_before_its_siblings() {
        thread::spawn(|| {
            rustix::process::setpriority_process(None, 15).unwrap();
            for beside in [Beside::Store, Beside::Passwords] {
                beside.stand_back();
                assert_eq!(rustix::process::getpriority_process(None).unwrap(), 15, "{beside:?}");
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn whoever_runs_when_woken_is_as_nice_as_before_and_has_the_shortest_slice_that_there_is() {
        thread::spawn(|| {
            let before = Attributes::of_this_thread().expect("Linux says it");
            run_when_woken();
            let after = Attributes::of_this_thread().unwrap();
            // A Linux that knows of slices tells them.
            let slice = if before.runtime > 0 { SLICE_NS } else { 0 };
            assert_eq!(after, Attributes { runtime: slice, ..before });
        })
        .join()
        .unwrap();
    }
}
