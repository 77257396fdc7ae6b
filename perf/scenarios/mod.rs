//! What can be run. A scenario composes target, load, measure and report; it owns no socket and no number.

pub mod direct;
pub mod idle;
pub mod progress;
pub mod settings;
mod side;
pub mod versus;

use std::process::ExitCode;

/// How a run ended, as its exit code tells scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Measured, and believable.
    Fine,
    /// Measured, but the generator's own lag could explain the figures.
    Invalid,
    /// Measured, but messages were lost, repeated or reordered, or errors came.
    Faulty,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        match ending {
            Ending::Fine => ExitCode::SUCCESS,
            Ending::Invalid => ExitCode::from(3),
            Ending::Faulty => ExitCode::from(4),
        }
    }
}
