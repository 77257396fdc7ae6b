//! The latency of pushes in one state of the server over that in another, of interleaved rounds.

use std::fmt::Write;

use super::document::spread_json;
use super::{SideFigures, Spread};
use crate::json::{Json, object};
use crate::measure::Figures;

/// The quantiles that are compared. Rounds are short: beyond these a handful of messages decides.
const QUANTILES: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

/// Each side over the first, round by round; and the first over itself, from one of its rounds to its next.
pub struct Pushes(Vec<Pair>);

struct Pair {
    of: &'static str,
    over: &'static str,
    /// In the order of `QUANTILES`.
    spreads: [Spread; QUANTILES.len()],
}

impl Pushes {
    /// `None` if any round heard nothing, or if there are too few of them.
    pub fn of(sides: &[SideFigures]) -> Option<Pushes> {
        let (first, others) = sides.split_first()?;
        let over_first = |side: &SideFigures| {
            let spread = |(quantile, _)| {
                let both = latencies(side, quantile)?.into_iter().zip(latencies(first, quantile)?);
                Spread::of(&both.map(|(one, other)| one / other).collect::<Vec<_>>())
            };
            Some(Pair { of: side.name, over: first.name, spreads: each(spread)? })
        };
        let mut pairs = others.iter().map(over_first).collect::<Option<Vec<_>>>()?;
        let itself = |(quantile, _)| Spread::of_neighbours(&latencies(first, quantile)?);
        pairs.push(Pair { of: first.name, over: first.name, spreads: each(itself)? });
        Some(Pushes(pairs))
    }

    pub fn text(&self) -> String {
        let mut text = String::from("\npush latency, of interleaved rounds\n");
        for Pair { of, over, spreads } in &self.0 {
            for ((_, name), spread) in QUANTILES.iter().zip(spreads) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {:<25} {name:<6} {}", format!("{of}/{over}"), spread.text());
            }
        }
        text
    }

    pub fn json(&self) -> Json {
        let pair = |pair: &Pair| {
            let named = QUANTILES.iter().zip(&pair.spreads);
            let quantiles = named.map(|((_, name), spread)| ((*name).to_owned(), spread_json(spread)));
            object([
                ("of", pair.of.into()),
                ("over", pair.over.into()),
                ("rounds", (pair.spreads[0].count as u64).into()),
                ("quantiles", Json::Object(quantiles.collect())),
            ])
        };
        Json::List(self.0.iter().map(pair).collect())
    }
}

/// All or nothing.
fn each(spread: impl Fn((f64, &'static str)) -> Option<Spread>) -> Option<[Spread; QUANTILES.len()]> {
    let spreads: Option<Vec<Spread>> = QUANTILES.into_iter().map(spread).collect();
    spreads?.try_into().ok()
}

/// Of each round. `None` if one heard nothing.
fn latencies(side: &SideFigures, quantile: f64) -> Option<Vec<f64>> {
    let of_one = |round: &Figures| {
        let latency = &round.recorder.latency;
        (!latency.is_empty()).then(|| latency.value_at_quantile(quantile) as f64)
    };
    side.rounds.iter().map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Recorder;

    /// A side whose messages of each round all took this long.
    fn side(name: &'static str, rounds_us: &[u64]) -> SideFigures {
        let round = |us: &u64| {
            let mut recorder = Recorder::new();
            recorder.latency.record(us * 1_000).unwrap();
            let (series, stages) = (Vec::new(), None);
            Figures {
                recorder,
                window_ns: 1,
                server: None,
                other_cpus_busy: None,
                taken: None,
                series,
                stages,
            }
        };
        SideFigures::new(name, String::new(), rounds_us.iter().map(round).collect())
    }

    #[test]
    fn each_state_stands_beside_the_first_and_the_first_beside_itself() {
        let sides =
            [side("healthy", &[10, 20, 40]), side("slow", &[11, 22, 80]), side("down", &[10, 20, 40])];
        let Pushes(pairs) = Pushes::of(&sides).unwrap();
        let names: Vec<_> = pairs.iter().map(|pair| (pair.of, pair.over)).collect();
        assert_eq!(names, [("slow", "healthy"), ("down", "healthy"), ("healthy", "healthy")]);
        let medians: Vec<String> =
            pairs.iter().map(|pair| format!("{:.1}", pair.spreads[2].median)).collect();
        assert_eq!(medians, ["1.1", "1.0", "2.0"]);
        assert_eq!((pairs[0].spreads[0].count, pairs[2].spreads[0].count), (3, 2));
    }

    #[test]
    fn a_round_in_which_nothing_was_heard_is_no_ratio() {
        let mut silent = side("down", &[10, 20]);
        silent.rounds[1].recorder = Recorder::new();
        assert!(Pushes::of(&[side("healthy", &[10, 20]), silent]).is_none());
        assert!(Pushes::of(&[side("healthy", &[10]), side("down", &[10])]).is_none(), "itself needs two");
    }
}
