//! What is spoken with a server of another mind: one that says things twice, one that forgets tokens,
//! and the original one, which knows nothing of v2. No chatd can be made to do this.

use super::screen::{Screen, Setup};
use super::stand_in::{Line, StandIn};
use crate::common::scratch::Scratch;
use serde_json::json;

const TOKEN: &str = "T0k3nT0k3nT0k3n";

fn enter(server: &StandIn, screen: &mut Screen) -> Line {
    let line = server.accept();
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "amy");
    screen.answer("userpassword:", "hush");
    line
}

#[test]
fn what_comes_twice_is_shown_once_and_confirmed_when_it_is_shown() {
    let (server, state) = (StandIn::new(), Scratch::new());
    let mut screen = Setup::new().argument(server.address).state(state.path()).start();
    let mut line = enter(&server, &mut screen);
    assert_eq!(line.let_in_v2("amy", TOKEN)["name"], "amy");
    screen.see_last(">");
    line.push("c-1", 71, "once");
    screen.see("ben: once");
    assert_eq!(line.hear("a CONFIRM"), json!({"msgid": 24, "mids": ["71"]}));
    // A retry that was pushed before the server could know that it is one.
    line.push("c-1", 72, "once");
    assert_eq!(line.hear("a CONFIRM"), json!({"msgid": 24, "mids": ["72"]}));
    screen.line("chat:2:is this safe?");
    let said = line.hear("a message");
    drop(line);
    screen.see("connection lost");

    let mut line = server.accept();
    let resumed = line.let_in_v2("amy", TOKEN);
    let caps = ["read", "typing", "changed", "group", "friend"];
    assert_eq!(resumed, json!({"caps": caps, "msgid": 25, "token": TOKEN, "v": 2}));
    assert_eq!(line.hear("the message again"), said, "word for word, under the same cid");
    assert!(!screen.raw().contains("safe: is"), "nobody has said so yet");
    line.push("c-1", 71, "once");
    line.push("c-2", 73, "twice");
    let ack = json!({"msgid": 20, "errno": 0, "re": 6, "cid": said["cid"], "mid": "74", "pos": 3, "ts": 2});
    line.say(&ack);
    screen.see("ben: twice");
    screen.see("✓ safe: is this safe?");
    let rows = screen.rows().join("\n");
    assert_eq!(rows.matches("ben: once").count(), 1, "{rows}");

    // A server that does not know the token any more is given the password.
    drop(line);
    let mut line = server.accept();
    assert_eq!(line.hear("the token")["token"], TOKEN);
    line.say(&json!({"msgid": 2, "errno": 1, "errmsg": "id or password is invalid!"}));
    assert_eq!(line.let_in_v2("amy", "another")["password"], "hush");
    screen
        .until("the second return", |rows| rows.iter().filter(|row| *row == "logged in again").count() == 2);
    screen.line("quit");
    assert_eq!(screen.end(), 0);
    assert!(!screen.raw().contains(TOKEN), "a token is not shown");
    for file in std::fs::read_dir(state.path().join("chatd")).unwrap() {
        let kept = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains(TOKEN), "nor written down");
    }
}

#[test]
fn whoever_is_replaced_is_told_and_does_not_come_back() {
    let server = StandIn::new();
    let mut screen = Screen::open(server.address);
    let mut line = enter(&server, &mut screen);
    line.let_in_v2("amy", TOKEN);
    screen.see_last(">");
    line.say(&json!({"msgid": 21, "errno": 113, "errmsg": "replaced by a newer session"}));
    drop(line);
    screen.see("you are logged out: somebody has logged in as you somewhere else");
    screen.type_text("\r");
    screen.see_last("choice:");
    assert!(!screen.raw().contains("connection lost"), "one line says it");
}

/// Speaks as the original server does: bare objects, nothing after them, and no word of what it
/// does not know.
#[test]
fn the_original_server_is_spoken_to_as_it_understands() {
    let server = StandIn::new();
    let mut screen = Screen::open(server.address);
    let mut line = server.accept();
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "hush");
    let login = line.hear("a login");
    assert_eq!((&login["id"], &login["password"]), (&json!(1), &json!("hush")));
    let friend = json!({"id": 2, "name": "ben", "state": "online"}).to_string();
    let answer = json!({"errno": 0, "friends": [friend], "id": 1, "msgid": 2, "name": "amy"});
    line.write(answer.to_string().as_bytes());
    screen.see("welcome, amy");
    line.write(br#"{"id":2,"msg":"one","msgid":6,"name":"ben","time":"12:34","toid":1}"#);
    screen.see("ben: one");
    for text in ["two", "three"] {
        screen.line(&format!("chat:ben:{text}"));
    }
    // It may not be told two things at once: the second waits until the first is given up.
    assert_eq!(line.hear("a message")["msg"], "two");
    assert_eq!(line.hear("a message")["msg"], "three");
    screen.see("sent, nobody says whether safe: two");
    screen.see("sent, nobody says whether safe: three");
    screen.line("find:ben");
    screen.see("this server is an older one and does not know that");
    screen.line("chat:nina:hello");
    screen.see("nobody that you know is called nina; an id will do");
    screen.line("/friends");
    assert_eq!(line.hear("a question for friends")["msgid"], 13);
    screen.see("no friend list: this server does not answer that");
    screen.line("loginout");
    assert_eq!(line.hear("a logout")["msgid"], 3);
    screen.see_last("choice:");
    screen.line("3");
    assert_eq!(screen.end(), 0);
}
