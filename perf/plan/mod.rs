//! Intended send times: what will be asked of the server, settled before the first byte is sent.
//!
//! A plan is a pure function of its settings and its seed. It knows no clock and no socket, and nothing that
//! happens during a run can change it; that is what keeps a slow server from thinning out its own load.

mod random;

pub use random::Random;

/// How the sends of one pair are spaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Arrival {
    /// Every pair sends as a Poisson process of its own, as independent people do.
    Poisson,
    /// Every pair sends at a fixed period, each with a phase of its own.
    Uniform,
}

impl Arrival {
    /// The word that the command line and the reports use.
    pub fn word(self) -> &'static str {
        match self {
            Arrival::Poisson => "poisson",
            Arrival::Uniform => "uniform",
        }
    }
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub rate_per_s: f64,
    pub pairs: u32,
    pub duration_ns: u64,
    pub arrival: Arrival,
    pub seed: u64,
}

/// One intended send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Send {
    /// Nanoseconds since the start of the run.
    pub at_ns: u64,
    /// The pair whose sender sends.
    pub pair: u32,
}

/// More sends than this (1 GiB of plan) are refused rather than swapped to disk.
const SENDS_MAX: f64 = 64.0 * 1024.0 * 1024.0;

/// Every intended send of one run, in order of time.
pub struct Plan {
    sends: Vec<Send>,
}

impl Plan {
    /// Lays out every send of the run.
    pub fn lay_out(wish: &Wish) -> Result<Plan, String> {
        let expected = wish.rate_per_s * wish.duration_ns as f64 / 1e9;
        if !(wish.rate_per_s > 0.0 && wish.rate_per_s.is_finite()) {
            return Err(format!("a rate of {} messages a second cannot be planned", wish.rate_per_s));
        }
        if expected > SENDS_MAX {
            return Err(format!(
                "{expected:.0} messages are more than one plan holds ({SENDS_MAX:.0}): lower --rate or --duration"
            ));
        }
        let mut sends = Vec::with_capacity((expected * 1.01) as usize + 64);
        match wish.arrival {
            Arrival::Poisson => poisson(wish, &mut sends),
            Arrival::Uniform => uniform(wish, &mut sends),
        }
        Ok(Plan { sends })
    }

    /// The sends, times never decreasing.
    pub fn sends(&self) -> &[Send] {
        &self.sends
    }
}

/// One Poisson process of the whole rate, each arrival given to a pair by lot, is exactly one independent
/// Poisson process a pair, and comes out sorted.
fn poisson(wish: &Wish, sends: &mut Vec<Send>) {
    let mut random = Random::new(wish.seed);
    let mean_gap_ns = 1e9 / wish.rate_per_s;
    let mut at_ns = 0.0;
    loop {
        at_ns += random.exponential() * mean_gap_ns;
        if at_ns >= wish.duration_ns as f64 {
            return;
        }
        sends.push(Send { at_ns: at_ns as u64, pair: random.below(wish.pairs) });
    }
}

/// Every pair has the same period and its own phase, so the sorted phases of one period repeat for ever.
fn uniform(wish: &Wish, sends: &mut Vec<Send>) {
    let mut random = Random::new(wish.seed);
    let period_ns = f64::from(wish.pairs) * 1e9 / wish.rate_per_s;
    let mut phases: Vec<(f64, u32)> = (0..wish.pairs).map(|pair| (random.unit() * period_ns, pair)).collect();
    phases.sort_by(|one, other| one.0.total_cmp(&other.0));
    for turn in 0_u64.. {
        let turn_ns = turn as f64 * period_ns;
        if turn_ns >= wish.duration_ns as f64 {
            return;
        }
        let this_turn =
            phases.iter().map(|&(phase_ns, pair)| Send { at_ns: (turn_ns + phase_ns) as u64, pair });
        sends.extend(this_turn.take_while(|send| send.at_ns < wish.duration_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRIVALS: [Arrival; 2] = [Arrival::Poisson, Arrival::Uniform];

    fn wish(arrival: Arrival, seed: u64) -> Wish {
        Wish { rate_per_s: 20_000.0, pairs: 37, duration_ns: 2_000_000_000, arrival, seed }
    }

    fn sends(wish: &Wish) -> Vec<Send> {
        Plan::lay_out(wish).unwrap().sends
    }

    #[test]
    fn holds_as_many_sends_as_the_rate_asks() {
        for arrival in ARRIVALS {
            // 40,000 expected; five standard deviations of a Poisson count are 1,000.
            let count = sends(&wish(arrival, 7)).len() as i64;
            assert!((count - 40_000).abs() <= 1_000, "{arrival:?}: {count}");
        }
        assert!((sends(&wish(Arrival::Uniform, 7)).len() as i64 - 40_000).abs() <= 37);
    }

    #[test]
    fn times_never_decrease_and_stay_inside_the_run() {
        for arrival in ARRIVALS {
            let sends = sends(&wish(arrival, 3));
            assert!(sends.windows(2).all(|two| two[0].at_ns <= two[1].at_ns));
            assert!(sends.iter().all(|send| send.at_ns < 2_000_000_000 && send.pair < 37));
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        for arrival in ARRIVALS {
            assert_eq!(sends(&wish(arrival, 1)), sends(&wish(arrival, 1)));
            assert_ne!(sends(&wish(arrival, 1)), sends(&wish(arrival, 2)));
        }
    }

    #[test]
    fn every_pair_gets_its_share() {
        for arrival in ARRIVALS {
            let mut counts = [0_i64; 37];
            for send in sends(&wish(arrival, 11)) {
                counts[send.pair as usize] += 1;
            }
            assert!(counts.iter().all(|count| (count - 1_081).abs() < 200), "{arrival:?}: {counts:?}");
        }
    }

    #[test]
    fn poisson_gaps_vary_as_much_as_their_mean() {
        let sends = sends(&wish(Arrival::Poisson, 5));
        let gaps: Vec<f64> = sends.windows(2).map(|two| (two[1].at_ns - two[0].at_ns) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05);
    }

    #[test]
    fn refuses_what_cannot_be_planned() {
        let mut hopeless = wish(Arrival::Poisson, 1);
        hopeless.rate_per_s = 0.0;
        assert!(Plan::lay_out(&hopeless).is_err());
        hopeless.rate_per_s = 1e12;
        assert!(Plan::lay_out(&hopeless).is_err());
    }
}
