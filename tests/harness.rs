//! chat-perf itself, as it is built: every scenario runs against the real chatd, and what it writes can be read.
//!
//! Short and slow runs, whose figures say nothing. What is checked is what must hold at any speed: that everything
//! came, and that the report has what it should have.

use chatd_testing as common;

/// A pseudo-terminal, as the tests of the terminal client have it.
#[allow(dead_code)]
#[path = "client/screen.rs"]
mod screen;

use common::scratch::Scratch;
use screen::Setup;
use serde_json::Value;
use std::process::Command;

/// Measured, or measured by a generator that was too late: on a busy machine it may well be.
const MEASURED: [i32; 2] = [0, 3];

/// Runs chat-perf; its report, and what it printed.
fn measured(arguments: &[&str]) -> (Value, String) {
    let scratch = Scratch::new();
    let base = scratch.path().join("report");
    let mut command = Command::new(chatd_testing::program("chat-perf"));
    command.args(arguments).args(["--precedence", "none", "--warmup", "0.1"]).arg("--out").arg(&base);
    let output = command.output().expect("chat-perf can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    assert!(code.is_some_and(|code| MEASURED.contains(&code)), "{arguments:?}: {code:?} {said}{complaints}");
    let read = |ending: &str| std::fs::read_to_string(base.with_extension(ending)).expect("it was written");
    let page = read("html");
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg"), "{arguments:?}");
    assert!(!page.contains("NaN"), "{arguments:?}: a figure on the page is none");
    assert!(read("hlog").contains("[Histogram log format version"), "{arguments:?}");
    assert!(read("hgrm").contains("1/(1-Percentile)"), "{arguments:?}");
    (serde_json::from_str(&read("json")).expect("JSON"), said)
}

/// The one side of a report, in which everything came that should.
fn side(report: &Value, number: usize) -> &Value {
    assert_eq!(report["faults"], Value::Array(Vec::new()));
    let side = &report["sides"][number];
    let counts = &side["sum"]["counts"];
    assert_eq!(counts["delivered"], counts["expected"], "{counts}");
    assert_eq!(counts["acked"], counts["acks_expected"], "{counts}");
    for never in ["lost", "repeated", "reordered", "misdelivered", "acks_lost"] {
        assert_eq!(counts[never], 0, "{never}: {counts}");
    }
    assert!(counts["intended"].as_u64() > Some(0), "{counts}");
    side
}

/// How often a histogram of the server's own was recorded into.
fn count(side: &Value, kind: &str, name: &str) -> u64 {
    side[kind][name]["count"].as_u64().unwrap_or(0)
}

#[test]
fn a_report_has_everything_that_a_sceptic_asks_for() {
    let (report, said) = measured(&["run", "direct", "--rate", "500", "--duration", "1", "--pairs", "8"]);
    let machine = &report["machine"];
    for field in ["kernel", "cpu_model", "command"] {
        assert!(machine[field].as_str().is_some_and(|text| text.len() > 2), "{field}: {machine}");
    }
    assert!(machine.get("commit").is_some() && machine.get("governor").is_some(), "{machine}");
    assert!(machine["cpu_count"].as_u64() > Some(0), "{machine}");
    assert_eq!((&report["seed"], &report["rate_asked_per_s"]), (&1.into(), &500.into()));
    let side = side(&report, 0);
    let sum = &side["sum"];
    for quantile in ["p50", "p90", "p99", "p99.9", "p99.99", "max"] {
        assert!(sum["latency_ns"][quantile].as_u64() > Some(0), "{quantile}: {sum}");
        assert!(sum["lag_ns"][quantile].as_u64().is_some(), "{quantile}: {sum}");
    }
    assert!(sum["delivered_per_s"].as_f64() > Some(100.0), "{sum}");
    assert!(sum["server_cpu_us_each"].as_f64() > Some(0.0), "{sum}");
    assert!(sum["server_rss_bytes"].as_u64() > Some(1 << 20), "{sum}");
    // The server's own stages, warm-up included.
    let delivered = sum["counts"]["delivered"].as_u64().expect("a count");
    assert_eq!(count(side, "paths", "same_core"), delivered);
    for stage in ["read", "parsed", "routed", "flushed"] {
        assert!(count(side, "stages", stage) > 0, "{stage}: {side}");
    }
    assert!(side["series"][0].as_array().is_some_and(|slices| slices.len() >= 3), "{side}");
    for line in ["latency", "own lag", "stage", "path", "messages", "verdict"] {
        assert!(said.contains(&format!("\n  {line} ")), "{line}: {said}");
    }
}

/// Everything comes over WebSocket, too: pushes, acknowledgements, confirmations, logins and groups.
#[test]
fn websocket_is_spoken_where_it_is_asked_for() {
    for more in [&["direct", "--ack", "--v2"][..], &["groups-10"], &["logins", "--logins", "50"]] {
        let arguments = [&["run", more[0], "--ws", "--duration", "0.5"], &more[1..]].concat();
        let (report, _) = measured(&arguments);
        side(&report, 0);
    }
}

/// Likewise encrypted, with and without WebSocket, with handshakes in full and in short.
#[test]
fn tls_is_spoken_where_it_is_asked_for() {
    for more in [
        &["direct", "--tls", "--ack", "--v2"][..],
        &["direct", "--tls", "--closed", "--under-way", "100", "--size", "8000", "--pairs", "4"],
        &["direct", "--tls", "--ws"],
        &["groups-10", "--tls"],
        &["logins", "--tls=resumed", "--logins", "50"],
    ] {
        let (report, _) = measured(&[&["run"], more, &["--duration", "0.5"]].concat());
        let command = side(&report, 0)["description"].as_str().expect("how it was started");
        assert!(command.contains("--tls-cert"), "{command}");
    }
}

#[test]
fn pairs_over_cores_go_both_ways() {
    let (report, _) = measured(&["run", "cores", "--rate", "500", "--duration", "0.5", "--pairs", "40"]);
    let side = side(&report, 0);
    let delivered = side["sum"]["counts"]["delivered"].as_u64().expect("a count");
    assert_eq!(count(side, "paths", "same_core") + count(side, "paths", "other_core"), delivered);
}

#[test]
fn groups_hear_everything_once() {
    for (scenario, users) in [("groups-10", "20"), ("groups-100", "100"), ("groups-1000", "1000")] {
        let (report, _) = measured(&["run", scenario, "--rate", "20", "--duration", "0.5", "--users", users]);
        let side = side(&report, 0);
        let delivered = side["sum"]["counts"]["delivered"].as_u64().expect("a count");
        assert_eq!(count(side, "paths", "group"), delivered, "{scenario}");
    }
}

/// One who says the next thing as soon as the last one was heard is not refused for it, and the report has how.
#[test]
fn a_closed_loop_in_a_group_is_not_held_to_a_rate() {
    let small = ["--set", "groups=1", "--set", "members=2", "--set", "speakers=1", "--under-way", "64"];
    let mut arguments = vec!["run", "groups-10", "--closed", "--duration", "1", "--size", "2000"];
    arguments.extend(small);
    let (report, said) = measured(&arguments);
    assert!(side(&report, 0)["sum"]["counts"]["delivered"].as_u64() > Some(0), "{report}");
    assert!(said.contains("--group-rate off") || report.to_string().contains("--group-rate off"), "{said}");
}

#[test]
fn a_backlog_is_stored_and_drained() {
    let arguments =
        ["run", "backlog", "--rate", "400", "--duration", "0.5", "--users", "40", "--logins", "40"];
    let (report, _) = measured(&arguments);
    let (stored, drained) = (side(&report, 0), side(&report, 1));
    let acked = &stored["sum"]["counts"]["acked"];
    assert!(acked.as_u64() > Some(0), "{stored}");
    assert_eq!(&drained["sum"]["counts"]["delivered"], acked);
    assert!(count(stored, "stages", "acked") > 0 && count(drained, "paths", "offline") > 0);
}

#[test]
fn people_arrive_and_sit_there() {
    let (report, _) = measured(&["run", "logins", "--logins", "50", "--duration", "0.5"]);
    assert_eq!(side(&report, 0)["unit"], "login");
    let scratch = Scratch::new();
    let json = scratch.path().join("idle.json");
    let mut command = Command::new(chatd_testing::program("chat-perf"));
    command.args(["run", "idle", "--users", "200", "--duration", "0.2", "--json"]).arg(&json);
    assert!(command.output().expect("chat-perf can be started").status.success());
    let report: Value = serde_json::from_slice(&std::fs::read(json).expect("written")).expect("JSON");
    assert_eq!((&report["users"], &report["connections_closed"]), (&200.into(), &0.into()), "{report}");
}

#[test]
fn a_day_mixes_all_of_it() {
    let arguments = ["--set", "idle=50", "--set", "groups=2", "--set", "members=5", "--set", "speakers=3"];
    let load = ["run", "day", "--rate", "200", "--duration", "1", "--pairs", "10", "--logins", "5"];
    let (report, _) = measured(&[&load[..], &arguments].concat());
    let side = side(&report, 0);
    assert!(side["logins"]["counts"]["delivered"].as_u64() > Some(0), "{side}");
    for path in ["same_core", "group"] {
        assert!(count(side, "paths", path) > 0, "{path}: {side}");
    }
}

#[test]
fn two_servers_are_interleaved_and_compared() {
    let load = ["run", "direct", "--closed", "--pairs", "4", "--rounds", "3", "--duration", "0.5"];
    for (versus, names, more) in [
        ("floor", ["chatd", "relay"], &[][..]),
        ("ring-floor", ["chatd", "ring-relay"], &[]),
        ("measure-off", ["measure-on", "measure-off"], &[]),
        ("plain", ["tls", "plain"], &["--tls"]),
    ] {
        let (report, said) = measured(&[&load, &["--vs", versus][..], more].concat());
        let found = [0, 1].map(|number| side(&report, number)["name"].as_str().expect("a name"));
        assert_eq!(found, names);
        let ratio = &report["cpu_ratio"];
        assert_eq!(ratio["ratio"]["count"], 3);
        assert!(ratio["difference_ns"]["median"].as_f64().is_some(), "{ratio}");
        assert!(said.contains("\n  ratio ") && said.contains("\n  difference "), "{said}");
        assert!(count(side(&report, 0), "paths", "same_core") > 0);
        let measures = count(side(&report, 1), "paths", "same_core") > 0;
        assert_eq!(measures, versus == "plain", "{versus}");
    }
}

/// The other build is a copy of this one, which tells itself apart by where it lies.
#[test]
fn two_builds_are_interleaved_and_compared() {
    let scratch = Scratch::new();
    let other = scratch.path().join("chatd-before");
    std::fs::copy(chatd_testing::program("chatd"), &other).expect("a copy");
    let load = ["run", "direct", "--closed", "--pairs", "4", "--rounds", "2", "--duration", "0.2"];
    let (report, _) = measured(&[&load[..], &["--against-build", other.to_str().expect("UTF-8")]].concat());
    let said = [0, 1].map(|number| side(&report, number)["description"].as_str().expect("words").to_owned());
    assert!(said[0].contains(": chatd ") && said[1].contains(": chatd-before "), "{said:?}");
    assert_eq!(report["cpu_ratio"]["second"], "other build");
}

/// The store is a MariaDB that the harness starts, and takes away.
#[test]
fn pushes_are_compared_while_the_store_is_healthy_slow_and_down() {
    common::services::install::by_apt();
    let load = ["--rate", "100", "--pairs", "4", "--duration", "0.3", "--rounds", "2", "--delay-ms", "20"];
    let (report, said) = measured(&[&["store"], &load[..]].concat());
    for (number, name) in ["healthy", "slow", "down"].into_iter().enumerate() {
        let side = side(&report, number);
        let counts = &side["sum"]["counts"];
        assert_eq!((&side["name"], &side["rounds"].as_array().map(Vec::len)), (&name.into(), &Some(2)));
        // Without a store nobody is told that a message is safe, and with one everybody is.
        let refused = if name == "down" { &counts["intended"] } else { &Value::from(0) };
        assert_eq!(&counts["refused"], refused, "{name}: {counts}");
        assert_eq!(side["sum"]["ack_ns"].is_null(), name == "down", "{name}: {side}");
        assert_eq!(side["sum"]["refusal_ns"].is_null(), name != "down", "{name}: {side}");
    }
    let slowest = report["sides"][1]["sum"]["ack_ns"]["p50"].as_u64().expect("ACKs of a slow store");
    assert!(slowest >= 20_000_000, "no ACK comes before the store's answer: {slowest}");
    let ratios = report["push_ratios"].as_array().expect("ratios");
    for (ratio, (of, rounds)) in ratios.iter().zip([("slow", 2), ("down", 2), ("healthy", 1)]) {
        assert_eq!(
            (&ratio["of"], &ratio["over"], &ratio["rounds"]),
            (&of.into(), &"healthy".into(), &rounds.into())
        );
        assert!(ratio["quantiles"]["p99"]["median"].as_f64() > Some(0.0), "{ratio}");
    }
    assert_eq!(ratios.len(), 3);
    assert!(said.contains("\n  down/healthy ") && said.contains("\n  refusal "), "{said}");
}

/// What an application does is answered, and heard once by those whom it is for.
#[test]
fn an_application_sends_through_the_api_while_people_talk() {
    let load = ["--rate", "200", "--pairs", "4", "--duration", "0.5", "--rounds", "2"];
    let (report, said) = measured(&[&["api", "--acts", "100", "--connections", "40"], &load[..]].concat());
    for (number, name) in ["calm", "with the API", "API"].into_iter().enumerate() {
        assert_eq!(side(&report, number)["name"], name);
    }
    let acts = side(&report, 2);
    let counts = &acts["sum"]["counts"];
    assert_eq!(counts["delivered"], counts["intended"], "each act is heard by its reader: {counts}");
    let (answer, heard) = (&acts["sum"]["latency_ns"]["p50"], &acts["sum"]["ack_ns"]["p50"]);
    assert!(answer.as_u64() > Some(0) && heard.as_u64() > Some(0), "{acts}");
    assert!(count(side(&report, 1), "paths", "same_core") > count(side(&report, 0), "paths", "same_core"));
    assert_eq!(report["push_ratios"][0]["of"], "with the API");
    for line in ["an act: ", "p99 of those who talk: ", "the server's CPU: "] {
        assert!(said.contains(&format!("\n{line}")), "{line}: {said}");
    }
}

#[test]
fn users_of_another_application_log_in_with_both_algorithms() {
    let load = ["--logins", "60", "--users", "20", "--duration", "0.5", "--rounds", "2"];
    let (report, said) = measured(&[&["jwt"], &load[..]].concat());
    for (number, (name, option)) in
        [("EdDSA", "--jwt-key"), ("HS256", "--jwt-secret")].into_iter().enumerate()
    {
        let side = side(&report, number);
        assert_eq!((&side["name"], &side["unit"]), (&name.into(), &"login".into()));
        assert!(side["description"].as_str().is_some_and(|command| command.contains(option)), "{side}");
        assert!(side["sum"]["counts"]["delivered"].as_u64() > Some(20), "users come again: {side}");
        assert!(said.contains(&format!("\n{name} ")), "{said}");
    }
    assert_eq!(report["cpu_ratio"]["ratio"]["count"], 2);
}

/// Whoever takes events has been told of every message by the end; who takes none costs no message.
#[test]
fn each_message_is_told_to_the_receiver_that_takes_it() {
    let load = ["--rate", "200", "--pairs", "4", "--duration", "0.3", "--rounds", "2"];
    let (report, said) = measured(&[&["webhook"], &load[..]].concat());
    for (number, name) in ["no webhook", "takes all", "dead", "silent"].into_iter().enumerate() {
        let side = side(&report, number);
        let counts = &side["sum"]["counts"];
        assert_eq!((&side["name"], &counts["acked"]), (&name.into(), &counts["intended"]), "{counts}");
        let command = side["description"].as_str().expect("how it was started");
        assert_eq!(command.contains("--webhook-url"), number > 0, "{command}");
        assert!(number == 0 || said.contains(&format!("\n  {name} ")), "{said}");
    }
    let acked = &side(&report, 1)["sum"]["counts"]["acked"];
    assert!(said.contains(&format!("told: {acked} events of {acked} messages;")), "{said}");
}

#[test]
fn reports_are_put_side_by_side_and_drawn() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.path().join(name).to_str().expect("UTF-8").to_owned();
    let perf = |arguments: &[&str]| {
        let mut command = Command::new(chatd_testing::program("chat-perf"));
        let output = command.args(arguments).output().expect("chat-perf can be started");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    for (name, rate) in [("a", "200"), ("b", "400"), ("c", "600")] {
        let (code, said) = perf(&[
            "floor",
            "direct",
            "--rate",
            rate,
            "--duration",
            "0.3",
            "--warmup",
            "0",
            "--rounds",
            "3",
            "--precedence",
            "none",
            "--json",
            &path(name),
        ]);
        assert!(code.is_some_and(|code| MEASURED.contains(&code)), "{said}");
    }
    let (code, table) = perf(&["compare", &path("a"), &path("b"), &path("c"), "--html", &path("page")]);
    assert_eq!(code, Some(0));
    assert_eq!(table.lines().count(), 5, "a head, three rows and a key: {table}");
    assert!(table.contains("p99.9") && table.contains('×') && table.contains('±'), "{table}");
    let page = std::fs::read_to_string(path("page")).expect("a page");
    assert!(page.contains("Side by side") && page.matches("<svg").count() >= 2);
    let (code, _) = perf(&["chart", &path("a"), &path("b"), "--svg", &path("picture")]);
    let picture = std::fs::read_to_string(path("picture")).expect("a picture");
    assert!(code == Some(0) && picture.starts_with("<svg") && picture.contains("<path"));
}

#[test]
fn a_rate_is_searched_that_keeps_a_latency() {
    let mut command = Command::new(chatd_testing::program("chat-perf"));
    // Any machine keeps ten seconds, and none a nanosecond.
    command.args(["search", "direct", "--floor", "--from", "100", "--duration", "0.1", "--warmup", "0"]);
    command.args(["--precedence", "none", "--p50", "1ns"]);
    let output = command.output().expect("chat-perf can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("no rate that keeps p50"), "{said}");
    assert_eq!(output.status.code(), Some(4), "{said}");
}

#[test]
fn the_second_dialect_is_acknowledged_confirmed_and_resumed() {
    let (report, _) =
        measured(&["run", "direct", "--v2", "--ack", "--rate", "300", "--duration", "1", "--pairs", "8"]);
    let side_ = side(&report, 0);
    let counts = &side_["sum"]["counts"];
    assert_eq!((&counts["acked"], &counts["other_frames"]), (&counts["intended"], &0.into()), "{counts}");
    assert!(side_["sum"]["ack_ns"]["p99"].as_u64() > Some(0), "measured apart from delivery");
    let (report, _) = measured(&["run", "resume", "--logins", "50", "--duration", "0.5"]);
    assert_eq!(side(&report, 0)["unit"], "resumption");
}

#[test]
fn whoever_watches_sees_rate_latency_and_lag_while_it_runs() {
    let run = Setup::of(chatd_testing::program("chat-perf")).size(160, 50).argument("run").argument("direct");
    let run =
        ["--rate", "200", "--duration", "2", "--precedence", "none"].into_iter().fold(run, Setup::argument);
    let mut screen = run.start();
    screen.until("a line that lives", |rows| {
        rows.iter().any(|row| row.contains("/s  p99 ") && row.contains("lag p99") && row.ends_with("s left"))
    });
    screen.until("the report in its place", |rows| {
        rows.iter().any(|row| row.starts_with("  verdict")) && !rows.iter().any(|row| row.ends_with("s left"))
    });
    assert!(MEASURED.contains(&(screen.end() as i32)));
}

#[test]
fn what_is_typed_is_what_is_done() {
    let flags = ["--sources", "5", "--ramp", "0.2", "--size", "300", "--seed", "77", "--users", "10"];
    let load = ["run", "direct", "--rate", "400", "--arrival", "uniform", "--duration", "0.5"];
    let (report, _) = measured(&[&load[..], &flags].concat());
    side(&report, 0);
    assert_eq!((&report["seed"], &report["text_bytes"]), (&77.into(), &300.into()));
    assert_eq!(report["ramp_s"], 0.2);
    assert!(
        report["crowd"].as_str().is_some_and(|crowd| crowd.starts_with("5 pairs")),
        "{}",
        report["crowd"]
    );
    assert!(report["load_loop"].as_str().is_some_and(|words| words.contains("uniform")));
    // The same plan again: the same number of messages.
    let (again, _) = measured(&[&load[..], &flags].concat());
    let intended = |report: &Value| report["sides"][0]["sum"]["counts"]["intended"].clone();
    assert_eq!(intended(&report), intended(&again));
}
