//! Watches from outside that every core turns, and wakes one that does not.
//!
//! A core's clock ticks all the time. One whose clock stands still has no CPU, is in trouble, or sleeps although it could
//! run: on a busy machine glommio has been seen to do that for seconds, until something from another thread happened to
//! that core. So something happens. A plain thread, never a core; it decides nothing else.

use super::observer::Question;
use flume::{RecvTimeoutError, Sender};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the clocks are looked at: several ticks.
const LOOK: Duration = Duration::from_millis(100);

/// The clock of one core, as others see it.
#[derive(Debug, Default)]
pub(super) struct Beat {
    ticks: AtomicU64,
    roused: AtomicU64,
}

impl Beat {
    /// The core's clock has ticked.
    pub(super) fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the core was woken from outside.
    pub(super) fn roused(&self) -> u64 {
        self.roused.load(Ordering::Relaxed)
    }
}

/// What was seen of a clock at the last look.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    ticks: u64,
    stood: bool,
}

impl Seen {
    /// Whether the clock stands still: it showed the same at two looks before this one, or longer.
    fn stands(&mut self, ticks: u64) -> bool {
        let same = self.ticks == ticks;
        let stands = same && self.stood;
        *self = Self { ticks, stood: same };
        stands
    }
}

/// The thread.
pub(super) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watch {
    /// Watches cores by their clocks and the lines on which they are asked.
    pub(super) fn start(cores: Vec<(Arc<Beat>, Sender<Question>)>) -> io::Result<Self> {
        let (stop, stopped) = flume::bounded::<()>(0);
        let watch = move || {
            let mut seen = vec![Seen::default(); cores.len()];
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                for ((beat, line), seen) in cores.iter().zip(&mut seen) {
                    if seen.stands(beat.ticks.load(Ordering::Relaxed)) {
                        beat.roused.fetch_add(1, Ordering::Relaxed);
                        // Nobody waits for the answer: being asked is what wakes it. A line that is full or gone has
                        // done that already.
                        let _ = line.try_send(Question::Pulse(flume::bounded(1).0));
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(watch)?;
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub(super) fn stop(self) {
        drop(self.stop);
        // It has nothing that could fail.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_stands_when_it_shows_the_same_three_times() {
        let mut seen = Seen::default();
        let looks = [1, 2, 2, 3, 3, 3, 3, 4, 4, 5];
        let stood: Vec<bool> = looks.into_iter().map(|ticks| seen.stands(ticks)).collect();
        assert_eq!(stood, [false, false, false, false, false, true, true, false, false, false]);
    }

    #[test]
    fn a_core_that_does_not_turn_is_asked() {
        let (line, asked) = flume::bounded(4);
        let beat = Arc::new(Beat::default());
        let watch = Watch::start(vec![(beat.clone(), line)]).expect("a thread");
        assert!(asked.recv_timeout(Duration::from_secs(60)).is_ok(), "it is woken");
        watch.stop();
        assert!(beat.roused() > 0);
    }
}
