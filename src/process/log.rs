//! The log: lines for people on stderr, and the start-up screen on stdout. Whoever speaks here never waits and never panics.
//!
//! A line goes into a bounded queue (`log_lines`), and a thread of its own writes it. A stderr that nobody reads
//! (a full pipe, Ctrl-S in a terminal) holds up that thread and nothing else. A line that finds no room in the queue, or
//! that cannot be written (full disk, reader gone), is lost: it is counted, the count is a metric ([`lost`]), and the next
//! line that can be written is preceded by it.
//!
//! Owns stderr and stdout of a server from [`start`] on. Every room may speak here but `chat`, which has no log.
//!

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fmt::Display;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes of a line at most, with its newline. What is longer is cut. The kernel writes so many into a pipe as one piece.
const LINE_BYTES: usize = 4_096;
/// Texts that wait for stdout: the start-up screen is one.
const SCREENS: usize = 4;
/// What every line begins with.
const WHO: &str = "chatd: ";

static ERRORS: OnceLock<Writer> = OnceLock::new();
static OUTPUT: OnceLock<Writer> = OnceLock::new();

/// Starts the threads that write. Until then, and in a process that never does this, lines are written at once by
/// whoever says them.
///
/// # Errors
/// If the system gives no thread.
pub fn start(lines: usize) -> io::Result<()> {
    if ERRORS.get().is_none() {
        // Whoever comes second keeps what is there.
        let _ = ERRORS.set(Writer::start("log", io::stderr(), lines)?);
        let _ = OUTPUT.set(Writer::start("screen", io::stdout(), SCREENS)?);
    }
    Ok(())
}

/// Says a line to the operator, with the name of this program before it. Control characters are escaped, since part of
/// it may come from outside.
pub fn line(what: impl Display) {
    let text = shape(&what.to_string());
    match ERRORS.get() {
        Some(writer) => writer.say(text),
        None => drop(write_all(&io::stderr(), text.as_bytes())),
    }
}

/// Prints a text on stdout as it is.
pub fn print(text: String) {
    match OUTPUT.get() {
        Some(writer) => writer.say(text),
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
        let _ = rustix::io::write(&stderr, shape(&what.to_string()).as_bytes());
    }
}

/// How many lines were lost since the start.
pub fn lost() -> u64 {
    ERRORS.get().map_or(0, |writer| writer.tally.lost.load(Ordering::Relaxed))
}

/// One line: no control characters but its newline, and no longer than [`LINE_BYTES`].
fn shape(what: &str) -> String {
    const CUT: &str = " …\n";
    let mut line = String::from(WHO);
    for character in what.trim_end().chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
        if line.len() > LINE_BYTES - CUT.len() - 10 {
            line.push_str(CUT);
            return line;
        }
    }
    line.push('\n');
    line
}

/// What waits for a thread that writes.
enum Item {
    /// A text, and how many found no room before it.
    Text(String, u64),
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
struct Writer {
    items: flume::Sender<Item>,
    tally: Arc<Tally>,
}

impl Writer {
    fn start(name: &str, stream: impl AsFd + Send + 'static, queue: usize) -> io::Result<Self> {
        let (items, queued) = flume::bounded(queue.max(1));
        let tally = Arc::new(Tally::default());
        let mut thread = Thread { stream, tally: tally.clone(), missing: 0, torn: false };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || thread.run(&queued))?;
        Ok(Self { items, tally })
    }

    fn say(&self, text: String) {
        let untold = self.tally.untold.swap(0, Ordering::Relaxed);
        if self.items.try_send(Item::Text(text, untold)).is_err() {
            self.tally.untold.fetch_add(untold + 1, Ordering::Relaxed);
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self, deadline: Instant) -> bool {
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
}

impl<S: AsFd> Thread<S> {
    fn run(&mut self, items: &flume::Receiver<Item>) {
        while let Ok(item) = items.recv() {
            match item {
                Item::Text(text, untold) => {
                    self.missing += untold;
                    self.tell_missing();
                    if self.write(&text).is_err() {
                        self.missing += 1;
                        self.tally.lost.fetch_add(1, Ordering::Relaxed);
                    }
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
    }

    fn tell_missing(&mut self) {
        let lines = if self.missing == 1 { "line was" } else { "lines were" };
        if self.missing > 0 && self.write(&format!("{WHO}{} {lines} not written\n", self.missing)).is_ok() {
            self.missing = 0;
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
fn write_all(stream: &impl AsFd, mut bytes: &[u8]) -> Result<(), (usize, Errno)> {
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
        writer.say(format!("{LINE} 0\n"));
        while !writer.items.is_empty() {
            std::thread::yield_now();
        }
        (1..=4).for_each(|number| writer.say(format!("{LINE} {number}\n")));
        (5..=11).for_each(|number| writer.say(format!("{LINE} {number}\n")));
        assert_eq!(writer.tally.lost.load(Ordering::Relaxed), 7);
        assert!(!writer.flush(Instant::now()), "nobody reads");

        let mut lines = read.lines().map(Result::unwrap).skip_while(|line| !line.starts_with(LINE));
        for number in 0..=4 {
            assert_eq!(lines.next(), Some(format!("{LINE} {number}")));
        }
        assert_eq!(lines.next().as_deref(), Some("chatd: 7 lines were not written"));
        writer.say(format!("{LINE} 12\n"));
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
                writer.say(LINE.to_owned());
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
        (0..1_000).for_each(|_| writer.say(format!("{}\n", "y".repeat(999))));
        drop(writer);
        let lines: Vec<String> = read.lines().map(Result::unwrap).collect();
        assert_eq!(lines.len(), 1_000);
        assert!(lines.iter().all(|line| line.len() == 999));
    }

    #[test]
    fn a_line_is_one_line_and_not_too_long() {
        assert_eq!(shape("Redis says:\r\n\u{1b}[2Jhello\n"), "chatd: Redis says:\\r\\n\\u{1b}[2Jhello\n");
        for long in ["é".repeat(4_000), "\u{1b}".repeat(4_000), "😀".repeat(1_023)] {
            let line = shape(&long);
            assert!(line.len() <= LINE_BYTES && line.len() > LINE_BYTES - 20, "{}", line.len());
            assert!(line.ends_with(" …\n"));
        }
    }
}
