//! The word to systemd that this server lives: said while every core turns, and by nobody else.
//!
//! A core that hangs says nothing, so systemd ends the process and starts it again.

use chatd::executor::observer::Observer;
use chatd_process::supervisor::{self, News};
use std::io;
use std::time::{Duration, Instant};
use tracing::warn;

/// Starts the thread, if systemd waits for it (`WatchdogSec=`). It ends with the process.
///
/// # Errors
/// If the system gives no thread.
pub fn start(observer: Observer) -> io::Result<()> {
    let Some(within) = supervisor::watchdog() else { return Ok(()) };
    // Twice in that time, so that one answer may come late.
    let every = within / 2;
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || watch(&observer, every)).map(drop)
}

fn watch(observer: &Observer, every: Duration) {
    loop {
        let began = Instant::now();
        let turning = observer.pulses(every).len();
        match turning == observer.cores() {
            true => tell(News::Alive),
            false => warn!("{turning} of {} cores turn: systemd is not told that it lives", observer.cores()),
        }
        std::thread::sleep(every.saturating_sub(began.elapsed()));
    }
}

/// Tells systemd, which may be gone.
pub fn tell(news: News) {
    if let Err(error) = supervisor::tell(news) {
        warn!("systemd was not told {news:?}: {error}");
    }
}
