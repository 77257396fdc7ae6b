//! The percentile curve: latency over how rare it is, both logarithmic.

use std::fmt::Write;

use super::Line;
use super::axis::{Axis, Scale, short_time};
use super::svg::{Frame, escape, path, room_for};
use crate::json::Json;

/// Percentile and nanoseconds; the end is left out, since the most extreme message has no percentile of its own.
fn points(line: &Line) -> Vec<(f64, f64)> {
    let curve = [line.side.list_at("latency_curve"), line.side.list_at("ack_curve")];
    let curve = curve.into_iter().find(|curve| !curve.is_empty()).unwrap_or_default();
    let point = |point: &Json| Some((point.list().first()?.number()?, point.list().get(1)?.number()?));
    let mut points: Vec<(f64, f64)> =
        curve.iter().filter_map(point).filter(|point| point.0 < 100.0).collect();
    let sum = line.side.at("sum/latency_ns").or_else(|| line.side.at("sum/ack_ns"));
    // Beyond the last but ten messages a curve is an anecdote.
    if let Some(count) = sum.and_then(|sum| sum.number_at("count")) {
        points.retain(|point| rarity(point.0) <= count / 10.0);
    }
    points
}

/// One in how many is slower.
fn rarity(percentile: f64) -> f64 {
    1.0 / (1.0 - percentile / 100.0)
}

const MARKS: [(f64, &str); 7] = [
    (1.0, "min"),
    (2.0, "p50"),
    (10.0, "p90"),
    (100.0, "p99"),
    (1_000.0, "p99.9"),
    (10_000.0, "p99.99"),
    (100_000.0, "p99.999"),
];

/// The chart of these lines; without any, nothing.
pub fn chart(lines: &[Line], width: f64, height: f64) -> String {
    let curves: Vec<(&Line, Vec<(f64, f64)>)> =
        lines.iter().map(|line| (line, points(line))).filter(|(_, points)| points.len() > 1).collect();
    if curves.is_empty() {
        return String::new();
    }
    let right = room_for(curves.iter().map(|curve| curve.0.label.as_str()), 92.0);
    let frame = Frame { width, height, left: 58.0, right, top: 12.0, bottom: 30.0 };
    let all = || curves.iter().flat_map(|(_, points)| points.iter());
    let y = Axis::of(Scale::Logarithmic, all().map(|point| point.1), frame.floor(), frame.top);
    let rarest = all().map(|point| rarity(point.0)).fold(10.0, f64::max);
    let log_rarest = rarest.ln();
    let x = |percentile: f64| frame.left + rarity(percentile).ln() / log_rarest * frame.inner_width();
    let mut svg = frame.open("latency by percentile");
    frame.rows(&mut svg, y.ticks().into_iter().map(|tick| (y.at(tick), short_time(tick))));
    let marks = MARKS.iter().filter(|(rarity, _)| *rarity <= rarest * 1.001);
    frame.columns(
        &mut svg,
        marks.map(|(rarity, name)| {
            (frame.left + rarity.ln() / log_rarest * frame.inner_width(), (*name).to_owned())
        }),
    );
    let mut ends: Vec<(f64, String, usize)> = Vec::new();
    for (line, points) in &curves {
        let places: Vec<(f64, f64)> = points.iter().map(|point| (x(point.0), y.at(point.1))).collect();
        let _ = write!(svg, "<path class=\"line c{}\" d=\"{}\"/>", line.color, path(&places));
        for &(mark, name) in MARKS.iter().skip(1) {
            let found = points.iter().find(|point| rarity(point.0) >= mark * 0.999);
            if let Some(point) = found.filter(|_| mark <= rarest) {
                let _ = write!(
                    svg,
                    "<circle class=\"dot c{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.8\"><title>{} {name}: {}</title></circle>",
                    line.color,
                    x(point.0),
                    y.at(point.1),
                    escape(&line.label),
                    short_time(point.1)
                );
            }
        }
        if let Some(last) = places.last() {
            ends.push((last.1, line.label.clone(), line.color));
        }
    }
    frame.end_labels(&mut svg, ends);
    svg.push_str("</svg>");
    svg
}
