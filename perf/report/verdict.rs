//! Whether a latency can be believed, or is the generator's own lag in disguise.
//!
//! The rule: latency counts from the intended send, so it contains the generator's lag. Where at p50, p99 or
//! p99.9 the lag is more than a quarter of the latency at the same percentile, the lag could explain what is
//! shown there, and the report is INVALID; it says at which percentiles, and the lower ones hold. Lag under 10 µs is never held against a run:
//! it is the cost of a send or two ahead in the same turn. Further percentiles rest on too few messages to judge.
//! CPU per message does not depend on lag and stays good.
//!
//! A closed loop intends no times; there is nothing to be late for, and it is not judged.

use super::units::time_text;
use crate::measure::Figures;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Valid,
    /// One sentence a percentile.
    Invalid(Vec<String>),
    /// Closed loop, or nothing came.
    NotJudged(&'static str),
}

const JUDGED: [(f64, &str); 3] = [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")];
const HARMLESS_NS: u64 = 10_000;
const SHARE: u64 = 4;

impl Verdict {
    pub fn of(figures: &Figures) -> Verdict {
        let recorder = &figures.recorder;
        // Where nobody hears, what is measured is the acknowledgement.
        let latency = if recorder.latency.is_empty() { &recorder.ack } else { &recorder.latency };
        let lag = &recorder.lag;
        if latency.is_empty() {
            return Verdict::NotJudged("no message was measured");
        }
        if lag.is_empty() {
            return Verdict::NotJudged("a closed loop says nothing of latency under a given rate");
        }
        let reasons = JUDGED.into_iter().filter_map(|(quantile, name)| {
            let (lag_ns, latency_ns) = (lag.value_at_quantile(quantile), latency.value_at_quantile(quantile));
            (lag_ns > HARMLESS_NS && lag_ns * SHARE > latency_ns).then(|| {
                format!("at {name} the generator lagged {} of {}", time_text(lag_ns), time_text(latency_ns))
            })
        });
        match reasons.collect::<Vec<_>>() {
            none if none.is_empty() => Verdict::Valid,
            reasons => Verdict::Invalid(reasons),
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Invalid(_) => "INVALID",
            Verdict::NotJudged(_) => "not judged",
        }
    }

    pub fn text(&self) -> String {
        match self {
            Verdict::Valid => "valid: the generator's lag is too small to explain these latencies".into(),
            Verdict::Invalid(reasons) => format!("INVALID latencies: {}", reasons.join("; ")),
            Verdict::NotJudged(why) => format!("not judged: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Recorder;

    fn verdict(lag_ns: &[u64], latency_ns: &[u64]) -> Verdict {
        let mut recorder = Recorder::new();
        lag_ns.iter().for_each(|value| recorder.lag.record(*value).unwrap());
        latency_ns.iter().for_each(|value| recorder.latency.record(*value).unwrap());
        Verdict::of(&Figures {
            recorder,
            window_ns: 1,
            server: None,
            other_cpus_busy: None,
            taken: None,
            series: Vec::new(),
            stages: None,
        })
    }

    #[test]
    fn a_punctual_generator_is_believed() {
        assert_eq!(verdict(&[2_000; 100], &[40_000; 100]), Verdict::Valid);
        assert_eq!(verdict(&[9_000; 100], &[20_000; 100]), Verdict::Valid);
    }

    #[test]
    fn a_lag_that_could_explain_the_latency_is_not() {
        let Verdict::Invalid(reasons) = verdict(&[20_000; 100], &[40_000; 100]) else { panic!("believed") };
        assert_eq!(reasons.len(), 3);
        let mut lag = vec![1_000; 98];
        lag.extend([900_000; 2]);
        let Verdict::Invalid(reasons) = verdict(&lag, &[1_000_000; 100]) else { panic!("believed") };
        assert_eq!(reasons[0], "at p99 the generator lagged 900 µs of 1.00 ms");
    }

    #[test]
    fn a_stalled_server_is_no_fault_of_the_generator() {
        let mut latency = vec![50_000; 90];
        latency.extend([2_000_000_000; 10]);
        assert_eq!(verdict(&[5_000; 100], &latency), Verdict::Valid);
    }

    #[test]
    fn a_closed_loop_is_not_judged() {
        assert!(matches!(verdict(&[], &[1_000]), Verdict::NotJudged(_)));
        assert!(matches!(verdict(&[1_000], &[]), Verdict::NotJudged(_)));
    }
}
