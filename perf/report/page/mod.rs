//! One self-contained page of one or several reports: no script, nothing from elsewhere, light and dark.
//!
//! Made from JSON documents alone, so that a page of old reports is the same page.

mod axis;
mod bars;
mod curve;
mod svg;
mod table;
mod timeline;

use std::fmt::Write;

use crate::json::Json;
use svg::escape;

/// One side of one report, as the charts show it.
pub struct Line<'a> {
    pub label: String,
    pub color: usize,
    /// Which of the reports it is from.
    pub document: usize,
    pub side: &'a Json,
}

const STYLE: &str = include_str!("style.css");
const CHART_STYLE: &str = include_str!("chart.css");
const COLORS: usize = 6;
const WIDTH: f64 = 940.0;

/// All sides of all reports. Of one report they are called by their names, of several by the report's too.
pub fn lines<'a>(documents: &'a [Json], names: &[String]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (document, json) in documents.iter().enumerate() {
        for side in json.list_at("sides") {
            let name = side.text_at("name").unwrap_or("?");
            let label = match names.get(document) {
                Some(of) if json.list_at("sides").len() == 1 => of.clone(),
                Some(of) => format!("{of} {name}"),
                None => name.to_owned(),
            };
            lines.push(Line { label, color: lines.len() % COLORS, document, side });
        }
    }
    lines
}

/// The page of one report.
pub fn page(documents: &[Json]) -> String {
    let lines = lines(documents, &[]);
    let document = &documents[0];
    let text = |key| document.text_at(key).unwrap_or_default();
    let names: Vec<&str> = lines.iter().map(|line| line.label.as_str()).collect();
    let title = format!("{}: {}", text("scenario"), names.join(" and "));
    let mut body = format!(
        "<h1>{}</h1><p class=\"soft\">{}. {}.</p>",
        escape(&title),
        escape(&upper(text("what"))),
        escape(&upper(text("load_loop")))
    );
    if text("placement").contains("SHARE A CPU") {
        body.push_str(
            "<p class=\"warn\">Server and load share a CPU: latencies hold the generator's work.</p>",
        );
    }
    for fault in document.list_at("faults").iter().filter_map(Json::text) {
        let _ = write!(body, "<p class=\"warn\">Faulty: {}.</p>", escape(fault));
    }
    body.push_str(&table::cards(&lines));
    if let Some(ratio) = document.at("cpu_ratio").filter(|ratio| **ratio != Json::Null) {
        body.push_str(&table::ratio(ratio));
    }
    let pushes = document.list_at("push_ratios");
    if !pushes.is_empty() {
        let about = "The push latency of each side over that of the first one, in the same round: the median of all \
                     rounds, with quartiles. The last row is the first side over itself, in neighbouring rounds: what is \
                     not clear of that says nothing.";
        section(&mut body, "Pushes beside those of the first", about, &table::pushes(pushes));
    }
    charts(&lines, &mut body);
    section(&mut body, "Percentiles", "", &table::percentiles(&lines));
    section(&mut body, "Messages", "", &table::messages(&lines));
    section(&mut body, "Where and how", "", &table::circumstances(document));
    whole(&title, &body)
}

/// The page of several reports, the first being what the others are compared to.
pub fn comparison(documents: &[Json], names: &[String], comparison: &str, noise: &str) -> String {
    let lines = lines(documents, names);
    let title = names.join(" · ");
    let mut body =
        format!("<h1>{}</h1><p class=\"soft\">Compared to {}.</p>", escape(&title), escape(&names[0]));
    body.push_str(&table::cards(&lines));
    section(&mut body, "Side by side", noise, comparison);
    charts(&lines, &mut body);
    for (document, name) in documents.iter().zip(names) {
        section(&mut body, &format!("Where and how: {name}"), "", &table::circumstances(document));
    }
    whole(&title, &body)
}

fn charts(lines: &[Line], body: &mut String) {
    let about = "How rare (to the right) which latency (upwards) is. Both axes are logarithmic; the curve ends where fewer \
                 than ten messages were slower.";
    figure(body, "Latency by percentile", about, &curve::chart(lines, WIDTH, 340.0));
    let about = "Of every slice of time: the median (thin), the 99th percentile (thick), the worst (dots); below, what \
                 was handled a second.";
    figure(body, "Over time", about, &timeline::charts(lines, WIDTH));
    if lines.iter().any(|line| line.side.list_at("rounds").len() > 1) {
        let about = "A dot for each round, a line at their median.";
        figure(body, "Server CPU each", about, &bars::rounds(lines, WIDTH));
    }
    let stages = bars::stages(lines, "stages", WIDTH);
    if stages.is_empty() {
        let about = "The server told nothing of its stages: it has no admin address, or none was given.";
        section(body, "Inside the server", about, "");
    } else {
        let about = "What the server measured itself, warm-up included: a bar from the median to the 99th percentile, \
                     a line on to the 99.9th. Figures: p50 · p99 · p99.9.";
        figure(body, "Inside the server, by stage", about, &stages);
        figure(body, "Inside the server, by path", "", &bars::stages(lines, "paths", WIDTH));
    }
}

fn figure(body: &mut String, title: &str, about: &str, chart: &str) {
    if !chart.is_empty() {
        section(body, title, about, &format!("<figure>{chart}</figure>"));
    }
}

fn section(body: &mut String, title: &str, about: &str, content: &str) {
    let _ =
        writeln!(body, "<h2>{}</h2><p class=\"soft small\">{}</p>{content}", escape(title), escape(about));
}

fn whole(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{}</title><style>\n{STYLE}{CHART_STYLE}</style></head>\
         <body><main>\n{body}</main></body></html>\n",
        escape(title)
    )
}

/// The percentile curve as a picture of its own, with its colours inside.
pub fn picture(documents: &[Json], names: &[String]) -> String {
    let colors = STYLE.split('*').next().unwrap_or_default();
    let style = format!("<style>{colors}{CHART_STYLE} svg {{ background: transparent; }}</style>");
    let svg = curve::chart(&lines(documents, names), 760.0, 300.0);
    svg.replacen('>', &format!(">{style}"), 1)
}

fn upper(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}
