//! The log: events of `tracing` as lines on stderr, for people or as JSON, and the start-up screen on stdout. Whoever
//! speaks here never waits and never panics.
//!
//! A line goes into a bounded queue (`log_lines`), and a thread of its own writes it. A stderr that nobody reads
//! (a full pipe, Ctrl-S in a terminal) holds up that thread and nothing else. A line that finds no room in the queue, or
//! that cannot be written (full disk, reader gone), is lost: it is counted, the count is a metric ([`lost`]), and the next
//! line that can be written is preceded by it.
//!
//! - [`levels`]: which modules say how much. Libraries say nothing here: what they would say nobody has looked at.
//! - [`line`]: the form of a line. - [`rate`]: how many lines one place of the code gets written.
//! - [`writer`]: the queue and its thread.
//!
//! Owns stderr and stdout of a server from [`start`] on. Every room may speak here but `chat`, which has no log.

pub mod levels;
mod line;
mod rate;
mod writer;

pub use levels::Levels;
pub use line::Format;

use line::Said;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt::Display;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{Registry, registry, reload};
use writer::{Writer, write_all};

/// Texts that wait for stdout: the start-up screen is one.
const SCREENS: usize = 4;

static ERRORS: OnceLock<Writer> = OnceLock::new();
static OUTPUT: OnceLock<Writer> = OnceLock::new();
/// A [`Format`].
static FORMAT: AtomicU8 = AtomicU8::new(Format::Human as u8);
/// The filter that is in force.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Takes what this process says from now on: for people, at the level `info`. Whoever comes second changes nothing.
pub fn install() {
    let (filter, handle) = reload::Layer::new(Levels::default().targets());
    if tracing::subscriber::set_global_default(registry().with(filter).with(Lines)).is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// How the lines look from now on, and who says how much.
pub fn configure(format: Format, levels: &Levels) {
    FORMAT.store(format as u8, Ordering::Relaxed);
    if let Some(filter) = FILTER.get() {
        // Fails only where a panic has struck the filter itself: what was in force stays.
        let _ = filter.reload(levels.targets());
    }
}

/// Starts the threads that write. Until then, and in a process that never does this, lines are written at once by
/// whoever says them.
///
/// # Errors
/// If the system gives no thread.
pub fn start(lines: usize) -> io::Result<()> {
    install();
    if ERRORS.get().is_none() {
        // Whoever comes second keeps what is there.
        let _ = ERRORS.set(Writer::start("log", io::stderr(), lines)?);
        let _ = OUTPUT.set(Writer::start("screen", io::stdout(), SCREENS)?);
    }
    Ok(())
}

/// Prints a text on stdout as it is.
pub fn print(text: String) {
    match OUTPUT.get() {
        Some(writer) => writer.say(text, None),
        None => drop(write_all(&io::stdout(), text.as_bytes())),
    }
}

/// Waits until everything that was said is written or lost, but no longer than `patience`. False if that was too short.
pub fn flush(patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    [&ERRORS, &OUTPUT].iter().filter_map(|writer| writer.get()).all(|writer| writer.flush(deadline))
}

/// Says a line past the queue, for whoever cannot wait for the thread: not at all if stderr would make it wait.
pub fn last_words(what: impl Display) {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut ready, Some(&now)).is_ok() && ready[0].revents().contains(PollFlags::OUT) {
        let line = Said::of(&what).line(format(), Level::ERROR, module_path!());
        let _ = rustix::io::write(&stderr, line.as_bytes());
    }
}

/// How many lines were lost since the start.
pub fn lost() -> u64 {
    ERRORS.get().map_or(0, Writer::lost)
}

fn format() -> Format {
    Format::of(FORMAT.load(Ordering::Relaxed))
}

/// A line of the log about the log.
fn about_the_log(what: &str) -> String {
    Said::of(what).line(format(), Level::WARN, module_path!())
}

/// What makes lines of events.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let place: &'static Metadata<'static> = event.metadata();
        let line = Said::by(event).line(format(), *place.level(), place.target());
        match ERRORS.get() {
            Some(writer) => writer.say(line, Some(place)),
            None => drop(write_all(&io::stderr(), line.as_bytes())),
        }
    }
}
