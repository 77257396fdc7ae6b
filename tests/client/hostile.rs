//! What others write cannot touch the terminal, and what a server says cannot break the client.

use super::screen::Screen;
use super::stand_in::StandIn;
use crate::common::chatd::Chatd;
use serde_json::json;

/// Everything that is known to be misused: C0, C1, bidirectional overrides and isolates, what has no
/// width, separators.
const HOSTILE: &str = "\x1b[2J\x1b]0;owned\x07\u{9b}31m\u{85}\u{202e}evil\u{2066}\u{200f}\u{200b}\u{feff}\
                       \u{2028}\u{e0041}\r\n\t\x08\x7f";
/// How it is shown.
const SHOWN: &str = "\\x1b[2J\\x1b]0;owned\\x07\\u{9b}31m\\u{85}\\u{202e}evil\\u{2066}\\u{200f}\\u{200b}\\u{feff}\
                     \\u{2028}\\u{e0041}\\r\\n\\t\\x08\\x7f";

/// None of it got through.
fn harmless(raw: &str) {
    for never in ["\x1b[2J", "\x1b]0", "\x07", "\x08", "\x7f", "owned\x07"] {
        assert!(!raw.contains(never), "{never:?} in {raw:?}");
    }
    for c in "\u{9b}\u{85}\u{202e}\u{2066}\u{200f}\u{200b}\u{feff}\u{2028}\u{e0041}".chars() {
        assert!(!raw.contains(c), "{c:?} in {raw:?}");
    }
}

#[test]
fn a_hostile_message_through_the_real_server_is_shown_as_escapes() {
    let chatd = Chatd::start(1);
    let (amy, eve) = (chatd.register("amy"), chatd.register("eve"));
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    let mut writer = chatd.enter(&eve);
    writer.chat(&amy, &format!("{HOSTILE}end"));
    screen.until("the end of it", |rows| rows.concat().contains(&format!("eve: {SHOWN}end")));
    let group = writer.create_group("group");
    screen.line(&format!("addgroup:{group}"));
    screen.see("you are in");
    writer.group_chat(group, &format!("{HOSTILE}fin"));
    screen.until("the end of it", |rows| rows.concat().contains(&format!("{SHOWN}fin")));
    screen.line("loginout");
    screen.see("logged out");
    harmless(&screen.raw());
}

#[test]
fn a_hostile_server_says_what_it_wants_and_the_terminal_stays_whole() {
    let server = StandIn::new();
    let mut screen = Screen::open(server.address);
    let mut line = server.accept();
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "x");
    line.hear("a login");
    line.say(&json!({"msgid": 2, "errno": 1, "errmsg": HOSTILE}));
    screen.until("the refusal", |rows| rows.concat().contains(&format!("not logged in: {SHOWN}")));

    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "x");
    line.hear("a login");
    let person = json!({"id": 2, "name": HOSTILE, "state": "online", "role": "creator"}).to_string();
    let group = json!({"id": 1, "groupname": HOSTILE, "groupdesc": HOSTILE, "users": [person]}).to_string();
    let waiting = json!({"msgid": 6, "id": 2, "name": HOSTILE, "msg": HOSTILE, "time": HOSTILE}).to_string();
    line.say(&json!({
        "msgid": 2, "errno": 0, "id": 1, "name": HOSTILE,
        "friends": [person], "groups": [group], "offlinemsg": [waiting],
    }));
    screen.see_last(">");
    for command in ["/groups", "/members #1", "/open 2", "/unread", "/open #1", "/close"] {
        screen.line(command);
    }
    screen.see_last(">");
    // Frames that make no sense, in one write with one that does.
    line.write(b"rubbish\n\0{}\n{\"msgid\":6}\n[1,2]\n\xff\xfe\n{\"msgid\":2,\"errno\":0}\n");
    line.say(&json!({"msgid": 21, "errno": 102, "errmsg": HOSTILE}));
    line.say(&json!({"msgid": 77, "what": "is this"}));
    line.say(&json!({"msgid": 6, "id": 2, "name": "eve", "msg": "still here", "time": "now"}));
    screen.see("the server said something that makes no sense");
    screen.see("eve: still here");
    harmless(&screen.raw());
}

/// Texts of others in everything that is told of messages, groups and people.
#[test]
fn what_is_changed_and_what_happens_is_told_without_touching_the_terminal() {
    let server = StandIn::new();
    let mut screen = Screen::open(server.address);
    let mut line = server.accept();
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "x");
    line.hear("a login");
    line.say(&json!({
        "msgid": 2, "errno": 0, "id": 1, "name": "amy", "token": "t", "complete": true, "offlinemsg": [],
        "friends": [{"id": 2, "name": HOSTILE, "state": "online"}],
        "groups": [{"id": 3, "groupname": HOSTILE, "groupdesc": HOSTILE, "members": 2, "role": "owner"}],
        "asking": [{"id": 7, "name": HOSTILE, "note": HOSTILE}],
    }));
    screen.see_last(">");
    screen.line("/open 2");
    screen.line("/places");
    screen.see("what comes is numbered from now on");
    line.push("c-1", 71, HOSTILE);
    let changed = |what: serde_json::Value| {
        let mut frame =
            json!({"msgid": 46, "with": 2, "by": 2, "chg": 1, "pos": 1, "mid": "71", "rev": 1, "ts": 1});
        frame.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        frame
    };
    let happened = |what: serde_json::Value| {
        let mut frame = json!({
            "msgid": 51, "groupid": 3, "by": 2, "name": HOSTILE, "userid": 7, "username": HOSTILE, "until": -1,
        });
        frame.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        frame
    };
    for frame in [
        json!({"msgid": 61, "with": 2, "places": [{"mid": "71", "pos": 1}]}),
        changed(json!({"kind": "react", "emoji": HOSTILE, "on": true, "n": 1})),
        changed(json!({"kind": "edit", "msg": HOSTILE})),
        changed(json!({"kind": HOSTILE})),
        changed(json!({"kind": "recall"})),
        happened(json!({"what": "muted"})),
        happened(json!({"what": "kicked"})),
        happened(json!({"what": "role", "role": HOSTILE})),
        happened(json!({"what": "set", "groupname": HOSTILE, "groupdesc": HOSTILE, "join": HOSTILE})),
        happened(json!({"what": HOSTILE})),
        json!({"msgid": 54, "id": 8, "name": HOSTILE, "what": "asks", "note": HOSTILE}),
        json!({"msgid": 54, "id": 8, "name": HOSTILE, "what": HOSTILE}),
        json!({"msgid": 60, "who_writes": HOSTILE, "read_receipts": HOSTILE}),
        json!({"msgid": 38, "with": 2, "id": 2, "pos": 1}),
        json!({"msgid": 39, "with": 2, "id": 2, "on": true, "expires_ms": 6_000}),
        json!({"msgid": 6, "id": 2, "name": "eve", "msg": "still here", "time": "now", "mid": "99", "cid": "z"}),
    ] {
        line.say(&frame);
    }
    screen.see("eve: still here");
    for what in
        ["took back message 1", "kept out until further notice", "asks to be your friend", "is typing"]
    {
        screen.see_go_by(what);
    }
    harmless(&screen.raw());
}

#[test]
fn a_frame_without_end_ends_the_connection_and_not_the_client() {
    let server = StandIn::new();
    let mut screen = Screen::open(server.address);
    let mut line = server.accept();
    screen.answer("choice:", "1");
    screen.answer("userid or name:", "1");
    screen.answer("userpassword:", "x");
    line.let_in("amy");
    screen.see_last(">");
    // The longest push is fine.
    let long = "x".repeat(16_000);
    line.say(&json!({"msgid": 6, "id": 2, "name": "eve", "msg": long, "time": "now"}));
    screen.see_last(">");
    // More than the client takes: it need not read all of it.
    let _ = std::thread::spawn(move || {
        line.write(&vec![b'x'; 160 << 10]);
        line.hear_end();
    })
    .join();
    screen.see("connection lost (a frame of more than 147456 bytes came)");
    server.accept().let_in("amy");
    screen.see("logged in again");
}
