//! The queue of a stream, and the thread that writes to it: nobody who speaks waits for whoever reads.

use super::rate::{self, Rate, Verdict};
use crate::precedence::Beside;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tracing::Metadata;

/// What waits for a thread that writes.
enum Item {
    /// A text.
    Text {
        text: String,
        /// How many found no room before it.
        untold: u64,
        /// Where it was said, if it is a line of the log.
        place: Option<&'static Metadata<'static>>,
    },
    /// Somebody wants to know when everything before this is written.
    Flush(flume::Sender<()>),
}

/// Lines that were lost.
#[derive(Default)]
struct Tally {
    /// Found no room, and no later text has told of it.
    untold: AtomicU64,
    /// All of them.
    lost: AtomicU64,
}

/// The queue of one stream, and the thread behind it.
pub(super) struct Writer {
    items: flume::Sender<Item>,
    tally: Arc<Tally>,
}

impl Writer {
    pub(super) fn start(name: &str, stream: impl AsFd + Send + 'static, queue: usize) -> io::Result<Self> {
        let (items, queued) = flume::bounded(queue.max(1));
        let tally = Arc::new(Tally::default());
        let mut thread =
            Thread { stream, tally: tally.clone(), missing: 0, torn: false, rate: Rate::default() };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || thread.run(&queued))?;
        Ok(Self { items, tally })
    }

    /// Has a text written, if there is room; `place` is where the log was spoken to.
    pub(super) fn say(&self, text: String, place: Option<&'static Metadata<'static>>) {
        let untold = self.tally.untold.swap(0, Ordering::Relaxed);
        if self.items.try_send(Item::Text { text, untold, place }).is_err() {
            self.tally.untold.fetch_add(untold + 1, Ordering::Relaxed);
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many texts were lost.
    pub(super) fn lost(&self) -> u64 {
        self.tally.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything before this is written or lost; false if that is later than `deadline`.
    pub(super) fn flush(&self, deadline: Instant) -> bool {
        let (done, written) = flume::bounded(1);
        self.items.send_deadline(Item::Flush(done), deadline).is_ok()
            && written.recv_deadline(deadline).is_ok()
    }
}

/// The thread that writes to one stream.
struct Thread<S> {
    stream: S,
    tally: Arc<Tally>,
    /// Lines that are lost and not told of yet.
    missing: u64,
    /// Whether what was written last ends in the middle of a line.
    torn: bool,
    rate: Rate,
}

impl<S: AsFd> Thread<S> {
    fn run(&mut self, items: &flume::Receiver<Item>) {
        Beside::Log.stand_back();
        while let Some(item) = self.next(items) {
            match item {
                Item::Text { text, untold, place } => {
                    self.missing += untold;
                    self.write_text(&text, place);
                }
                // Who has lost patience does not hear it.
                Item::Flush(done) => drop(done.try_send(())),
            }
            if items.is_empty() {
                let untold = self.tally.untold.swap(0, Ordering::Relaxed);
                if untold > 0 {
                    self.missing += untold;
                    self.tell_missing();
                }
            }
        }
        self.tell_left_out();
    }

    /// What is next; nothing when nobody is left who could say something.
    fn next(&mut self, items: &flume::Receiver<Item>) -> Option<Item> {
        while self.rate.owes() {
            match items.recv_timeout(rate::TELL_AFTER) {
                Ok(item) => return Some(item),
                Err(flume::RecvTimeoutError::Disconnected) => return None,
                Err(flume::RecvTimeoutError::Timeout) => self.tell_left_out(),
            }
        }
        items.recv().ok()
    }

    fn write_text(&mut self, text: &str, place: Option<&'static Metadata<'static>>) {
        let verdict = place.map_or(Verdict::Written(0), |place| self.rate.judge(place, Instant::now()));
        let Verdict::Written(before) = verdict else { return };
        self.tell_missing();
        if let Some(place) = place.filter(|_| before > 0) {
            // The line itself is what counts.
            let _ = self.write(&rate::left_out(before, place.target()));
        }
        if self.write(text).is_err() {
            self.missing += 1;
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tell_left_out(&mut self) {
        for (lines, module) in self.rate.due(Instant::now()) {
            let _ = self.write(&rate::left_out(lines, module));
        }
    }

    fn tell_missing(&mut self) {
        let lines = if self.missing == 1 { "line was" } else { "lines were" };
        if self.missing > 0 {
            let told = super::about_the_log(&format!("{} {lines} not written", self.missing));
            if self.write(&told).is_ok() {
                self.missing = 0;
            }
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Errno> {
        if self.torn {
            write_all(&self.stream, b"\n").map_err(|(_, error)| error)?;
            self.torn = false;
        }
        write_all(&self.stream, text.as_bytes()).map_err(|(written, error)| {
            self.torn = written > 0;
            error
        })
    }
}

/// Writes all of `bytes`, however long that takes; if it cannot, how many were written before that. Not by way of
/// `std::io`, whose lock others might wait for.
pub(super) fn write_all(stream: &impl AsFd, mut bytes: &[u8]) -> Result<(), (usize, Errno)> {
    let length = bytes.len();
    while !bytes.is_empty() {
        let written = length - bytes.len();
        match rustix::io::write(stream, bytes) {
            Ok(0) => return Err((written, Errno::IO)),
            Ok(more) => bytes = &bytes[more..],
            Err(Errno::INTR) => {}
            // Somebody else has made it so that it does not wait.
            Err(Errno::AGAIN) => {
                let mut ready = [PollFd::new(stream, PollFlags::OUT)];
                poll(&mut ready, None).map_err(|error| (written, error)).or_else(|failed| match failed {
                    (_, Errno::INTR) => Ok(0),
                    failed => Err(failed),
                })?;
            }
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    const LINE: &str = "a line of the log that has a number of bytes";

    fn pipe() -> (BufReader<File>, OwnedFd) {
        let (read, write) = io::pipe().unwrap();
        (BufReader::new(OwnedFd::from(read).into()), write.into())
    }

    /// Fills a pipe, so that whoever writes to it next waits.
    fn fill(pipe: &OwnedFd) {
        let flags = rustix::fs::fcntl_getfl(pipe).unwrap();
        rustix::fs::fcntl_setfl(pipe, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        let page = "x".repeat(4_095) + "\n";
        while rustix::io::write(pipe, page.as_bytes()) != Err(Errno::AGAIN) {}
        rustix::fs::fcntl_setfl(pipe, flags).unwrap();
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told_in_its_place() {
        let (read, write) = pipe();
        fill(&write);
        let writer = Writer::start("log", write, 4).unwrap();
        // The thread takes one of them out of the queue, sooner or later, and waits with it.
        writer.say(format!("{LINE} 0\n"), None);
        while !writer.items.is_empty() {
            std::thread::yield_now();
        }
        (1..=4).for_each(|number| writer.say(format!("{LINE} {number}\n"), None));
        (5..=11).for_each(|number| writer.say(format!("{LINE} {number}\n"), None));
        assert_eq!(writer.tally.lost.load(Ordering::Relaxed), 7);
        assert!(!writer.flush(Instant::now()), "nobody reads");

        let mut lines = read.lines().map(Result::unwrap).skip_while(|line| !line.starts_with(LINE));
        for number in 0..=4 {
            assert_eq!(lines.next(), Some(format!("{LINE} {number}")));
        }
        assert_eq!(lines.next().as_deref(), Some("chatd: 7 lines were not written"));
        writer.say(format!("{LINE} 12\n"), None);
        assert_eq!(lines.next(), Some(format!("{LINE} 12")), "and not told again");
        assert!(writer.flush(Instant::now() + Duration::from_secs(60)));
        assert_eq!(writer.tally.lost.load(Ordering::Relaxed), 7);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (read, gone) = pipe();
        drop(read);
        for stream in [OwnedFd::from(full), gone] {
            let writer = Writer::start("log", stream, 4).unwrap();
            for number in 1..=20 {
                writer.say(LINE.to_owned(), None);
                assert!(writer.flush(Instant::now() + Duration::from_secs(60)));
                assert_eq!(writer.tally.lost.load(Ordering::Relaxed), number);
            }
        }
    }

    #[test]
    fn a_pipe_that_does_not_wait_gets_all_of_it() {
        let (read, write) = pipe();
        let flags = rustix::fs::fcntl_getfl(&write).unwrap();
        rustix::fs::fcntl_setfl(&write, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        let writer = Writer::start("log", write, 1_000).unwrap();
        (0..1_000).for_each(|_| writer.say(format!("{}\n", "y".repeat(999)), None));
        drop(writer);
        let lines: Vec<String> = read.lines().map(Result::unwrap).collect();
        assert_eq!(lines.len(), 1_000);
        assert!(lines.iter().all(|line| line.len() == 999));
    }
}
