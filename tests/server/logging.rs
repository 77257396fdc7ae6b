//! What the log looks like, who says how much, and how much it can be made to say.

use super::configuration::{file, until_said};
use crate::common::chatd::Setup;
use crate::common::client::Client;
use crate::common::scratch::Scratch;
use serde_json::Value;

#[test]
fn as_json_each_line_is_an_object() {
    let mut chatd = Setup::new(1).argument("--log-format=json").argument("--log-level=debug").start();
    chatd.register("amy");
    chatd.end(libc::SIGTERM);
    let lines = chatd.stderr_lines();
    let objects: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    for object in &objects {
        let keys: Vec<&String> = object.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["level", "message", "target", "ts"], "{object}");
    }
    let said = |level: &str, target: &str, message: &str| {
        let is = |object: &&Value| {
            object["level"] == level && object["target"].as_str().is_some_and(|name| name.starts_with(target))
        };
        objects
            .iter()
            .filter(is)
            .any(|object| object["message"].as_str().is_some_and(|text| text.contains(message)))
    };
    assert!(said("debug", "chatd_executor::net", "a connection from 127.0.0.1"), "{lines:?}");
    assert!(said("info", "chatd", "SIGTERM received, finishing with every session"), "{lines:?}");
    assert_eq!(objects.last().map(|object| &object["message"]), Some(&"stopped".into()));
}

#[test]
fn what_is_no_level_and_no_form_is_refused() {
    for (argument, wanted) in [
        ("--log-level=loud", "a level (error, warn, info, debug, trace)"),
        ("--log-level=info,rustls=trace", "rustls is no module of chatd"),
        ("--log-format=xml", "human or json"),
    ] {
        let failure = Setup::new(1).argument(argument).fail();
        assert!(failure.stderr.contains(wanted), "{argument}: {failure:?}");
    }
}

/// Who says how much is taken up while the server runs.
#[test]
fn a_hangup_takes_up_levels() {
    let scratch = Scratch::new();
    let toml = file(&scratch, "c.toml", "");
    let chatd = Setup::new(1).argument("--config").argument(&toml).start();
    chatd.register("amy");
    assert!(chatd.stderr_lines().is_empty(), "{}", chatd.printed());
    file(&scratch, "c.toml", "log-level = \"info,chatd_executor=debug\"\n");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the options were read again: log-level since the start");
    Client::connect(chatd.address);
    until_said(&chatd, "debug: a connection from 127.0.0.1");
    file(&scratch, "c.toml", "log-level = \"error\"\n");
    chatd.signal(libc::SIGHUP);
    // What it says of that is not said any more.
    let mut before = chatd.stderr_lines().len();
    loop {
        Client::connect(chatd.address).is_answered();
        let lines = chatd.stderr_lines().len();
        if lines == before {
            break;
        }
        before = lines;
    }
}

/// Whoever comes again and again, or guesses, does not fill the disk.
#[test]
fn one_place_says_no_more_than_so_much() {
    const COME: usize = 4_000;
    let mut chatd = Setup::new(1).argument("--log-level=debug").start();
    (0..COME).for_each(|_| drop(Client::connect(chatd.address)));
    until_said(&chatd, "were left out, so much was said in chatd_executor::net::accept");
    chatd.end(libc::SIGTERM);
    let lines = chatd.stderr_lines();
    let come = lines.iter().filter(|line| line.contains("a connection from")).count();
    assert!((1_000..COME).contains(&come), "{come} of {COME}");
    assert_eq!(lines.last().map(String::as_str), Some("chatd: stopped"), "{lines:?}");
}
