//! The one way to the terminal: lines come from any thread and are printed above the line being typed.
//!
//! While the editor reads, only its own thread may write, or the typed line is torn: what comes from
//! elsewhere is handed to it through rustyline's external printer, one batch at a time, and the next
//! only once that one is seen to be printed. While the editor does not read, it is written here.
//! The editor tells the gate, by its hooks, what it is doing.
//!
//! Lines may be of messages, and whoever prints is told once those are on the terminal.

use chatd_chat::model::ids::MessageId;
use rustyline::ExternalPrinter;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lines printed at a time: between two batches the editor looks at the keyboard.
const BATCH: usize = 100;
/// Lines that wait to be printed; above, whoever brings more waits too.
const WAITING: usize = 1_000;
/// How long the editor's thread waits for a batch that is on its way to it. It never takes as long,
/// unless a completion list was on the screen when the batch came.
const HANDOVER: Duration = Duration::from_millis(500);

/// Who may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Door {
    /// Nobody reads: lines are written at once.
    Direct,
    /// The editor reads and takes batches.
    Open,
    /// The editor begins or ends reading.
    Shut,
}

/// Lines, each with its newline, and the messages that they are of.
#[derive(Clone, Debug, Default)]
struct Lines {
    text: String,
    mids: Vec<MessageId>,
}

#[derive(Debug)]
struct State {
    door: Door,
    lines: VecDeque<Lines>,
    /// A batch that the editor has and is not known to have printed.
    handed: Option<Lines>,
    /// Messages that were printed, and nobody was told yet.
    printed: Vec<MessageId>,
    /// Whether the external printer is being called.
    handing: bool,
    over: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    /// The editor is about to draw its prompt for the first time.
    beginning: AtomicBool,
}

impl Default for Gate {
    fn default() -> Self {
        let (lines, printed) = (VecDeque::new(), Vec::new());
        let state = State { door: Door::Direct, lines, handed: None, printed, handing: false, over: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), beginning: AtomicBool::new(false) }
    }
}

impl Gate {
    /// Lines to be printed, each with its newline. Never waits.
    pub fn push(&self, text: String) {
        self.push_lines(Lines { text, mids: Vec::new() });
    }

    fn push_lines(&self, lines: Lines) {
        if !lines.text.is_empty() {
            self.lock().lines.push_back(lines);
            self.changed.notify_all();
        }
    }

    /// The same, for whoever can wait: while too many lines are there already, it does. `mids` are
    /// the messages among them.
    pub fn push_patiently(&self, text: String, mids: Vec<MessageId>) {
        let state = self.lock();
        let full = |state: &mut State| state.lines.len() >= WAITING && !state.over;
        drop(self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner));
        self.push_lines(Lines { text, mids });
    }

    /// Prints until [`Gate::finish`], on a thread of its own, and tells which messages were printed.
    pub fn print_all(&self, mut printer: Option<impl ExternalPrinter>, printed: impl Fn(MessageId)) {
        let mut state = self.lock();
        loop {
            let nothing = |state: &mut State| {
                let idle = state.door == Door::Shut || state.handed.is_some() || state.lines.is_empty();
                !state.over && idle && state.printed.is_empty()
            };
            state = self.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
            state.printed.drain(..).for_each(&printed);
            if state.over {
                return;
            }
            if state.door == Door::Shut || state.handed.is_some() || state.lines.is_empty() {
                continue;
            }
            let Some(printer) = printer.as_mut().filter(|_| state.door == Door::Open) else {
                state.write_out();
                self.changed.notify_all();
                continue;
            };
            let batch = state.batch();
            state.handed = Some(batch.clone());
            state.handing = true;
            drop(state);
            let handed = printer.print(batch.text);
            state = self.lock();
            state.handing = false;
            if handed.is_err() {
                // The editor is gone: finish() writes what is left.
                return;
            }
            self.changed.notify_all();
        }
    }

    /// The editor is about to read.
    pub fn begin(&self) {
        let mut state = self.lock();
        if state.handed.is_none() {
            state.write_out();
        }
        state.door = Door::Shut;
        self.beginning.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// The editor draws its prompt. `asked`: because of a key; else because it printed a batch.
    pub fn drawn(&self, asked: bool) {
        let mut state = self.lock();
        if self.beginning.swap(false, Ordering::SeqCst) {
            state.door = Door::Open;
        } else if !asked {
            if let Some(handed) = state.handed.take() {
                state.printed.extend(handed.mids);
            }
        } else {
            return;
        }
        self.changed.notify_all();
    }

    /// A key comes that may end the line: from now on nothing is handed to the editor.
    pub fn shut(&self) {
        let mut state = self.lock();
        state.door = Door::Shut;
        let handing = |state: &mut State| state.handing;
        let waited = self.changed.wait_timeout_while(state, HANDOVER, handing);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// A key comes that does not end the line.
    pub fn reopen(&self) {
        let mut state = self.lock();
        if state.door == Door::Shut {
            state.door = Door::Open;
            self.changed.notify_all();
        }
    }

    /// The editor stops for a while (Ctrl-Z) and will draw its prompt again.
    pub fn suspend(&self) {
        self.shut();
        self.beginning.store(true, Ordering::SeqCst);
    }

    /// The editor has read a line, or will not read one.
    pub fn end(&self) {
        self.lock().door = Door::Direct;
        self.changed.notify_all();
    }

    /// The editor will not read again: what is left is written now.
    pub fn finish(&self) {
        let mut state = self.lock();
        state.over = true;
        if let Some(handed) = state.handed.take() {
            state.lines.push_front(handed);
        }
        state.write_out();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn batch(&mut self) -> Lines {
        let count = self.lines.len().min(BATCH);
        self.lines.drain(..count).fold(Lines::default(), |mut batch, lines| {
            batch.text.push_str(&lines.text);
            batch.mids.extend(lines.mids);
            batch
        })
    }

    fn write_out(&mut self) {
        let mut out = io::stdout().lock();
        for lines in self.lines.drain(..) {
            // A terminal that is gone shows itself to the editor, which ends the program.
            if out.write_all(lines.text.as_bytes()).is_ok() {
                self.printed.extend(lines.mids);
            }
        }
        let _ = out.flush();
    }
}
