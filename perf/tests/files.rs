//! The files for other tools, read by other tools.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use crate::measure::{Figures, Histogram, Interval, Recorder, Series};
use crate::report::{Compared, Machine, RunReport, SideFigures, Written};

/// A report of two sides, ten slices each; latencies of slice `n` are `n + 1` to `n + 100` ms.
fn report() -> RunReport {
    let side = |name| {
        let mut series = Series::new(0, 250_000_000);
        let mut recorder = Recorder::new();
        for number in 0..10_u64 {
            let mut interval = Interval::new();
            (interval.start_ns, interval.end_ns) = (number * 250_000_000, (number + 1) * 250_000_000);
            for ms in number + 1..=number + 100 {
                interval.latency.record(ms * 1_000_000).unwrap();
                recorder.latency.record(ms * 1_000_000).unwrap();
                interval.lag.record(1_000).unwrap();
            }
            interval.handled = 100;
            series.add(interval);
        }
        let series = vec![Arc::new(series)];
        let window_ns = 2_500_000_000;
        let figures = Figures {
            recorder,
            window_ns,
            server: None,
            other_cpus_busy: None,
            taken: None,
            series,
            stages: None,
        };
        SideFigures::new(name, "a server".into(), vec![figures])
    };
    RunReport {
        machine: Machine::look(),
        began: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        scenario: "test".into(),
        what: "a <test> & more".into(),
        load_loop: "open loop".into(),
        rate_asked_per_s: Some(400.0),
        placement: "nowhere".into(),
        crowd: "nobody".into(),
        frame_bytes: 1,
        text_bytes: 1,
        seed: 1,
        ramp_s: 0.0,
        warmup_s: 0.0,
        sides: vec![side("chatd"), side("relay")],
        compared: Compared::Nothing,
    }
}

fn write(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("chat-perf-test-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |ending: &str| Some(directory.join(format!("r.{ending}")));
    let written = Written { json: path("json"), html: path("html"), hlog: path("hlog"), hgrm: path("hgrm") };
    written.write(&report()).unwrap();
    directory
}

#[test]
fn the_interval_log_can_be_read_back() {
    let directory = write("log");
    let log = std::fs::read(directory.join("r.hlog")).unwrap();
    let mut sums: Vec<(Option<String>, Histogram)> = Vec::new();
    for entry in IntervalLogIterator::new(&log) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
        let histogram: Histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        let tag = interval.tag().map(|tag| tag.as_str().to_owned());
        match sums.iter_mut().find(|(other, _)| *other == tag) {
            Some((_, sum)) => sum.add(&histogram).unwrap(),
            None => sums.push((tag, histogram)),
        }
    }
    let tags: Vec<Option<&str>> = sums.iter().map(|(tag, _)| tag.as_deref()).collect();
    assert_eq!(tags, [None, Some("chatd-lag"), Some("relay"), Some("relay-lag")]);
    assert_eq!(sums[0].1.len(), 1_000);
    assert!(sums[0].1.value_at_quantile(0.5).abs_diff(55_000_000) < 1_000_000);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let directory = write("page");
    let page = std::fs::read_to_string(directory.join("r.html")).unwrap();
    for outside in ["src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("A &lt;test&gt; &amp; more") && page.matches("<svg").count() == 3);
    std::fs::remove_dir_all(directory).unwrap();
}

/// Reads the log with the HdrHistogram of another language, as its users would.
const READ_IT: &str = "
import sys
from hdrh.log import HistogramLogReader
from hdrh.histogram import HdrHistogram
sum = HdrHistogram(1, 600000000000, 2)
reader = HistogramLogReader(sys.argv[1], sum)
count = 0
while True:
    one = reader.get_next_interval_histogram()
    if one is None: break
    if one.get_tag() is None:
        count += 1
        sum.add(one)
print(count, sum.get_total_count(), sum.get_value_at_percentile(50), sum.get_value_at_percentile(99))
";

#[test]
fn another_hdrhistogram_reads_the_interval_log() {
    let Some(packages) = python_hdrhistogram() else { return };
    let directory = write("python");
    let python = Command::new("python3")
        .env("PYTHONPATH", packages)
        .args(["-c", READ_IT])
        .arg(directory.join("r.hlog"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&python.stdout).into_owned();
    let numbers: Vec<u64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let complaint = String::from_utf8_lossy(&python.stderr);
    let [count, total, p50, p99] = numbers[..] else { panic!("{said} {complaint}") };
    assert_eq!((count, total), (10, 1_000), "{complaint}");
    assert!(p50.abs_diff(55_000_000) < 1_000_000 && p99.abs_diff(105_000_000) < 2_000_000, "{said}");
    std::fs::remove_dir_all(directory).unwrap();
}

/// Where Python finds it; installed beside the build if need be. `None`, said aloud, if that cannot be.
fn python_hdrhistogram() -> Option<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let packages = own
        .ancestors()
        .find(|path| path.ends_with("target"))
        .unwrap_or(Path::new("."))
        .join("python-hdrhistogram");
    let knows = || {
        let import =
            Command::new("python3").env("PYTHONPATH", &packages).args(["-c", "import hdrh.log"]).output();
        import.is_ok_and(|import| import.status.success())
    };
    if knows() {
        return Some(packages);
    }
    let pip = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&packages)
        .arg("hdrhistogram==0.10.8")
        .output();
    if pip.is_ok_and(|pip| pip.status.success()) && knows() {
        return Some(packages);
    }
    // Printed past the test runner's capture.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        b"NOT TESTED: the interval log with Python's hdrhistogram, which is neither installed nor to be had with pip\n",
    );
    None
}
