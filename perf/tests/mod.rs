//! The harness as a whole, in one process: against its own relay and against a stand-in for chatd.

mod files;
mod pause;
mod stand_in;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::load::{
    Clock, Crowd, Door, Fleet, Groups, Message, Orders, Pace, Secrecy, Stay, Storm, Visit, Waiting,
    run_round, run_storm,
};
use crate::measure::{Live, Recorder};
use crate::plan::{Arrival, Plan, Wish};
use crate::target::relay::{Relay, RingMode, RingRelay, Until};
use crate::target::{Kind, Target};
use crate::wire::{Acks, Dialect, Framing};

fn message(text_bytes: usize) -> Message {
    Message { text_bytes, time: "2026-01-02 03:04:05".into(), acks: Acks::NotAsked, dialect: Dialect::Seed }
}

fn pairs(pairs: u32) -> Crowd {
    Crowd { pairs, ..Crowd::default() }
}

fn door(address: std::net::SocketAddr, secrecy: Secrecy) -> Door {
    Door { addresses: vec![address], sources: 0, framing: Framing::Lines, secrecy }
}

fn target(kind: Kind, address: std::net::SocketAddr) -> Target {
    Target::running(kind, door(address, Secrecy::Clear), &[])
}

/// Runs `drive` with a fleet that is connected to a relay in a thread.
fn with_relay<T>(crowd: Crowd, text_bytes: usize, drive: impl FnOnce(&mut Fleet) -> T) -> T {
    let mut relay = Relay::listen().unwrap();
    let target = target(Kind::Relay, relay.address().unwrap());
    let thread = std::thread::spawn(move || relay.run(Until::Deserted));
    let (mut fleet, _) = target.connect(&crowd, &message(text_bytes), &AtomicBool::new(false)).unwrap();
    let result = drive(&mut fleet);
    drop(fleet);
    thread.join().unwrap().unwrap();
    result
}

/// The same with a relay on an io_uring of this mode; nothing, said aloud, where the kernel has none.
fn with_ring_relay(mode: RingMode, crowd: Crowd, text_bytes: usize, drive: impl FnOnce(&mut Fleet)) {
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let (mut relay, _) = match RingRelay::listen(Some(mode)) {
            Ok(relay) => relay,
            Err(error) => return tell.send(Err(error)).unwrap(),
        };
        tell.send(relay.address()).unwrap();
        relay.run(Until::Deserted).unwrap();
    });
    let address = match told.recv().unwrap() {
        Ok(address) => address,
        Err(error) => return eprintln!("NOT TESTED: an io_uring that is {}: {error}", mode.word()),
    };
    let target = target(Kind::Relay, address);
    let (mut fleet, _) = target.connect(&crowd, &message(text_bytes), &AtomicBool::new(false)).unwrap();
    drive(&mut fleet);
    drop(fleet);
    thread.join().unwrap();
}

/// One round, of half a minute at most.
fn round(fleet: &mut Fleet, pace: Pace) -> Recorder {
    round_of(Clock::start(), fleet, pace)
}

/// The same, of a run that has this clock.
fn round_of(clock: Clock, fleet: &mut Fleet, pace: Pace) -> Recorder {
    let (live, stop) = (Live::new(), AtomicBool::new(false));
    let start_ns = clock.now_ns();
    let window = start_ns..start_ns + Duration::from_secs(30).as_nanos() as u64;
    let (waiting, patience_ns) = (Waiting::Sleep, 500_000_000);
    let (live, stop, slice_ns) = (&live, &stop, 250_000_000);
    let orders = Orders { pace, start_ns, window, patience_ns, waiting, clock, live, slice_ns, stop };
    run_round(fleet, &orders).unwrap().0
}

fn plan(talks: u32) -> Plan {
    let arrival = Arrival::Poisson;
    let talks = 0..talks;
    let wish = Wish { rate_per_s: 10_000.0, talks, duration_ns: 100_000_000, ramp_ns: 0, arrival, seed: 9 };
    Plan::lay_out(&[wish]).unwrap()
}

#[test]
fn a_thousand_messages_in_a_closed_loop_all_come_once() {
    with_relay(pairs(4), 34, |fleet| {
        let recorder = round(fleet, Pace::Closed { under_way: 5, messages_max: 1_000 });
        let counts = &recorder.counts;
        assert_eq!((counts.delivered, counts.sent, counts.lost), (1_000, 1_000, 0), "{counts:?}");
        assert!(counts.is_clean(), "{counts:?}");
        assert_eq!(recorder.latency.len(), counts.measured);
    });
}

#[test]
fn an_open_loop_sends_its_whole_plan_and_rounds_follow_each_other() {
    let plan = plan(3);
    with_relay(pairs(3), 34, |fleet| {
        for _ in 0..2 {
            let recorder = round(fleet, Pace::Open(plan.sends()));
            assert_eq!(recorder.counts.delivered, plan.sends().len() as u64);
            assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
            assert_eq!(recorder.lag.len(), recorder.counts.measured);
        }
    });
}

#[test]
fn messages_larger_than_a_socket_holds_come_whole() {
    with_relay(pairs(2), 16 * 1024, |fleet| {
        let recorder = round(fleet, Pace::Closed { under_way: 500, messages_max: 3_000 });
        assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
        assert!(recorder.counts.socket_full > 0, "the test meant to fill a socket: {:?}", recorder.counts);
    });
}

#[test]
fn everybody_in_a_group_hears_everybody_else() {
    let groups = Groups { count: 2, members: 5, speakers: 3 };
    let crowd = Crowd { pairs: 1, groups, ..Crowd::default() };
    with_relay(crowd, 34, |fleet| {
        let recorder = round(fleet, Pace::Closed { under_way: 3, messages_max: 700 });
        let counts = &recorder.counts;
        assert!(counts.is_clean(), "{counts:?}");
        assert_eq!((counts.sent, counts.delivered), (700, counts.expected));
        let recorder = round(fleet, Pace::Open(plan(7).sends()));
        assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
        assert!(recorder.counts.delivered > 3 * recorder.counts.sent);
    });
}

#[test]
fn large_messages_of_many_speakers_do_not_mix() {
    let groups = Groups { count: 1, members: 6, speakers: 6 };
    with_relay(Crowd { groups, ..Crowd::default() }, 16 * 1024, |fleet| {
        let recorder = round(fleet, Pace::Closed { under_way: 40, messages_max: 1_200 });
        assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
    });
}

#[test]
fn the_relay_on_a_ring_passes_on_what_the_other_does() {
    let groups = Groups { count: 2, members: 5, speakers: 3 };
    for mode in RingMode::LADDER {
        let crowd = Crowd { pairs: 2, groups, ..Crowd::default() };
        with_ring_relay(mode, crowd, 34, |fleet| {
            let recorder = round(fleet, Pace::Closed { under_way: 3, messages_max: 700 });
            assert!(recorder.counts.is_clean(), "{mode:?}: {:?}", recorder.counts);
            assert_eq!(recorder.counts.sent, 700, "{mode:?}");
            let recorder = round(fleet, Pace::Open(plan(8).sends()));
            assert!(recorder.counts.is_clean(), "{mode:?}: {:?}", recorder.counts);
        });
        with_ring_relay(mode, pairs(2), 16 * 1024, |fleet| {
            let recorder = round(fleet, Pace::Closed { under_way: 500, messages_max: 3_000 });
            assert!(recorder.counts.is_clean(), "{mode:?}: {:?}", recorder.counts);
            assert!(recorder.counts.socket_full > 0, "{mode:?}: {:?}", recorder.counts);
        });
        let groups = Groups { count: 1, members: 6, speakers: 6 };
        with_ring_relay(mode, Crowd { groups, ..Crowd::default() }, 16 * 1024, |fleet| {
            let recorder = round(fleet, Pace::Closed { under_way: 40, messages_max: 1_200 });
            assert!(recorder.counts.is_clean(), "{mode:?}: {:?}", recorder.counts);
        });
    }
}

#[test]
fn users_are_registered_and_logged_in_before_they_talk() {
    let server = stand_in::start(stand_in::Manners::Good);
    let target = target(Kind::Chatd, server);
    let (mut fleet, _) = target.connect(&pairs(20), &message(34), &AtomicBool::new(false)).unwrap();
    let recorder = round(&mut fleet, Pace::Closed { under_way: 2, messages_max: 1_000 });
    assert_eq!(recorder.counts.delivered, 1_000);
    assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
}

#[test]
fn pings_are_answered_by_those_who_speak_and_by_those_who_do_not() {
    let (server, pongs) = stand_in::start_counting(stand_in::Manners::Good);
    let target = target(Kind::Chatd, server);
    let message = Message { dialect: Dialect::V2, ..message(34) };
    let (mut fleet, _) = target.connect(&pairs(5), &message, &AtomicBool::new(false)).unwrap();
    let recorder = round(&mut fleet, Pace::Closed { under_way: 2, messages_max: 500 });
    assert_eq!((recorder.counts.delivered, recorder.counts.other_frames), (500, 0));
    assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while pongs.load(Ordering::Relaxed) < 10 {
        assert!(std::time::Instant::now() < end, "everybody answers: {pongs:?}");
        std::thread::yield_now();
    }
}

#[test]
fn tokens_are_taken_and_come_back() {
    let server = stand_in::start(stand_in::Manners::Good);
    let target = target(Kind::Chatd, server);
    let stop = AtomicBool::new(false);
    let speakers = crate::load::register(&target.door, "p", 8, &stop).unwrap();
    let tokens = crate::load::tokens(&target.door, &speakers, &stop).unwrap();
    let visits: Vec<Visit> = tokens
        .iter()
        .enumerate()
        .map(|(user, token)| Visit { user, login: crate::wire::resume(token), messages: 0 })
        .collect();
    let plan = plan(1).first(8);
    let (clock, live, arrivals) = (Clock::start(), Live::new(), plan.sends());
    let storm = Storm { door: &target.door, visits: &visits, stay: Stay::UntilTheEnd, arrivals };
    let (pace, window, waiting) = (Pace::Open(&[]), 0..u64::MAX, Waiting::Sleep);
    let (live, stop, slice_ns, patience_ns) = (&live, &stop, 250_000_000, 500_000_000);
    let orders = Orders { pace, start_ns: 0, window, patience_ns, waiting, clock, live, slice_ns, stop };
    let (recorder, _) = run_storm(&storm, &orders).unwrap();
    assert_eq!((recorder.counts.delivered, recorder.latency.len()), (8, 8));
    assert!(recorder.counts.is_clean(), "{:?}", recorder.counts);
}

#[test]
fn what_a_server_does_wrong_is_counted() {
    let server = stand_in::start(stand_in::Manners::Bad);
    let target = target(Kind::Chatd, server);
    let (mut fleet, _) = target.connect(&pairs(1), &message(34), &AtomicBool::new(false)).unwrap();
    let plan = plan(1);
    let counts = round(&mut fleet, Pace::Open(plan.sends())).counts;
    let sent = plan.sends().len() as u64;
    // Of every four: one is lost, one is refused, one is said twice and one is said as it should be.
    assert_eq!(counts.sent, sent);
    assert_eq!(counts.lost, sent - counts.delivered);
    assert!(counts.lost.abs_diff(sent / 2) <= 2, "{counts:?}");
    assert!(counts.repeated.abs_diff(sent / 4) <= 2, "{counts:?}");
    assert!(counts.server_errors[&110].abs_diff(sent / 4) <= 2, "{counts:?}");
    assert!(!counts.is_clean());
}

#[test]
fn an_answer_that_comes_a_round_too_late_is_counted_as_one_of_that_round() {
    let server = stand_in::start(stand_in::Manners::Late);
    let target = target(Kind::Chatd, server);
    let message = Message { acks: Acks::Asked, ..message(34) };
    let (mut fleet, _) = target.connect(&pairs(1), &message, &AtomicBool::new(false)).unwrap();
    let (clock, plan) = (Clock::start(), plan(1).first(1));
    let first = round_of(clock, &mut fleet, Pace::Open(plan.sends())).counts;
    assert_eq!((first.delivered, first.acks_lost, first.repeated), (1, 1, 0), "{first:?}");
    let second = round_of(clock, &mut fleet, Pace::Open(plan.sends())).counts;
    assert_eq!((second.delivered, second.acked, second.acks_lost), (1, 1, 0), "{second:?}");
    assert_eq!((second.repeated, second.repeated_earlier), (1, 1), "{second:?}");
}

#[test]
fn a_refused_registration_is_told_in_the_servers_words() {
    let server = stand_in::start(stand_in::Manners::Closed);
    let target = target(Kind::Chatd, server);
    let failure = target.connect(&pairs(1), &message(34), &AtomicBool::new(false)).err().unwrap();
    assert!(failure.contains("errno 114 draining"), "{failure}");
}
