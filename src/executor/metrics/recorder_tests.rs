//! What is measured of what, and what is not.

use super::*;
use chatd_chat::model::envelope::{Durability, Message, Target};
use chatd_chat::model::ids::{GroupId, MessageClock, MessageId, Millis, UserId};
use chatd_chat::port::store::{BacklogMessage, BacklogPage, StoredMessage};
use chatd_chat::wire::code::Code;

const NOW_NS: u64 = (1 << 42) * 1_000 + 7_000;

fn envelope(core: u16, target: Target, read_us: u32) -> Envelope {
    let mid = MessageClock::new(CoreId(core)).next(Millis(1_700_000_000_000));
    let sender = UserId::new(1).expect("valid");
    let message = Message {
        sender,
        target,
        mid,
        ts: Millis(1),
        cid: "",
        durability: Durability::IfUndelivered,
        body: b"{}",
    };
    Envelope::read_at(message, read_us, &mut Vec::new())
}

fn direct(core: u16, read_us: u32) -> Envelope {
    envelope(core, Target::User(UserId::new(2).expect("valid")), read_us)
}

fn metrics(measuring: Measuring) -> Metrics {
    let local_cores = LocalCores::default();
    (1..4).for_each(|core| local_cores.add(CoreId(core)));
    Metrics::new(CoreId(0), local_cores, measuring)
}

fn request(index: u32) -> RequestId {
    RequestId { index, generation: 3 }
}

fn kept() -> StoreResult {
    Ok(StoreReply::Stored(StoredMessage { mid: MessageId(1), ts: Millis(1), pos: None }))
}

#[test]
fn a_message_is_measured_from_its_own_time_to_the_flush_on_its_own_path() {
    let mut metrics = metrics(Measuring::On);
    let read_us = (NOW_NS / 1_000 - 5) as u32;
    let group = Target::Group(GroupId::new(9).expect("valid"));
    for envelope in [direct(0, read_us), direct(3, read_us), direct(4, read_us), envelope(0, group, read_us)]
    {
        let mark = metrics.mark(&Frame::Push(envelope), &mut None, NOW_NS).expect("it has a time");
        metrics.flushed(mark, NOW_NS + 1_000);
    }
    for path in [Path::SameCore, Path::OtherCore, Path::OtherServer, Path::Group] {
        let histogram = metrics.path(path);
        assert_eq!(histogram.len(), 1, "{path:?}");
        assert!((5_900..=6_100).contains(&histogram.max()), "{path:?}: {}", histogram.max());
    }
    assert!(metrics.path(Path::Offline).is_empty());
}

#[test]
fn microseconds_wrap_and_a_foreign_future_is_now() {
    let now_ns = u64::from(u32::MAX) * 1_000 + 3_000;
    assert_eq!(began_ns(&direct(1, u32::MAX - 1), now_ns), now_ns - 4_000);
    assert_eq!(began_ns(&direct(1, 50_000), now_ns), now_ns);
}

#[test]
fn only_a_kept_message_is_stored_and_its_first_reply_is_the_ack() {
    let mut metrics = metrics(Measuring::On);
    metrics.begin(Timed::StoreMessage, request(0), NOW_NS);
    metrics.begin(Timed::StoreMessage, request(1), NOW_NS);
    assert_eq!(metrics.answered(request(0), &Err(Code::Busy), NOW_NS + 500), None);
    assert!(metrics.stage(Stage::Stored).is_empty());
    let mut answered = metrics.answered(request(1), &kept(), NOW_NS + 900);
    assert_eq!(metrics.stage(Stage::Stored).len(), 1);
    let ack = metrics.mark(&Frame::Reply(b"{}".to_vec()), &mut answered, NOW_NS + 900).expect("the ACK");
    assert_eq!(ack, Mark { way: Way::Acked, began_ns: NOW_NS });
    assert_eq!(metrics.mark(&Frame::Reply(b"{}".to_vec()), &mut answered, NOW_NS), None);
    metrics.flushed(ack, NOW_NS + 2_000);
    assert_eq!(metrics.stage(Stage::Acked).len(), 1);
}

#[test]
fn a_page_is_measured_once_if_it_held_something() {
    let mut metrics = metrics(Measuring::On);
    let page = |messages| {
        Ok(StoreReply::Backlog(BacklogPage {
            messages,
            complete: true,
            heads: Vec::new(),
            rules: Vec::new(),
        }))
    };
    metrics.begin(Timed::FetchBacklog, request(0), NOW_NS);
    assert_eq!(metrics.answered(request(0), &page(Vec::new()), NOW_NS + 1), None);
    metrics.begin(Timed::FetchBacklog, request(1), NOW_NS);
    let stored = BacklogMessage { envelope: direct(0, 0), pos: None };
    let mut answered = metrics.answered(request(1), &page(vec![stored]), NOW_NS + 1);
    let live = Frame::Push(direct(0, (NOW_NS / 1_000) as u32));
    let live = metrics.mark(&live, &mut answered, NOW_NS + 1).expect("it has a time");
    assert_eq!(live.way, Way::Path(Path::SameCore));
    let first = metrics.mark(&Frame::Push(direct(0, 0)), &mut answered, NOW_NS + 1).expect("the page");
    assert_eq!(first, Mark { way: Way::Path(Path::Offline), began_ns: NOW_NS });
    assert_eq!(metrics.mark(&Frame::Push(direct(0, 0)), &mut answered, NOW_NS + 1), None);
}

#[test]
fn what_was_counted_without_asking_anybody_is_not_published() {
    let mut metrics = metrics(Measuring::On);
    metrics.begin(Timed::Publish, request(0), NOW_NS);
    metrics.published(request(0), Ok(1), NOW_NS);
    metrics.begin(Timed::Publish, request(1), NOW_NS);
    metrics.published(request(1), Ok(1), NOW_NS + 40_000);
    metrics.begin(Timed::Publish, request(2), NOW_NS);
    metrics.published(request(2), Err(BusDown), NOW_NS + 40_000);
    assert_eq!(metrics.stage(Stage::Published).len(), 1);
    assert!(metrics.stage(Stage::Published).max() >= 40_000);
}

#[test]
fn when_off_nothing_but_counters_is_kept() {
    let mut metrics = metrics(Measuring::Off);
    metrics.begin_turn();
    assert!(!metrics.take_sample());
    assert_eq!(metrics.mark(&Frame::Push(direct(0, 1)), &mut None, 10_000_000), None);
    metrics.begin(Timed::StoreMessage, request(0), NOW_NS);
    assert_eq!(metrics.answered(request(0), &kept(), NOW_NS + 900), None);
    metrics.arrived(&direct(1, 1), 10_000_000);
    assert_eq!((metrics.counters.turns, metrics.counters.arrived), (1, 1));
    assert!(Stage::ALL.into_iter().all(|stage| metrics.stage(stage).is_empty()));
    assert!(Path::ALL.into_iter().all(|path| metrics.path(path).is_empty()));
}
