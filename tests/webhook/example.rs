//! The receiver in `examples/webhook`, with a push service of the test's own.

use crate::common::DEADLINE;
use crate::common::chatd::Setup;
use crate::common::scratch::Scratch;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// Debian's own.
const PYTHON: &str = "/usr/bin/python3";

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Takes one request, and answers it.
fn take(stream: TcpStream, status: u16) -> Value {
    let mut reader = BufReader::new(&stream);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).expect("a head") > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    (&stream).write_all(answer.as_bytes()).expect("it waits for an answer");
    serde_json::from_slice(&body).expect("JSON")
}

/// Says something to it that nobody has signed, and hears how that is answered.
fn unsigned(port: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens");
    let body = json!({ "events": [{ "id": 1, "type": "undelivered", "user": 1 }] }).to_string();
    let head =
        format!("POST / HTTP/1.0\r\nX-Chatd-Signature: t=1,v1=00\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("an answer");
    answer
}

#[test]
fn the_example_wakes_the_phone_of_who_does_not_read() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let push_url = format!("http://{}/push", service.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        // It is down at first: what could not be forwarded comes again.
        for (at, stream) in service.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            let pushed = take(stream, if at == 0 { 503 } else { 200 });
            if at > 0 && tell.send(pushed).is_err() {
                return;
            }
        }
    });
    let scratch = Scratch::new();
    let secret = scratch.path().join("secret");
    std::fs::write(&secret, "a secret that both ends have\n").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhook/receiver.py");
    let mut python = Command::new(PYTHON);
    python.arg(script).args(["--port", "0", "--push-url", &push_url, "--secret-file"]).arg(&secret);
    let mut receiver = Running(python.stdout(Stdio::piped()).spawn().expect("Python can be started"));
    let mut ready = String::new();
    let stdout = receiver.0.stdout.take().expect("its stdout");
    BufReader::new(stdout).read_line(&mut ready).expect("a line");
    let port = ready.trim().strip_prefix("ready ").expect("it is ready").to_owned();
    assert!(unsigned(&port).contains("401"), "what nobody has signed is refused");
    let setup = Setup::new(1).argument("--push-after-ms=200");
    let setup = setup.argument(&format!("--webhook-url=http://127.0.0.1:{port}/"));
    let chatd = setup.argument(&format!("--webhook-secret-file={}", secret.display())).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut session = chatd.enter(&amy);
    session.chat_stored(&ben, "are you there", "m1");
    let pushed = told.recv_timeout(DEADLINE).expect("the phone is told");
    assert_eq!(
        (&pushed["to"], &pushed["text"]),
        (&json!(ben.id.to_string()), &json!("are you there")),
        "{pushed}"
    );
    let cleo = chatd.register("cleo");
    let tea = session.create_group("tea");
    for user in [&ben, &cleo] {
        chatd.enter(user).join_group(tea);
    }
    session.group_chat_stored(tea, "is anybody there", "m2");
    let mut woken: Vec<Value> = (0..2).map(|_| told.recv_timeout(DEADLINE).expect("both are told")).collect();
    woken.sort_by_key(|pushed| pushed["to"].to_string());
    for (user, pushed) in [&ben, &cleo].into_iter().zip(&woken) {
        let wanted = json!([user.id.to_string(), "is anybody there", tea]);
        assert_eq!(json!([pushed["to"], pushed["text"], pushed["group"]]), wanted, "{woken:?}");
    }
}
