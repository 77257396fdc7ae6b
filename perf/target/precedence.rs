//! Servers and load go before everything else that wants their CPUs, where this user may ask for that: what other
//! programs do is not what is measured.
//!
//! Two numbers decide. Niceness counts within a session only, on kernels that group processes by session (autogroup),
//! as most do; so a server gets a session of its own, and the niceness of the session is set too.

use std::fs;
use std::process::Command;

use rustix::process::{getpriority_process, setpriority_process};

/// The highest precedence short of real time.
const NICENESS: i32 = -20;
const SESSION: &str = "/proc/self/autogroup";

/// Puts this thread, and what it starts, before others. Without the privilege nothing changes; `niceness_words`
/// says in the report what came of it.
pub fn go_first() {
    let _ = setpriority_process(None, NICENESS);
}

/// Takes that back for this thread: it works beside the one that is measured.
pub fn step_back() {
    let _ = setpriority_process(None, 0);
}

/// Puts this process's session before others; gives what it was.
pub fn session_goes_first() -> Option<i32> {
    let before = session_niceness()?;
    fs::write(SESSION, NICENESS.to_string()).ok().map(|()| before)
}

/// How servers and load stand to everything else on the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Precedence {
    /// As everybody.
    None,
    /// Nice -20, in a session that is nice -20.
    Nice,
    /// SCHED_FIFO, by the program chrt: for machines on which others work. The kernel takes it away for 50 ms of every
    /// second that a CPU is busy throughout.
    Realtime,
}

/// Whoever holds this goes first; when it is dropped, the session is as it was.
pub struct Held {
    before: Option<i32>,
}

impl Precedence {
    /// For this process and whatever it starts from now on.
    pub fn take(self) -> Result<Held, String> {
        let before = if self == Precedence::None { None } else { session_goes_first() };
        let held = Held { before };
        if self == Precedence::Realtime {
            let own = std::process::id().to_string();
            let chrt = Command::new("chrt").args(["--fifo", "--pid", "1", &own]).status();
            if !chrt.is_ok_and(|status| status.success()) {
                return Err("--precedence realtime needs the program chrt and the privilege to use it".into());
            }
        }
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            let _ = fs::write(SESSION, before.to_string());
        }
    }
}

fn session_niceness() -> Option<i32> {
    // "/autogroup-123 nice 0"
    fs::read_to_string(SESSION).ok()?.trim().rsplit(' ').next()?.parse().ok()
}

/// What precedence comes to here. Asked of a thread that ends at once, since there is no way back.
pub fn niceness_words() -> String {
    let asked = std::thread::spawn(|| {
        go_first();
        getpriority_process(None).unwrap_or(0)
    });
    let own = asked.join().expect("the thread does not panic");
    // Field 41 of stat, counted behind the bracketed name: the policy, 1 being SCHED_FIFO.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(38)) == Some("1") {
        return "both real time (SCHED_FIFO)".into();
    }
    match session_niceness() {
        Some(session) => format!("both at nice {own}, their sessions at nice {session}"),
        None => format!("both at nice {own}"),
    }
}
