//! The exit statuses: what a program that runs this one can tell apart.

use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// All was done.
    Done = 0,
    /// Something of this machine failed: the terminal, the input.
    Broken = 1,
    // 2 is the command line's: clap exits with it.
    /// The server refused the login or the registration.
    LoginRefused = 3,
    /// There was no connection, or no answer, for as long as --timeout says.
    NoConnection = 4,
    /// A line is no command.
    BadCommand = 5,
    /// The server refused something else.
    Refused = 6,
}

/// For --help; docs/client.md has the same table.
pub const TABLE: &str = "\
Exit status:
  0  all was done
  1  the terminal or the input failed
  2  the command line makes no sense
  3  the login or the registration was refused
  4  no connection, or no answer, within --timeout
  5  a line of the script is no command
  6  the server refused something else";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
