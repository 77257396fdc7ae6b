//! The figures of reports as a table in Markdown: what `docs/performance.md` shows, with a link to each report.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::units::time_text;
use crate::json::Json;

/// Prints the table. Links are to the pages beside the reports, their names behind `link`.
pub fn figures(reports: &[PathBuf], link: &str) -> Result<(), String> {
    let mut text = String::from(
        "| report | server | a second | p50 | p99 | p99.9 | ACK p99 | CPU each | ratio | verdict |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for path in reports {
        let read = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let document = Json::read(&read).map_err(|reason| format!("{}: {reason}", path.display()))?;
        if !rows(&mut text, &linked(path, link), &document) {
            return Err(format!("{} is no report of a run, a search or idle sessions", path.display()));
        }
    }
    // Whoever read it may have seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn linked(path: &Path, link: &str) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = if path.with_extension("html").exists() { "html" } else { "json" };
    format!("[{name}]({link}{name}.{ending})")
}

/// Appends the rows of one report; false if it is none.
fn rows(text: &mut String, link: &str, document: &Json) -> bool {
    // Writing to a String cannot fail.
    if let Some(kept) = document.text_at("kept") {
        let found = document.number_at("found_per_s").map_or("none".into(), |rate| format!("**{rate:.0}**"));
        let _ = writeln!(text, "| {link} | highest rate with {kept} | {found} | | | | | | | |");
        return true;
    }
    if let Some(bytes) = document.number_at("session_bytes") {
        let users = document.number_at("users").unwrap_or(0.0);
        let _ =
            writeln!(text, "| {link} | {users:.0} idle sessions, {bytes:.0} bytes each | | | | | | | | |");
        return true;
    }
    let sides = document.list_at("sides");
    for (number, side) in sides.iter().enumerate() {
        let time = |key: &str| match side.number_at(&format!("sum/{key}")) {
            Some(ns) => time_text(ns as u64),
            None => String::new(),
        };
        let cpu = side.number_at("sum/server_cpu_us_each").map_or(String::new(), |us| format!("{us:.2} µs"));
        let per_s = side.number_at("sum/delivered_per_s").unwrap_or(0.0);
        let verdict = match side.text_at("faults") {
            Some(faults) => format!("FAULTY: {faults}"),
            None => side.text_at("verdict").unwrap_or_default().to_owned(),
        };
        let name = side.text_at("name").unwrap_or_default();
        let ratio = if number == 0 { ratio(document) } else { push_ratio(document, name) };
        let first = if number == 0 { link } else { "" };
        let [p50, p99, p999] =
            ["p50", "p99", "p99.9"].map(|quantile| time(&format!("latency_ns/{quantile}")));
        let ack = time("ack_ns/p99");
        let _ = writeln!(
            text,
            "| {first} | {name} | {per_s:.0} | {p50} | {p99} | {p999} | {ack} | {cpu} | {ratio} | {verdict} |"
        );
    }
    !sides.is_empty()
}

/// Of CPU, with the quartiles of the ratio and the difference.
fn ratio(document: &Json) -> String {
    let number = |path: &str| document.number_at(&format!("cpu_ratio/{path}"));
    let (Some(median), Some(low), Some(high)) =
        (number("ratio/median"), number("ratio/quartile_1"), number("ratio/quartile_3"))
    else {
        return String::new();
    };
    let difference = number("difference_ns/median").map_or(String::new(), |ns| format!(", {ns:+.0} ns"));
    format!("**{median:.3}** ({low:.3}–{high:.3}){difference}")
}

/// Of the latency of pushes, this side over the first.
fn push_ratio(document: &Json, name: &str) -> String {
    let Some(pair) = document.list_at("push_ratios").iter().find(|pair| pair.text_at("of") == Some(name))
    else {
        return String::new();
    };
    let words = |quantile: &str| {
        let number = |key: &str| pair.number_at(&format!("quantiles/{quantile}/{key}")).unwrap_or(f64::NAN);
        let [median, low, high] = ["median", "quartile_1", "quartile_3"].map(number);
        format!("{quantile} **{median:.3}** ({low:.3}–{high:.3})")
    };
    format!("{}, {}", words("p50"), words("p99"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_has_none() {
        for document in ["{}", r#"{"sides":[]}"#, "[]", "7", "null"] {
            let mut text = String::new();
            assert!(!rows(&mut text, "", &Json::read(document).unwrap()), "{document}");
            assert_eq!(text, "");
        }
    }

    #[test]
    fn every_kind_of_report_has_its_row() {
        let mut text = String::new();
        let run = r#"{"sides":[{"name":"chatd","verdict":"valid","faults":null,"sum":{"delivered_per_s":9999.6,
            "latency_ns":{"p50":41000,"p99":90000,"p99.9":1500000},"ack_ns":null,"server_cpu_us_each":9.5}},
            {"name":"relay","verdict":"valid","faults":"2 lost","sum":{"delivered_per_s":10000}}],
            "cpu_ratio":{"ratio":{"median":1.2,"quartile_1":1.1,"quartile_3":1.3},"difference_ns":{"median":-40}}}"#;
        rows(&mut text, "[a](a.html)", &Json::read(run).unwrap());
        let store = r#"{"sides":[{"name":"healthy","sum":{}},{"name":"down","sum":{}}],"push_ratios":[
            {"of":"down","quantiles":{"p50":{"median":0.9,"quartile_1":0.8,"quartile_3":1},"p99":{"median":1.1,
            "quartile_1":1,"quartile_3":1.2}}}]}"#;
        rows(&mut text, "[p](p.html)", &Json::read(store).unwrap());
        rows(&mut text, "[s](s.json)", &Json::read(r#"{"kept":"p99 ≤ 5 ms","found_per_s":120000}"#).unwrap());
        rows(&mut text, "[i](i.json)", &Json::read(r#"{"session_bytes":845.2,"users":5000}"#).unwrap());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "| [a](a.html) | chatd | 10000 | 41.0 µs | 90.0 µs | 1.50 ms |  | 9.50 µs | **1.200** (1.100–1.300), -40 ns | valid |",
                "|  | relay | 10000 |  |  |  |  |  |  | FAULTY: 2 lost |",
                "| [p](p.html) | healthy | 0 |  |  |  |  |  |  |  |",
                "|  | down | 0 |  |  |  |  |  | p50 **0.900** (0.800–1.000), p99 **1.100** (1.000–1.200) |  |",
                "| [s](s.json) | highest rate with p99 ≤ 5 ms | **120000** | | | | | | | |",
                "| [i](i.json) | 5000 idle sessions, 845 bytes each | | | | | | | | |",
            ]
        );
    }
}
