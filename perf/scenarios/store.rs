//! People who talk while the store is healthy, slow and down: whether a push waits for it.
//!
//! One chatd, whose MariaDB lies behind a proxy of this harness, and the same connections in all three states: between
//! two rounds nothing changes but what the proxy does, so that a ratio of neighbours holds nothing else. Each round begins
//! when a message beside the load has shown that the state is there, and each state but the healthy one begins from that.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::Ending;
use super::bench::{Bench, Measured};
use super::file::Scenario;
use super::finish::{self, Finish, finish};
use super::settings::{Loop, Settings, Sides};
use super::side::Side;
use super::talk;
use crate::cli::{self, Trouble};
use crate::load::{Testimony, Witness};
use crate::measure::metric;
use crate::report::{Compared, Pushes};
use crate::target::{Backends, Cpus, Proxy, Target};
use crate::wire::Acks;

/// What the store is like in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Healthy,
    In(Trouble),
}

const ALL: [Trouble; 2] = [Trouble::Slow, Trouble::Down];
/// What a server answers that did not store.
const BUSY: i64 = 110;
/// How many messages of a session a server takes ahead of the store. Further ones it does not read, which is another
/// thing than what is measured here.
const AHEAD_MAX: f64 = 256.0;
/// How long a state may take to show. After it was down, what waited for the store is stored first.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Healthy => "healthy",
            State::In(Trouble::Slow) => "slow",
            State::In(Trouble::Down) => "down",
        }
    }

    /// Whether a server in this state answers a message so. In between lies another state.
    fn shows_in(self, testimony: Testimony, delay: Duration) -> bool {
        let Testimony { errno, took } = testimony;
        match self {
            State::Healthy => errno == 0 && took < delay,
            State::In(Trouble::Slow) => errno == 0 && took >= delay,
            State::In(Trouble::Down) => errno == BUSY,
        }
    }
}

pub fn store(flags: &cli::Store, stop: &AtomicBool) -> Result<Ending, String> {
    let troubles = if flags.only.is_empty() { &ALL[..] } else { &flags.only };
    let settings = settings(&flags.load, troubles)?;
    if settings.tls.is_some() {
        return Err("the push beside the store is compared in clear text".into());
    }
    // The database is not what is measured: it comes behind, as everything else does.
    let backends = Backends::start()?;
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let (target, proxy) =
        Target::start_behind_proxy(backends, &settings.chatd_options(), &cpus.server, stop)?;
    let witness = Witness::enlist(&target.door, stop)?;
    let mut side = Side::connect(target, &settings, &bench)?;
    let mut store = Store { proxy, witness, delay: Duration::from_millis(flags.delay_ms) };
    // In the order of the sides of the report.
    let states: Vec<State> =
        std::iter::once(State::Healthy).chain(troubles.iter().map(|trouble| State::In(*trouble))).collect();
    let mut rounds: Vec<Vec<Measured>> = states.iter().map(|_| Vec::new()).collect();
    for round in 0..settings.rounds {
        let mut order: Vec<usize> = (0..states.len()).collect();
        // Who comes first in one round comes last in the next.
        if round % 2 == 1 {
            order.reverse();
        }
        for number in order {
            let state = states[number];
            let words = format!("round {} of {}, {}", round + 1, settings.rounds, state.word());
            bench.progress.line(&words);
            store.bring_to(state, &side.target, &bench)?;
            rounds[number].push(counted(state, side.round(&settings, &bench, round, None)?)?);
            bench.fail_if_stopped()?;
        }
    }
    store.bring_to(State::Healthy, &side.target, &bench)?;
    let sides: Vec<_> = states
        .into_iter()
        .zip(rounds)
        .map(|(state, rounds)| talk::figures(&settings, state.word(), &side, rounds))
        .collect();
    let frame_bytes = side.frame_bytes();
    drop(side);
    let compared = Pushes::of(&sides).map_or(Compared::Nothing, Compared::Pushes);
    let finish_as = Finish { is_pinned: true, frame_bytes, outputs: finish::outputs(&flags.outputs)? };
    finish(&settings, &bench, finish_as, sides, compared)
}

/// Pairs, every message of whom is to be stored.
fn settings(load: &cli::Load, troubles: &[Trouble]) -> Result<Settings, String> {
    let mut scenario = Scenario::open("direct")?;
    scenario.name = "store".into();
    scenario.put("what", "pairs of users while the store is healthy and while it is not, in turn");
    scenario.put("rate", 2_000);
    scenario.put("ack", true);
    scenario.put("v2", true);
    let settings = Settings::new(load.applied_to(scenario)?, Sides::TwoInterleaved, load.waiting)?;
    let Loop::Open { rate_per_s, .. } = settings.load_loop else {
        return Err("in a closed loop the store decides how much is sent: this needs an open one".into());
    };
    assert_eq!(settings.message.acks, Acks::Asked, "no flag takes that back");
    let ahead = rate_per_s * (settings.lead_ns() + settings.duration_ns) as f64
        / 1e9
        / f64::from(settings.crowd.pairs.max(1));
    // By chance some send more than others.
    if troubles.contains(&Trouble::Slow) && ahead + 4.0 * ahead.sqrt() > AHEAD_MAX {
        return Err(format!(
            "each sender would have {ahead:.0} messages under way in a round, and a server reads no further than \
             {AHEAD_MAX} ahead of a slow store: take more --pairs, a lower --rate or a shorter --duration"
        ));
    }
    Ok(settings)
}

/// The store of the server that is driven, and who finds out what it is like.
struct Store {
    proxy: Proxy,
    witness: Witness,
    delay: Duration,
}

impl Store {
    /// Brings the store into a state, from the healthy one, and waits until the server shows it.
    fn bring_to(&mut self, state: State, target: &Target, bench: &Bench) -> Result<(), String> {
        self.proxy.delay(Duration::ZERO);
        self.proxy.mend();
        self.wait_for(State::Healthy, bench)?;
        let deadline = Instant::now() + PATIENCE;
        while self.is_behind(target)? {
            self.look_again(deadline, "all that waited is stored", bench)?;
        }
        match state {
            State::Healthy => return Ok(()),
            State::In(Trouble::Slow) => self.proxy.delay(self.delay),
            State::In(Trouble::Down) => self.proxy.cut(),
        }
        self.wait_for(state, bench)
    }

    fn wait_for(&mut self, state: State, bench: &Bench) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !state.shows_in(self.witness.ask()?, self.delay) {
            self.look_again(deadline, &format!("the store is {}", state.word()), bench)?;
        }
        Ok(())
    }

    /// Whether the server still has something to ask of the store.
    fn is_behind(&self, target: &Target) -> Result<bool, String> {
        let admin =
            target.admin.ok_or("this chatd has no admin address, which tells what waits for its store")?;
        Ok(metric(admin, "chatd_tickets")? + metric(admin, "chatd_orphans")? > 0.0)
    }

    fn look_again(&self, deadline: Instant, what: &str, bench: &Bench) -> Result<(), String> {
        bench.fail_if_stopped()?;
        if Instant::now() > deadline {
            return Err(format!("waited in vain, for {} s, until {what}", PATIENCE.as_secs()));
        }
        std::thread::sleep(LOOK_EVERY);
        Ok(())
    }
}

/// Where the store is down, to be refused is what is asked for, and to be acknowledged would be a lie. What was refused may be
/// stored after all once the store is back, and its reader may then get it a second time: that is of the round before.
fn counted(state: State, mut measured: Measured) -> Result<Measured, String> {
    let counts = &mut measured.figures.recorder.counts;
    counts.repeated -= counts.repeated_earlier;
    if state == State::In(Trouble::Down) {
        counts.refused = counts.server_errors.remove(&BUSY).unwrap_or(0);
        if counts.acked > counts.refused {
            return Err(format!(
                "{} messages were acknowledged, or refused as anything but busy, while the store was down",
                counts.acked - counts.refused
            ));
        }
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Figures, Recorder};

    fn down(acked: u64, refused: u64) -> Measured {
        let mut recorder = Recorder::new();
        recorder.counts.acked = acked;
        // A message of the round before, which came again.
        (recorder.counts.repeated, recorder.counts.repeated_earlier) = (1, 1);
        recorder.counts.server_errors.insert(BUSY, refused);
        let (series, stages) = (Vec::new(), None);
        let figures = Figures {
            recorder,
            window_ns: 1,
            server: None,
            other_cpus_busy: None,
            taken: None,
            series,
            stages,
        };
        Measured { figures, beside: Vec::new() }
    }

    #[test]
    fn an_acknowledgement_without_a_store_is_no_measurement() {
        let counts = counted(State::In(Trouble::Down), down(7, 7)).ok().unwrap().figures.recorder.counts;
        assert_eq!((counts.refused, counts.is_clean()), (7, true));
        assert!(
            counted(State::In(Trouble::Down), down(8, 7))
                .err()
                .unwrap()
                .starts_with("1 messages were acknowledged")
        );
        let healthy = counted(State::Healthy, down(7, 7)).ok().unwrap();
        assert!(!healthy.figures.recorder.counts.is_clean(), "a refusal by a store that works is a fault");
    }

    #[test]
    fn a_state_is_known_by_one_answer() {
        let delay = Duration::from_millis(200);
        for (errno, took_ms, state) in [
            (0, 3, State::Healthy),
            (0, 1_400, State::In(Trouble::Slow)),
            (BUSY, 1, State::In(Trouble::Down)),
            (BUSY, 900, State::In(Trouble::Down)),
        ] {
            let testimony = Testimony { errno, took: Duration::from_millis(took_ms) };
            let states = [State::Healthy, State::In(Trouble::Slow), State::In(Trouble::Down)];
            let shown: Vec<State> =
                states.into_iter().filter(|state| state.shows_in(testimony, delay)).collect();
            assert_eq!(shown, [state]);
        }
    }
}
