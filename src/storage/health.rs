//! Whether the store works, for whoever must be told: readiness checks, and people, once each time.

use super::Committed;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// A store that fails more often than this is down, whatever it manages in between.
const WELL_AFTER: Duration = Duration::from_secs(1);

/// Reasons that are said while it is down, at most: each once.
const REASONS: usize = 16;

/// Sentences about orders that no store should fail at that are said at most: each once.
const UNEXPECTED_TOLD: usize = 16;

/// Whether the store works. A handle: what it says changes.
#[derive(Clone, Debug, Default)]
pub struct State(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_down: AtomicBool,
    unexpected: AtomicU64,
}

/// What a [`State`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// What is asked for is done.
    Up,
    /// Nothing is stored or acknowledged; whoever asks gets Busy.
    Down,
}

impl State {
    /// What it is now.
    pub fn now(&self) -> Condition {
        if self.0.is_down.load(Ordering::Relaxed) { Condition::Down } else { Condition::Up }
    }

    /// Orders that failed although the store works, since the start.
    pub fn unexpected(&self) -> u64 {
        self.0.unexpected.load(Ordering::Relaxed)
    }

    fn set(&self, condition: Condition) {
        self.0.is_down.store(condition == Condition::Down, Ordering::Relaxed);
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Condition::Up => "up",
            Condition::Down => "down",
        })
    }
}

/// What a store found out about itself while nothing was asked of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// Nothing.
    None,
    /// It looked, and it works.
    Well,
    /// It works no more, and why.
    Lost(String),
}

/// What was said last about the store, and says more when there is more to say.
#[derive(Debug, Default)]
pub struct Health {
    state: State,
    /// When it failed last, while it is down.
    failed: Option<Instant>,
    /// The reasons that were said since it is down.
    told: Vec<String>,
    /// What was said about orders that no store should fail at.
    told_unexpected: Vec<String>,
}

impl Health {
    /// The handle for others.
    pub fn state(&self) -> State {
        self.state.clone()
    }

    /// A batch was committed.
    pub fn report_ok(&mut self, committed: Committed) {
        if committed == Committed::Changes {
            self.well();
        }
    }

    /// A store had something to say.
    pub fn report_news(&mut self, news: News) {
        match news {
            News::None => {}
            News::Well => self.well(),
            News::Lost(why) => self.report_error(why),
        }
    }

    /// Says what is wrong: each reason once until the store works again, however many requests meet it.
    pub fn report_error(&mut self, why: String) {
        // What is so is set before it is said.
        if self.failed.replace(Instant::now()).is_none() {
            self.state.set(Condition::Down);
            error!("the store is down, nothing is stored or acknowledged: {why}");
            self.told = vec![why];
        } else if self.told.len() < REASONS && !self.told.contains(&why) {
            warn!("the store is still down: {why}");
            self.told.push(why);
        }
    }

    /// The store works, and cannot carry out an order of this kind: counted, and said once.
    pub fn report_unexpected(&mut self, kind: &str, why: &str) {
        self.state.0.unexpected.fetch_add(1, Ordering::Relaxed);
        let what = format!("{kind}: {why}");
        if self.told_unexpected.len() < UNEXPECTED_TOLD && !self.told_unexpected.contains(&what) {
            error!("the store cannot carry out a request, please report this: {what}");
            self.told_unexpected.push(what);
        }
    }

    fn well(&mut self) {
        if self.failed.is_some_and(|failed| failed.elapsed() > WELL_AFTER) {
            self.failed = None;
            self.state.set(Condition::Up);
            info!("the store works again");
        }
    }
}
