//! Users of another application, who come with what it has signed: from the command line to the session.

use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::Client;
use crate::common::scratch::Scratch;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const SECRET: &[u8] = b"thirty-two bytes of a shared secret";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(super) fn claims(subject: &str, name: &str) -> Value {
    json!({ "iss": "https://app.example", "aud": "chat", "sub": subject, "name": name, "exp": now() + 3_600 })
}

fn signed(header: &Value, claims: &Value) -> String {
    signed_with(SECRET, header, claims)
}

pub(super) fn signed_with(secret: &[u8], header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn jwt(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256" }), claims)
}

fn secret_file(scratch: &Arc<Scratch>) -> PathBuf {
    let file = scratch.path().join("jwt-secret");
    fs::write(&file, [SECRET, b"\n"].concat()).unwrap();
    file
}

pub(super) fn believing(setup: Setup) -> Setup {
    setup.argument("--jwt-issuer=https://app.example").argument("--jwt-audience=chat")
}

fn with_secret(cores: usize, scratch: &Arc<Scratch>) -> Setup {
    believing(Setup::new(cores)).argument(&format!("--jwt-secret={}", secret_file(scratch).display()))
}

/// LOGIN with this word, and what is answered.
pub(super) fn login(chatd: &Chatd, jwt: &str) -> (Client, Value) {
    let mut client = chatd.connect().with_newlines();
    client.say(json!({ "msgid": 1, "jwt": jwt, "v": 2, "cid": "in" }));
    let answer = client.hear("an answer to the login");
    (client, answer)
}

#[test]
fn an_applications_user_logs_in_chats_and_is_the_same_after_a_restart() {
    let scratch = Arc::new(Scratch::new());
    let chatd = with_secret(2, &scratch).start();
    let (mut amy, answer) = login(&chatd, &jwt(&claims("u-1", "Amy")));
    assert_eq!((&answer["errno"], &answer["name"]), (&json!(0), &json!("Amy")), "{answer}");
    amy.id = answer["id"].as_u64().expect("an id");
    let (mut ben, answer) = login(&chatd, &jwt(&claims("u-2", "Ben")));
    ben.id = answer["id"].as_u64().expect("an id");
    let token = answer["token"].as_str().expect("a token to come back with").to_owned();
    amy.say(json!({ "msgid": 6, "id": amy.id, "toid": ben.id, "msg": "from my app", "cid": "m1" }));
    amy.hear_ack("m1");
    ben.hear_msg("from my app");
    let data = chatd.data.clone();
    drop(chatd);
    let chatd = with_secret(2, &scratch).data(&data).start();
    let mut back = chatd.connect().with_newlines();
    back.id = ben.id;
    back.say(json!({ "msgid": 25, "token": token }));
    back.hear_login();
    let (_, again) = login(&chatd, &jwt(&claims("u-1", "Amelia")));
    assert_eq!((again["id"].as_u64(), &again["name"]), (Some(amy.id), &json!("Amy")), "{again}");
}

#[test]
fn what_is_not_believed_gets_errno_1_and_what_is_over_117() {
    let scratch = Arc::new(Scratch::new());
    let chatd = with_secret(1, &scratch).start();
    let mut other_issuer = claims("u-1", "Amy");
    other_issuer["iss"] = json!("https://evil.example");
    let mut over = claims("u-1", "Amy");
    over["exp"] = json!(now() - 61);
    let unsigned = {
        let good = signed(&json!({ "alg": "none" }), &claims("u-1", "Amy"));
        good.rsplit_once('.').map(|(text, _)| format!("{text}.")).unwrap()
    };
    for (jwt, errno) in
        [(jwt(&other_issuer), 1), (jwt(&over), 117), (unsigned, 1), ("x".to_owned(), 1), ("..".to_owned(), 1)]
    {
        let (mut client, answer) = login(&chatd, &jwt);
        assert_eq!((&answer["errno"], &answer["msgid"]), (&json!(errno), &json!(2)), "{answer}");
        // The connection lives on, and may try better.
        client.say(json!({ "msgid": 22, "n": 7 }));
        assert_eq!(client.hear("a pong")["n"], 7);
    }
    // Nobody was made for it, and no password lets such a user in.
    let (_, first) = login(&chatd, &self::jwt(&claims("u-1", "Amy")));
    assert_eq!(first["id"], 1);
    let mut guess = chatd.connect().with_newlines();
    guess.say(json!({ "msgid": 1, "name": "Amy", "password": "", "v": 2 }));
    assert_eq!(guess.hear("a refusal")["errno"], 1);
    assert!(!chatd.stderr_lines().iter().any(|line| line.contains("eyJ")), "no token in the log");
}

#[test]
fn a_session_ends_with_the_word_unless_there_is_a_new_one() {
    let scratch = Arc::new(Scratch::new());
    let chatd = with_secret(2, &scratch).start();
    let mut soon = claims("u-1", "Amy");
    soon["exp"] = json!(now() + 10);
    let (mut ends, answer) = login(&chatd, &jwt(&soon));
    let token = answer["token"].as_str().expect("a token").to_owned();
    soon["sub"] = json!("u-2");
    let (mut goes_on, _) = login(&chatd, &jwt(&soon));
    // Less than half a minute is left.
    for client in [&mut ends, &mut goes_on] {
        assert_eq!(client.hear("a notice")["errno"], 117);
    }
    goes_on.say(json!({ "msgid": 1, "jwt": jwt(&claims("u-1", "")), "v": 2, "cid": "x" }));
    assert_eq!(goes_on.hear("somebody else's word")["errno"], 104);
    goes_on.say(json!({ "msgid": 1, "jwt": jwt(&claims("u-2", "")), "v": 2, "cid": "y" }));
    let renewed = goes_on.hear("until when");
    assert_eq!((&renewed["errno"], &renewed["cid"]), (&json!(0), &json!("y")), "{renewed}");
    let last = ends.hear_until_end("ERROR 117 and the end").pop().expect("a reason");
    assert_eq!((&last["msgid"], &last["errno"]), (&json!(21), &json!(117)), "{last}");
    let mut back = chatd.connect().with_newlines();
    back.say(json!({ "msgid": 25, "token": token }));
    assert_eq!(back.hear("a refusal")["errno"], 117);
    goes_on.say(json!({ "msgid": 22, "n": 1 }));
    assert_eq!(goes_on.hear("a pong")["n"], 1);
}

/// Answers every request with this JWK set, as an application's server does.
fn serve_keys(listener: &TcpListener, keys: &Value) {
    let body = keys.to_string();
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        read_head(&mut stream);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        drop(stream.write_all(format!("{head}{body}").as_bytes()));
    }
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
}

#[test]
fn keys_at_an_address_are_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let keys = json!({ "keys": [{ "kty": "oct", "kid": "one", "k": URL_SAFE_NO_PAD.encode(SECRET) }] });
    std::thread::spawn(move || serve_keys(&listener, &keys));
    let chatd = believing(Setup::new(1)).argument(&format!("--jwt-jwks={url}")).start();
    let jwt = signed(&json!({ "alg": "HS256", "kid": "one" }), &claims("u-1", "Amy"));
    // They may still be under way: who comes before them is refused, and may come again.
    let deadline = Instant::now() + DEADLINE;
    while login(&chatd, &jwt).1["errno"] != 0 {
        assert!(Instant::now() < deadline, "the keys do not come: {}", chatd.printed());
    }
}

#[test]
fn keys_that_are_none_are_said_at_the_start() {
    let scratch = Arc::new(Scratch::new());
    let short = scratch.path().join("short");
    fs::write(&short, "too short").unwrap();
    let failure = believing(Setup::new(1)).argument(&format!("--jwt-secret={}", short.display())).fail();
    failure.says(&["keys for jwt", "32 bytes at least"]);
    assert!(!failure.stderr.contains("too short"), "a secret is not shown");
    let missing = scratch.path().join("missing");
    believing(Setup::new(1)).argument(&format!("--jwt-key={}", missing.display())).fail().says(&["missing"]);
    let nobodys = Setup::new(1).argument(&format!("--jwt-key={}", missing.display())).fail();
    assert!(nobodys.stderr.contains("--jwt-issuer"), "{nobodys:?}");
}
