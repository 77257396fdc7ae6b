//! Latency and rate over time: the median, the 99th percentile and the worst of every slice of time.
//!
//! Rounds of an interleaved run stand side by side on one clock, so that what hit both is seen to.

use std::fmt::Write;

use super::Line;
use super::axis::{Axis, Scale, short_count, short_time};
use super::svg::{Frame, path, room_for};
use crate::json::Json;

/// One slice, by the columns of a report's series.
#[derive(Clone, Copy)]
struct Slice {
    middle_s: f64,
    per_s: f64,
    p50_ns: f64,
    p99_ns: f64,
    max_ns: f64,
}

/// The rounds of a line; slices too short to have a rate are left out.
fn rounds(line: &Line) -> Vec<Vec<Slice>> {
    let slice = |row: &Json| {
        let value = |column: usize| row.list().get(column).and_then(Json::number);
        let slice = Slice {
            middle_s: value(0)? + value(1)? / 2.0,
            per_s: value(2)?,
            p50_ns: value(3)?,
            p99_ns: value(4)?,
            max_ns: value(5)?,
        };
        (value(1)? > 0.1).then_some(slice)
    };
    let series = line.side.list_at("series").iter();
    series
        .map(|round| round.list().iter().filter_map(slice).collect::<Vec<_>>())
        .filter(|round: &Vec<_>| !round.is_empty())
        .collect()
}

/// Both charts, one above the other.
pub fn charts(lines: &[Line], width: f64) -> String {
    let all: Vec<(&Line, Vec<Vec<Slice>>)> = lines.iter().map(|line| (line, rounds(line))).collect();
    let slices = || all.iter().flat_map(|(_, rounds)| rounds.iter().flatten());
    if slices().count() < 2 {
        return String::new();
    }
    // Each report has a clock of its own.
    let first_of = |document: usize| {
        let own = all.iter().filter(|(line, _)| line.document == document);
        own.flat_map(|(_, rounds)| rounds.iter().flatten())
            .map(|slice| slice.middle_s)
            .fold(f64::INFINITY, f64::min)
    };
    let since = |line: &Line, slice: &Slice| slice.middle_s - first_of(line.document);
    let times: Vec<f64> = all
        .iter()
        .flat_map(|(line, rounds)| rounds.iter().flatten().map(|slice| since(line, slice)))
        .collect();

    // The p99 behind each name.
    let right = room_for(lines.iter().map(|line| line.label.as_str()), 64.0) + 28.0;
    let frame = Frame { width, height: 260.0, left: 58.0, right, top: 12.0, bottom: 26.0 };
    let x = Axis::of(Scale::Even, times.into_iter(), frame.left, frame.end());
    let seconds = |svg: &mut String, frame: &Frame| {
        frame.columns(svg, x.ticks().into_iter().map(|tick| (x.at(tick), format!("{tick} s"))));
    };
    let heard = |slice: &&Slice| slice.p50_ns > 0.0;
    let values = slices().filter(heard).flat_map(|slice| [slice.p50_ns, slice.max_ns]);
    let y = Axis::of(Scale::Logarithmic, values, frame.floor(), frame.top);
    let mut svg = frame.open("latency over time");
    frame.rows(&mut svg, y.ticks().into_iter().map(|tick| (y.at(tick), short_time(tick))));
    seconds(&mut svg, &frame);
    let mut ends = Vec::new();
    for (line, rounds) in &all {
        let color = line.color;
        for round in rounds {
            let places = |value: fn(&Slice) -> f64| -> Vec<(f64, f64)> {
                round
                    .iter()
                    .filter(heard)
                    .map(|slice| (x.at(since(line, slice)), y.at(value(slice))))
                    .collect()
            };
            let (p50, p99) = (places(|slice| slice.p50_ns), places(|slice| slice.p99_ns));
            let band: Vec<(f64, f64)> = p50.iter().chain(p99.iter().rev()).copied().collect();
            let _ = write!(svg, "<path class=\"band c{color}\" d=\"{}Z\"/>", path(&band));
            let _ = write!(svg, "<path class=\"line c{color}\" d=\"{}\"/>", path(&p99));
            let _ = write!(svg, "<path class=\"line thin c{color}\" d=\"{}\"/>", path(&p50));
            for (x, y) in places(|slice| slice.max_ns) {
                let _ =
                    write!(svg, "<circle class=\"worst c{color}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.6\"/>");
            }
        }
        if let Some(last) = rounds.last().and_then(|round| round.last()) {
            ends.push((y.at(last.p99_ns), format!("{} p99", line.label), color));
        }
    }
    frame.end_labels(&mut svg, ends);
    svg.push_str("</svg>");

    let frame = Frame { height: 130.0, ..frame };
    let y = Axis::of(
        Scale::Even,
        slices().map(|slice| slice.per_s * 1.05).chain([0.0]),
        frame.floor(),
        frame.top,
    );
    let mut rate = frame.open("rate over time");
    frame.rows(&mut rate, y.ticks().into_iter().map(|tick| (y.at(tick), format!("{}/s", short_count(tick)))));
    seconds(&mut rate, &frame);
    for (line, rounds) in &all {
        for round in rounds {
            let places: Vec<(f64, f64)> =
                round.iter().map(|slice| (x.at(since(line, slice)), y.at(slice.per_s))).collect();
            let _ = write!(rate, "<path class=\"line c{}\" d=\"{}\"/>", line.color, path(&places));
        }
    }
    rate.push_str("</svg>");
    format!("{svg}\n{rate}")
}
