//! What the tests of the second dialect's parts share.

use super::v2::V2;
use super::{Dialect, Saying};
use crate::request::Request;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::wire::json::Parser;
use chatd_chat::wire::request::{self as server, Body};

pub(super) fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

pub(super) fn group(number: u64) -> GroupId {
    GroupId::new(number).unwrap()
}

/// The server takes a line for this.
pub(super) fn is_meant(line: &str, body: &Body<'_>) {
    let mut bytes = line.as_bytes().to_vec();
    let heard = server::parse(&mut bytes, &mut Parser::new(), &Limits::default());
    assert_eq!(&heard.expect(line).body, body, "{line}");
}

/// A request is written so, and only the second dialect has words for it.
pub(super) fn is_written(request: &Request, line: &str) {
    let mut out = Vec::new();
    V2.write(&mut out, None, "c-1", Saying::Ask(request));
    assert_eq!(String::from_utf8(out).unwrap().strip_suffix('\n'), Some(line));
    let mut seed = Vec::new();
    super::seed::Seed.write(&mut seed, None, "c-1", Saying::Ask(request));
    assert!(request.is_of_v2() && seed.is_empty());
}
