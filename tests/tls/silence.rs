//! What goes through it is not in what it says of itself: at the highest level of the log, whichever way clients come.

use super::tunnel::{Tunnel, setup};
use crate::common::client::{Client, User};
use crate::common::scratch::Scratch;
use crate::common::services::certificates::Authority;
use crate::common::websocket::{LAST, TEXT, WebSocket, frame};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use std::fs;

/// In every text of this test: names, passwords, messages, searches, cids, and frames that are none.
const CANARY: &str = "canary";
const KEY: &[u8] = b"canary: a secret that the application shares";

/// A user whose name and password are canaries.
fn register(client: &mut Client, name: &str) -> User {
    let (name, password) = (format!("{CANARY} {name}"), format!("{CANARY}-password-of-{name}"));
    client.say(json!({"msgid": 4, "name": name, "password": password}));
    let id = client.hear("an answer")["id"].as_u64().expect("an id");
    User { id, name, password }
}

fn enter_v2(mut client: Client, login: Value) -> (Client, String) {
    client = client.with_newlines();
    client.say(login);
    let answer = client.hear("the answer to a login");
    assert_eq!(answer["errno"], 0, "{answer}");
    client.id = answer["id"].as_u64().expect("an id");
    let token = answer["token"].as_str().expect("a token").to_owned();
    (client, token)
}

fn login_v2(user: &User) -> Value {
    json!({"msgid": 1, "name": user.name, "password": user.password, "v": 2, "device": "canary phone",
        "caps": ["own", "read", "typing", "changed", "group", "friend"]})
}

fn jwt(subject: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        json!({"iss": "app", "aud": "chat", "sub": subject, "name": "canary jane", "exp": 4_000_000_000_u64});
    let text = format!("{}.{}", part(json!({"alg": "HS256"})), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// Waits for what `is` tells; what else is pushed meanwhile is not looked at.
fn until(client: &mut Client, waited_for: &str, is: impl Fn(&Value) -> bool) -> Value {
    loop {
        let frame = client.hear(waited_for);
        if is(&frame) {
            return frame;
        }
    }
}

/// Says something that is acknowledged.
fn say(client: &mut Client, request: Value) -> Value {
    let cid = request["cid"].clone();
    client.say(request);
    let answer = until(client, "an ACK", |frame| frame["cid"] == cid);
    assert_eq!(answer["errno"], 0, "{answer}");
    answer
}

fn message(from: u64, to: u64, text: &str, cid: &str) -> Value {
    json!({"msgid": 6, "id": from, "toid": to, "msg": text, "cid": cid})
}

/// Wrong passwords, tokens and words, frames that are none, and some that are too much.
fn go_wrong(connect: &dyn Fn() -> Client, user: &User) {
    let mut client = connect().with_newlines();
    for login in [
        json!({"msgid": 1, "id": user.id, "password": "canary guess"}),
        json!({"msgid": 1, "name": "canary stranger", "password": "canary guess", "v": 2}),
        json!({"msgid": 25, "token": "canary-token"}),
        json!({"msgid": 1, "jwt": "canary.jwt.forged", "v": 2}),
        json!({"msgid": 1, "jwt": format!("{}x", jwt("canary-subject")), "v": 2}),
        json!({"msgid": "canary"}),
        json!({"msgid": 6, "canary": {"canary": []}}),
    ] {
        client.say(login);
        assert_ne!(client.hear("a refusal")["errno"], 0);
    }
    for bytes in ["canary is no frame\n", "{\"canary\": \"\u{1}\n", &(CANARY.repeat(20_000) + "\n")] {
        let mut client = connect().with_newlines();
        // One that is too long is not read to its end.
        let _ = client.try_write(bytes.as_bytes());
        let _ = client.hear_until_end("an ERROR and the end");
    }
}

/// Everything that two people and a group can say to each other; their tokens.
fn talk(connect: &dyn Fn() -> Client) -> Vec<String> {
    let mut first = connect();
    let (amy, ben) = (register(&mut first, "amy"), register(&mut first, "ben"));
    first.login(&ben);
    let (mut amys, token) = enter_v2(connect(), login_v2(&amy));
    say(&mut amys, message(amy.id, ben.id, "canary body", "canary-cid"));
    first.hear_msg("canary body");
    first.chat(&amy, "canary seed body");
    let mid = until(&mut amys, "a message", |frame| frame["msg"] == "canary seed body")["mid"].clone();
    amys.say(json!({"msgid": 24, "mids": [mid]}));
    let make = json!({"msgid": 8, "id": amy.id, "groupname": "canary group", "groupdesc": "canary", "cid": "canary-make"});
    let group = say(&mut amys, make)["groupid"].as_u64().expect("a group id");
    first.join_group(group);
    first.group_chat(group, "canary group body");
    until(&mut amys, "a message", |frame| frame["msg"] == "canary group body");
    for request in [
        json!({"msgid": 43, "with": ben.id, "pos": 1, "msg": "canary edited", "cid": "canary-edit"}),
        json!({"msgid": 45, "with": ben.id, "pos": 1, "emoji": "canary", "on": true, "cid": "canary-react"}),
        json!({"msgid": 52, "userid": ben.id, "note": "canary note", "cid": "canary-ask"}),
        json!({"msgid": 50, "groupid": group, "groupdesc": "canary description", "cid": "canary-set"}),
        json!({"msgid": 57, "q": "canary", "limit": 10, "cid": "canary-search"}),
        json!({"msgid": 28, "name": "canary", "cid": "canary-find"}),
        json!({"msgid": 26, "with": ben.id, "limit": 10, "cid": "canary-history"}),
    ] {
        amys.say(request);
    }
    until(&mut amys, "the last answer", |frame| frame["cid"] == "canary-history");
    // Ben is gone, so that the next waits for him; and Amy comes back by her token.
    drop(first);
    say(&mut amys, message(amy.id, ben.id, "canary that waits", "canary-later"));
    drop(amys);
    let (back, _) = enter_v2(connect(), json!({"msgid": 25, "token": token, "v": 2}));
    drop(back);
    go_wrong(connect, &amy);
    vec![token]
}

fn talk_by_websocket(mut socket: WebSocket, name: &str) {
    let id = socket.enter(&format!("canary {name}"), Some(2));
    socket.say(json!({"msgid": 6, "id": id, "toid": id, "msg": "canary by WebSocket", "cid": "canary-ws"}));
    while socket.hear()["cid"] != "canary-ws" {}
    socket.write(&frame(LAST | TEXT, b"canary \xff"));
    let _ = socket.hear_rest();
}

fn silent(format: &str) {
    let (authority, scratch) = (Authority::new(), Scratch::new());
    let key = scratch.path().join("key");
    fs::write(&key, KEY).unwrap();
    let mut setup = setup(&authority.issue(&["localhost"]));
    for argument in [
        &format!("--jwt-secret={}", key.display()),
        "--jwt-issuer=app",
        "--jwt-audience=chat",
        "--log-level=trace",
        &format!("--log-format={format}"),
    ] {
        setup = setup.argument(argument);
    }
    let mut chatd = setup.start();
    let tunnel = Tunnel::start(chatd.address, &authority);
    let mut secrets = talk(&|| chatd.connect());
    let (carl, dora) = (register(&mut tunnel.connect(), "carl"), register(&mut tunnel.connect(), "dora"));
    let (mut carls, token) = enter_v2(tunnel.connect(), login_v2(&carl));
    say(&mut carls, message(carl.id, dora.id, "canary in TLS", "canary-tls"));
    secrets.push(token);
    go_wrong(&|| tunnel.connect(), &dora);
    talk_by_websocket(WebSocket::connect(chatd.address), "by ws");
    talk_by_websocket(WebSocket::connect(tunnel.address), "by wss");
    let word = jwt("canary-subject");
    let (_, token) = enter_v2(chatd.connect(), json!({"msgid": 1, "jwt": word, "v": 2}));
    secrets.extend(word.split('.').map(str::to_owned));
    secrets.push(token);
    // No TLS at all, though it begins so.
    let mut broken = chatd.connect();
    broken.write(b"\x16\x03\x01\x00\x06canary");
    let _ = broken.taken();
    drop((broken, carls));
    chatd.end(libc::SIGTERM);

    let (printed, lines) = (chatd.printed(), chatd.stderr_lines());
    assert!(!printed.contains(CANARY) && !printed.contains("of a test"), "{printed}");
    for secret in secrets {
        assert!(!secret.is_empty() && !printed.contains(&secret), "{secret}");
    }
    // It has said something of all that: the test looks where it should.
    for said in ["a connection from", "a wrong password from", "a jwt is not believed"] {
        assert!(lines.iter().any(|line| line.contains(said)), "{said}: {printed}");
    }
    let is_form = |line: &String| match format {
        "json" => serde_json::from_str::<Value>(line).is_ok_and(|line| line["message"].is_string()),
        _ => line.starts_with("chatd: "),
    };
    assert!(lines.iter().all(is_form), "{printed}");
}

#[test]
fn nothing_that_is_said_is_in_the_log_for_people() {
    silent("human");
}

#[test]
fn nothing_that_is_said_is_in_the_log_for_programs() {
    silent("json");
}
