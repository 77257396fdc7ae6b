//! The words and numbers of a page: cards, tables, circumstances.

use std::fmt::Write;

use super::Line;
use super::axis::{grouped, short_count, short_time};
use super::svg::escape;
use crate::json::Json;
use crate::report::units::{QUANTILES, bytes_text};

/// The latency of a side, or where it has none, its acknowledgements.
pub fn latency(side: &Json) -> Option<&Json> {
    let known = |path: &str| side.at(path).filter(|json| **json != Json::Null);
    known("sum/latency_ns").or_else(|| known("sum/ack_ns"))
}

fn fact(name: &str, value: Option<String>) -> String {
    format!("<div>{name}<b>{}</b></div>", value.unwrap_or_else(|| "–".into()))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub fn cards(lines: &[Line]) -> String {
    let mut html = String::from("<div class=\"cards\">");
    for line in lines {
        let side = line.side;
        let quantile = |name: &str| latency(side)?.get(name)?.number().map(short_time);
        let verdict = side.text_at("verdict").unwrap_or_default();
        let (class, word) = match side.text_at("faults") {
            Some(_) => ("faulty", "FAULTY"),
            None => (verdict, verdict),
        };
        let unit = side.text_at("unit").unwrap_or("message");
        let cpu = side.number_at("sum/server_cpu_us_each").map(|us| short_time(us * 1e3));
        let facts = [
            fact("p50", quantile("p50")),
            fact("p99", quantile("p99")),
            fact("p99.9", quantile("p99.9")),
            fact("a second", side.number_at("sum/delivered_per_s").map(short_count)),
            fact(&format!("CPU a {unit}"), cpu),
            fact("taken by the host", side.number_at("sum/taken_by_host").map(percent)),
            fact("resident", side.number_at("sum/server_rss_bytes").map(|bytes| bytes_text(bytes as u64))),
        ];
        let _ = write!(
            html,
            "<div class=\"card c{}\"><h3>{}<span class=\"{class}\">{word}</span></h3><div class=\"facts\">{}</div>\
             <small class=\"soft\">{}</small></div>",
            line.color,
            escape(&line.label),
            facts.concat(),
            escape(side.text_at("verdict_text").unwrap_or_default())
        );
    }
    html + "</div>"
}

pub fn ratio(ratio: &Json) -> String {
    let number = |path: &str| ratio.number_at(path).unwrap_or(f64::NAN);
    let text = |key: &str| escape(ratio.text_at(key).unwrap_or_default());
    let own = |key: &str| match ratio.number_at(&format!("{key}/quartile_1")) {
        Some(low) => format!("{low:.3}–{:.3}", number(&format!("{key}/quartile_3"))),
        None => "unknown of one round".into(),
    };
    format!(
        "<p>Server CPU, {} over {}: <b>{:.3}</b>, the median of {} neighbouring rounds (quartiles {:.3}–{:.3}), \
         or <b>{:+.0} ns</b> (quartiles {:+.0} to {:+.0}). Against itself, from round to \
         round, the first has quartiles {} and the second {}.</p>",
        text("first"),
        text("second"),
        number("ratio/median"),
        number("ratio/count"),
        number("ratio/quartile_1"),
        number("ratio/quartile_3"),
        number("difference_ns/median"),
        number("difference_ns/quartile_1"),
        number("difference_ns/quartile_3"),
        own("first_to_itself"),
        own("second_to_itself"),
    )
}

/// Of the latency of pushes, a row for each state.
pub fn pushes(ratios: &[Json]) -> String {
    let quantiles = ratios.first().and_then(|ratio| ratio.at("quantiles"));
    let names = quantiles.map(Json::fields).unwrap_or_default();
    let heads: Vec<String> = names.iter().map(|(name, _)| format!("<th>{name}</th>")).collect();
    let mut html = format!("<div class=\"wide\"><table><tr><th></th>{}<th>rounds</th></tr>", heads.concat());
    for ratio in ratios {
        let text = |key: &str| escape(ratio.text_at(key).unwrap_or_default());
        let _ = write!(html, "<tr><td>{} over {}</td>", text("of"), text("over"));
        for (name, _) in names {
            let number = |key: &str| ratio.number_at(&format!("quantiles/{name}/{key}")).unwrap_or(f64::NAN);
            let [median, low, high] = ["median", "quartile_1", "quartile_3"].map(number);
            let _ = write!(html, "<td><b>×{median:.3}</b> <i>{low:.3}–{high:.3}</i></td>");
        }
        let rounds = ratio.number_at("rounds").unwrap_or(0.0);
        let _ = write!(html, "<td>{rounds}</td></tr>");
    }
    html + "</table></div>"
}

pub fn percentiles(lines: &[Line]) -> String {
    let names: Vec<String> = QUANTILES.iter().map(|(_, name)| format!("<th>{name}</th>")).collect();
    let mut html =
        format!("<div class=\"wide\"><table><tr><th></th>{}<th>mean</th><th>count</th></tr>", names.concat());
    for line in lines {
        let kinds = [
            (line.side.text_at("latency_is").unwrap_or("latency"), line.side.at("sum/latency_ns")),
            (line.side.text_at("ack_is").unwrap_or("ack"), line.side.at("sum/ack_ns")),
            ("from intended send to errno 110", line.side.at("sum/refusal_ns")),
            ("the generator's own lag", line.side.at("sum/lag_ns")),
            ("people who came and went: to the answer", line.side.at("logins/latency_ns")),
        ];
        for (what, histogram) in kinds {
            let Some(histogram) = histogram.filter(|histogram| **histogram != Json::Null) else { continue };
            let value = |name: &str| histogram.get(name).and_then(Json::number);
            let _ = write!(
                html,
                "<tr><td><span class=\"key c{}\"></span>{} <i>{}</i></td>",
                line.color,
                escape(&line.label),
                escape(what)
            );
            for name in QUANTILES.map(|(_, name)| name).into_iter().chain(["mean"]) {
                let _ = write!(html, "<td>{}</td>", value(name).map_or("–".into(), short_time));
            }
            let _ = write!(html, "<td>{}</td></tr>", grouped(value("count").unwrap_or(0.0)));
        }
    }
    html + "</table></div>"
}

const COUNTS: [(&str, &str); 14] = [
    ("intended", "intended"),
    ("expected", "deliveries due"),
    ("delivered", "delivered"),
    ("lost", "lost"),
    ("repeated", "repeated"),
    ("repeated_earlier", "of earlier rounds"),
    ("reordered", "reordered"),
    ("misdelivered", "misdelivered"),
    ("acks_expected", "ACKs due"),
    ("acked", "ACKs"),
    ("refused", "of these 110"),
    ("socket_full", "socket full"),
    ("connections_closed", "closed"),
    ("other_frames", "other frames"),
];

const ALWAYS: [&str; 5] = ["intended", "delivered", "lost", "repeated", "reordered"];

pub fn messages(lines: &[Line]) -> String {
    let mut html = String::from("<div class=\"wide\"><table><tr><th></th>");
    let count = |line: &Line, key: &str| line.side.number_at(&format!("sum/counts/{key}")).unwrap_or(0.0);
    // What never happened has no column, except what one would look for.
    let shown = |key: &str| ALWAYS.contains(&key) || lines.iter().any(|line| count(line, key) > 0.0);
    let columns: Vec<(&str, &str)> = COUNTS.into_iter().filter(|(key, _)| shown(key)).collect();
    for (_, name) in &columns {
        let _ = write!(html, "<th>{name}</th>");
    }
    html.push_str("<th>errors</th></tr>");
    for line in lines {
        let _ =
            write!(html, "<tr><td><span class=\"key c{}\"></span>{}</td>", line.color, escape(&line.label));
        for (key, _) in &columns {
            let _ = write!(html, "<td>{}</td>", grouped(count(line, key)));
        }
        let errors = ["server", "socket"].iter().flat_map(|kind| {
            let fields =
                line.side.at(&format!("sum/counts/{kind}_errors")).map(Json::fields).unwrap_or_default();
            fields.iter().map(move |(errno, count)| format!("{count} × {kind} errno {errno}"))
        });
        let errors: Vec<String> = errors.collect();
        let _ = write!(
            html,
            "<td>{}</td></tr>",
            if errors.is_empty() { "none".into() } else { errors.join(", ") }
        );
    }
    html + "</table></div>"
}

pub fn circumstances(document: &Json) -> String {
    let text = |path: &str| document.text_at(path).unwrap_or("unknown").to_owned();
    let number = |path: &str| document.number_at(path).unwrap_or(0.0);
    let mut facts = vec![
        ("command", text("machine/command")),
        ("commit", text("machine/commit")),
        (
            "machine",
            format!(
                "Linux {}, {} × {}",
                text("machine/kernel"),
                number("machine/cpu_count"),
                text("machine/cpu_model")
            ),
        ),
        (
            "governor",
            document.text_at("machine/governor").unwrap_or("none: the kernel manages no frequencies").into(),
        ),
        ("placement", text("placement")),
        ("load", format!("{}; {}", text("crowd"), text("load_loop"))),
        ("frame", format!("{} bytes, {} of them text", number("frame_bytes"), number("text_bytes"))),
        ("seed", format!("{}", number("seed"))),
        ("before", format!("{} s of ramp and {} s of warm-up a round", number("ramp_s"), number("warmup_s"))),
    ];
    for side in document.list_at("sides") {
        facts.push(("server", side.text_at("description").unwrap_or_default().to_owned()));
    }
    let facts: Vec<String> =
        facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escape(value))).collect();
    format!("<dl>{}</dl>", facts.concat())
}
