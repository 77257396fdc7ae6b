//! A cluster of real hubs under random delays, broken connections and faults, from one seed.
//!
//! `SIM_SEED=n` replays one seed and prints everything that happens; `SIM_SEEDS=n` says how many
//! seeds to try, `SIM_FROM=n` where to begin, `SIM_COUNT=1` goes on after a failure and counts.
//!
//! What survives which fault, as the oracle asks for it once everything is well again:
//!
//! - A connection breaks, the store is busy or down, a core loses the bus, a server dies or hangs:
//!   whatever is stored reaches its reader without another login, a user is online once, and hubs
//!   and bus end empty. A message without a `cid` is promised only while the bus and its two
//!   servers are well.
//! - Single messages and notices are lost without a word, which a broker does only with the
//!   connection: what is stored reaches its reader. In a group it does so at once, one-to-one at
//!   the next login or the next message that waits.
//!
//! What it is worth: each rule was broken by hand, and this many of the seeds 0 to 799 failed.
//!
//! | broken | seeds |
//! |---|---|
//! | nobody is nudged after a message was kept for it | 48 |
//! | the last holder does not keep what comes too late | 51 |
//! | what is owed is taken out of the backlog when it is pushed | 153 |
//! | a login does not wait until its groups' channels are joined | 0 |
//! | a claim does not mind that somebody holds the user | 375 |
//! | a claim does not give way to an earlier one: its holder objects all the same | 0 |
//! | a core that was cut off does not claim its users again | 7 |
//! | the newer of two sessions does not give way after that | 9 |
//! | a login goes on although the bus was lost under it | 2 |
//! | nobody looks for what a dead core may have stored | 1 |
//! | word of places that the bus did not take is not repeated | 0 |
//! | the last place of a group is not told once more | 0 |
//! | members do not look for themselves when word is overdue | 0 |
//! | a seat advances over gaps | 13 |
//! | a cursor passes what TCP has not acknowledged | 37 |
//! | messages do not wait behind the detour of earlier ones | 0 |
//! | live messages are not held while a backlog is read | 194 |
//! | a message is acknowledged although the store was busy | 5 |
//! | a message that joins those held goes to their end | 0 |
//! | a group's channel that could not be joined is given up | 5 |
//!
//! A rule with 0 was not missed in these seeds: another one makes up for it, or it takes more of them.

mod sim;

use sim::oracle::Tally;
use sim::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn run(seed: u64, watched: bool) -> Result<Tally, String> {
    let run = || {
        let mut world = World::new(seed, watched);
        world.run();
        world.oracle.tally.clone()
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

#[test]
fn nothing_is_lost_or_stranded_and_one_login_wins() {
    if let Some(seed) = number("SIM_SEED") {
        let tally = run(seed, true).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        return eprintln!("{tally:#?}");
    }
    let (first, seeds) = (number("SIM_FROM").unwrap_or(0), number("SIM_SEEDS").unwrap_or(2_000));
    let go_on = number("SIM_COUNT").is_some();
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::<(u64, String)>::new());
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds || (!go_on && !failures.lock().unwrap().is_empty()) {
                        return;
                    }
                    match run(seed, false) {
                        Ok(tally) => {
                            let mut total = total.lock().unwrap();
                            tally
                                .0
                                .iter()
                                .for_each(|(what, times)| *total.0.entry(what).or_default() += times);
                        }
                        Err(failure) => failures.lock().unwrap().push((seed, failure)),
                    }
                }
            });
        }
    });
    let _ = std::panic::take_hook();
    eprintln!("{:#?}", total.into_inner().unwrap().0);
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    for (seed, failure) in failures.iter().take(200) {
        eprintln!("seed {seed}: {failure}\n  replay: SIM_SEED={seed} cargo test --test simulation");
    }
    assert!(failures.is_empty(), "{} of {seeds} seeds failed", failures.len());
}
