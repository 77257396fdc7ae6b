//! Intended send times: what will be asked of the server, settled before the first byte is sent.
//!
//! A plan is a pure function of its settings and its seed. It knows no clock and no socket, and nothing that
//! happens during a run can change it; that is what keeps a slow server from thinning out its own load.

mod random;

use std::ops::Range;

pub use random::Random;

/// How the sends of one talk are spaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Arrival {
    /// Every sender sends as a Poisson process of its own, as independent people do.
    Poisson,
    /// Every sender sends at a fixed period, each with a phase of its own.
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

/// What a plan, or a part of one, is made from.
#[derive(Clone, Debug)]
pub struct Wish {
    pub rate_per_s: f64,
    /// The talks among which the sends are shared out.
    pub talks: Range<u32>,
    /// The whole run, ramp included.
    pub duration_ns: u64,
    /// At first the rate climbs evenly from nothing for so long.
    pub ramp_ns: u64,
    pub arrival: Arrival,
    pub seed: u64,
}

/// One intended send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Send {
    /// Nanoseconds since the start of the run.
    pub at_ns: u64,
    /// The talk whose sender sends.
    pub talk: u32,
}

/// More sends than this (1 GiB of plan) are refused rather than swapped to disk.
const SENDS_MAX: f64 = 64.0 * 1024.0 * 1024.0;

/// Every intended send of one run, in order of time.
pub struct Plan {
    sends: Vec<Send>,
}

impl Plan {
    /// Lays out every send of the run: the wishes side by side.
    pub fn lay_out(wishes: &[Wish]) -> Result<Plan, String> {
        let expected: f64 = wishes.iter().map(|wish| wish.rate_per_s * wish.duration_ns as f64 / 1e9).sum();
        if !wishes.iter().all(|wish| wish.rate_per_s > 0.0 && wish.rate_per_s.is_finite()) {
            return Err("a rate that is not above 0 cannot be planned".into());
        }
        if expected > SENDS_MAX {
            return Err(format!(
                "{expected:.0} messages are more than one plan holds ({SENDS_MAX:.0}): lower --rate or --duration"
            ));
        }
        let mut sends = Vec::with_capacity((expected * 1.01) as usize + 64);
        for wish in wishes {
            let first = sends.len();
            match wish.arrival {
                Arrival::Poisson => poisson(wish, &mut sends),
                Arrival::Uniform => uniform(wish, &mut sends),
            }
            sends[first..].iter_mut().for_each(|send| send.at_ns = ramped(send.at_ns, wish.ramp_ns));
        }
        if wishes.len() > 1 {
            sends.sort_by_key(|send| send.at_ns);
        }
        Ok(Plan { sends })
    }

    /// Only the first so many.
    pub fn first(mut self, sends: usize) -> Plan {
        self.sends.truncate(sends);
        self
    }

    /// The sends, times never decreasing.
    pub fn sends(&self) -> &[Send] {
        &self.sends
    }
}

impl Wish {
    /// How long the sends would take without the ramp, in which half of what would be sent is.
    fn even_ns(&self) -> f64 {
        self.duration_ns as f64 - self.ramp_ns.min(self.duration_ns) as f64 / 2.0
    }
}

/// Where a send of an even plan comes to lie when the rate climbs from nothing during the ramp.
fn ramped(at_ns: u64, ramp_ns: u64) -> u64 {
    let half_ns = ramp_ns / 2;
    if at_ns >= half_ns {
        return at_ns + half_ns;
    }
    (2.0 * at_ns as f64 * ramp_ns as f64).sqrt() as u64
}

/// One Poisson process of the whole rate, each arrival given to a talk by lot, is exactly one independent
/// Poisson process a talk, and comes out sorted.
fn poisson(wish: &Wish, sends: &mut Vec<Send>) {
    let mut random = Random::new(wish.seed);
    let mean_gap_ns = 1e9 / wish.rate_per_s;
    let count = wish.talks.len() as u32;
    let mut at_ns = 0.0;
    loop {
        at_ns += random.exponential() * mean_gap_ns;
        if at_ns >= wish.even_ns() {
            return;
        }
        sends.push(Send { at_ns: at_ns as u64, talk: wish.talks.start + random.below(count) });
    }
}

/// Every talk has the same period and its own phase, so the sorted phases of one period repeat for ever.
fn uniform(wish: &Wish, sends: &mut Vec<Send>) {
    let mut random = Random::new(wish.seed);
    let period_ns = wish.talks.len() as f64 * 1e9 / wish.rate_per_s;
    let mut phases: Vec<(f64, u32)> =
        wish.talks.clone().map(|talk| (random.unit() * period_ns, talk)).collect();
    phases.sort_by(|one, other| one.0.total_cmp(&other.0));
    let end_ns = wish.even_ns() as u64;
    for turn in 0_u64.. {
        let turn_ns = turn as f64 * period_ns;
        if turn_ns >= end_ns as f64 {
            return;
        }
        let this_turn =
            phases.iter().map(|&(phase_ns, talk)| Send { at_ns: (turn_ns + phase_ns) as u64, talk });
        sends.extend(this_turn.take_while(|send| send.at_ns < end_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRIVALS: [Arrival; 2] = [Arrival::Poisson, Arrival::Uniform];

    fn wish(arrival: Arrival, seed: u64) -> Wish {
        Wish { rate_per_s: 20_000.0, talks: 5..42, duration_ns: 2_000_000_000, ramp_ns: 0, arrival, seed }
    }

    fn sends(wish: &Wish) -> Vec<Send> {
        Plan::lay_out(std::slice::from_ref(wish)).unwrap().sends
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
            assert!(sends.iter().all(|send| send.at_ns < 2_000_000_000 && (5..42).contains(&send.talk)));
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
    fn every_talk_gets_its_share() {
        for arrival in ARRIVALS {
            let mut counts = [0_i64; 37];
            for send in sends(&wish(arrival, 11)) {
                counts[send.talk as usize - 5] += 1;
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
        assert!(Plan::lay_out(&[hopeless.clone()]).is_err());
        hopeless.rate_per_s = 1e12;
        assert!(Plan::lay_out(&[hopeless]).is_err());
    }

    #[test]
    fn a_ramp_climbs_evenly_to_the_rate() {
        for arrival in ARRIVALS {
            let mut wish = wish(arrival, 3);
            wish.ramp_ns = 1_000_000_000;
            let sends = sends(&wish);
            assert!(sends.windows(2).all(|two| two[0].at_ns <= two[1].at_ns));
            assert!(sends.iter().all(|send| send.at_ns < 2_000_000_000));
            let until = |end_ns: u64| sends.iter().filter(|send| send.at_ns < end_ns).count() as i64;
            // A quarter of the ramp's half in its first half, then the whole rate.
            assert!((until(500_000_000) - 2_500).abs() < 300, "{arrival:?}: {}", until(500_000_000));
            assert!((until(1_000_000_000) - 10_000).abs() < 600);
            assert!((until(2_000_000_000) - 30_000).abs() < 1_000);
        }
    }

    #[test]
    fn wishes_run_side_by_side() {
        let one = Wish { talks: 0..10, rate_per_s: 1_000.0, ..wish(Arrival::Poisson, 1) };
        let other = Wish { talks: 10..12, rate_per_s: 9_000.0, ..wish(Arrival::Poisson, 2) };
        let sends = Plan::lay_out(&[one, other]).unwrap().sends;
        assert!(sends.windows(2).all(|two| two[0].at_ns <= two[1].at_ns));
        let of_one = sends.iter().filter(|send| send.talk < 10).count() as i64;
        assert!((of_one - 2_000).abs() < 250, "{of_one}");
        assert!((sends.len() as i64 - 20_000).abs() < 700);
    }
}
