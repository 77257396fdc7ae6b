//! The hidden `launch` command: becomes a server, confined to its CPUs and bound to die with the harness.
//!
//! A process of its own does this to itself and then executes the server, which needs no unsafe code and leaves
//! no server behind even if the harness is killed.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal, setsid};

use super::{cpus, precedence};

/// Returns only if it fails.
pub fn launch(parent_pid: u32, cpu_list: &[usize], command: &[OsString]) -> String {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return format!("cannot bind the server to this harness: {error}");
    }
    // If the harness died before the line above, nobody would tell.
    if getppid().map(Pid::as_raw_nonzero).is_none_or(|pid| pid.get() as u32 != parent_pid) {
        return "the harness is gone".into();
    }
    if let Err(reason) = cpus::confine(cpu_list) {
        return reason;
    }
    // A session of its own: Ctrl-C is for the harness, which then stops its servers in order.
    if let Err(error) = setsid() {
        return format!("cannot give the server a session of its own: {error}");
    }
    precedence::session_goes_first();
    precedence::go_first();
    let [program, arguments @ ..] = command else { return "nothing to launch".into() };
    let error = Command::new(program).args(arguments).exec();
    format!("cannot execute {}: {error}", program.display())
}
