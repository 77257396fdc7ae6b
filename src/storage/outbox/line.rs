//! The line on which whoever posts asks the storage thread.

use super::{Page, Step};
use crate::StoreError;
use flume::{Receiver, Sender};
use std::time::Duration;

/// What is asked for, and where the answer goes.
pub(crate) struct OutboxCall {
    pub(crate) step: Step,
    pub(crate) tell: Sender<Result<Page, StoreError>>,
}

/// Asks the storage thread.
pub(crate) struct OutboxLine(Sender<OutboxCall>);

/// The two ends of one.
pub(crate) fn line() -> (OutboxLine, Receiver<OutboxCall>) {
    let (calls, called) = flume::bounded(1);
    (OutboxLine(calls), called)
}

/// Why there is no answer.
pub(crate) enum Silence {
    /// The store does not work, or takes too long.
    Now(String),
    /// The storage thread has ended.
    Ended,
}

impl OutboxLine {
    /// Has a step done. Without an answer it may have been done or not.
    ///
    /// # Errors
    /// If the store does not work, does not answer in time, or has ended.
    pub(crate) fn ask(&self, step: Step, patience: Duration) -> Result<Page, Silence> {
        let (tell, told) = flume::bounded(1);
        let late = || Silence::Now("the store takes long".to_owned());
        match self.0.send_timeout(OutboxCall { step, tell }, patience) {
            Ok(()) => {}
            Err(flume::SendTimeoutError::Timeout(_)) => return Err(late()),
            Err(flume::SendTimeoutError::Disconnected(_)) => return Err(Silence::Ended),
        }
        match told.recv_timeout(patience) {
            Ok(answer) => answer.map_err(|error| Silence::Now(error.to_string())),
            Err(flume::RecvTimeoutError::Timeout) => Err(late()),
            Err(flume::RecvTimeoutError::Disconnected) => Err(Silence::Ended),
        }
    }
}
