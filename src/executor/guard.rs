//! What a panic may take with it.
//!
//! A panic in a session's task costs that session. A panic inside the hub, or in a task that the
//! whole core needs, leaves a state that nobody can vouch for: the process ends at once, and what
//! was acknowledged is in the store.

use futures_lite::FutureExt;
use std::future::Future;
use std::io::{self, Write};
use std::panic::AssertUnwindSafe;

/// Runs a task that its core cannot do without.
pub(super) fn spawn_service(name: &'static str, task: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            die(name);
        }
    })
    .detach();
}

/// Ends the process: `what` has panicked, and the message of the panic was printed.
pub(super) fn die(what: &str) -> ! {
    // Whether anybody reads that does not matter any more.
    let _ = writeln!(
        io::stderr(),
        "chatd: {what} has failed, and this core cannot go on without it; stopping at once"
    );
    std::process::abort();
}
