//! Frames to requests, of both dialects: what is one JSON object for another parser is one for ours, and nothing else.

use crate::Target;
use chatd_chat::model::limits::Limits;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::json::Parser;
use chatd_chat::wire::request::{self, Body, Severity};
use serde_json::Value;

/// `TARGET` reads a frame without its terminator.
pub const TARGET: Target = Target {
    name: "requests",
    run,
    dictionary: &[
        b"\"msgid\":",
        b"\"id\":",
        b"\"cid\":",
        b"\"v\":2",
        b"\"msg\":",
        b"\"toid\":",
        b"\"groupid\":",
        b"\"with\":",
        b"\"pos\":",
        b"\"name\":",
        b"\"password\":",
        b"\"caps\":[",
        b"\"device\":",
        b"\"multi\":true",
        b"\"since\":[{",
        b"\"after\":",
        b"\"limit\":",
        b"\"before_mid\":",
        b"\"after_mid\":",
        b"\"mids\":[\"",
        b"\"until\":-1",
        b"\"userid\":",
        b"\"role\":\"admin\"",
        b"\"emoji\":",
        b"\"on\":true",
        b"\"takeover\":true",
        b"\"jwt\":",
        b"\"token\":",
        b"\"q\":",
        b"\"data\":{}",
        b"\"reply\":",
        b"true",
        b"false",
        b"null",
        b"-1",
        b"2147483647",
        b"2147483648",
        b"18446744073709551615",
        b"18446744073709551616",
        b"1e5",
        b"0.5",
        b"\\u0000",
        b"\\ud83d\\ude00",
        b"\\ud800",
        b"[[",
        b"]]",
        b"{\"a\":",
        b"},",
        b"\"\"",
        b"\xf0\x9f\x98\x80",
        b"\xff",
    ],
    bytes: 1_024,
};

fn run(frame: &[u8]) {
    let limits = Limits::default();
    let (mut bytes, mut again) = (frame.to_vec(), frame.to_vec());
    let mut parser = Parser::new();
    let parsed = request::parse(&mut bytes, &mut parser, &limits);
    // The parser forgets the last frame, whatever that was.
    let repeated = request::parse(&mut again, &mut parser, &limits);
    assert_eq!(parsed, repeated);
    let is_object = match &parsed {
        Ok(request) => {
            assert_eq!(request.bytes as usize, frame.len());
            check(&request.body, &limits);
            true
        }
        Err(fault) => {
            assert!(!fault.text.contains(|c: char| c.is_control()), "{:?}", fault.text);
            assert_eq!(fault.severity == Severity::Close, fault.code == Code::NotAFrame);
            fault.severity == Severity::Answer
        }
    };
    if let Some(expected) = is_object_elsewhere(frame, limits.nesting_depth) {
        assert_eq!(
            is_object,
            expected,
            "whether it is an object: {:?}",
            serde_json::from_slice::<Value>(frame)
        );
    }
}

/// What a request may not have, whoever says it.
fn check(body: &Body<'_>, limits: &Limits) {
    match body {
        Body::Confirm { mids } => assert!(mids.len() <= limits.confirm_mids),
        Body::Sync { since, .. } => assert!(since.len() <= limits.sync_conversations),
        _ => {}
    }
}

/// Whether serde_json takes the frame for an object of at most this depth. `None` where the two may differ: numbers beyond
/// what each can hold.
fn is_object_elsewhere(frame: &[u8], depth: usize) -> Option<bool> {
    fn deep(value: &Value) -> usize {
        match value {
            Value::Array(values) => 1 + values.iter().map(deep).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(deep).max().unwrap_or(0),
            _ => 0,
        }
    }
    match serde_json::from_slice::<Value>(frame) {
        // A key that comes twice hides what its first value was.
        Ok(value) => Some(value.is_object() && deep(&value) <= depth),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(_) => Some(false),
    }
}
