//! `--latency-log`: an interval log that HdrHistogram's own reader takes.

use super::client::watched;
use crate::common::chatd::Setup;
use crate::common::scratch::Scratch;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What happened in an interval: when it began, its tag, and how often.
struct Interval {
    began: Duration,
    tag: String,
    count: u64,
}

fn read(path: &Path) -> (usize, Vec<Interval>) {
    let text = std::fs::read_to_string(path).expect("a log");
    let (mut runs, mut intervals) = (0, Vec::new());
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        match entry.expect("a log") {
            LogEntry::StartTime(_) => runs += 1,
            LogEntry::BaseTime(_) => panic!("times of the log are whole"),
            LogEntry::Interval(interval) => {
                let bytes = STANDARD.decode(interval.encoded_histogram()).expect("base64");
                let histogram: Histogram<u64> =
                    Deserializer::new().deserialize(&mut bytes.as_slice()).expect("HdrHistogram V2");
                let in_ms = histogram.max() as f64 / 1e6;
                // Written with three decimals.
                let off = (interval.max() - in_ms).abs();
                assert!(off < in_ms * 0.01 + 0.001, "{} is not {in_ms} ms", interval.max());
                let tag = interval.tag().expect("a tag").as_str().to_owned();
                intervals.push(Interval { began: interval.start_timestamp(), tag, count: histogram.len() });
            }
        }
    }
    (runs, intervals)
}

fn count(intervals: &[Interval], tag: &str) -> u64 {
    intervals.iter().filter(|interval| interval.tag == tag).map(|interval| interval.count).sum()
}

/// Runs a chatd in which Amy says so many things to Ben.
fn run(log: &Path, messages: usize) {
    let setup = Setup::new(1).argument("--latency-log").argument(log.to_str().expect("UTF-8"));
    let (mut chatd, admin) = watched(setup.argument("--latency-log-interval").argument("0.1"));
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amy, mut hearing) = (chatd.enter(&amy), chatd.enter(&ben));
    let id = amy.id;
    for number in 0..messages {
        amy.say(json!({"msgid": 6, "id": id, "toid": ben.id, "msg": "tea", "cid": format!("c{number}")}));
        amy.hear_ack(&format!("c{number}"));
        hearing.hear_msg("tea");
    }
    admin.until("the last one to be measured", "/metrics", |page| {
        page.text().contains(&format!("chatd_stage_seconds_count{{stage=\"acked\"}} {messages}\n"))
    });
    chatd.end(libc::SIGTERM);
}

#[test]
fn every_message_is_in_one_interval_and_runs_follow_each_other() {
    let scratch = Scratch::new();
    let log = scratch.path().join("latency.hlog");
    let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    run(&log, 50);
    let (runs, intervals) = read(&log);
    assert_eq!(runs, 1);
    for tag in ["path.same_core", "stage.stored", "stage.acked"] {
        assert_eq!(count(&intervals, tag), 50, "{tag}");
    }
    assert_eq!(count(&intervals, "path.group"), 0);
    assert!(intervals.iter().all(|interval| interval.count > 0), "what did not happen has no line");
    assert!(intervals.is_sorted_by_key(|interval| interval.began));
    let began = intervals[0].began;
    assert!(began + Duration::from_secs(1) > before, "{began:?} is not before {before:?}");

    run(&log, 7);
    let (runs, intervals) = read(&log);
    assert_eq!((runs, count(&intervals, "path.same_core")), (2, 57), "appended");
}

#[test]
fn a_log_that_cannot_be_written_is_told_before_anybody_is_served() {
    let failure = Setup::new(1).argument("--latency-log").argument("/nowhere/latency.hlog").fail();
    failure.says(&["cannot write", "/nowhere/latency.hlog"]);
}
