//! One user on two devices, each with its chat: a person on the one, a program on the other.

use super::screen::{Screen, Setup};
use super::script::{command, out, run, status};
use crate::common::chatd::Chatd;
use crate::common::client::User;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};

/// A chat that a program talks to. It ends when its input does.
pub(super) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Program {
    pub(super) fn enter(chatd: &Chatd, who: &User, device: &str) -> Self {
        let address = chatd.address.to_string();
        let mut child = command().args([&address, "--json", "--multi", "--device", device]).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut program = Self { child, input, output };
        for line in ["1", &who.name, &who.password] {
            program.line(line);
        }
        program.hear("welcome");
        program
    }

    pub(super) fn line(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").expect("chat reads");
    }

    /// The next object of this kind.
    pub(super) fn hear(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "waited for {kind}");
            let object: Value = serde_json::from_str(&line).expect("an object a line");
            if object["kind"] == kind {
                return object;
            }
        }
    }

    pub(super) fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

pub(super) fn person(chatd: &Chatd, who: &User, device: &str) -> Screen {
    let setup =
        Setup::new().argument(chatd.address).argument("--multi").argument("--device").argument(device);
    let mut screen = setup.start();
    screen.login(who.id, &who.password);
    screen
}

#[test]
fn what_is_said_and_read_on_one_device_is_so_on_the_other() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut bens = chatd.enter(&ben);
    let mut desk = person(&chatd, &amy, "desk");
    let mut pad = Program::enter(&chatd, &amy, "pad");
    desk.line("chat:ben:from the desk");
    desk.see("✓ safe: from the desk");
    bens.hear_msg("from the desk");
    let own = pad.hear("message");
    assert_eq!((&own["text"], &own["own"]), (&json!("from the desk"), &json!(true)));
    assert_eq!((&own["from"], &own["toid"]), (&json!(amy.id), &json!(ben.id)));
    pad.line("chat:ben:from the pad");
    desk.see("amy to ben: from the pad");
    bens.hear_msg("from the pad");

    bens.chat_stored(&amy, "to both", "b1");
    desk.see("ben: to both");
    assert_eq!(pad.hear("message")["text"], "to both");
    pad.line("/unread");
    assert_eq!(pad.hear("unread")["conversations"], json!([{"name": "ben", "count": 1}]));
    desk.line("/read");
    desk.see("no conversation is open: /open WHO");
    desk.line("/open ben");
    desk.see_last("ben>");
    desk.line("/history");
    desk.see("ben, messages 1 to 3");
    desk.line("/read");
    desk.see("ben is read");
    let read = pad.hear("read");
    assert_eq!((&read["by"], &read["id"], &read["pos"]), (&json!(amy.id), &json!(ben.id), &json!(3)));
    pad.line("/unread");
    assert_eq!(pad.hear("unread")["conversations"], json!([]));
    pad.end();
}

#[test]
fn devices_are_listed_and_one_is_sent_away() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let mut desk = person(&chatd, &amy, "desk");
    desk.line("/devices drop 1");
    desk.see("there is no such line in the list that /devices showed last");
    desk.line("/devices");
    desk.see("    1  desk  online  this one");
    let mut pad = Program::enter(&chatd, &amy, "pad");
    pad.line("/devices");
    let devices = pad.hear("devices")["devices"].as_array().unwrap().clone();
    assert_eq!(devices.len(), 2, "{devices:#?}");
    let line = 1 + devices.iter().position(|device| device["this"] == false).unwrap();
    assert_eq!((&devices[line - 1]["device"], &devices[line - 1]["online"]), (&json!("desk"), &json!(true)));
    pad.line(&format!("/devices drop {line}"));
    assert_eq!(pad.hear("done"), json!({"kind": "done", "what": "device_dropped", "name": "desk"}));
    desk.see("you are logged out: this device was sent away, or the password was changed");
    desk.line("this is not said");
    desk.see_last("choice:");
    pad.end();
}

/// Whoever does not say so is alone, as ever, and a device beside others replaces nobody.
#[test]
fn without_multi_a_login_is_the_only_one() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let alone = Screen::enter(chatd.address, amy.id, &amy.password);
    let lines = format!("1\namy\n{}\n/devices\n", amy.password);
    let address = chatd.address.to_string();
    let refused = run(&[&address, "--multi"], &lines);
    status(&refused, 3);
    let both = run(&[&address, "--multi", "--take-over"], &lines);
    status(&both, 2);
    drop(alone);
    chatd.until_offline(&amy);
    let machine = run(&[&address, "--multi"], &lines);
    status(&machine, 0);
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let name: String = name.trim().chars().take(50).collect();
    assert!(out(&machine).contains(&format!("  {name}  online  this one\n")), "{}", out(&machine));
}
