//! Charts of a row for each thing: the server's stages and paths, and the rounds of a comparison.

use std::fmt::Write;

use super::Line;
use super::axis::{Axis, Scale, short_time};
use super::svg::{Frame, escape, room_for};
use crate::json::Json;

const ROW: f64 = 20.0;

/// Where the server says its time goes: from the median to the 99th percentile, with a tick at the 99.9th.
pub fn stages(lines: &[Line], key: &str, width: f64) -> String {
    let mut rows: Vec<(String, usize, &Json)> = Vec::new();
    for line in lines {
        for (name, stage) in line.side.at(key).map(Json::fields).unwrap_or_default() {
            if stage.number_at("count").is_some_and(|count| count > 0.0) {
                let name = if lines.len() > 1 { format!("{name} · {}", line.label) } else { name.clone() };
                rows.push((name, line.color, stage));
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let height = ROW * rows.len() as f64 + 42.0;
    let left = room_for(rows.iter().map(|row| row.0.as_str()), 130.0);
    let frame = Frame { width, height, left, right: 176.0, top: 10.0, bottom: 28.0 };
    let value = |stage: &Json, name: &str| stage.get(name).and_then(Json::number).unwrap_or(0.0).max(1.0);
    let all = rows.iter().flat_map(|row| ["p50", "p99.9"].map(|name| value(row.2, name)));
    let x = Axis::of(Scale::Logarithmic, all, frame.left, frame.end());
    let mut svg = frame.open("where the time goes");
    frame.columns(&mut svg, x.ticks().into_iter().map(|tick| (x.at(tick), short_time(tick))));
    for (number, (name, color, stage)) in rows.iter().enumerate() {
        let y = frame.top + ROW * number as f64 + ROW / 2.0;
        let [p50, p99, p999] = ["p50", "p99", "p99.9"].map(|name| value(stage, name));
        let (from, to, rare) = (x.at(p50), x.at(p99), x.at(p999));
        let _ = write!(
            svg,
            "<text class=\"label end\" x=\"{}\" y=\"{:.1}\">{}</text>",
            frame.left - 10.0,
            y + 3.5,
            escape(name)
        );
        let _ = write!(
            svg,
            "<rect class=\"bar c{color}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"8\" rx=\"3\"/>",
            y - 4.0,
            (to - from).max(2.0)
        );
        let _ = write!(
            svg,
            "<line class=\"line c{color}\" x1=\"{to:.1}\" x2=\"{rare:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
        );
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{} · {} · {}</text>",
            frame.end() + 10.0,
            y + 3.5,
            short_time(p50),
            short_time(p99),
            short_time(p999)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Server CPU for each thing handled, round by round: a dot a round, a line at the median.
pub fn rounds(lines: &[Line], width: f64) -> String {
    let cost = |line: &Line| -> Vec<f64> {
        let rounds = line.side.list_at("rounds").iter();
        rounds.filter_map(|round| round.number_at("server_cpu_us_each")).collect()
    };
    let rows: Vec<(&Line, Vec<f64>)> =
        lines.iter().map(|line| (line, cost(line))).filter(|(_, costs)| !costs.is_empty()).collect();
    if rows.is_empty() {
        return String::new();
    }
    let height = 26.0 * rows.len() as f64 + 42.0;
    let left = room_for(rows.iter().map(|row| row.0.label.as_str()), 150.0);
    let frame = Frame { width, height, left, right: 92.0, top: 10.0, bottom: 28.0 };
    let highest = rows.iter().flat_map(|row| row.1.iter()).fold(0.0_f64, |most, cost| most.max(*cost));
    let x = Axis::of(Scale::Even, [0.0, highest * 1.05].into_iter(), frame.left, frame.end());
    let mut svg = frame.open("server CPU each");
    frame.columns(&mut svg, x.ticks().into_iter().map(|tick| (x.at(tick), format!("{tick} µs"))));
    for (number, (line, costs)) in rows.iter().enumerate() {
        let y = frame.top + 26.0 * number as f64 + 13.0;
        let color = line.color;
        let _ = write!(
            svg,
            "<text class=\"name end c{color}\" x=\"{}\" y=\"{:.1}\">{}</text>",
            frame.left - 10.0,
            y + 4.0,
            escape(&line.label)
        );
        for cost in costs {
            let _ = write!(
                svg,
                "<circle class=\"dot faint c{color}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{cost:.2} µs</title></circle>",
                x.at(*cost)
            );
        }
        if let Some(spread) = crate::report::Spread::of(costs) {
            let at = x.at(spread.median);
            let _ = write!(
                svg,
                "<line class=\"median c{color}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                y - 9.0,
                y + 9.0
            );
            let _ = write!(
                svg,
                "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{:.2} µs</text>",
                frame.end() + 10.0,
                y + 4.0,
                spread.median
            );
        }
    }
    svg.push_str("</svg>");
    svg
}
