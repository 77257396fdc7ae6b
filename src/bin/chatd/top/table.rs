//! Figures as lines of text: a head, the cores, the stages and paths.

use super::figures::{Core, Figures};
use hdrhistogram::Histogram;

/// How much room there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

const CORE_HEAD: &str = "core    cpu%   conns  online  messages/s   pushes/s    in B/s   out B/s  errors/s  tickets  behind     bus";
const STAGE_HEAD: &str = "stage               count/s        p50        p99      p99.9        max";

/// The lines, as many as there is room for: cores are left out first.
pub fn lines(figures: &Figures, size: Size) -> Vec<String> {
    let mut lines = head(figures);
    lines.push(String::new());
    lines.push(CORE_HEAD.to_owned());
    let stages = stages(figures);
    let room = size.rows.saturating_sub(lines.len() + 1 + 2 + stages.len()).max(1);
    let cores = figures.cores.len();
    let shown = if cores <= room { cores } else { room.saturating_sub(1) };
    lines.extend(figures.cores.iter().take(shown).enumerate().map(|(at, core)| row(&at.to_string(), core)));
    if shown < cores {
        lines.push(format!("… {} more", cores - shown));
    }
    lines.push(row("all", &figures.total()));
    lines.push(String::new());
    lines.push(STAGE_HEAD.to_owned());
    lines.extend(stages);
    lines.truncate(size.rows);
    lines.into_iter().map(|line| line.chars().take(size.columns).collect()).collect()
}

/// Whether a line names columns.
pub fn is_head(line: &str) -> bool {
    !line.is_empty() && (CORE_HEAD.starts_with(line) || STAGE_HEAD.starts_with(line))
}

fn head(figures: &Figures) -> Vec<String> {
    let up = figures.uptime.as_secs();
    let state = figures.trouble.as_ref().map_or("ready".to_owned(), |why| format!("NOT READY: {why}"));
    vec![
        format!(
            "chatd {}   up {}:{:02}:{:02}   {state}   interval {:.1} s",
            figures.version,
            up / 3_600,
            up / 60 % 60,
            up % 60,
            figures.seconds
        ),
        format!(
            "store {}, {} of {} wait   memory {}B",
            if figures.store_up { "up" } else { "DOWN" },
            amount(figures.store_waiting),
            figures.store_queue,
            amount(figures.resident_bytes)
        ),
    ]
}

fn row(name: &str, core: &Core) -> String {
    if !core.up && name != "all" {
        return format!("{name:<4} does not answer");
    }
    let cells = [
        (format!("{:.1}", core.cpu * 100.0), 8),
        (amount(core.connections), 8),
        (amount(core.online), 8),
        (amount(core.messages), 12),
        (amount(core.pushes), 11),
        (amount(core.received), 10),
        (amount(core.sent), 10),
        (amount(core.errors), 10),
        (amount(core.tickets), 9),
        (amount(core.behind), 8),
        (amount(core.bus), 8),
    ];
    cells.iter().fold(format!("{name:<4}"), |line, (cell, width)| format!("{line}{cell:>width$}"))
}

fn stages(figures: &Figures) -> Vec<String> {
    figures.histograms.iter().map(|(tag, histogram)| stage(tag, histogram, figures.seconds)).collect()
}

fn stage(tag: &str, histogram: &Histogram<u64>, seconds: f64) -> String {
    let name = tag.replace('.', " ");
    let rate = amount(histogram.len() as f64 / seconds);
    let quantile = |quantile| {
        if histogram.is_empty() { "-".to_owned() } else { duration(histogram.value_at_quantile(quantile)) }
    };
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(quantile);
    format!("{name:<18}{rate:>9}{p50:>11}{p99:>11}{p999:>11}{max:>11}")
}

/// Four digits and a unit at most: `950`, `12.3k`.
fn amount(value: f64) -> String {
    let (mut value, mut unit) = (value, 0);
    while value >= 9_999.5 && unit < 4 {
        (value, unit) = (value / 1_000.0, unit + 1);
    }
    let unit = ["", "k", "M", "G", "T"][unit];
    if value.fract() < 0.05 || value >= 100.0 {
        format!("{value:.0}{unit}")
    } else {
        format!("{value:.1}{unit}")
    }
}

fn duration(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        ..1e6 => format!("{:.1} us", ns / 1e3),
        ..1e9 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.1} s", ns / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn figures(cores: usize) -> Figures {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 2).expect("bounds that fit");
        histogram.record(12_345).expect("within bounds");
        Figures {
            version: "1.2.3".to_owned(),
            uptime: Duration::from_secs(3_725),
            trouble: None,
            store_up: true,
            store_waiting: 3.0,
            store_queue: 16_384.0,
            resident_bytes: 31_400_000.0,
            seconds: 1.0,
            cores: vec![Core { up: true, messages: 12_345.0, cpu: 0.5, ..Core::default() }; cores],
            histograms: vec![
                ("stage.read".to_owned(), histogram),
                ("path.group".to_owned(), Histogram::new(2).expect("2 digits")),
            ],
        }
    }

    #[test]
    fn amounts_and_durations_have_few_digits() {
        let amounts = [0.0, 0.2, 7.0, 999.0, 9_999.0, 12_345.0, 1e6, 2.5e9].map(amount);
        assert_eq!(amounts, ["0", "0.2", "7", "999", "9999", "12.3k", "1000k", "2500M"]);
        assert_eq!(
            [950, 12_345, 5_000_000, 60_000_000_000].map(duration),
            ["950 ns", "12.3 us", "5.0 ms", "60.0 s"]
        );
    }

    #[test]
    fn every_core_has_a_line_where_there_is_room_and_the_stages_always() {
        let all = lines(&figures(2), Size { columns: 200, rows: 100 });
        assert!(all[0].starts_with("chatd 1.2.3   up 1:02:05   ready"), "{all:#?}");
        assert!(
            all.iter().any(|line| line.starts_with("1 ")) && all.iter().any(|line| line.starts_with("all"))
        );
        assert!(
            all.iter().any(|line| line.starts_with("stage read") && line.contains("12.4 us")),
            "{all:#?}"
        );
        let few = lines(&figures(64), Size { columns: 40, rows: 14 });
        assert_eq!(few.len(), 14);
        assert!(few.iter().all(|line| line.chars().count() <= 40));
        assert!(
            few.iter().any(|line| line.contains("more")) && few[13].starts_with("path group"),
            "{few:#?}"
        );
        assert!(!lines(&figures(1), Size { columns: 1, rows: 1 }).is_empty());
    }
}
