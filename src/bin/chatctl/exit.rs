//! The exit statuses: what a program that runs this one can tell apart.

use std::process::ExitCode;

/// How a run ended that did not do what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// The server refused it: its errno and sentence are said. A backup is damaged, or was not made.
    Refused = 1,
    /// The command line makes no sense; clap exits with it too.
    Usage = 2,
    /// There is no server, it did not answer in time, or it did not take the token. It may have been done all the same: say it
    /// again with the same --cid.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
