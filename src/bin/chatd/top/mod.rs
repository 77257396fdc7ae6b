//! `chatd top`: what a running chatd does, read from its admin address.
//!
//! - [`look`] asks the server, and reads what it says.
//! - [`figures`] is the difference between two looks.
//! - [`table`] writes figures down as lines, [`screen`] shows them live, until [`keys`] say that somebody has seen enough.

mod figures;
mod keys;
mod look;
mod screen;
mod table;

use crate::options::Top;
use figures::Figures;
use look::Look;
use std::error::Error;
use std::io::{ErrorKind, IsTerminal, Write, stdout};

/// Lines for a reader that is not a terminal.
const PLAIN: table::Size = table::Size { columns: 200, rows: usize::MAX };

/// Shows it, until somebody has seen enough.
///
/// # Errors
/// If there is no server, or no terminal to show it on.
pub fn run(wanted: Top) -> Result<(), Box<dyn Error>> {
    if wanted.once {
        let before = Look::at(wanted.admin)?;
        std::thread::sleep(wanted.interval);
        let figures = Figures::between(&before, &Look::at(wanted.admin)?);
        return match table::lines(&figures, PLAIN).iter().try_for_each(|line| writeln!(stdout(), "{line}")) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        };
    }
    if !stdout().is_terminal() {
        return Err("top needs a terminal; --once prints one table".into());
    }
    screen::run(wanted)
}
