//! A server that stands still must show, in the plan and in the percentiles. Quick and exact: no server, no clock.

use crate::measure::{Recorder, histogram};
use crate::plan::{Arrival, Plan, Wish};

const SECOND_NS: u64 = 1_000_000_000;
const PAUSE: std::ops::Range<u64> = 8 * SECOND_NS..10 * SECOND_NS;

/// What a server answers that needs 50 µs, except that it stands still during the pause.
fn answered_ns(sent_ns: u64) -> u64 {
    let begun_ns = if PAUSE.contains(&sent_ns) { PAUSE.end } else { sent_ns };
    begun_ns + 50_000
}

fn plan() -> Plan {
    let (rate_per_s, talks, duration_ns, ramp_ns) = (1_000.0, 0..64, 20 * SECOND_NS, 0);
    Plan::lay_out(&[Wish { rate_per_s, talks, duration_ns, ramp_ns, arrival: Arrival::Poisson, seed: 1 }])
        .unwrap()
}

#[test]
fn two_seconds_of_standing_still_show_at_p99() {
    let mut recorder = Recorder::new();
    for send in plan().sends() {
        recorder.latency.record(answered_ns(send.at_ns) - send.at_ns).unwrap();
    }
    let p99_ns = recorder.latency.value_at_quantile(0.99);
    assert!(p99_ns >= 1_750_000_000, "{p99_ns}");
    assert!(recorder.latency.value_at_quantile(0.5) < 60_000);
}

/// The lie that this harness is built not to tell: who waits for an answer before asking again sends next to nothing
/// while the server stands still, and hardly notices.
#[test]
fn a_generator_that_waits_would_have_hidden_it() {
    let (mut seen, mut free_ns) = (histogram(), 0);
    for send in plan().sends() {
        let sent_ns = send.at_ns.max(free_ns);
        free_ns = answered_ns(sent_ns);
        seen.record(free_ns - sent_ns).unwrap();
    }
    assert!(seen.value_at_quantile(0.99) < 1_000_000);
}
