//! What was seen at one moment: the cores' snapshots and the server around them.

use super::Outbox;
use super::process::Process;
use crate::metrics::Snapshot;
use hdrhistogram::Histogram;
use std::time::{Duration, SystemTime};

/// Everything that a page is made of.
#[derive(Debug)]
pub(super) struct View {
    pub(super) version: &'static str,
    /// When the admin thread was started, which is when the server was.
    pub(super) started: SystemTime,
    /// How long ago that is.
    pub(super) uptime: Duration,
    /// How many cores there are, whether they answer or not.
    pub(super) cores: usize,
    /// Of the cores that answered, sorted by core.
    pub(super) snapshots: Vec<Snapshot>,
    /// All histograms with kind and name, over all cores.
    pub(super) merged: Vec<Named>,
    pub(super) store_up: bool,
    pub(super) store_queue: usize,
    pub(super) passwords: usize,
    pub(super) store_unexpected: u64,
    pub(super) webhook: Outbox,
    pub(super) draining: bool,
    pub(super) ready: bool,
    pub(super) process: Process,
    /// Seconds until the certificate expires, where there is one.
    pub(super) certificate_expires_in: Option<i64>,
    /// Lines of the log that were lost.
    pub(super) log_lines_lost: u64,
}

/// A histogram with its kind, `stage` or `path`, and its name.
pub(super) type Named = (&'static str, &'static str, Histogram<u64>);

/// Whose histograms are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whose {
    /// Those of all cores added up.
    All,
    /// One core's.
    Core(usize),
}

impl View {
    /// The histograms of one or all; `None` for a core that did not answer.
    pub(super) fn histograms(
        &self,
        whose: Whose,
    ) -> Option<Vec<(&'static str, &'static str, &Histogram<u64>)>> {
        match whose {
            Whose::All => Some(self.merged.iter().map(|(kind, name, h)| (*kind, *name, h)).collect()),
            Whose::Core(core) => {
                let snapshot = self.snapshots.iter().find(|snapshot| snapshot.core == core)?;
                Some(snapshot.histograms().collect())
            }
        }
    }

    /// All cores together, and then every core that answered.
    pub(super) fn everybody(&self) -> Vec<Whose> {
        let cores = self.snapshots.iter().map(|snapshot| Whose::Core(snapshot.core));
        std::iter::once(Whose::All).chain(cores).collect()
    }
}
