//! `--latency-log`: what the stages and paths took in every interval, as an HdrHistogram interval log.
//!
//! One line for each stage and path in which something happened, over all cores: V2, deflated, in
//! nanoseconds, tagged `stage.routed`, `path.same_core`. On a thread of its own, never on a core.

use chatd::executor::metrics::{Snapshot, histogram};
use chatd::executor::observer::Observer;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, LineWriter};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{error, warn};

/// How long a core may take to answer. What it has measured is not lost if it takes longer: it is in
/// the next interval.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the thread may take to end: a disk or a pipe that takes nothing would keep it, and with it the server.
const LAST_INTERVAL: Duration = Duration::from_secs(2);

/// The log while it is written.
pub struct LatencyLog {
    stop: flume::Sender<()>,
    /// Gone when the thread has ended.
    ended: flume::Receiver<()>,
}

/// Opens the file, to append to it.
///
/// # Errors
/// If it cannot be written.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl LatencyLog {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(file: File, interval: Duration, observer: Observer) -> io::Result<Self> {
        let (stop, stopped) = flume::bounded(0);
        let (end, ended) = flume::bounded(0);
        let write = move || {
            let _end: flume::Sender<()> = end;
            if let Err(error) = write(file, interval, &observer, &stopped) {
                error!("the latency log cannot be written, and ends here: {error}");
            }
        };
        std::thread::Builder::new().name("latency-log".to_owned()).spawn(write)?;
        Ok(Self { stop, ended })
    }

    /// Writes down the interval that has begun, and ends.
    pub fn stop(self) {
        drop(self.stop);
        if self.ended.recv_timeout(LAST_INTERVAL) == Err(flume::RecvTimeoutError::Timeout) {
            warn!("the latency log takes too long to be written, and lacks its last interval");
        }
    }
}

type Log<'a, 'b> = IntervalLogWriter<'a, 'b, LineWriter<File>, V2DeflateSerializer>;

fn write(
    file: File,
    interval: Duration,
    observer: &Observer,
    stopped: &flume::Receiver<()>,
) -> Result<(), Box<dyn Error>> {
    let (mut file, mut serializer) = (LineWriter::new(file), V2DeflateSerializer::new());
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("chatd {}: nanoseconds", env!("CARGO_PKG_VERSION")))
        .with_start_time(SystemTime::now())
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut file, &mut serializer)?;
    let mut seen = Seen::default();
    seen.news(observer.snapshots(PATIENCE));
    let (mut began, mut began_at) = (SystemTime::now(), Instant::now());
    loop {
        let ended = stopped.recv_deadline(began_at + interval) != Err(flume::RecvTimeoutError::Timeout);
        let news = seen.news(observer.snapshots(PATIENCE));
        let now = Instant::now();
        write_interval(&mut log, &news, began, now - began_at)?;
        (began, began_at) = (began + (now - began_at), now);
        if ended {
            return Ok(());
        }
    }
}

fn write_interval(
    log: &mut Log<'_, '_>,
    news: &[News],
    began: SystemTime,
    duration: Duration,
) -> Result<(), Box<dyn Error>> {
    let since_epoch = began.duration_since(UNIX_EPOCH)?;
    for (kind, name, histogram) in news.iter().filter(|(.., histogram)| !histogram.is_empty()) {
        let tag = format!("{kind}.{name}");
        log.write_histogram(histogram, since_epoch, duration, Tag::new(&tag))?;
    }
    Ok(())
}

/// What is new in one histogram, with its kind and name.
type News = (&'static str, &'static str, Histogram<u64>);

/// What every core had measured when it was looked at last.
#[derive(Default)]
struct Seen(BTreeMap<usize, Snapshot>);

impl Seen {
    /// What is new since, over all cores that answered.
    fn news(&mut self, snapshots: Vec<Snapshot>) -> Vec<News> {
        let mut news: Vec<News> = Snapshot::merged(&[]);
        for snapshot in snapshots {
            let before = self.0.get(&snapshot.core);
            let before: Vec<Histogram<u64>> = match before {
                Some(before) => before.histograms().map(|(.., histogram)| histogram.clone()).collect(),
                None => news.iter().map(|_| histogram()).collect(),
            };
            for ((sum, before), (.., after)) in news.iter_mut().zip(before).zip(snapshot.histograms()) {
                let mut new = after.clone();
                new.subtract(before).expect("a core's histograms only grow");
                sum.2.add(new).expect("all have the same bounds");
            }
            self.0.insert(snapshot.core, snapshot);
        }
        news
    }
}
