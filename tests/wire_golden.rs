//! The wire against the original client and server, and against everything else.
//!
//! `tests/golden/conversation.txt` is a captured conversation. Every frame of the clients must be
//! understood, at every split, and two hubs that talk to each other must answer as the original
//! servers did, byte for byte, but for empty lists.

#[path = "sim/accounts.rs"]
mod accounts;
#[path = "sim/altered.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod altered;
#[path = "wire/cluster.rs"]
mod cluster;
#[path = "sim/consent.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod consent;
#[path = "wire/pieces.rs"]
mod pieces;
#[path = "sim/remembered.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod remembered;
#[path = "wire/replies_changed.rs"]
mod replies_changed;
#[path = "wire/replies_extras.rs"]
mod replies_extras;
#[path = "wire/replies_groups.rs"]
mod replies_groups;
#[path = "wire/replies_v2.rs"]
mod replies_v2;
#[path = "wire/requests_v2.rs"]
mod requests_v2;
#[path = "sim/rng.rs"]
#[allow(dead_code)]
mod rng;
#[path = "sim/ruled.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod ruled;
#[path = "sim/searched.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod searched;
#[path = "sim/store.rs"]
#[allow(dead_code)]
mod store;
#[path = "sim/synced.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod synced;
#[path = "sim/waiting.rs"]
#[allow(dead_code)]
mod waiting;

use chatd::chat::model::ids::{GroupId, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::wire::code::Code;
use chatd::chat::wire::frame::{self, Step, Terminator};
use chatd::chat::wire::json::Parser;
use chatd::chat::wire::request::{self, Body, Named, Severity};
use chatd::chat::wire::text;
use cluster::Cluster;
use pieces::each_frame;
use rng::Rng;

const CONVERSATION: &str = include_str!("golden/conversation.txt");

/// (who, whether the client says it, the frame)
fn conversation() -> impl Iterator<Item = (&'static str, bool, &'static str)> {
    CONVERSATION.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (who, rest) = line.split_once(' ').expect("who");
        let (direction, frame) = rest.split_once(' ').expect("which way");
        (who, direction == ">", frame)
    })
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

#[test]
fn the_original_servers_answers_are_given_byte_for_byte() {
    let mut cluster = Cluster::with_users_and_groups_before(25, 2);
    let mut expected: Vec<(&str, &str)> = Vec::new();
    for (who, says, frame) in conversation() {
        if says {
            assert_eq!(cluster.heard(), expected, "before {who} says {frame}");
            expected.clear();
            cluster.say(who, frame);
        } else {
            expected.push((who, frame));
        }
    }
    assert_eq!(cluster.heard(), expected);
}

/// What the clients' frames mean, one line each.
const MEANING: &str = "\
Register amy406654 pw1
Register amy406654 pw1
25: Login 25 bad
25: Login 25 pw1
Register ben406654 pw2
26: Login 26 pw2
25: AddFriend 26
25: OneChat 26 hello: ben with colon @2026-11-23 04:04:14
25: CreateGroup grp406654 my desc
26: AddGroup 2
25: GroupChat 2 hi group @2026-11-23 04:04:15
26: Logout
25: OneChat 26 while you were out @2026-11-23 04:04:17
26: Login 26 pw2
25: Logout
25: Login 25 pw1
25: Logout
26: Logout
";

fn meaning(frame: &mut [u8], parser: &mut Parser) -> String {
    let request = match request::parse(frame, parser, &Limits::default()) {
        Ok(request) => request,
        Err(fault) => return format!("{fault:?}"),
    };
    assert_eq!(request.cid, None);
    let id = request.id.map_or(String::new(), |id| format!("{id}: "));
    let what = match request.body {
        Body::Register { name, password, .. } => format!("Register {name} {password}"),
        Body::Login { who: Named::Id(user), password, .. } => format!("Login {user} {password}"),
        Body::Logout => "Logout".into(),
        Body::OneChat { to, msg, time, .. } => format!("OneChat {to} {msg} @{}", time.unwrap()),
        Body::GroupChat { group, msg, time, .. } => format!("GroupChat {group} {msg} @{}", time.unwrap()),
        Body::AddFriend { friend } => format!("AddFriend {friend}"),
        Body::CreateGroup { name, desc } => format!("CreateGroup {name} {desc}"),
        Body::AddGroup { group } => format!("AddGroup {group}"),
        other => format!("{other:?}"),
    };
    format!("{id}{what}\n")
}

/// What a stream means that arrives in pieces, cut at `cuts`.
fn understand(stream: &[u8], cuts: &[usize]) -> String {
    let (mut meanings, mut parser, mut from) = (String::new(), Parser::new(), 0);
    let end = [stream.len()];
    let pieces = cuts.iter().chain(&end).map(|&edge| &stream[std::mem::replace(&mut from, edge)..edge]);
    each_frame(pieces, |frame| meanings.push_str(&meaning(&mut frame.to_vec(), &mut parser)));
    meanings
}

#[test]
fn the_original_clients_frames_are_understood_at_every_split_and_with_every_terminator() {
    let frames: Vec<&str> = conversation().filter(|&(_, says, _)| says).map(|(_, _, frame)| frame).collect();
    for terminator in ["\0", "\n", "\r\n"] {
        let stream = frames.join(terminator) + terminator;
        for cut in 0..=stream.len() {
            assert_eq!(understand(stream.as_bytes(), &[cut]), MEANING, "cut at {cut}");
        }
        let every: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(understand(stream.as_bytes(), &every), MEANING, "byte by byte");
    }
}

/// The errno and errmsg of a frame that is refused; "fine" for one that is not.
fn verdict(frame: &[u8]) -> String {
    match request::parse(&mut frame.to_vec(), &mut Parser::new(), &Limits::default()) {
        Ok(_) => "fine".into(),
        Err(fault) if fault.severity == Severity::Close => format!("{} close", fault.code.errno()),
        Err(fault) => format!("{} {}", fault.code.errno(), fault.text),
    }
}

#[test]
fn integers_are_json_integers_in_range_and_nothing_else() {
    let chat = |to: &str| verdict(format!("{{\"msgid\":6,\"id\":1,\"toid\":{to},\"msg\":\"x\"}}").as_bytes());
    for fine in ["1", "2147483647"] {
        assert_eq!(chat(fine), "fine", "{fine}");
    }
    for bad in [
        "0",
        "-1",
        "-0",
        "2147483648",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "99.7",
        "99.0",
        "1e2",
        "\"99\"",
        "null",
        "true",
        "[1]",
        "{}",
    ] {
        assert_eq!(chat(bad), "102 not an integer in range: toid", "{bad}");
    }
    for not_json in ["01", "+1", "1.", ".5", "0x10", "NaN", "", "1 2"] {
        assert_eq!(chat(not_json), "100 close", "{not_json}");
    }
}

#[test]
fn every_field_is_missed_by_its_name() {
    let whole: [(&str, &[&str]); 11] = [
        ("\"msgid\":1", &["id", "password"]),
        ("\"msgid\":3", &["id"]),
        ("\"msgid\":4", &["name", "password"]),
        ("\"msgid\":6", &["id", "toid", "msg"]),
        ("\"msgid\":7", &["id", "friendid"]),
        ("\"msgid\":8", &["id", "groupname", "groupdesc"]),
        ("\"msgid\":9", &["id", "groupid"]),
        ("\"msgid\":10", &["id", "groupid", "msg"]),
        ("\"msgid\":11", &["id", "groupid"]),
        ("\"msgid\":12", &["id", "friendid"]),
        ("\"msgid\":13", &["id"]),
    ];
    for (msgid, names) in whole {
        let frame = |left_out: Option<&str>| {
            let value = |name: &str| if name.ends_with("id") { "5" } else { "\"text\"" };
            let fields = names.iter().filter(|name| Some(**name) != left_out);
            let fields: String = fields.map(|name| format!(",\"{name}\":{}", value(name))).collect();
            verdict(format!("{{{msgid}{fields},\"unknown\":[{{}}]}}").as_bytes())
        };
        assert_eq!(frame(None), "fine", "{msgid}");
        for name in names {
            assert_eq!(frame(Some(name)), format!("102 missing field: {name}"), "{msgid}");
        }
    }
    for msgid in [0, 2, 5, 14, 20, 21, 27, 28, 30, 35, 37, 41, 46, 61, 99] {
        assert_eq!(verdict(format!("{{\"msgid\":{msgid}}}").as_bytes()), "101 unknown msgid");
    }
}

#[test]
fn a_key_that_appears_twice_is_an_error_wherever_it_stands() {
    for twice in [
        r#"{"msgid":3,"msgid":3,"id":1}"#,
        r#"{"msgid":3,"id":1,"id":2}"#,
        r#"{"msgid":3,"id":1,"x":1,"x":1}"#,
        r#"{"msgid":3,"id":1,"\u0069d":1}"#,
    ] {
        assert!(verdict(twice.as_bytes()).starts_with("102 field appears twice: "), "{twice}");
    }
}

#[test]
fn bounds_are_exact() {
    let chat = |bytes: usize| {
        verdict(format!("{{\"msgid\":6,\"id\":1,\"toid\":2,\"msg\":\"{}\"}}", "x".repeat(bytes)).as_bytes())
    };
    assert_eq!(chat(16_384), "fine");
    assert_eq!(chat(16_385), "111 msg is longer than 16384 bytes");
    // What counts is the decoded text.
    let escaped = |times: usize| {
        let text = "\\u4f60".repeat(times);
        verdict(format!("{{\"msgid\":6,\"id\":1,\"toid\":2,\"msg\":\"{text}\"}}").as_bytes())
    };
    assert_eq!(escaped(5_461), "fine");
    assert_eq!(escaped(5_462), "111 msg is longer than 16384 bytes");
    for (bytes, fits) in [(65_536, true), (65_537, false)] {
        let mut stream =
            format!("{{\"msgid\":3,\"id\":1,\"pad\":\"{}\"}}", "x".repeat(bytes - 30)).into_bytes();
        stream.resize(bytes, b' ');
        stream.push(0);
        let step = frame::next(&stream, 0, 0, 65_536);
        assert_eq!(step != Step::TooLarge, fits, "{bytes}");
        if fits {
            assert_eq!(verdict(&stream[..bytes]), "fine");
        }
    }
    let nested = |depth: usize| {
        let inner = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        verdict(format!("{{\"msgid\":3,\"id\":1,\"x\":{inner}}}").as_bytes())
    };
    assert_eq!(nested(16), "fine");
    assert_eq!(nested(17), "100 close");
    assert_eq!(nested(30_000), "100 close");
}

#[test]
fn text_comes_through_byte_for_byte() {
    for said in ["\\u0000", "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\u{4f60}\u{597d} \u{1f642}", "\\ud83d\\ude42", ""]
    {
        let mut frame = format!("{{\"msgid\":6,\"id\":1,\"toid\":2,\"msg\":\"{said}\"}}").into_bytes();
        let mut parser = Parser::new();
        let request = request::parse(&mut frame, &mut parser, &Limits::default()).unwrap();
        let Body::OneChat { to, msg, time: None, .. } = request.body else { panic!("a message") };
        assert_eq!((request.id, to), (Some(user(1)), user(2)));
        let mut again = b"{\"msgid\":10,\"id\":1,\"groupid\":7,\"msg\":".to_vec();
        text::string(&mut again, msg);
        again.push(b'}');
        let msg = msg.to_owned();
        let request = request::parse(&mut again, &mut parser, &Limits::default()).unwrap();
        let group = GroupId::new(7).unwrap();
        assert_eq!(request.body, Body::GroupChat { group, msg: &msg, time: None, extras: Ok(None) });
    }
}

#[test]
fn nothing_that_is_sent_makes_the_codec_panic() {
    let said = conversation().filter(|&(_, says, _)| says).map(|(_, _, frame)| frame);
    let frames: Vec<&str> = said.chain(requests_v2::golden().map(|(frame, _)| frame)).collect();
    let seed = std::env::var("FUZZ_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let mut rng = Rng::new(seed);
    let (mut parser, limits) = (Parser::new(), Limits::default());
    let mut verdicts = std::collections::BTreeMap::<u16, u64>::new();
    for _ in 0..200_000 {
        let mut frame = rng.pick(&frames).as_bytes().to_vec();
        mutate(&mut frame, &mut rng);
        let before = frame.clone();
        let parsed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            match request::parse(&mut frame, &mut parser, &limits) {
                Ok(_) => 0,
                Err(fault) => {
                    assert_eq!(fault.severity == Severity::Close, fault.code == Code::NotAFrame);
                    fault.code.errno()
                }
            }
        }));
        let errno =
            parsed.unwrap_or_else(|_| panic!("FUZZ_SEED={seed}: {:?}", String::from_utf8_lossy(&before)));
        *verdicts.entry(errno).or_default() += 1;
    }
    // The mutations reach every sort of verdict.
    assert!([0, 100, 101, 102].iter().all(|errno| verdicts[errno] > 100), "{verdicts:?}");
}

fn mutate(frame: &mut Vec<u8>, rng: &mut Rng) {
    const PIECES: [&str; 16] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\\u0000",
        "\\ud800",
        "1e999",
        "-",
        "\"id\":1,",
        "null",
        "\u{7f}",
        "99999999999999999999",
    ];
    for _ in 0..rng.between(0, 3) {
        let at = rng.index(frame.len() + 1);
        match rng.below(6) {
            0 => frame.truncate(at),
            1 if at < frame.len() => frame[at] = rng.below(256) as u8,
            2 if at < frame.len() => drop(frame.remove(at)),
            3 => frame.insert(at, rng.below(256) as u8),
            4 => drop(frame.splice(at..at, rng.pick(&PIECES).bytes())),
            _ => {
                let end = rng.between(at as u64, frame.len() as u64) as usize;
                let piece = frame[at..end].to_vec();
                drop(frame.splice(at..at, piece));
            }
        }
        if frame.is_empty() {
            frame.push(b'{');
        }
    }
}

#[test]
fn any_stream_is_cut_into_the_same_frames_however_it_arrives() {
    let mut rng = Rng::new(7);
    for _ in 0..2_000 {
        let stream: Vec<u8> =
            (0..rng.below(60)).map(|_| rng.pick(&[0, b'\n', b'\r', b'{', b'}', b'x', 0xff])).collect();
        let whole = cut(&stream, &[]);
        for _ in 0..4 {
            let mut cuts: Vec<usize> = (0..rng.below(6)).map(|_| rng.index(stream.len() + 1)).collect();
            cuts.sort_unstable();
            assert_eq!(cut(&stream, &cuts), whole, "{stream:?} at {cuts:?}");
        }
    }
}

fn cut(stream: &[u8], cuts: &[usize]) -> Result<Vec<(Vec<u8>, Terminator)>, ()> {
    let (mut input, mut from, mut searched, mut frames) = (Vec::new(), 0, 0, Vec::new());
    for &edge in cuts.iter().chain([&stream.len()]) {
        input.extend_from_slice(&stream[from..edge]);
        from = edge;
        loop {
            match frame::next(&input, 0, searched, 12) {
                Step::Frame { start, end, next, terminator } => {
                    frames.push((input[start..end].to_vec(), terminator));
                    input.drain(..next);
                    searched = 0;
                }
                Step::Partial { start } => {
                    input.drain(..start);
                    searched = input.len();
                    break;
                }
                Step::TooLarge => return Err(()),
            }
        }
    }
    Ok(frames)
}
