//! The last events and effects of each core, for whoever looks for what happened: kinds, numbers, sizes and times, never
//! what anybody said.
//!
//! A core writes 32 bytes an event or effect into a ring of [`ENTRIES`], which is all the memory that this takes. Nobody
//! holds it up: others read the ring while it is written, and leave out what was written over meanwhile. So a core that hangs
//! is seen, too, and so are all cores when a thread panics.
//!
//! - [`entry`]: what is written down, and the line that it makes. - [`kind`]: the names of what happens.
//! - [`choice`]: what of it belongs to a session, a user or a message.

pub(crate) mod choice;
mod entry;
mod kind;

use chatd_chat::model::ids::{ConnectionId, Millis};
use chatd_chat::port::effect::Effect;
use chatd_chat::port::event::Event;
use chatd_process::log;
use chatd_process::panic_policy::{self, LAST_LINES};
use choice::Choice;
pub use entry::SessionName;
use entry::{Entry, Line};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Instant;
use tracing::{error, trace};

/// Events and effects of a core that are remembered.
const ENTRIES: usize = 4_096;
/// Those that are told of each core where nobody asks for more.
pub(crate) const FEW: usize = 256;
/// Lines that are given to the log before it is waited for.
const LINES_AT_ONCE: usize = 256;

/// Four words of an entry.
type Slot = [AtomicU64; 4];

/// The ring of one core, as others see it.
struct Ring {
    slots: Box<[Slot]>,
    /// Entries that were written, ever.
    written: AtomicU64,
    /// The thread that writes.
    thread: OnceLock<ThreadId>,
}

/// The rings of all cores of a server.
#[derive(Clone)]
pub struct Recordings {
    rings: Arc<[Arc<Ring>]>,
    /// When the server was started, by the wall clock.
    began: Millis,
}

/// What one core writes with.
pub struct FlightRecorder {
    ring: Arc<Ring>,
    core: usize,
    began_us: u64,
    written: u64,
}

impl Recordings {
    /// Those of a server that is started at `began`. A panic of any thread has them told in the log.
    pub(crate) fn of_server(cores: usize, began: Millis) -> Self {
        let recordings = Self::new(cores, began);
        recordings.tell_at_a_panic();
        recordings
    }

    /// Nothing has happened yet on any core of a server that was started at `began`.
    pub fn new(cores: usize, began: Millis) -> Self {
        let slots = || (0..ENTRIES).map(|_| Slot::default()).collect();
        let ring = |_| Arc::new(Ring { slots: slots(), written: AtomicU64::new(0), thread: OnceLock::new() });
        Self { rings: (0..cores).map(ring).collect(), began }
    }

    /// What this core writes with. Call on its thread, once.
    pub fn recorder(&self, core: usize) -> FlightRecorder {
        let ring = self.rings[core].clone();
        // Whoever comes second writes where the first one does, and tells it by its thread.
        let _ = ring.thread.set(thread::current().id());
        let written = ring.written.load(Ordering::Acquire);
        FlightRecorder { ring, core, began_us: self.began.0 * 1_000, written }
    }

    /// From now on a panic of any thread has told in the log what happened before: all of the core that it struck, or a
    /// little of each.
    fn tell_at_a_panic(&self) {
        let recordings = self.clone();
        panic_policy::keep_account(move || recordings.tell_all());
    }

    fn tell_all(&self) {
        let deadline = Instant::now() + LAST_LINES;
        let this = thread::current().id();
        let struck = self.rings.iter().position(|ring| ring.thread.get() == Some(&this));
        let lines = match struck {
            Some(core) => self.lines(&Choice::Core(core)),
            None => self.lines(&Choice::Last),
        };
        error!(target: panic_policy::MODULE, "the last {} events and effects before that:", lines.len());
        for some in lines.chunks(LINES_AT_ONCE) {
            some.iter().for_each(|line| error!(target: panic_policy::MODULE, "{line}"));
            // Whoever reads slowly does not keep a broken server alive.
            if !log::flush(deadline.saturating_duration_since(Instant::now())) {
                return;
            }
        }
    }

    /// What was chosen, a line each, the oldest first.
    pub(crate) fn lines(&self, choice: &Choice) -> Vec<String> {
        let mut chosen: Vec<Line> = Vec::new();
        for (core, ring) in self.rings.iter().enumerate() {
            let line = |entry: Entry| Line { core, began_us: self.began.0 * 1_000, entry };
            chosen.extend(choice.of(core, &ring.read()).into_iter().map(line));
        }
        // Stable: what happened in one turn of a core stays as it was.
        chosen.sort_by_key(|line| line.entry.at_us);
        chosen.iter().map(ToString::to_string).collect()
    }
}

impl Ring {
    /// The entries, the oldest first, without those that are written over while they are read.
    fn read(&self) -> Vec<Entry> {
        let end = self.written.load(Ordering::Acquire);
        let first = end.saturating_sub(ENTRIES as u64);
        let read = |at: u64| {
            let slot = &self.slots[at as usize % ENTRIES];
            [0, 1, 2, 3].map(|word: usize| slot[word].load(Ordering::Relaxed))
        };
        let words: Vec<[u64; 4]> = (first..end).map(read).collect();
        fence(Ordering::Acquire);
        // The one that is being written now stands where this one stood.
        let whole = (self.written.load(Ordering::Relaxed) + 1).saturating_sub(ENTRIES as u64);
        (first..end)
            .zip(words)
            .filter(|(at, _)| *at >= whole)
            .filter_map(|(_, words)| Entry::of(words))
            .collect()
    }
}

impl FlightRecorder {
    /// The name of a connection of this core.
    pub fn name(&self, id: ConnectionId) -> SessionName {
        SessionName { core: self.core, id }
    }

    /// Something happens. `now_ns` is the steady time, which began with the wall clock's.
    pub fn event(&mut self, event: &Event<'_>, now_ns: u64) {
        // Time passes several times a second, and what comes of it is written down.
        if !matches!(event, Event::Tick { .. }) {
            self.write(Entry::event(event, self.since(now_ns)));
        }
    }

    /// Something is done.
    pub fn effect(&mut self, effect: &Effect, now_ns: u64) {
        let entry = Entry::effect(effect, self.since(now_ns));
        let Effect::SendAll { connections, .. } = effect else { return self.write(entry) };
        connections.iter().for_each(|connection| self.write(entry.of_connection(*connection)));
    }

    /// Microseconds since the server was started.
    fn since(&self, now_ns: u64) -> u64 {
        (now_ns / 1_000).saturating_sub(self.began_us)
    }

    fn write(&mut self, entry: Entry) {
        let slot = &self.ring.slots[self.written as usize % ENTRIES];
        // Whoever sees a word of this entry sees, too, that the one before it was the last.
        fence(Ordering::Release);
        for (place, word) in slot.iter().zip(entry.words()) {
            place.store(word, Ordering::Relaxed);
        }
        self.written += 1;
        self.ring.written.store(self.written, Ordering::Release);
        trace!("{}", Line { core: self.core, began_us: self.began_us, entry });
    }
}

#[cfg(test)]
mod tests;
