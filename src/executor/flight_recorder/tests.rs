use super::*;
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::ids::{GroupId, MessageId, RequestId, UserId};
use chatd_chat::model::source::Source;
use chatd_chat::port::effect::Frame;
use chatd_chat::port::event::Channel;
use chatd_chat::port::store::{StoreReply, StoreRequest, StoredMessage};
use chatd_chat::wire::code::Code;
use chatd_chat::wire::frame::Terminator;
use chatd_chat::wire::request::{Body, Fault, Request};
use chatd_process::panic_policy::tests::{died, run, wait};
use std::sync::atomic::AtomicBool;

/// In every text of these tests, and in no line.
const CANARY: &str = "canary";
const MID: u64 = 912_608_867_299_360_768;

fn connection(index: u32) -> ConnectionId {
    ConnectionId { index, generation: 7 }
}

fn request(index: u32) -> RequestId {
    RequestId { index, generation: 3 }
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn envelope(mid: u64, target: Target) -> Envelope {
    let message = Message {
        sender: user(1),
        target,
        mid: MessageId(mid),
        ts: Millis(1),
        cid: CANARY,
        durability: Durability::Always,
        body: b"{\"msg\":\"canary\"}",
    };
    Envelope::message(message, &mut Vec::new())
}

fn said(from: u32, id: u64) -> Event<'static> {
    let body = Body::Ping { n: 1 };
    let request = Request { id: UserId::new(id), cid: Some(CANARY), body, bytes: 128 };
    Event::Request { connection: connection(from), terminator: Terminator::Newline, request }
}

fn push(to: u32, mid: u64) -> Effect {
    let frame = Frame::PushV2(envelope(mid, Target::User(user(2))));
    Effect::Send { connection: connection(to), frame }
}

/// Amy (1, on connection 1) writes to Ben (2, on connection 2) while others talk.
fn conversation(recorder: &mut FlightRecorder) {
    let reply = |to: u32| Effect::Send { connection: connection(to), frame: Frame::Reply(CANARY.into()) };
    let mut at = recorder.began_us * 1_000;
    let mut turn = |event: Event<'_>, effects: &[Effect]| {
        at += 1_000_000;
        recorder.event(&event, at);
        effects.iter().for_each(|effect| recorder.effect(effect, at));
    };
    turn(Event::Opened { connection: connection(1), from: Source::Proxy }, &[]);
    turn(
        said(9, 9),
        &[reply(9), Effect::Store { id: request(8), request: StoreRequest::Devices { user: user(9) } }],
    );
    let keep = StoreRequest::StoreMessage { envelope: envelope(MID, Target::User(user(2))) };
    let ben = Channel::User(user(2));
    turn(
        said(1, 1),
        &[
            Effect::Store { id: request(5), request: keep },
            Effect::Publish { id: None, channel: ben, envelope: envelope(MID, Target::User(user(2))) },
        ],
    );
    turn(Event::Answered { id: request(8), result: Err(Code::Busy) }, &[reply(9)]);
    turn(Event::Arrived { channel: ben, envelope: envelope(MID, Target::User(user(2))) }, &[push(2, MID)]);
    let stored = StoredMessage { mid: MessageId(MID), ts: Millis(1), pos: Some(1) };
    turn(Event::Answered { id: request(5), result: Ok(StoreReply::Stored(stored)) }, &[reply(1)]);
    // To a group of many.
    let group = GroupId::new(4).unwrap();
    let many: Vec<Effect> = (1..100).map(|to| push(to, MID + 1)).collect();
    turn(
        Event::Arrived { channel: Channel::Group(group), envelope: envelope(MID + 1, Target::Group(group)) },
        &many,
    );
    turn(Event::Tick { utc_offset_s: 0 }, &[Effect::Probe { connection: connection(2) }]);
    turn(
        Event::BadFrame { connection: connection(2), fault: Fault::frame_too_large() },
        &[reply(2), Effect::Close { connection: connection(2), why: Some(Code::TooLarge) }],
    );
}

/// What lines say without their time.
fn told(recordings: &Recordings, choice: &Choice) -> Vec<String> {
    let lines = recordings.lines(choice);
    assert!(lines.iter().all(|line| !line.contains(CANARY)), "{lines:#?}");
    lines.iter().map(|line| line.split_once(' ').expect("a time and more").1.to_owned()).collect()
}

#[test]
fn a_message_is_followed_from_its_request_to_its_ack() {
    let recordings = Recordings::new(2, Millis(1_700_000_000_000));
    conversation(&mut recordings.recorder(1));
    let lines = told(&recordings, &Choice::Message(MID));
    assert_eq!(
        lines,
        [
            "core=1 > request session=1.1.7 user=1 msgid=22 bytes=128",
            "core=1 < store request=5.3 StoreMessage mid=912608867299360768 bytes=54",
            "core=1 < publish channel=user:2 kind=1 mid=912608867299360768 bytes=54",
            "core=1 > arrived channel=user:2 kind=1 mid=912608867299360768 bytes=54",
            "core=1 < send session=1.2.7 kind=1 mid=912608867299360768 bytes=16",
            "core=1 > answered request=5.3 mid=912608867299360768",
            "core=1 < send session=1.1.7 bytes=6",
        ],
    );
    assert!(
        recordings.lines(&Choice::Message(MID))[0]
            .starts_with("2023-11-14T22:13:20.003000Z core=1 > request")
    );
}

#[test]
fn a_session_is_told_what_concerns_it_and_no_more() {
    let recordings = Recordings::new(1, Millis(0));
    conversation(&mut recordings.recorder(0));
    let session = |index| Choice::Session(SessionName { core: 0, id: connection(index) });
    let lines = told(&recordings, &session(9));
    assert_eq!(
        lines,
        [
            "core=0 > request session=0.9.7 user=9 msgid=22 bytes=128",
            "core=0 < send session=0.9.7 bytes=6",
            "core=0 < store request=8.3 Devices",
            "core=0 > answered request=8.3 errno=110",
            "core=0 < send session=0.9.7 bytes=6",
            "core=0 > arrived channel=group:4 kind=2 mid=912608867299360769 bytes=54",
            "core=0 < send session=0.9.7 kind=1 mid=912608867299360769 bytes=16",
        ],
    );
    let lines = told(&recordings, &session(2));
    assert_eq!(lines.last().map(String::as_str), Some("core=0 < close session=0.2.7 errno=111"));
    assert!(lines.contains(&"core=0 > bad_frame session=0.2.7 errno=111".to_owned()), "{lines:#?}");
    assert!(told(&recordings, &Choice::Session(SessionName { core: 1, id: connection(2) })).is_empty());
    // Ben's channel, and nothing of connection 2, which has not said who it is.
    let lines = told(&recordings, &Choice::User(user(2)));
    assert!(lines.iter().any(|line| line.contains("publish channel=user:2")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("bad_frame")), "{lines:#?}");
}

#[test]
fn what_goes_to_a_crowd_is_written_down_for_each_of_it() {
    let recordings = Recordings::new(1, Millis(0));
    let frame = Frame::PushV2(envelope(MID, Target::User(user(2))));
    let connections = vec![connection(3), connection(4)];
    recordings.recorder(0).effect(&Effect::SendAll { connections, frame }, 0);
    let lines = told(&recordings, &Choice::Core(0));
    assert_eq!(lines, [3, 4].map(|to| format!("core=0 < send session=0.{to}.7 kind=1 mid={MID} bytes=16")));
}

#[test]
fn as_many_are_remembered_as_there_is_room_for() {
    let recordings = Recordings::new(1, Millis(0));
    let mut recorder = recordings.recorder(0);
    for number in 0..3 * ENTRIES as u64 + 5 {
        recorder.event(&said(1, number + 1), number * 1_000);
    }
    let lines = told(&recordings, &Choice::Core(0));
    // The oldest one stands where the next one will be written.
    assert_eq!(lines.len(), ENTRIES - 1);
    assert!(lines.last().unwrap().contains(&format!("user={} ", 3 * ENTRIES + 5)));
    assert_eq!(told(&recordings, &Choice::Last).len(), FEW);
}

/// Others look while it is written: what they see was written so.
#[test]
fn nothing_half_written_is_seen() {
    let recordings = Recordings::new(1, Millis(0));
    let (writes, stop) = (recordings.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = stop.clone();
    let writer = std::thread::spawn(move || {
        let mut recorder = writes.recorder(0);
        let mut number = 0;
        while !stopped.load(Ordering::Relaxed) {
            number += 1;
            // All words tell the same.
            recorder.event(
                &Event::Acked {
                    connection: ConnectionId { index: 1, generation: number },
                    bytes: number.into(),
                },
                u64::from(number) * 1_000,
            );
        }
        number
    });
    let mut seen = 0;
    while seen < 200 * ENTRIES {
        let entries = recordings.rings[0].read();
        for pair in entries.windows(2) {
            assert_eq!(pair[1].at_us, pair[0].at_us + 1);
        }
        for entry in &entries {
            let line = Line { core: 0, began_us: 0, entry: *entry };
            assert_eq!(entry.connection().map(|id| u64::from(id.generation)), Some(entry.at_us), "{line}");
            assert_eq!(entry.words()[2], entry.at_us, "{line}");
        }
        seen += entries.len();
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.join().unwrap() > 0);
}

#[test]
fn a_panic_tells_what_its_core_has_done_before() {
    let output = run("flight_recorder::tests::a_panic_tells_what_its_core_has_done_before", || {
        let recordings = Recordings::new(2, Millis(0));
        recordings.tell_at_a_panic();
        conversation(&mut recordings.recorder(0));
        let core = std::thread::Builder::new().name("chatd-core-1".to_owned());
        core.spawn(move || {
            conversation(&mut recordings.recorder(1));
            panic!("provoked");
        })
        .unwrap();
        wait();
    });
    output.inspect(|output| {
        died(output, "chatd-core-1");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("chatd: the last 117 events and effects before that:\n"), "{said}");
        assert!(said.contains("core=1 > request session=1.1.7 user=1 msgid=22 bytes=128\n"), "{said}");
        assert!(said.contains("core=1 < close session=1.2.7 errno=111\n"), "{said}");
        assert!(!said.contains(CANARY) && !said.contains("core=0"), "{said}");
    });
}

#[test]
fn a_panic_beside_the_cores_tells_a_little_of_each() {
    let output = run("flight_recorder::tests::a_panic_beside_the_cores_tells_a_little_of_each", || {
        let recordings = Recordings::new(2, Millis(0));
        recordings.tell_at_a_panic();
        for core in 0..2 {
            let recordings = recordings.clone();
            std::thread::spawn(move || conversation(&mut recordings.recorder(core))).join().unwrap();
        }
        std::thread::Builder::new().name("store".to_owned()).spawn(|| panic!("provoked")).unwrap();
        wait();
    });
    output.inspect(|output| {
        died(output, "store");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("core=0 < close session=0.2.7"), "{said}");
        assert!(said.contains("core=1 < close session=1.2.7"), "{said}");
    });
}
