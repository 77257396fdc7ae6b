//! `/metrics`: well-formed, and moved by what happens.

use super::client::{Admin, start};
use super::openmetrics::Metrics;
use crate::common::chatd::Chatd;
use crate::common::client::Client;
use serde_json::json;

fn until(admin: Admin, waited_for: &str, is_so: impl Fn(&Metrics) -> bool) -> Metrics {
    let page = admin.until(waited_for, "/metrics", |page| is_so(&Metrics::read(page.text())));
    Metrics::read(page.text())
}

/// Amy and Ben, both logged in.
fn two(chatd: &Chatd) -> (Client, Client) {
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    (chatd.enter(&amy), chatd.enter(&ben))
}

#[test]
fn they_are_openmetrics_and_of_every_core() {
    let (_chatd, admin) = start(3);
    let page = admin.get("/metrics");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((page.status, page.header("Content-Type")), (200, Some(kind)));
    assert_eq!(page.header("Content-Length"), Some(page.body.len().to_string().as_str()));
    let metrics = Metrics::read(page.text());
    assert!(metrics.0.len() > 40, "{:?}", metrics.0.keys());
    for name in ["chatd_core_up", "chatd_connections", "chatd_bus_up", "chatd_turns", "chatd_tickets"] {
        let cores: Vec<&str> =
            metrics.0[name].samples.iter().map(|sample| sample.labels["core"].as_str()).collect();
        assert_eq!(cores, ["0", "1", "2"], "{name}");
    }
    for (name, value) in [("chatd_cores", 3.0), ("chatd_core_up", 3.0), ("chatd_bus_up", 3.0)] {
        assert_eq!(metrics.sum(name, &[]), value, "{name}");
    }
    for (name, value) in [("chatd_ready", 1.0), ("chatd_store_up", 1.0), ("chatd_draining", 0.0)] {
        assert_eq!(metrics.sum(name, &[]), value, "{name}");
    }
    let version = &metrics.0["chatd_build"].samples[0].labels["version"];
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert!(metrics.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(metrics.sum("process_open_fds", &[]) > 3.0);
}

#[test]
fn they_move_with_what_happens_and_with_nothing_else() {
    let (chatd, admin) = start(1);
    let before = until(admin, "nobody", |metrics| metrics.sum("chatd_sessions", &[]) == 0.0);
    let (mut amy, mut ben) = two(&chatd);
    let (amy_id, ben_id) = (amy.id, ben.id);
    let group = amy.create_group("tea");
    ben.join_group(group);
    for number in 0..7 {
        amy.say(json!({"msgid": 6, "id": amy_id, "toid": ben_id, "msg": format!("{number}"), "cid": format!("m{number}")}));
        amy.hear_ack(&format!("m{number}"));
        ben.hear_msg(&format!("{number}"));
    }
    for number in 0..3 {
        ben.group_chat(group, &format!("g{number}"));
        amy.hear_msg(&format!("g{number}"));
    }
    // As somebody else, to nobody, and nonsense.
    amy.say(json!({"msgid": 6, "id": ben_id, "toid": amy_id, "msg": "?"}));
    amy.hear_error(104);
    amy.say(json!({"msgid": 6, "id": amy_id, "toid": 99_999, "msg": "?", "cid": "x"}));
    let refusal = amy.hear("an errno of 105");
    assert_eq!(refusal["errno"], 105, "{refusal}");
    let mut stranger = chatd.connect();
    stranger.write(b"this is no frame\n");
    stranger.hear_error_and_end(100);

    let after = until(admin, "two who are online, and a stranger who is gone", |metrics| {
        metrics.sum("chatd_sessions", &[("phase", "online")]) == 2.0
            && metrics.sum("chatd_connections", &[]) == 2.0
            && metrics.sum("chatd_acks_total", &[]) == 7.0
    });
    let grown = |name: &str, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    for (name, labels, by) in [
        ("chatd_connections_accepted_total", &[][..], 5.0),
        ("chatd_connections_refused_total", &[], 0.0),
        ("chatd_logins_total", &[], 2.0),
        ("chatd_partings_total", &[], 0.0),
        ("chatd_messages_total", &[("kind", "direct")], 8.0),
        ("chatd_messages_total", &[("kind", "group")], 3.0),
        ("chatd_pushes_total", &[], 10.0),
        ("chatd_acks_total", &[], 7.0),
        ("chatd_malformed_total", &[], 1.0),
        ("chatd_errors_total", &[("errno", "104")], 1.0),
        ("chatd_errors_total", &[("errno", "105")], 1.0),
        ("chatd_errors_total", &[("errno", "100")], 1.0),
        ("chatd_errors_total", &[], 3.0),
        ("chatd_connections_cut_total", &[("reason", "garbled")], 1.0),
        ("chatd_connections_cut_total", &[], 1.0),
        ("chatd_drops_total", &[], 0.0),
        ("chatd_unmeasured_total", &[], 0.0),
        ("chatd_path_seconds_count", &[("path", "same_core")], 7.0),
        ("chatd_path_seconds_count", &[("path", "group")], 3.0),
        ("chatd_path_seconds_count", &[("path", "other_core")], 0.0),
        ("chatd_stage_seconds_count", &[("stage", "acked")], 7.0),
        ("chatd_groups", &[], 1.0),
    ] {
        assert_eq!(grown(name, labels), by, "{name} {labels:?}");
    }
    for name in ["chatd_received_bytes_total", "chatd_sent_bytes_total", "chatd_requests_total"] {
        assert!(grown(name, &[]) > 10.0, "{name}");
    }
    for name in ["chatd_turns_total", "chatd_core_cpu_seconds_total", "chatd_store_questions_total"] {
        assert!(grown(name, &[]) > 0.0, "{name}");
    }

    amy.logout();
    drop(ben);
    let left = until(admin, "nobody online", |metrics| {
        metrics.sum("chatd_sessions", &[("phase", "online")]) == 0.0
            && metrics.sum("chatd_connections", &[]) == 1.0
    });
    assert_eq!(left.sum("chatd_partings_total", &[]), 2.0);
    assert_eq!(left.sum("chatd_groups", &[]), 0.0);
}

#[test]
fn messages_between_cores_are_counted_on_both_sides() {
    let (chatd, admin) = start(2);
    let (senders, readers) = (chatd.register_many("s", 12), chatd.register_many("r", 12));
    let mut saying = chatd.enter_all(&senders);
    let mut hearing = chatd.enter_all(&readers);
    for (sender, reader) in saying.iter_mut().zip(&readers) {
        sender.chat(reader, "across or not");
    }
    hearing.iter_mut().for_each(|client| drop(client.hear_msg("across or not")));
    let metrics = until(admin, "all of them flushed", |metrics| {
        let of = |path| metrics.sum("chatd_path_seconds_count", &[("path", path)]);
        of("same_core") + of("other_core") == 12.0
    });
    // Where the kernel has put whom is not ours to say: whatever went across has arrived there.
    let across = metrics.sum("chatd_path_seconds_count", &[("path", "other_core")]);
    assert_eq!(metrics.sum("chatd_bus_arrived_total", &[]), across);
    assert_eq!(metrics.sum("chatd_stage_seconds_count", &[("stage", "arrived")]), across);
    assert_eq!(metrics.sum("chatd_pushes_total", &[]), 12.0);
    assert_eq!(metrics.sum("chatd_path_seconds_count", &[("path", "other_server")]), 0.0);
}

#[test]
fn without_measuring_it_is_counted_and_not_timed() {
    let (chatd, admin) =
        super::client::watched(crate::common::chatd::Setup::new(1).argument("--measure").argument("off"));
    let (mut amy, mut ben) = two(&chatd);
    let ben_id = ben.id;
    let amy_id = amy.id;
    amy.say(json!({"msgid": 6, "id": amy_id, "toid": ben_id, "msg": "tea", "cid": "a"}));
    amy.hear_ack("a");
    ben.hear_msg("tea");
    let metrics = until(admin, "a push", |metrics| metrics.sum("chatd_pushes_total", &[]) == 1.0);
    assert_eq!(metrics.sum("chatd_stage_seconds_count", &[]), 0.0);
    assert_eq!(metrics.sum("chatd_path_seconds_count", &[]), 0.0);
    assert!(metrics.sum("chatd_requests_total", &[]) > 0.0);
}
