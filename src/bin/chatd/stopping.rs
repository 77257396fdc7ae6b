//! When to stop: the thread that hears the signals, from the start to the end.

use chatd::executor::stop::{StopSignal, StopSignals};
use chatd_process::log;
use chatd_process::panic_policy::LAST_LINES;
use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells when the server is asked to stop.
pub struct Stopping {
    serves: Arc<AtomicBool>,
    asked: flume::Receiver<StopSignal>,
}

impl Stopping {
    /// Starts the thread. Until [`Stopping::serving`], a signal ends the process at once: nobody is logged in, and what
    /// is being done to a database is done in transactions.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(signals: StopSignals) -> io::Result<Self> {
        let serves = Arc::new(AtomicBool::new(false));
        let (ask, asked) = flume::bounded(1);
        let hears = serves.clone();
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || hear(&signals, &hears, &ask))?;
        Ok(Self { serves, asked })
    }

    /// From now on there are sessions to finish with.
    pub fn serving(&self) {
        self.serves.store(true, Ordering::Relaxed);
    }

    /// Waits until somebody asks.
    pub fn wait(&self) -> StopSignal {
        self.asked.recv().expect("the thread hears signals to the end")
    }
}

fn hear(signals: &StopSignals, serves: &AtomicBool, ask: &flume::Sender<StopSignal>) {
    let mut insisted = false;
    let mut asked = false;
    loop {
        let signal = signals.wait();
        if !serves.load(Ordering::Relaxed) {
            at_once(format_args!("{signal} received while starting, stopping at once"));
        }
        if insisted && signal.is_insistent() {
            at_once(format_args!("{signal} received again, stopping at once"));
        }
        insisted |= signal.is_insistent();
        if !asked {
            asked = true;
            // Nobody waits any more only if the process is ending.
            let _ = ask.send(signal);
        }
    }
}

fn at_once(why: std::fmt::Arguments<'_>) -> ! {
    log::line(why);
    log::flush(LAST_LINES);
    process::exit(1);
}
