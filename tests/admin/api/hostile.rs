//! Whoever reaches the API without a token has nothing of it, and with one can do no harm by how it is said.

use crate::admin::client;
use crate::common::DEADLINE;
use crate::common::api::{Api, TOKEN, start};
use crate::common::chatd::{Chatd, Setup};
use crate::common::scratch::Scratch;
use serde_json::json;
use std::fs;
use std::time::Instant;

#[test]
fn without_a_token_there_is_nothing() {
    let (chatd, api) = start(1);
    for authorization in [
        "",
        "Authorization: Bearer x\r\n",
        "Authorization: Basic a-token-that-tests-have-0123456789\r\n",
        "Authorization: Bearer\r\n",
    ] {
        let mut api = Api::at(api.address);
        api.write(
            format!(
                "POST /v1/users.put HTTP/1.1\r\n{authorization}Content-Length: 14\r\n\r\n{{\"name\":\"amy\"}}"
            )
            .as_bytes(),
        );
        let answer = api.hear();
        assert_eq!(answer.status, 401, "{authorization:?}: {answer:?}");
        assert!(answer.head.contains("WWW-Authenticate: Bearer"), "{answer:?}");
        api.hear_end();
    }
    // The other pages are as they were.
    assert_eq!(client::Admin(api.address).get("/healthz").status, 200);
    assert!(!chatd.stderr_lines().iter().any(|line| line.contains(TOKEN)), "no token in the log");
}

/// Waits until the log has a line with these words.
fn until_said(chatd: &Chatd, words: &str) {
    let end = Instant::now() + DEADLINE;
    while !chatd.stderr_lines().iter().any(|line| line.contains(words)) {
        assert!(Instant::now() < end, "waited for {words}: {:?}", chatd.stderr_lines());
        std::thread::yield_now();
    }
}

#[test]
fn tokens_are_read_again_and_count_on_connections_that_are_open() {
    const OTHER: &str = "another-token-for-tests-0123456789";
    let scratch = Scratch::new();
    let file = scratch.path().join("tokens");
    fs::write(&file, format!("shop {OTHER}\n")).expect("a file can be written");
    let setup = Setup::new(1).admin("127.0.0.1:0").argument(&format!("--api-token-file={}", file.display()));
    let chatd = setup.start();
    let mut api = Api::of(&chatd);
    assert_eq!(api.post("users.put", &json!({ "name": "amy" })).status, 401);
    api.hear_end();
    let mut open = Api::of(&chatd);
    let request = |token: &str| {
        let request = Api::request("/v1/users.put", "{\"name\":\"amy\"}");
        String::from_utf8(request).expect("a request is ASCII").replace(TOKEN, token).into_bytes()
    };
    open.write(&request(OTHER));
    assert_eq!(open.hear().status, 200);
    fs::write(&file, format!("shop {TOKEN}\ntill {TOKEN}x\n")).expect("a file can be written");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, &format!("the tokens of the API were read again: 2 in {}", file.display()));
    open.write(&request(OTHER));
    assert_eq!(open.hear().status, 401, "it is worthless");
    Api::of(&chatd).done("users.put", &json!({ "name": "amy" }));
    fs::write(&file, "short\n").expect("a file can be written");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the tokens of the API stay as they were");
    Api::of(&chatd).done("users.put", &json!({ "name": "amy" }));
    assert!(!chatd.printed().contains(TOKEN) && !chatd.printed().contains(OTHER));
}

#[test]
fn a_server_without_an_api_says_so() {
    let (_chatd, admin) = client::start(1);
    let answer = Api::at(admin.0).post("users.put", &json!({ "name": "amy" }));
    assert_eq!(answer.status, 404, "{answer:?}");
}

#[test]
fn what_http_has_something_against() {
    let (_chatd, mut api) = start(1);
    let address = api.address;
    assert_eq!(api.post("nothing", &json!({})).status, 404);
    api.write(format!("GET /v1/users.put HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").as_bytes());
    let answer = api.hear();
    assert!(answer.status == 405 && answer.head.contains("Allow: POST"), "{answer:?}");
    // The same connection goes on all the while.
    api.done("users.put", &json!({ "name": "amy" }));
    let huge = "x".repeat(65 << 10);
    assert_eq!(api.post("users.put", &json!({ "name": huge })).status, 413);
    api.hear_end();
    for (said, status) in [
        ("POST /v1/users.put HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        ("POST /v1/users.put HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("POST /v1/users.put HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    ] {
        let mut api = Api::at(address);
        api.write(said.as_bytes());
        assert_eq!(api.hear().status, status, "{said:?}");
        api.hear_end();
    }
}

#[test]
fn what_cannot_be_meant_is_refused_and_the_connection_goes_on() {
    let (_chatd, mut api) = start(1);
    for (act, body, errno) in [
        ("users.put", "", 100),
        ("users.put", "[]", 100),
        ("users.put", "{\"name\":\"amy\"", 100),
        ("users.put", "{\"name\":\"\\ud800\"}", 100),
        ("users.put", "\u{0}", 100),
        ("users.put", "{}", 102),
        ("users.put", "{\"name\":7}", 102),
        ("users.put", "{\"name\":\"a\\u0007b\"}", 102),
        ("users.put", "{\"external\":\"\"}", 102),
        ("users.put", "{\"external\":\"u\",\"disabled\":1}", 102),
        ("users.put", "{\"external\":\"u\",\"admin\":true}", 102),
        ("users.put", "{\"id\":77}", 105),
        ("tokens.issue", "{\"user\":\"amy\"}", 102),
        ("tokens.issue", "{\"user\":{\"id\":0}}", 102),
        ("tokens.issue", "{\"user\":{\"id\":1,\"name\":\"amy\"}}", 102),
        ("messages.send", "{\"from\":{\"id\":1},\"msg\":\"hi\",\"cid\":\"c\"}", 102),
        (
            "messages.send",
            "{\"from\":{\"id\":1},\"with\":{\"id\":1},\"groupid\":1,\"msg\":\"hi\",\"cid\":\"c\"}",
            102,
        ),
        ("messages.send", "{\"from\":{\"id\":1},\"with\":{\"id\":1},\"msg\":\"hi\"}", 102),
    ] {
        api.write(&Api::request(&format!("/v1/{act}"), body));
        let answer = api.hear();
        assert_eq!(
            (answer.status, &answer.json()["errno"]),
            (200, &json!(errno)),
            "{act} {body}: {answer:?}"
        );
        assert!(answer.json()["errmsg"].is_string(), "{act} {body}: {answer:?}");
    }
}

#[test]
fn requests_come_in_pieces_and_many_at_once() {
    let (_chatd, mut api) = start(1);
    for byte in Api::request("/v1/users.put", "{\"name\":\"amy\"}") {
        api.write(&[byte]);
    }
    let amy = api.hear().json();
    let request = Api::request("/v1/users.put", "{\"name\":\"amy\"}");
    api.write(&request.repeat(50));
    for _ in 0..50 {
        assert_eq!(api.hear().json(), amy);
    }
    // Who waits to be told to go on is told so.
    let length = "{\"name\":\"amy\"}".len();
    api.write(
        format!("POST /v1/users.put HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(api.hear().status, 100);
    api.write(b"{\"name\":\"amy\"}");
    assert_eq!(api.hear().json(), amy);
    api.write(
        format!("POST /v1/users.put HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{{\"name\":\"amy\"}}")
            .as_bytes(),
    );
    assert_eq!(api.hear().json(), amy);
    api.hear_end();
}

/// As many connections as there may be.
const CONNECTIONS: usize = 256;

#[test]
fn one_connection_too_many_takes_the_place_of_the_one_that_was_silent_longest() {
    let (_chatd, mut first) = start(1);
    let address = first.address;
    first.done("users.put", &json!({ "name": "amy" }));
    let mut second = Api::at(address);
    second.done("users.put", &json!({ "name": "amy" }));
    let others: Vec<Api> = (0..CONNECTIONS - 1)
        .map(|_| {
            let mut api = Api::at(address);
            api.done("users.put", &json!({ "name": "amy" }));
            api
        })
        .collect();
    first.hear_end();
    second.done("users.put", &json!({ "name": "amy" }));
    drop(others);
}

#[test]
fn where_all_connections_are_at_work_one_more_is_told_to_come_back() {
    let (_chatd, api) = start(1);
    let (body, address) = ("{\"name\":\"amy\"}", api.address);
    let others = std::iter::once(api).chain((1..CONNECTIONS).map(|_| Api::at(address)));
    // Each is asking for something from the moment that it is told to go on.
    let mut others: Vec<Api> = others
        .map(|mut api| {
            let length = body.len();
            api.write(
                format!("POST /v1/users.put HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
                    .as_bytes(),
            );
            assert_eq!(api.hear().status, 100);
            api
        })
        .collect();
    let mut more = Api::at(address);
    more.write(&Api::request("/v1/users.put", body));
    let answer = more.hear();
    assert!(answer.status == 503 && answer.head.contains("Retry-After"), "{answer:?}");
    more.hear_end();
    // None waits for the answers to those before it: each has ten seconds.
    others.iter_mut().for_each(|api| api.write(body.as_bytes()));
    for api in &mut others {
        assert_eq!(api.hear().json()["errno"], 0);
    }
    Api::at(address).done("users.put", &json!({ "name": "amy" }));
}
