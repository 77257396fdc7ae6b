//! Reports of several runs side by side: ratios to the first, and the noise that they stand in.
//!
//! Noise is how far the rounds of one report lie from their own median (half the distance of the quartiles). A ratio
//! nearer to 1 than the noise of both says nothing, and is said to.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::document::FORMAT;
use super::spread::Spread;
use super::units::time_text;
use super::{page, written};
use crate::json::Json;

/// A figure that is compared, less being better unless it says otherwise.
struct Figure {
    name: &'static str,
    path: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nanoseconds,
    Microseconds,
    /// More is better.
    Rate,
}

const FIGURES: [Figure; 6] = [
    Figure { name: "p50", path: "latency_ns/p50", kind: Kind::Nanoseconds },
    Figure { name: "p99", path: "latency_ns/p99", kind: Kind::Nanoseconds },
    Figure { name: "p99.9", path: "latency_ns/p99.9", kind: Kind::Nanoseconds },
    Figure { name: "ack p99", path: "ack_ns/p99", kind: Kind::Nanoseconds },
    Figure { name: "a second", path: "delivered_per_s", kind: Kind::Rate },
    Figure { name: "CPU each", path: "server_cpu_us_each", kind: Kind::Microseconds },
];

/// One figure of one line.
struct Cell {
    value: f64,
    /// `None` of a single round.
    noise: Option<f64>,
    ratio: Option<f64>,
    said: Said,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Said {
    Nothing,
    Better,
    Worse,
    WithinNoise,
    NoiseUnknown,
}

/// Prints the table, and writes the page.
pub fn compare(reports: &[PathBuf], html: Option<&Path>) -> Result<(), String> {
    let (documents, names) = open(reports)?;
    let lines = page::lines(&documents, &names);
    // What nobody has has no column.
    let has = |figure: &&Figure| lines.iter().any(|line| cell(figure, line.side, line.side).is_some());
    let figures: Vec<&Figure> = FIGURES.iter().filter(has).collect();
    let rows: Vec<Vec<Option<Cell>>> = lines
        .iter()
        .map(|line| figures.iter().map(|figure| cell(figure, line.side, lines[0].side)).collect())
        .collect();
    let labels: Vec<&str> = lines.iter().map(|line| line.label.as_str()).collect();
    print!("{}", text(&figures, &labels, &rows));
    if let Some(path) = html {
        let noise = "Each figure with its ratio to the first row, and ± the noise between its own rounds. A ratio in \
                     grey is within the noise, or of a single round, where nothing is known of noise.";
        written::write_text(
            path,
            &page::comparison(&documents, &names, &table(&figures, &labels, &rows), noise),
        )?;
    }
    Ok(())
}

/// Writes the percentile curve of reports as a picture.
pub fn chart(reports: &[PathBuf], svg: &Path) -> Result<(), String> {
    let (documents, names) = open(reports)?;
    let names: &[String] = if documents.len() == 1 { &[] } else { &names };
    written::write_text(svg, &page::picture(&documents, names))
}

fn open(paths: &[PathBuf]) -> Result<(Vec<Json>, Vec<String>), String> {
    let mut documents = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let document = Json::read(&text).map_err(|reason| format!("{}: {reason}", path.display()))?;
        if document.text_at("format") != Some(FORMAT) {
            let path = path.display();
            return Err(format!(
                "{path} is no `{FORMAT}`, which `run` and its like write; of `search` and `run idle` there is `chat-perf figures`"
            ));
        }
        documents.push(document);
    }
    let names = paths.iter().map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    Ok((documents, names.collect()))
}

fn cell(figure: &Figure, side: &Json, first: &Json) -> Option<Cell> {
    let of = |side: &Json| side.at("sum")?.number_at(figure.path);
    let noise_of = |side: &Json| {
        let rounds: Vec<f64> =
            side.list_at("rounds").iter().filter_map(|round| round.number_at(figure.path)).collect();
        let spread = Spread::of(&rounds).filter(|spread| spread.count > 1)?;
        Some((spread.quartile_3 - spread.quartile_1) / 2.0 / spread.median)
    };
    let (value, noise) = (of(side)?, noise_of(side));
    let ratio = of(first).filter(|_| !std::ptr::eq(side, first)).map(|base| value / base);
    let said = match (ratio, noise.zip(noise_of(first))) {
        (None, _) => Said::Nothing,
        (Some(_), None) => Said::NoiseUnknown,
        (Some(ratio), Some((own, others))) if (ratio - 1.0).abs() <= own + others => Said::WithinNoise,
        (Some(ratio), _) => match (ratio > 1.0) == (figure.kind == Kind::Rate) {
            true => Said::Better,
            false => Said::Worse,
        },
    };
    Some(Cell { value, noise, ratio, said })
}

fn value_text(kind: Kind, value: f64) -> String {
    match kind {
        Kind::Nanoseconds => time_text(value as u64),
        Kind::Microseconds => format!("{value:.2} µs"),
        Kind::Rate => format!("{value:.0}"),
    }
}

fn text(figures: &[&Figure], labels: &[&str], rows: &[Vec<Option<Cell>>]) -> String {
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(6);
    let mut text = format!("{:width$}", "");
    for figure in figures {
        let _ = write!(text, "  {:<24}", figure.name);
    }
    for (label, row) in labels.iter().zip(rows) {
        let _ = write!(text, "\n{label:width$}");
        for (figure, cell) in figures.iter().zip(row) {
            let words = cell.as_ref().map_or("–".into(), |cell| cell_words(figure, cell));
            let _ = write!(text, "  {words:<24}");
        }
    }
    text + "\n(ratio to the first row; ± noise between own rounds; ~ within the noise of both; ? noise unknown: one round)\n"
}

fn cell_words(figure: &Figure, cell: &Cell) -> String {
    let mut words = value_text(figure.kind, cell.value);
    if let Some(noise) = cell.noise {
        let _ = write!(words, " ±{:.0}%", noise * 100.0);
    }
    if let Some(ratio) = cell.ratio {
        let mark = match cell.said {
            Said::WithinNoise => "~",
            Said::NoiseUnknown => "?",
            _ => "",
        };
        let _ = write!(words, " ×{ratio:.2}{mark}");
    }
    words
}

fn table(figures: &[&Figure], labels: &[&str], rows: &[Vec<Option<Cell>>]) -> String {
    let heads: Vec<String> = figures.iter().map(|figure| format!("<th>{}</th>", figure.name)).collect();
    let mut html = format!("<div class=\"wide\"><table><tr><th></th>{}</tr>", heads.concat());
    for (label, row) in labels.iter().zip(rows) {
        let _ = write!(html, "<tr><td>{}</td>", label.replace('&', "&amp;").replace('<', "&lt;"));
        for (figure, cell) in figures.iter().zip(row) {
            let Some(cell) = cell else {
                html.push_str("<td>–</td>");
                continue;
            };
            let noise = cell.noise.map_or(String::new(), |noise| format!(" <i>±{:.0} %</i>", noise * 100.0));
            let class = match cell.said {
                Said::Better => "better",
                Said::Worse => "worse",
                _ => "soft",
            };
            let ratio =
                cell.ratio.map_or(String::new(), |ratio| format!(" <b class=\"{class}\">×{ratio:.2}</b>"));
            let _ = write!(html, "<td>{}{noise}{ratio}</td>", value_text(figure.kind, cell.value));
        }
        html.push_str("</tr>");
    }
    html + "</table></div>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(costs: [f64; 3]) -> Json {
        let round = |cost: f64| crate::json::object([("server_cpu_us_each", cost.into())]);
        crate::json::object([
            ("sum", round(costs[1])),
            ("rounds", Json::List(costs.iter().map(|cost| round(*cost)).collect())),
        ])
    }

    #[test]
    fn a_ratio_within_the_noise_says_nothing() {
        let figure = &FIGURES[5];
        let first = side([9.0, 10.0, 11.0]);
        let said = |other: &Json| cell(figure, other, &first).unwrap().said;
        assert_eq!(said(&side([9.5, 10.5, 11.5])), Said::WithinNoise);
        assert_eq!(said(&side([19.0, 20.0, 21.0])), Said::Worse);
        assert_eq!(said(&side([4.9, 5.0, 5.1])), Said::Better);
        assert_eq!(cell(figure, &first, &first).unwrap().said, Said::Nothing);
        assert!(cell(&FIGURES[0], &first, &first).is_none());
    }
}
