//! `/histograms`: what the cores have measured since they were started, to be added up and subtracted.
//!
//! - `hlog` (the default): an HdrHistogram interval log of one interval, from the start until now, one
//!   line a histogram (V2, deflated, base64), tagged `stage.routed`, `core0.stage.routed`. Every
//!   HdrHistogram tool reads it.
//! - `json`: figures, and the V2 serialization in base64.
//! - `text`: a table for people.
//! - `hdr`: the V2 serialization of one histogram, as it is.
//!
//! `core=N` or `core=all` asks for one core's, or for the sum over all cores; without it there is everything.

use super::http::{Response, TEXT};
use super::json;
use super::view::{View, Whose};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

type Query = [(String, String)];

/// One histogram of one or all cores.
type Found<'a> = (&'static str, &'static str, &'a Histogram<u64>);

/// The page, or why there is none.
pub(super) fn page(view: &View, query: &Query) -> Result<Response, Response> {
    let value = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    if let Some((unknown, _)) =
        query.iter().find(|(name, _)| !["format", "core", "stage", "path"].contains(&name.as_str()))
    {
        return Err(Response::refusal(400, format!("there is no parameter {unknown:?}")));
    }
    let whose = match value("core") {
        None => view.everybody(),
        Some("all") => vec![Whose::All],
        Some(core) => vec![core.parse().map(Whose::Core).map_err(|_| no_core())?],
    };
    for &one in &whose {
        view.histograms(one).ok_or_else(no_core)?;
    }
    match value("format").unwrap_or("hlog") {
        "hlog" => hlog(view, &whose),
        "json" => Ok(Response::new("application/json", json::text(view, &whose))),
        "text" => Ok(Response::new(TEXT, table(view, &whose))),
        "hdr" => hdr(view, whose[0], value("stage"), value("path")),
        other => Err(Response::refusal(400, format!("format is hlog, json, text or hdr, not {other:?}"))),
    }
}

fn no_core() -> Response {
    Response::refusal(404, "no such core answers; core is a number from 0, or all")
}

fn failed(error: impl std::fmt::Display) -> Response {
    Response::refusal(500, format!("the histograms cannot be written: {error}"))
}

fn hdr(view: &View, whose: Whose, stage: Option<&str>, path: Option<&str>) -> Result<Response, Response> {
    let (kind, name) = match (stage, path) {
        (Some(stage), None) => ("stage", stage),
        (None, Some(path)) => ("path", path),
        _ => return Err(Response::refusal(400, "format=hdr is of one histogram: give stage=… or path=…")),
    };
    let found = view.histograms(whose).into_iter().flatten();
    let found: Option<Found<'_>> = found.into_iter().find(|&(of, called, _)| (of, called) == (kind, name));
    let (.., histogram) =
        found.ok_or_else(|| Response::refusal(404, format!("there is no {kind} {name:?}")))?;
    Ok(Response::new("application/octet-stream", serialized(histogram).map_err(failed)?))
}

/// The V2 serialization of a histogram.
pub(super) fn serialized(
    histogram: &Histogram<u64>,
) -> Result<Vec<u8>, <V2Serializer as Serializer>::SerializeError> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes)?;
    Ok(bytes)
}

fn hlog(view: &View, whose: &[Whose]) -> Result<Response, Response> {
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let started = view.started.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("chatd {}: nanoseconds, since the start", view.version))
        .with_start_time(view.started)
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut bytes, &mut serializer)
        .map_err(failed)?;
    for &one in whose {
        for (kind, name, histogram) in view.histograms(one).into_iter().flatten() {
            let tag = match one {
                Whose::All => format!("{kind}.{name}"),
                Whose::Core(core) => format!("core{core}.{kind}.{name}"),
            };
            let tag = Tag::new(&tag).expect("names have no comma and no space");
            log.write_histogram(histogram, started, view.uptime, Some(tag)).map_err(failed)?;
        }
    }
    Ok(Response::new(TEXT, bytes))
}

/// The quantiles that are shown.
pub(super) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

fn table(view: &View, whose: &[Whose]) -> String {
    let mut text = String::from("microseconds, since the start\n");
    for &one in whose {
        let title = match one {
            Whose::All => "all cores".to_owned(),
            Whose::Core(core) => format!("core {core}"),
        };
        line(&mut text, &title, "count", &["mean", "min"], QUANTILES.map(|(name, _)| name).as_slice(), "max");
        for (kind, name, histogram) in view.histograms(one).into_iter().flatten() {
            let us = |ns: u64| format!("{:.1}", ns as f64 / 1e3);
            let (mean, min) = (format!("{:.1}", histogram.mean() / 1e3), us(histogram.min()));
            let quantiles = QUANTILES.map(|(_, quantile)| us(histogram.value_at_quantile(quantile)));
            let count = histogram.len().to_string();
            line(
                &mut text,
                &format!("{kind} {name}"),
                &count,
                &[mean, min],
                &quantiles,
                &us(histogram.max()),
            );
        }
    }
    text
}

fn line<S: AsRef<str>, T: AsRef<str>>(
    text: &mut String,
    name: &str,
    count: &str,
    first: &[S],
    quantiles: &[T],
    max: &str,
) {
    let written = write!(text, "{name:<20}{count:>12}")
        .and_then(|()| first.iter().try_for_each(|cell| write!(text, "{:>11}", cell.as_ref())))
        .and_then(|()| quantiles.iter().try_for_each(|cell| write!(text, "{:>11}", cell.as_ref())))
        .and_then(|()| writeln!(text, "{max:>11}"));
    written.expect("writing to a string does not fail");
}
