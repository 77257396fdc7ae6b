//! Servers that a cluster needs, each a private process of whoever starts it: Redis, MariaDB, nginx. And a proxy, to be put
//! before one of them.
//!
//! They listen on free ports of this machine, keep what they have in temporary directories, and are
//! gone when whoever started them is. A Redis or MariaDB that runs already is never touched. Used by
//! the tests, by `examples/cluster`, and by `chat-perf` for `run --cluster` and `store`.

// Each of them uses a part of it.
#![allow(dead_code)]

pub mod certificates;
pub mod install;
pub mod mariadb;
pub mod nginx;
pub mod proxy;
pub mod redis;
pub mod scratch;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// A port that nobody listens on now: not one of those that the kernel gives to connections that go out, since such a
/// connection might have it when a server wants to listen.
pub fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    loop {
        // Other processes of tests look for one at the same time.
        let asked = ASKED.fetch_add(1, Ordering::Relaxed).wrapping_mul(40_503);
        let spread = std::process::id().wrapping_mul(2_654_435_761).wrapping_add(asked);
        let port = 10_000 + (spread >> 8) as u16 % 22_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Tries something until it works, but not for ever.
fn again_and_again(mut attempt: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let mut last = attempt();
    for _ in 0..4 {
        if last.is_ok() {
            break;
        }
        last = attempt();
    }
    last
}

/// Starts a program that does not outlive the thread that started it, however that ends. Ctrl-C is
/// for who started it, not for the program.
pub fn spawn(command: &mut Command) -> Result<Child, String> {
    let prepare = || {
        // SAFETY: a system call on numbers.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        Ok(())
    };
    // SAFETY: what is called between fork and exec allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
    command.process_group(0);
    let program = command.get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|error| format!("{program} cannot be started: {error}"))
}

/// Sends a signal to a child that was not waited for.
fn signal(child: &Child, number: i32) {
    // SAFETY: a system call on numbers; the child is not waited for yet, so the id is its own.
    unsafe { libc::kill(child.id() as libc::pid_t, number) };
}

/// Asks a program to end, and waits until it has.
pub fn terminate(child: &mut Child) {
    if child.try_wait().is_ok_and(|status| status.is_none()) {
        signal(child, libc::SIGTERM);
        let _ = child.wait();
    }
}

/// Waits until it listens there.
fn await_listener(child: &mut Child, name: &str, address: SocketAddr) -> Result<(), String> {
    let deadline = Instant::now() + START;
    loop {
        let listens = TcpStream::connect(address).is_ok();
        // If it is somebody else who listens, this one ends soon.
        std::thread::sleep(LOOK);
        if child.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
            return Err(format!("{name} does not start"));
        }
        if listens {
            return Ok(());
        }
    }
}
