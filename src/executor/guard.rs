//! What a panic on a core may take with it.
//!
//! A panic over one connection's bytes costs that connection. A panic inside the hub, or in anything that the core
//! cannot do without, ends the process at once, and what was acknowledged is in the store. The
//! [`panic_policy`](chatd_process::panic_policy) of the process sees to that by itself; the guards here hold where it is not
//! installed, and say what has failed.

use crate::event_loop;
use chatd_process::panic_policy::die;
use futures_lite::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;

/// Runs a task that its core cannot do without.
pub(super) fn spawn_service(name: &'static str, task: impl Future<Output = ()> + 'static) {
    spawn(name, task).detach();
}

/// The same, for a task that is cancelled at the end.
pub(super) fn spawn(name: &'static str, task: impl Future<Output = ()> + 'static) -> glommio::Task<()> {
    event_loop::spawn(vital(name, task))
}

/// Waits for something that the core cannot do without.
pub(super) async fn vital(name: &'static str, task: impl Future<Output = ()>) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        die(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_process::panic_policy::tests::{died, run, wait};
    use glommio::{LocalExecutorBuilder, Placement};

    /// Runs `task` on a core, as [`boot`](crate::boot) does.
    fn on_a_core<F: Future<Output = ()> + 'static>(task: impl FnOnce() -> F + Send + 'static) {
        let core = LocalExecutorBuilder::new(Placement::Unbound).name("chatd-core-7").io_memory(0);
        let _core = core.spawn(move || vital("a core", task())).expect("a core can be had");
        wait();
    }

    #[test]
    fn a_panic_on_a_core_ends_the_process() {
        let output = run("guard::tests::a_panic_on_a_core_ends_the_process", || {
            on_a_core(|| async { panic!("provoked") });
        });
        output.inspect(|output| died(output, "chatd-core-7-1"));
    }

    /// As connections are taken in: nobody waits for the task until the core stops.
    #[test]
    fn a_panic_of_a_task_that_nobody_waits_for_ends_the_process() {
        let name = "guard::tests::a_panic_of_a_task_that_nobody_waits_for_ends_the_process";
        let output = run(name, || {
            on_a_core(|| async {
                let _accepting = spawn("accepting", async { panic!("provoked") });
                std::future::pending().await
            });
        });
        output.inspect(|output| died(output, "chatd-core-7-1"));
    }
}
