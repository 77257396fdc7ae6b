//! The line to whoever searches: a thread of its own, beside that of the store.
//!
//! Owns the thread, and what waits for it: no more than the cores look up at one time. Answers questions in turn, and in
//! between has the index filled where the store does not do that itself. Knows no SQL.

use super::{Indexed, Question, Searcher};
use crate::replies::{Replies, Requester};
use crate::{OpenError, StoreError};
use chatd_chat::wire::code::Code;
use chatd_process::precedence::Beside;
use flume::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::warn;

/// How long the store waits for more to be indexed together.
const WAKE_AFTER: Duration = Duration::from_millis(200);
/// How long the index waits once it could not be filled.
const BROKEN: Duration = Duration::from_secs(5);

/// What the line is told.
enum Call {
    /// A question on its way.
    Question(Requester, Box<Question>),
    /// The store is to be woken in a while.
    Wake,
    /// What was indexed is to be settled, and the store woken then.
    Settle,
}

/// See above.
pub struct Line {
    calls: flume::Sender<Call>,
    thread: JoinHandle<()>,
}

impl Line {
    /// Starts the thread. `most` questions may wait. What comes out of the other end wakes the store.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        searcher: Box<dyn Searcher>,
        replies: Replies,
        most: usize,
    ) -> Result<(Self, flume::Receiver<()>), OpenError> {
        let (calls, waiting) = flume::bounded(most);
        let (wake, woken) = flume::bounded(1);
        let at_work = AtWork { searcher, replies, wake, told: false };
        let thread = std::thread::Builder::new()
            .name("search".to_owned())
            .spawn(move || at_work.run(&waiting))
            .map_err(OpenError::NoThread)?;
        Ok((Self { calls, thread }, woken))
    }

    /// Has a question answered; whether it can wait for that.
    pub fn ask(&self, requester: Requester, question: Question) -> bool {
        self.calls.try_send(Call::Question(requester, Box::new(question))).is_ok()
    }

    /// Has the store woken in a while; whether that was heard.
    pub fn wake_later(&self) -> bool {
        self.calls.try_send(Call::Wake).is_ok()
    }

    /// Has settled what was indexed, and the store woken then; whether that was heard.
    pub fn settle(&self) -> bool {
        self.calls.try_send(Call::Settle).is_ok()
    }

    /// Ends once what waits is answered. The thread is to be joined.
    pub fn stop(self) -> JoinHandle<()> {
        self.thread
    }
}

struct AtWork {
    searcher: Box<dyn Searcher>,
    replies: Replies,
    wake: flume::Sender<()>,
    /// Whether it was said that this does not work.
    told: bool,
}

impl AtWork {
    fn run(mut self, calls: &flume::Receiver<Call>) {
        Beside::Search.stand_back();
        let mut index_at = self.searcher.index_after().map(|_| Instant::now());
        let mut wake_at: Option<Instant> = None;
        loop {
            let next = match [index_at, wake_at].into_iter().flatten().min() {
                None => calls.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => calls.recv_deadline(due),
            };
            match next {
                Ok(Call::Question(requester, question)) => {
                    let answer = self.searcher.search(&question);
                    self.tell_once("searching does not work", answer.as_ref().err());
                    self.replies.send(requester, answer.unwrap_or(Err(Code::Busy)));
                }
                Ok(Call::Wake) => wake_at = wake_at.or_else(|| Some(Instant::now() + WAKE_AFTER)),
                Ok(Call::Settle) => {
                    let settled = self.searcher.settle();
                    self.tell_once("what was indexed stays in the log", settled.as_ref().err());
                    // One that is under way is as good.
                    let _ = self.wake.try_send(());
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if wake_at.take_if(|at| *at <= Instant::now()).is_some() {
                // One that is under way is as good.
                let _ = self.wake.try_send(());
            }
            if index_at.is_some_and(|at| at <= Instant::now()) && calls.is_empty() {
                index_at = Some(Instant::now() + self.index());
            }
        }
    }

    /// Does a little for the index. Returns how long it can wait then.
    fn index(&mut self) -> Duration {
        let done = self.searcher.index();
        self.tell_once("searching does not work", done.as_ref().err());
        match done {
            Ok(Indexed::Partly) => Duration::ZERO,
            Ok(Indexed::All) => self.searcher.index_after().unwrap_or(BROKEN),
            Err(_) => BROKEN,
        }
    }

    /// Says what does not work, once until something works again.
    fn tell_once(&mut self, what: &str, error: Option<&StoreError>) {
        if let Some(error) = error.filter(|_| !self.told) {
            warn!("{what}: {error}");
        }
        self.told = error.is_some();
    }
}
