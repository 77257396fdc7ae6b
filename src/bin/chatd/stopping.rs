//! When to stop: the thread that hears the signals, from the start to the end.

use crate::reading::{Reading, Serving};
use crate::watchdog;
use chatd::executor::stop::{StopSignal, StopSignals};
use chatd_process::log;
use chatd_process::panic_policy::LAST_LINES;
use chatd_process::supervisor::News;
use std::io;
use std::process;
use std::sync::Arc;
use std::sync::OnceLock;
use tracing::{info, warn};

/// Tells when the server is asked to stop.
pub struct Stopping {
    serves: Arc<OnceLock<Serving>>,
    asked: flume::Receiver<StopSignal>,
}

impl Stopping {
    /// Starts the thread. Until [`Stopping::serving`], a signal ends the process at once: nobody is logged in, and what
    /// is being done to a database is done in transactions.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(signals: StopSignals) -> io::Result<Self> {
        let serves = Arc::new(OnceLock::new());
        let (ask, asked) = flume::bounded(1);
        let hears = serves.clone();
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || hear(&signals, &hears, &ask))?;
        Ok(Self { serves, asked })
    }

    /// From now on there are sessions to finish with. SIGHUP has read again what can be, and does not stop the server,
    /// unless it tells of the end of the terminal in whose foreground it was started.
    pub fn serving(&self, reading: Reading) {
        // It is said once.
        let _ = self.serves.set(Serving::new(reading));
    }

    /// Waits until somebody asks.
    pub fn wait(&self) -> StopSignal {
        self.asked.recv().expect("the thread hears signals to the end")
    }
}

fn hear(signals: &StopSignals, serves: &OnceLock<Serving>, ask: &flume::Sender<StopSignal>) {
    let mut insisted = 0;
    let mut asked = false;
    loop {
        let signal = signals.wait();
        let Some(serving) = serves.get() else {
            at_once(format_args!("{signal} received while starting, stopping at once"));
        };
        if signal.is_hangup() {
            // Who is finishing takes nothing up.
            if !asked {
                watchdog::tell(News::Reloading);
                serving.read_again();
                watchdog::tell(News::Ready);
            }
            continue;
        }
        insisted += u32::from(signal.is_insistent());
        match insisted {
            2 if signal.is_insistent() => {
                info!("{signal} received again, finishing with all sessions at once");
                serving.stop();
            }
            3.. if signal.is_insistent() => {
                at_once(format_args!("{signal} received a third time, stopping at once"));
            }
            _ => {}
        }
        if !asked {
            asked = true;
            // Nobody waits any more only if the process is ending.
            let _ = ask.send(signal);
        }
    }
}

fn at_once(why: std::fmt::Arguments<'_>) -> ! {
    warn!("{why}");
    log::flush(LAST_LINES);
    process::exit(1);
}
