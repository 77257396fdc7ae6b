//! `/histograms` in each of its forms: the same counts, as HdrHistogram itself reads them.

use super::client::{Admin, start};
use crate::common::chatd::Chatd;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;
use std::collections::BTreeMap;

fn decoded(bytes: &[u8]) -> Histogram<u64> {
    Deserializer::new().deserialize(&mut &*bytes).expect("HdrHistogram V2")
}

/// Sends messages over two cores, and waits until all of them have been measured.
fn talk(chatd: &Chatd, admin: Admin, messages: usize) {
    let (senders, readers) = (chatd.register_many("s", 10), chatd.register_many("r", 10));
    let mut saying = chatd.enter_all(&senders);
    let mut hearing = chatd.enter_all(&readers);
    for number in 0..messages {
        saying[number % 10].chat(&readers[number % 10], "hello");
    }
    for number in 0..messages {
        hearing[number % 10].hear_msg("hello");
    }
    // Those who stay say nothing more, so that nothing changes any more.
    admin.until("every message", "/histograms?format=json&core=all", |page| {
        let json: Value = serde_json::from_slice(&page.body).expect("JSON");
        let of = |path: &str| json["merged"]["paths"][path]["count"].as_u64().expect("a count");
        of("same_core") + of("other_core") == messages as u64
    });
    std::mem::forget((saying, hearing));
}

#[test]
fn every_form_says_the_same_and_cores_add_up() {
    let (chatd, admin) = start(2);
    talk(&chatd, admin, 200);
    let json: Value = serde_json::from_str(&admin.body("/histograms?format=json")).expect("JSON");
    assert_eq!((&json["unit"], &json["cores"]), (&"ns".into(), &2.into()));
    let by_core = json["by_core"].as_array().expect("a list of cores");
    assert_eq!(by_core.len(), 2);
    let log = tagged(&admin.body("/histograms"));
    let table = admin.body("/histograms?format=text&core=all");
    for (kind, names) in [("stage", "stages"), ("path", "paths")] {
        for (name, merged) in json["merged"][names].as_object().expect("by name") {
            let whole = decoded(&STANDARD.decode(merged["v2"].as_str().expect("a text")).expect("base64"));
            assert_eq!(merged["count"], whole.len(), "{name}");
            let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];
            for (quantile, at) in quantiles {
                assert_eq!(merged[quantile], whole.value_at_quantile(at), "{name} {quantile}");
            }
            let mut sum = Histogram::<u64>::new_from(&whole);
            for core in by_core {
                let v2 = core[names][name]["v2"].as_str().expect("a text");
                sum.add(decoded(&STANDARD.decode(v2).expect("base64"))).expect("the same bounds");
            }
            assert_eq!(sum, whole, "{name}: the cores add up");
            let plain = admin.get(&format!("/histograms?format=hdr&core=all&{kind}={name}"));
            assert_eq!(plain.header("Content-Type"), Some("application/octet-stream"));
            assert_eq!(decoded(&plain.body), whole, "{name} by itself");
            assert_eq!(log[&format!("{kind}.{name}")], whole, "{name} in the log");
            let core = admin.get(&format!("/histograms?format=hdr&core=1&{kind}={name}"));
            assert_eq!(decoded(&core.body), log[&format!("core1.{kind}.{name}")], "{name} of a core");
            let row = table.lines().find(|line| line.starts_with(&format!("{kind} {name} ")));
            let row: Vec<&str> = row.expect("a row").split_whitespace().collect();
            assert_eq!(row[2], whole.len().to_string(), "{name} in the table");
        }
    }
    let reads = &json["merged"]["stages"]["read"]["count"];
    assert!(reads.as_u64() > Some(0), "{reads}");
}

/// An interval log as HdrHistogram's own reader has it.
fn tagged(text: &str) -> BTreeMap<String, Histogram<u64>> {
    let mut found = BTreeMap::new();
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.expect("a log") {
            let tag = interval.tag().expect("a tag").as_str().to_owned();
            let histogram = decoded(&STANDARD.decode(interval.encoded_histogram()).expect("base64"));
            assert!(found.insert(tag, histogram).is_none(), "{text}");
        }
    }
    found
}

#[test]
fn one_core_can_be_asked_for_and_nonsense_is_refused() {
    let (_chatd, admin) = start(2);
    let log = tagged(&admin.body("/histograms?core=1"));
    assert_eq!(log.len(), 13);
    assert!(log.keys().all(|tag| tag.starts_with("core1.")), "{:?}", log.keys());
    assert_eq!(tagged(&admin.body("/histograms")).len(), 3 * 13);
    assert!(admin.body("/histograms?format=text").contains("core 1"));
    for (query, status, says) in [
        ("core=2", 404, "no such core"),
        ("core=-1", 404, "no such core"),
        ("core=one", 404, "no such core"),
        ("format=xml", 400, "hlog, json, text or hdr"),
        ("format=hdr", 400, "give stage"),
        ("format=hdr&stage=read&path=group", 400, "give stage"),
        ("format=hdr&stage=nothing", 404, "no stage"),
        ("who=me", 400, "who"),
    ] {
        let page = admin.get(&format!("/histograms?{query}"));
        assert_eq!(page.status, status, "{query}");
        assert!(page.text().contains(says), "{query}: {}", page.text());
    }
}
