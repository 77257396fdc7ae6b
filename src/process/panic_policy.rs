//! What a panic takes with it: the process, unless whoever runs the code has said before that it costs less.
//!
//! A panic leaves a state that nobody can vouch for, whichever thread it strikes: core, store, passwords, admin, log. A
//! server that goes on without one of them looks healthy and is not. So the hook says what happened and ends the process,
//! and what was acknowledged is in the store. [`contain`] is for code whose panic costs one thing only: a connection.
//!
//! The hook is the one place that sees every thread, those of libraries and every task in them too.

use crate::log;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::fmt::Display;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::Duration;
use tracing::{error, warn};

/// The module whose lines are all written, however many.
pub const MODULE: &str = module_path!();
/// How long the last lines of a process may take to be written.
pub const LAST_LINES: Duration = Duration::from_secs(1);

/// Tells what happened before a panic.
type Account = Box<dyn Fn() + Send + Sync>;

static ACCOUNT: OnceLock<Account> = OnceLock::new();

thread_local! {
    static COSTS: Cell<Costs> = const { Cell::new(Costs::Everything) };
}

/// What a panic of this thread costs just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Costs {
    /// The process.
    Everything,
    /// One thing, by a bug of this program.
    OneThing,
    /// One thing, over what somebody else said.
    WhatWasSaid,
}

/// What was contained has panicked; the log has said so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Panicked;

/// Makes this the policy of the process.
pub fn install() {
    std::panic::set_hook(Box::new(on_panic));
}

/// Has `account` tell in the log what happened before a panic that ends the process, on the thread that panics. Whoever
/// comes second is not heard.
pub fn keep_account(account: impl Fn() + Send + Sync + 'static) {
    let _ = ACCOUNT.set(Box::new(account));
}

/// Runs what may panic without ending the process.
///
/// # Errors
/// If it panicked. Whatever it was changing is lost with it.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    costing(Costs::OneThing, work)
}

fn costing<T>(costs: Costs, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let around = COSTS.replace(costs);
    let result = catch_unwind(AssertUnwindSafe(work));
    COSTS.set(around);
    result.map_err(|_| Panicked)
}

/// Waits for a library that takes a peer at its word, and may panic over what the peer says.
///
/// # Errors
/// If it panicked.
pub async fn contain_library<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|cx| match costing(Costs::WhatWasSaid, || work.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Ends the process with a failure, because `what` has failed. What was said before is written if that is possible soon.
pub fn die(what: impl Display) -> ! {
    let sentence = format!("{what} has failed, and this server cannot go on without it; stopping at once");
    error!("{sentence}");
    if !log::flush(LAST_LINES) {
        log::last_words(&sentence);
    }
    std::process::abort();
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
    let place = panic.location().map_or_else(|| "somewhere".to_owned(), ToString::to_string);
    if COSTS.get() == Costs::WhatWasSaid {
        return warn!("{place} does not understand what it was told: {text}");
    }
    error!("thread {name} panicked at {place}: {text}");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        backtrace.to_string().lines().for_each(|line| error!("{line}"));
    }
    if COSTS.get() == Costs::Everything {
        if let Some(account) = ACCOUNT.get() {
            account();
        }
        die(format_args!("the thread {name}"));
    }
}

#[cfg(any(test, feature = "subprocess"))]
#[doc(hidden)]
pub mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output, Stdio};

    const INSIDE: &str = "CHATD_TEST_PANIC";

    /// Runs the test of this name again in a process of its own, where `child` panics under the policy.
    pub fn run(name: &str, child: impl FnOnce()) -> Option<Output> {
        if std::env::var_os(INSIDE).is_some() {
            log::start(1_024).unwrap();
            install();
            child();
            log::flush(Duration::from_secs(30));
            return None;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", "--test-threads=1", name]);
        command.env(INSIDE, "1").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
        Some(command.output().unwrap())
    }

    /// It ended with a failure and said why.
    pub fn died(output: &Output, thread: &str) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
        assert!(said.contains(&format!("chatd: thread {thread} panicked at src/")), "{said}");
        assert!(said.contains(": provoked\n"), "{said}");
        let end = format!("chatd: the thread {thread} has failed, and this server cannot go on without it");
        assert!(said.contains(&end), "{said}");
    }

    /// Waits for ever, which the panic elsewhere ends.
    pub fn wait() -> ! {
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn a_panic_of_any_thread_ends_the_process() {
        let output = run("panic_policy::tests::a_panic_of_any_thread_ends_the_process", || {
            let thread = std::thread::Builder::new().name("store".to_owned());
            // Nobody joins it, and it has caught what a library may catch.
            thread.spawn(|| drop(catch_unwind(|| panic!("provoked")))).unwrap();
            wait();
        });
        output.inspect(|output| died(output, "store"));
    }

    #[test]
    fn a_panic_of_a_task_in_a_runtime_ends_the_process() {
        let output = run("panic_policy::tests::a_panic_of_a_task_in_a_runtime_ends_the_process", || {
            let task = || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let task = runtime.spawn(async { panic!("provoked") });
                drop(runtime.block_on(task));
                wait();
            };
            std::thread::Builder::new().name("mysql".to_owned()).spawn(task).unwrap();
            wait();
        });
        output.inspect(|output| died(output, "mysql"));
    }

    #[test]
    fn what_is_contained_costs_itself_only() {
        let output = run("panic_policy::tests::what_is_contained_costs_itself_only", || {
            assert_eq!(contain(|| panic!("provoked")), Err::<(), _>(Panicked));
            assert_eq!(contain(|| contain(|| 7)), Ok(Ok(7)));
            tracing::info!("and it goes on");
        });
        output.inspect(|output| {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{output:?}");
            assert!(said.contains("panicked at") && said.contains("chatd: and it goes on\n"), "{said}");
        });
    }

    #[test]
    fn it_is_contained_no_longer_than_it_was_said() {
        let output = run("panic_policy::tests::it_is_contained_no_longer_than_it_was_said", || {
            assert_eq!(contain(|| panic!("contained")), Err::<(), _>(Panicked));
            std::thread::Builder::new().name("later".to_owned()).spawn(|| panic!("provoked")).unwrap();
            wait();
        });
        output.inspect(|output| died(output, "later"));
    }
}
