//! What a large ring costs: building it, asking it, and counting what moves.
//!
//! 1,000 servers of 160 points each. The keys are a million texts of addresses, so that hashing them
//! is in the figures; they are asked for in an order that no cache knows. On one core, the best and the
//! median of several rounds. `cargo bench --bench ring`.

use chat_ring::{Balancing, Choice, Consistent, Moves, Plain, Server, sample_key};
use std::hint::black_box;
use std::time::Duration;

const SERVERS: usize = 1_000;
const KEYS: u32 = 1_000_000;
const ROUNDS: usize = 9;

fn servers(count: usize) -> Vec<Server> {
    (0..count).map(|n| Server::new(format!("10.0.{}.{}:6000", n / 250, n % 250))).collect()
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The best and the median of what a task takes.
fn timed<T>(mut task: impl FnMut() -> T) -> [Duration; 2] {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = cpu_time();
            black_box(task());
            cpu_time() - begun
        })
        .collect();
    times.sort();
    [times[0], times[ROUNDS / 2]]
}

fn report(what: &str, [best, median]: [Duration; 2], each: Option<u32>) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let rate = each.map(|count| {
        let million = |time: Duration| f64::from(count) / time.as_secs_f64() / 1e6;
        format!("   {:.1} M/s, median {:.1}", million(best), million(median))
    });
    println!("{what:44} {:8.2} ms, median {:8.2}{}", ms(best), ms(median), rate.unwrap_or_default());
}

fn main() {
    let ring = Consistent::new(servers(SERVERS)).expect("there are servers");
    println!("{SERVERS} servers, {} points, {KEYS} keys, {ROUNDS} rounds", ring.points().len());
    report("build the ring", timed(|| Consistent::new(servers(SERVERS))), None);
    let keys: Vec<String> = (0..KEYS).map(sample_key).collect();
    let ask = |choose: &dyn Fn(&[u8]) -> Choice| {
        let chosen = |key: &String| matches!(choose(key.as_bytes()), Choice::Server(0));
        keys.iter().filter(|key| chosen(key)).count()
    };
    report("choose, hash KEY consistent", timed(|| ask(&|key| ring.choose(key))), Some(KEYS));
    let plain = Plain::new(servers(SERVERS)).expect("there are servers");
    report("choose, hash KEY", timed(|| ask(&|key| plain.choose(key))), Some(KEYS));
    let mut more = servers(SERVERS);
    more.push(Server::new("10.9.9.9:6000"));
    let more = Consistent::new(more).expect("there are servers");
    report("moves of the whole ring", timed(|| Moves::of_rings(&ring, &more)), None);
    let (before, after) = (Balancing::Consistent(ring), Balancing::Consistent(more));
    let count = || Moves::of_keys(&before, &after, keys.iter().map(String::as_bytes));
    report("moves of the keys", timed(count), Some(KEYS));
}
