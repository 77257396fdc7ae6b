//! What a v2 client may say: `tests/golden/v2_requests.txt` at every split, bounds, and what nobody
//! should say.

use super::pieces::each_frame;
use chatd::chat::model::ids::MessageId;
use chatd::chat::model::limits::Limits;
use chatd::chat::wire::json::Parser;
use chatd::chat::wire::request::{Body, Severity, parse};

const REQUESTS: &str = include_str!("../golden/v2_requests.txt");

/// (frame, what it means)
pub fn golden() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut lines = REQUESTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    std::iter::from_fn(move || {
        let frame = lines.next()?.strip_prefix("> ").expect("a frame");
        Some((frame, lines.next().expect("a meaning follows")))
    })
}

/// A frame's meaning in the words of the golden file.
fn meaning(frame: &[u8], parser: &mut Parser) -> String {
    match parse(&mut frame.to_vec(), parser, &Limits::default()) {
        Ok(request) => {
            let id = request.id.map_or(String::new(), |id| format!("id {id}: "));
            let cid = request.cid.map_or(String::new(), |cid| format!("cid {cid}: "));
            format!("= {id}{cid}{:?}", request.body)
        }
        Err(fault) if fault.severity == Severity::Close => format!("! {} close", fault.code.errno()),
        Err(fault) => format!("! {} {}", fault.code.errno(), fault.text),
    }
}

fn verdict(frame: &str) -> String {
    let meaning = meaning(frame.as_bytes(), &mut Parser::new());
    if meaning.starts_with("= ") { "fine".into() } else { meaning }
}

#[test]
fn every_request_means_what_is_written_down() {
    let mut parser = Parser::new();
    for (frame, expected) in golden() {
        assert_eq!(meaning(frame.as_bytes(), &mut parser), expected, "{frame}");
    }
    assert!(golden().count() > 60, "the file is read");
}

#[test]
fn requests_are_understood_at_every_split() {
    let stream: String = golden().map(|(frame, _)| format!("{frame}\r\n")).collect();
    let expected: Vec<&str> = golden().map(|(_, meaning)| meaning).collect();
    for cut in 0..=stream.len() {
        // The frames that the cut does not touch are the same every time.
        let first = stream[..cut].rfind('\n').map_or(0, |end| end + 1);
        let end = stream[cut..].find('\n').map_or(stream.len(), |end| cut + end + 1);
        let before = stream[..first].matches('\n').count();
        let heard = understand(&[&stream.as_bytes()[first..cut], &stream.as_bytes()[cut..end]]);
        assert_eq!(heard, expected[before..before + heard.len()], "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(understand(&bytes), expected, "byte by byte");
}

/// What the frames mean that arrive in `pieces`.
fn understand(pieces: &[&[u8]]) -> Vec<String> {
    let (mut meanings, mut parser) = (Vec::new(), Parser::new());
    each_frame(pieces.iter().copied(), |frame| meanings.push(meaning(frame, &mut parser)));
    meanings
}

#[test]
fn a_confirm_names_a_thousand_messages_and_not_one_more() {
    let confirm = |count: usize| {
        let mids: Vec<String> = (1..=count).map(|n| format!("\"{n}\"")).collect();
        format!("{{\"msgid\":24,\"mids\":[{}]}}", mids.join(","))
    };
    let mut frame = confirm(1_000).into_bytes();
    let (mut parser, limits) = (Parser::new(), Limits::default());
    let request = parse(&mut frame, &mut parser, &limits).expect("as many as may be named");
    let mids: Vec<MessageId> = (1..=1_000).map(MessageId).collect();
    assert_eq!(request.body, Body::Confirm { mids });
    for many in [1_001, 10_000] {
        assert_eq!(verdict(&confirm(many)), "! 102 mids has more than 1000 entries");
    }
}

#[test]
fn lists_deep_and_long_are_refused_or_ignored() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let confirm = |list: &str| verdict(&format!("{{\"msgid\":24,\"mids\":{list}}}"));
    assert_eq!(confirm(&nested(15)), "! 102 not a list of strings: mids");
    assert_eq!(confirm(&nested(16)), "! 100 close");
    assert_eq!(confirm(&nested(30_000)), "! 100 close");
    assert_eq!(confirm("[\"1\""), "! 100 close");
    assert_eq!(confirm("[\"1\",]"), "! 100 close");
    // Lists that nobody asked for, as many as a frame has room for.
    let empty = vec!["\"\""; 21_000].join(",");
    assert_eq!(verdict(&format!("{{\"msgid\":23,\"x\":[{empty}]}}")), "fine");
    let lists: String = (0..4_000).map(|n| format!("\"k{n}\":[\"\"],")).collect();
    assert_eq!(verdict(&format!("{{{lists}\"msgid\":24,\"mids\":[\"5\"]}}")), "fine");
}
