//! The harness as a whole, against its own relay: nothing is lost and everything is counted.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::load::{self, Clock, Fleet, Message, Orders, Pace, Waiting, run_round};
use crate::measure::{Live, Recorder};
use crate::plan::{Arrival, Plan, Wish};
use crate::target::relay::{Relay, Until};
use crate::wire::Speaker;

/// Runs `drive` with a fleet that is connected to a relay in a thread.
fn with_relay<T>(pairs: usize, text_bytes: usize, drive: impl FnOnce(&mut Fleet) -> T) -> T {
    let mut relay = Relay::listen().unwrap();
    let address = relay.address().unwrap();
    let thread = std::thread::spawn(move || relay.run(Until::Deserted));
    let enlisted = load::pair_up(address, pairs, &AtomicBool::new(false)).unwrap();
    let speakers: Vec<Speaker> =
        (0..2 * pairs as i64).map(|id| Speaker { id, name: format!("user{id}") }).collect();
    let message = Message { text_bytes, time: "2026-01-02 03:04:05".into() };
    let mut fleet = Fleet::new(enlisted, &speakers, &message).unwrap();
    let result = drive(&mut fleet);
    drop(fleet);
    thread.join().unwrap().unwrap();
    result
}

/// One round, of this length at most.
fn round(fleet: &mut Fleet, pace: Pace, duration: Duration) -> Recorder {
    let (clock, live, stop) = (Clock::start(), Live::new(), AtomicBool::new(false));
    let end_ns = clock.now_ns() + duration.as_nanos() as u64;
    let orders = Orders {
        pace,
        start_ns: 0,
        window: 0..end_ns,
        waiting: Waiting::Sleep,
        clock,
        live: &live,
        stop: &stop,
    };
    run_round(fleet, &orders).unwrap()
}

#[test]
fn a_thousand_messages_in_a_closed_loop_all_come_once() {
    with_relay(4, 34, |fleet| {
        let closed = Pace::Closed { under_way: 5, messages_max: 1_000 };
        let recorder = round(fleet, closed, Duration::from_secs(30));
        let counts = &recorder.counts;
        assert_eq!((counts.delivered, counts.sent, counts.lost), (1_000, 1_000, 0), "{counts:?}");
        assert!(counts.is_clean(), "{counts:?}");
        assert_eq!(recorder.latency.len(), counts.measured);
    });
}

#[test]
fn an_open_loop_sends_its_whole_plan_and_rounds_follow_each_other() {
    let wish =
        Wish { rate_per_s: 10_000.0, pairs: 3, duration_ns: 100_000_000, arrival: Arrival::Poisson, seed: 9 };
    let plan = Plan::lay_out(&wish).unwrap();
    with_relay(3, 34, |fleet| {
        for _ in 0..2 {
            let recorder = round(fleet, Pace::Open(plan.sends()), Duration::from_secs(30));
            assert_eq!(recorder.counts.delivered, plan.sends().len() as u64);
            assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
            assert_eq!(recorder.lag.len(), recorder.counts.measured);
        }
    });
}

#[test]
fn messages_larger_than_a_socket_holds_come_whole() {
    with_relay(2, 16 * 1024, |fleet| {
        let closed = Pace::Closed { under_way: 500, messages_max: 3_000 };
        let recorder = round(fleet, closed, Duration::from_secs(30));
        assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
        assert!(recorder.counts.socket_full > 0, "the test meant to fill a socket: {:?}", recorder.counts);
    });
}
