//! chatctl as whoever runs a server has it: each command against the real server, and backups of one that is written to.

use chatd_testing as common;

use common::api::{Api, TOKEN, with_api};
use common::chatd::{Chatd, Setup};
use common::scratch::Scratch;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

/// chatctl, and what it needs to reach a server.
struct Ctl {
    address: String,
    scratch: Scratch,
}

impl Ctl {
    fn new(address: String) -> Self {
        let scratch = Scratch::new();
        fs::write(scratch.path().join("token"), format!("tests {TOKEN}\n")).unwrap();
        Self { address, scratch }
    }

    fn token(&self) -> PathBuf {
        self.scratch.path().join("token")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(common::program("chatctl"));
        command.args(["--url", &self.address, "--token-file"]).arg(self.token()).args(words);
        command.stdin(Stdio::null()).output().expect("chatctl can be started")
    }

    /// What it prints of something that is done.
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// How it ends whose output nobody reads, and what it says of that.
    fn unread(&self, words: &[&str]) -> (Option<i32>, String) {
        let (nobody, output) = std::io::pipe().expect("a pipe");
        drop(nobody);
        let mut command = Command::new(common::program("chatctl"));
        command.args(["--url", &self.address, "--token-file"]).arg(self.token()).args(words);
        let ended = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped()).output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }

    fn json(&self, words: &[&str]) -> Value {
        let printed = self.done(&[words, &["--json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{words:?}: {error}: {printed}"))
    }

    /// How it ends that is not done, and what it says of that.
    fn fails(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = self.run(words);
        assert!(!output.status.success(), "{words:?}: {output:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

fn start() -> (Chatd, Ctl) {
    let (chatd, api) = with_api(Setup::new(1));
    let ctl = Ctl::new(format!("http://{}", api.address));
    (chatd, ctl)
}

#[test]
fn users_are_made_and_shut_out_and_send() {
    let (chatd, ctl) = start();
    let mut ben = chatd.connect();
    let user = ben.register("ben");
    ben.login(&user);
    let amy = ctl.json(&["users", "put", "ext:u-1", "--name", "Amy"]);
    assert_eq!(
        (&amy["external"], &amy["name"], &amy["disabled"]),
        (&json!("u-1"), &json!("Amy"), &json!(false))
    );
    let shown = ctl.done(&["users", "put", "ext:u-1"]);
    assert!(shown.contains("name       Amy\n") && !shown.contains("errno"), "{shown}");

    let sent = ctl.json(&["send", "--from", "ext:u-1", "--to", "ben", "from the shop", "--cid", "c1"]);
    assert_eq!(ben.hear_msg("from the shop")["name"], "Amy");
    let again = ctl.json(&["send", "--from", "ext:u-1", "--to", "ben", "from the shop", "--cid", "c1"]);
    assert_eq!(again["mid"], sent["mid"]);
    ctl.done(&["send", "--from", "ext:u-1", "--to", "ben", "the next one"]);
    assert_eq!(ben.hear("a message")["msg"], "the next one");

    let told = ctl.json(&["announce", "Down at ten", "--cid", "a1"]);
    assert_eq!(ben.hear("an announcement")["msg"], "Down at ten");
    assert_eq!(ctl.json(&["announce", "Down at ten", "--cid", "a1"]), told);
    assert_eq!(ctl.fails(&["announce", "Down at nine", "--cid", "a1"]).0, Some(1));

    let token = ctl.json(&["tokens", "issue", "ext:u-1", "--device", "phone"]);
    assert!(token["token"].as_str().is_some_and(|token| token.len() > 20), "{token}");
    assert_eq!(ctl.done(&["tokens", "revoke", "ext:u-1"]), "done: tokens.revoke\n");
    assert_eq!(ctl.json(&["users", "put", "ext:u-1", "--disable"])["disabled"], true);
    let (code, why) = ctl.fails(&["tokens", "issue", "ext:u-1"]);
    assert_eq!(code, Some(1), "{why}");
    assert!(why.starts_with("chatctl: refused, errno 104:"), "{why}");
}

#[test]
fn whoever_reads_no_more_of_it_is_no_failure() {
    let (_chatd, ctl) = start();
    ctl.done(&["users", "put", "ext:u-1", "--name", "Amy"]);
    for words in [&["export", "ext:u-1"][..], &["users", "put", "ext:u-1"]] {
        assert_eq!(ctl.unread(words), (Some(0), String::new()), "{words:?}");
    }
}

#[test]
fn a_server_without_an_api_says_how_it_gets_one() {
    let chatd = Setup::new(1).admin("127.0.0.1:0").start();
    let ctl = Ctl::new(format!("http://{}", Api::of(&chatd).address));
    let (code, why) = ctl.fails(&["users", "put", "ext:u-1"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("404") && why.contains("--api-token-file"), "{why}");
}

#[test]
fn what_goes_wrong_is_told_apart() {
    let (chatd, ctl) = start();
    let (code, why) = ctl.fails(&["send", "--from", "nobody", "--to", "1", "x"]);
    assert_eq!(code, Some(1), "{why}");
    assert!(why.contains("errno 105"), "{why}");
    assert_eq!(ctl.fails(&["send", "--from", "nobody"]).0, Some(2));
    assert_eq!(ctl.fails(&["erase", "1"]).0, Some(2), "nobody is there to ask");
    let (code, why) = ctl.fails(&["call", "no.such.act", "{}"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("404"), "{why}");
    fs::write(ctl.token(), "another-token-that-nobody-has\n").unwrap();
    let (code, why) = ctl.fails(&["users", "put", "amy"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("does not take this token") && !why.contains("another-token"), "{why}");
    fs::write(ctl.token(), "# nothing\n").unwrap();
    assert_eq!(ctl.fails(&["users", "put", "amy"]).0, Some(2));
    fs::write(ctl.token(), TOKEN).unwrap();
    ctl.done(&["users", "put", "amy"]);
    drop(chatd);
    let (code, why) = ctl.fails(&["users", "put", "amy"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("no answer from http://"), "{why}");
}

#[test]
fn whoever_may_open_the_socket_needs_no_token() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("api.sock");
    let _chatd = Setup::new(1).argument(&format!("--api-socket={}", socket.display())).start();
    let run = |words: &[&str]| {
        let mut command = Command::new(common::program("chatctl"));
        command.arg("--socket").arg(&socket).args(words).stdin(Stdio::null());
        command.output().expect("chatctl can be started")
    };
    let output = run(&["users", "put", "amy", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let amy: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(amy["name"], "amy");
    let output = run(&["users", "put", "ext:u-1", "--name", "a\u{1b}[2Jb"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

fn message(number: usize) -> Value {
    json!({"msgid": 6, "id": 1, "toid": 2, "msg": format!("m{number}"), "time": "t", "cid": format!("c{number}")})
}

#[test]
fn a_backup_of_a_server_that_is_written_to_has_all_that_was_acknowledged() {
    let (chatd, ctl) = start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut writer = chatd.enter(&amy);
    for number in 0..200 {
        writer.say(message(number));
        writer.hear_ack(&format!("c{number}"));
    }
    // More of it is under way while it is copied.
    for number in 200..400 {
        writer.say(message(number));
    }
    let copy = ctl.scratch.path().join("copy.db");
    let (data, at) = (chatd.data.path().to_str().unwrap(), copy.to_str().unwrap());
    let made = ctl.json(&["backup", at, "--data", data]);
    assert!(made["messages"].as_u64() >= Some(200) && made["users"] == 2, "{made}");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, why) = ctl.fails(&["backup", at, "--data", data]);
    assert_eq!((code, why.contains("not overwritten")), (Some(1), true), "{why}");
    assert!(ctl.done(&["verify", at]).starts_with("whole: "));

    let restored = Arc::new(Scratch::new());
    let place = restored.path().to_str().unwrap();
    assert_eq!(ctl.json(&["restore", at, "--data", place])["messages"], made["messages"]);
    let (code, why) = ctl.fails(&["restore", at, "--data", place]);
    assert_eq!((code, why.contains("is there already")), (Some(1), true), "{why}");
    let (code, why) = ctl.fails(&["restore", at, "--data", data]);
    assert_eq!((code, why.contains("in use by another chatd")), (Some(1), true), "{why}");
    let second = Setup::new(1).data(&restored).start();
    let waiting = second.connect().login_with_backlog(&ben, made["messages"].as_u64().unwrap() as usize);
    assert_eq!((&waiting[0]["msg"], &waiting[199]["msg"]), (&json!("m0"), &json!("m199")));
}

/// Damages a copy of a backup, and hears what is said of it.
fn damaged(ctl: &Ctl, backup: &Path, damage: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = fs::read(backup).unwrap();
    damage(&mut bytes);
    let copy = ctl.scratch.path().join("damaged.db");
    fs::write(&copy, bytes).unwrap();
    let (code, why) = ctl.fails(&["verify", copy.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{why}");
    let place = ctl.scratch.path().join("nowhere");
    let (code, why_not) = ctl.fails(&["restore", copy.to_str().unwrap(), "--data", place.to_str().unwrap()]);
    assert_eq!((code, place.exists()), (Some(1), false), "{why_not}");
    why
}

#[test]
fn a_damaged_backup_is_not_put_back() {
    let (chatd, ctl) = start();
    let (amy, _ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut writer = chatd.enter(&amy);
    for number in 0..50 {
        writer.say(message(number));
        writer.hear_ack(&format!("c{number}"));
    }
    let copy = ctl.scratch.path().join("copy.db");
    ctl.done(&["backup", copy.to_str().unwrap(), "--data", chatd.data.path().to_str().unwrap()]);
    let why = damaged(&ctl, &copy, |bytes| bytes.truncate(bytes.len() / 2));
    assert!(why.contains("damaged"), "{why}");
    let why = damaged(&ctl, &copy, |bytes| bytes[..16].fill(b'x'));
    assert!(why.contains("not a chatd database"), "{why}");
    let why = damaged(&ctl, &copy, |bytes| bytes.clear());
    assert!(why.contains("empty"), "{why}");
    // A page in the middle that is none.
    let why = damaged(&ctl, &copy, |bytes| {
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 4096].fill(0xff);
    });
    assert!(why.contains("damaged") || why.contains("changed it") || why.contains("cannot read"), "{why}");
    let (code, why) = ctl.fails(&["verify", "/nowhere/at-all.db"]);
    assert_eq!((code, why.contains("there is no")), (Some(1), true), "{why}");
}
