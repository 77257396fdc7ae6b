//! How others get to see what the cores measure: by asking them. Nobody takes a lock, and a core
//! copies one histogram at a time, so that clients wait for microseconds.

use super::bus::{BusState, Heard, Unity};
use super::flight_recorder::Recordings;
use super::flight_recorder::choice::Choice;
use super::metrics::{Path, Snapshot, Stage};
use super::shard::SharedShard;
use flume::{Receiver, Sender};
use futures_lite::future::yield_now;
use std::time::{Duration, Instant};

/// Questions that wait at a core; more than that are refused.
const QUESTIONS: usize = 4;

/// What a core is asked by those who watch it.
pub(super) enum Question {
    /// Everything it has measured.
    Snapshot(Sender<Snapshot>),
    /// Whether it turns.
    Pulse(Sender<Pulse>),
    /// It is told whether the buses of all servers are one, and says whom it hears on its own.
    SetUnity(Unity, Sender<Heard>),
}

/// A core turns; that is all it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pulse {
    /// Which core.
    pub core: usize,
    /// Whether it can hear of the others.
    pub bus: BusState,
}

/// The two ends of one core's line.
pub(super) fn line() -> (Sender<Question>, Receiver<Question>) {
    flume::bounded(QUESTIONS)
}

/// Asks the cores what they have measured. From any thread.
#[derive(Clone)]
pub struct Observer {
    lines: Vec<Sender<Question>>,
    recordings: Recordings,
}

impl Observer {
    pub(super) fn new(lines: Vec<Sender<Question>>, recordings: Recordings) -> Self {
        Self { lines, recordings }
    }

    /// The last events and effects that were chosen, a line each. The cores are not asked: one that hangs is seen, too.
    pub(super) fn events(&self, choice: &Choice) -> Vec<String> {
        self.recordings.lines(choice)
    }

    /// How many cores there are.
    pub fn cores(&self) -> usize {
        self.lines.len()
    }

    /// A snapshot of each core that answers in time, sorted by core.
    pub fn snapshots(&self, patience: Duration) -> Vec<Snapshot> {
        let mut snapshots = self.ask(Question::Snapshot, patience);
        snapshots.sort_by_key(|snapshot| snapshot.core);
        snapshots
    }

    /// The pulse of each core that answers in time.
    pub fn pulses(&self, patience: Duration) -> Vec<Pulse> {
        self.ask(Question::Pulse, patience)
    }

    /// Tells all cores whether the buses of all servers are one, and asks who is heard on theirs: of
    /// each that answers in time.
    pub fn set_unity(&self, unity: Unity, patience: Duration) -> Vec<Heard> {
        self.ask(|asker| Question::SetUnity(unity, asker), patience)
    }

    fn ask<T>(&self, question: impl Fn(Sender<T>) -> Question, patience: Duration) -> Vec<T> {
        let (sender, receiver) = flume::bounded(self.lines.len());
        for line in &self.lines {
            // A core that is gone or overwhelmed does not answer, which says enough.
            let _ = line.try_send(question(sender.clone()));
        }
        drop(sender);
        let deadline = Instant::now() + patience;
        std::iter::from_fn(|| receiver.recv_deadline(deadline).ok()).collect()
    }
}

/// Answers whoever asks this core.
pub(super) async fn answer(shard: SharedShard, core: usize, questions: Receiver<Question>) {
    while let Ok(question) = questions.recv_async().await {
        // Who has lost patience meanwhile does not hear it.
        match question {
            Question::Pulse(asker) => drop(asker.try_send(shard.borrow().pulse(core))),
            Question::SetUnity(unity, asker) => {
                let heard = shard.borrow_mut().set_unity(unity);
                drop(heard.map(|heard| asker.try_send(heard)));
            }
            Question::Snapshot(asker) => drop(asker.try_send(copy(&shard, core).await)),
        }
    }
}

async fn copy(shard: &SharedShard, core: usize) -> Snapshot {
    let mut snapshot = shard.borrow().snapshot(core);
    for stage in Stage::ALL {
        snapshot.stages.push(shard.borrow().metrics.stage(stage));
        yield_now().await;
    }
    for path in Path::ALL {
        snapshot.paths.push(shard.borrow().metrics.path(path));
        yield_now().await;
    }
    snapshot
}
