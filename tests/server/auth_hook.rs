//! Passwords that another application knows: it is asked at each login, and nobody else decides.

use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::Client;
use crate::common::scratch::Scratch;
use ring::hmac;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const SECRET: &[u8] = b"thirty-two bytes of a shared secret";

/// What the application was asked, without what is new each time.
type Asked = Arc<Mutex<Vec<Value>>>;

/// An application with users of its own: what it does with a question is said by the name in it.
struct Application {
    url: String,
    asked: Asked,
}

impl Application {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/login", listener.local_addr().unwrap());
        let asked = Asked::default();
        let seen = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), seen) = (stream, seen.clone()) else { return };
                // One that is left waiting keeps nobody else.
                std::thread::spawn(move || answer(stream, &seen));
            }
        });
        Self { url, asked }
    }

    /// In the order asked. What was asked again because a machine was too busy for an answer within a second counts once.
    fn asked(&self) -> Vec<Value> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.dedup();
        asked
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(secret: &[u8], text: &[u8]) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text).as_ref())
}

/// The body of a question whose signature is good.
fn question(reader: &mut impl BufRead) -> Value {
    let (mut length, mut signed) = (0, String::new());
    for line in reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or(("", ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "x-chatd-signature" => value.clone_into(&mut signed),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let (t, v1) = signed.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("both parts");
    assert!(t.parse::<u64>().expect("seconds") > 1_700_000_000);
    assert_eq!(v1, signature(SECRET, &[t.as_bytes(), b".", &body].concat()), "it is signed");
    serde_json::from_slice(&body).expect("JSON")
}

fn answer(mut stream: TcpStream, asked: &Asked) {
    let mut question = question(&mut BufReader::new(&mut stream));
    let nonce = question.as_object_mut().and_then(|object| object.remove("nonce")).expect("a nonce");
    let (nonce, name) = (nonce.as_str().expect("a text").to_owned(), question["name"].clone());
    let right = question["password"] == "right";
    asked.lock().unwrap().push(question);
    let user = |external: &str, name: &str| json!({ "ok": true, "external": external, "name": name });
    let body = match name.as_str().unwrap_or("by id") {
        "amy@app" if right => user("u-1", "Amy"),
        "amy2@app" if right => user("u-2", "Amy"),
        "nameless" => json!({ "ok": true }),
        "slow" => {
            // Until whoever asks has had enough.
            drop(stream.read_to_end(&mut Vec::new()));
            return;
        }
        "liar" | "unsigned" | "replayed" | "broken" | "long" => user("u-1", "Amy"),
        _ => json!({ "ok": false }),
    };
    let mut body = body.to_string();
    if name == "long" {
        body.push_str(&" ".repeat(20_000));
    }
    let of = |secret: &[u8], nonce: &str| signature(secret, format!("{nonce}.{body}").as_bytes());
    let header = match name.as_str() {
        Some("liar") => {
            format!("X-Chatd-Signature: v1={}\r\n", of(b"another secret, as long as that one", &nonce))
        }
        Some("replayed") => {
            format!("X-Chatd-Signature: v1={}\r\n", of(SECRET, "00112233445566778899aabbccddeeff"))
        }
        Some("unsigned") => String::new(),
        _ => format!("X-Chatd-Signature: v1={}\r\n", of(SECRET, &nonce)),
    };
    let status = if name == "broken" { "500 Broken" } else { "200 OK" };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{header}\r\n", body.len());
    drop(stream.write_all(format!("{head}{body}").as_bytes()));
}

fn secret_file(scratch: &Arc<Scratch>) -> PathBuf {
    let file = scratch.path().join("auth-secret");
    fs::write(&file, [SECRET, b"\n"].concat()).unwrap();
    file
}

fn asking(url: &str, scratch: &Arc<Scratch>) -> Setup {
    let secret = format!("--auth-secret-file={}", secret_file(scratch).display());
    Setup::new(2).argument(&format!("--auth-url={url}")).argument(&secret).argument("--registration=closed")
}

/// LOGIN by this name, and what is answered; by the application, not because it had no time to.
fn login(chatd: &Chatd, name: &str, password: &str) -> (Client, Value) {
    let mut client = chatd.connect().with_newlines();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let login = json!({ "msgid": 1, "name": name, "password": password, "v": 2, "takeover": true });
        client.say(login);
        let answer = client.hear("an answer to the login");
        if answer["errno"] != 110 || Instant::now() > deadline {
            return (client, answer);
        }
    }
}

/// The same, asked once.
fn once(chatd: &Chatd, name: &str) -> u64 {
    let mut client = chatd.connect().with_newlines();
    client.say(json!({ "msgid": 1, "name": name, "password": "right", "v": 2 }));
    client.hear("an answer to the login")["errno"].as_u64().expect("an errno")
}

fn errno(chatd: &Chatd, name: &str, password: &str) -> u64 {
    login(chatd, name, password).1["errno"].as_u64().expect("an errno")
}

#[test]
fn the_application_says_who_is_let_in_and_nobody_has_a_password_here() {
    let (scratch, application) = (Arc::new(Scratch::new()), Application::start());
    let chatd = asking(&application.url, &scratch).start();
    let (mut amy, answer) = login(&chatd, "amy@app", "right");
    assert_eq!((&answer["errno"], &answer["name"]), (&json!(0), &json!("Amy")), "{answer}");
    let (id, token) = (answer["id"].clone(), answer["token"].clone());
    let (_ben, answer) = login(&chatd, "amy2@app", "right");
    assert_eq!(answer["name"], "Amy-2", "a name that is taken gets a suffix: {answer}");
    amy.say(json!({ "msgid": 6, "id": id, "toid": answer["id"], "msg": "hi", "cid": "c" }));
    assert_eq!(amy.hear("an answer")["errno"], 0);
    assert_eq!(errno(&chatd, "amy@app", "wrong"), 1);
    assert_eq!(errno(&chatd, "nobody@app", "right"), 1);
    // What the user is called here is nothing to come in with: the application is asked about it.
    assert_eq!(errno(&chatd, "Amy", "right"), 1);
    let asked: Vec<(Value, Value)> =
        application.asked().iter().map(|one| (one["name"].clone(), one["password"].clone())).collect();
    let named = |name: &str, password: &str| (json!(name), json!(password));
    assert_eq!(
        asked,
        [
            named("amy@app", "right"),
            named("amy2@app", "right"),
            named("amy@app", "wrong"),
            named("nobody@app", "right"),
            named("Amy", "right"),
        ]
    );
    // The same user again, by token, and nobody is asked.
    let mut again = chatd.connect().with_newlines();
    again.say(json!({ "msgid": 25, "token": token }));
    let answer = again.hear("an answer");
    assert_eq!((&answer["errno"], &answer["id"]), (&json!(0), &id), "{answer}");
    assert_eq!(login(&chatd, "amy@app", "right").1["id"], id);
    assert_eq!(application.asked().len(), 6);
    // A user of the seed dialect is asked about by its id.
    let mut seed = chatd.connect();
    let deadline = Instant::now() + DEADLINE;
    let answer = loop {
        seed.say(json!({ "msgid": 1, "id": 7, "password": "pw" }));
        let answer = seed.hear("an answer");
        if answer["errno"] != 110 || Instant::now() > deadline {
            break answer;
        }
    };
    assert_eq!(answer["errno"], 1);
    assert_eq!(application.asked()[6], json!({ "id": 7, "password": "pw" }));
    // Neither is there a password to be changed.
    let (mut amy, _) = login(&chatd, "amy@app", "right");
    amy.say(json!({ "msgid": 31, "old": "", "new": "mine", "cid": "p" }));
    assert_eq!(amy.hear("an answer")["errno"], 1);
}

#[test]
fn whatever_is_no_answer_lets_nobody_in() {
    let (scratch, application) = (Arc::new(Scratch::new()), Application::start());
    let chatd = asking(&application.url, &scratch).start();
    for name in ["liar", "unsigned", "replayed", "broken", "nameless", "long"] {
        assert_eq!(once(&chatd, name), 110, "{name}");
        assert_eq!(errno(&chatd, "amy@app", "right"), 0, "others are let in after {name}");
    }
    // A second at most, and nobody else waits for it.
    let mut slow = chatd.connect().with_newlines();
    slow.say(json!({ "msgid": 1, "name": "slow", "password": "right", "v": 2 }));
    assert_eq!(errno(&chatd, "amy@app", "right"), 0);
    assert_eq!(slow.hear("an answer after a second")["errno"], 110);
    // It is said, and without what nobody may know.
    let printed = chatd.printed();
    assert!(printed.contains("lets nobody in") && !printed.contains("right"), "{printed}");
}

#[test]
fn nobody_is_let_in_by_an_application_that_is_not_there() {
    let scratch = Arc::new(Scratch::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/login", listener.local_addr().unwrap());
    drop(listener);
    let chatd = asking(&url, &scratch).start();
    for _ in 0..50 {
        assert_eq!(once(&chatd, "amy@app"), 110);
    }
}

#[test]
fn whom_to_ask_has_to_be_said_rightly() {
    let scratch = Arc::new(Scratch::new());
    let secret = format!("--auth-secret-file={}", secret_file(&scratch).display());
    let with = |url: &str, secret: &str| {
        Setup::new(1)
            .argument(&format!("--auth-url={url}"))
            .argument(secret)
            .argument("--registration=closed")
    };
    with("http://app.example/login", &secret).fail().says(&["--auth-url", "https://"]);
    let short = scratch.path().join("short");
    fs::write(&short, "too short").unwrap();
    let failure = with("http://127.0.0.1:1/", &format!("--auth-secret-file={}", short.display())).fail();
    failure.says(&["32 bytes at least"]);
    assert!(!failure.stderr.contains("too short"), "a secret is not shown");
    let open = Setup::new(1).argument("--auth-url=http://127.0.0.1:1/").argument(&secret).fail();
    open.says(&["--registration closed"]);
}
