//! Names of metrics: those of the server are those of `docs/metrics.md`, and the dashboard and the alerts use no others.

use super::client::start;
use super::openmetrics::Metrics;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The metrics of a server to which something has happened, so that errors have a series too.
fn real() -> Metrics {
    let (chatd, admin) = start(2);
    let mut stranger = chatd.connect();
    stranger.write(b"this is no frame\n");
    stranger.hear_error_and_end(100);
    let page = admin.until("an error", "/metrics", |page| page.text().contains("chatd_errors_total{"));
    Metrics::read(page.text())
}

/// Labels of a metric, in any order.
fn labels(family: &super::openmetrics::Family) -> BTreeSet<String> {
    let keys = family.samples.iter().flat_map(|sample| sample.labels.keys());
    keys.filter(|key| *key != "le").cloned().collect()
}

#[test]
fn every_metric_is_documented_as_it_is_and_none_that_is_not() {
    let real = real();
    let rows: BTreeMap<String, Vec<String>> = text("docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `chatd_") || line.starts_with("| `process_"))
        .map(|line| {
            let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            let cells: Vec<String> = cells.collect();
            (cells[0].trim_matches('`').to_owned(), cells)
        })
        .collect();
    let shown: BTreeMap<String, _> =
        real.0.iter().map(|(name, family)| (Metrics::shown(name, family), family)).collect();
    assert_eq!(rows.keys().collect::<Vec<_>>(), shown.keys().collect::<Vec<_>>());
    for (name, family) in shown {
        let row = &rows[&name];
        let written = row[2].split(", ").map(|label| label.trim_matches('`').to_owned());
        let written: BTreeSet<String> = written.filter(|label| label != "–").collect();
        assert_eq!(row[1], family.kind, "the type of {name}");
        assert_eq!(written, labels(family), "the labels of {name}");
        assert_eq!(row[3], family.help, "what {name} means");
    }
}

/// The words of an expression that name metrics of ours, each with the labels that it asks of it in braces.
fn used(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find("chatd_").into_iter().chain(rest.find("process_")).min() {
        let name: String = rest[start..].chars().take_while(|&c| word(c)).collect();
        rest = &rest[start + name.len()..];
        let within = rest.strip_prefix('{').and_then(|inside| inside.split('}').next()).unwrap_or("");
        let asked = within.split(',').filter(|matcher| !matcher.is_empty()).map(|matcher| {
            let (label, value) = matcher.split_once('=').expect("a label and its value");
            (label.trim_end_matches('!').trim().to_owned(), value.trim_matches(['~', '"']).to_owned())
        });
        found.push((name, asked.collect()));
    }
    found
}

/// Fails for a metric, a label or a value that the server does not have.
fn check(real: &Metrics, expression: &str) -> usize {
    let used = used(expression);
    for (name, asked) in &used {
        let samples: Vec<_> =
            real.0.values().flat_map(|family| &family.samples).filter(|s| s.name == *name).collect();
        assert!(!samples.is_empty(), "there is no metric {name}: {expression}");
        for (label, value) in asked.iter().filter(|(label, _)| label != "instance" && label != "job") {
            let values: BTreeSet<&str> =
                samples.iter().filter_map(|s| s.labels.get(label)).map(String::as_str).collect();
            assert!(!values.is_empty(), "{name} has no label {label}: {expression}");
            for value in value.split('|').filter(|_| label != "errno") {
                assert!(values.contains(value), "{name} is never of the {label} {value}: {expression}");
            }
        }
    }
    used.len()
}

/// Every text under a key of this name, however deep.
fn under<'a>(json: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match json {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|value| under(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| under(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let real = real();
    let dashboard: Value = serde_json::from_str(&text("ops/grafana/chatd.json")).expect("JSON");
    let mut expressions = Vec::new();
    under(&dashboard, "expr", &mut expressions);
    under(&dashboard, "definition", &mut expressions);
    let used: usize = expressions.iter().map(|expression| check(&real, expression)).sum();
    assert!(used >= expressions.len() && expressions.len() > 30, "every panel shows something of ours");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
    for panel in panels {
        let place = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().expect("a place"));
        assert!(place[0] + place[2] <= 24, "a dashboard is 24 columns wide: {panel}");
    }
}

#[test]
fn alerts_are_about_what_there_is() {
    let real = real();
    let rules = text("ops/prometheus/chatd-alerts.yml");
    let (mut alerts, mut checked) = (0, 0);
    for rule in rules.split("- alert: ").skip(1) {
        alerts += 1;
        let (_, rest) = rule.split_once("expr: ").expect("an alert has an expression");
        let expression = rest.split("\n        for: ").next().expect("split gives one at least");
        let expression = expression.split("\n        labels: ").next().expect("split gives one at least");
        let used = check(&real, expression);
        assert!(used > 0 || expression.contains("up{job=\"chatd\"}"), "{expression}");
        checked += used;
        for part in ["labels: {severity: ", "summary: ", "action: "] {
            assert!(rule.contains(part), "an alert has {part}: {rule}");
        }
    }
    assert!(alerts >= 10 && checked >= alerts, "{alerts} alerts use {checked} metrics");
    let tests = text("ops/prometheus/chatd-alerts.test.yml");
    let series = tests.lines().filter_map(|line| line.split("series: '").nth(1)?.split('\'').next());
    let series: Vec<&str> = series.collect();
    assert!(series.len() > 5);
    series.iter().for_each(|series| assert_eq!(check(&real, &series.replace(", ", ",")), 1, "{series}"));
}
