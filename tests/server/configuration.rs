//! Options from the command line, the environment and files: which goes before which, what is refused, and what SIGHUP
//! takes up.

use super::v2_hostile::enter_v2;
use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, Setup};
use crate::common::scratch::Scratch;
use serde_json::json;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

/// chatd with nothing in its environment but this.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(chatd_testing::program("chatd"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.output().expect("chatd can be started")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A file of this test's own.
pub(super) fn file(scratch: &Scratch, name: &str, text: &str) -> String {
    let path: PathBuf = scratch.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn what_is_typed_goes_before_the_environment_and_that_before_the_file() {
    let scratch = Scratch::new();
    let toml = file(
        &scratch,
        "c.toml",
        "port = 7001\nmessage_rate = \"20:200\"\nkeep = \"undelivered\"\n\
        proxy-from = [\"10.0.0.0/8\", \"127.0.0.5\"]\nno-search = true\n",
    );
    let arguments = ["--config", &toml, "--print-config", "--port", "7003"];
    let printed = said(&run(&arguments, &[("CHATD_PORT", "7002"), ("CHATD_KEEP", "all")]));
    for line in [
        "port = 7003  # the command line",
        "keep = \"all\"  # CHATD_KEEP",
        &format!("message-rate = \"20:200\"  # {toml}"),
        &format!("proxy-from = [\"10.0.0.0/8\", \"127.0.0.5\"]  # {toml}"),
        &format!("no-search = true  # {toml}"),
        "byte-rate = \"off\"  # by default",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    // The file may be named by the environment, and what a typed option needs may be in it.
    let toml = file(&scratch, "d.toml", "require-tls = true\n");
    let output = run(&["--check-config"], &[("CHATD_CONFIG", &toml)]);
    assert!(!output.status.success() && said(&output).contains("--tls-cert"), "{}", said(&output));
}

/// Each option that has a default may be said in the environment and in a file: as it is shown.
#[test]
fn every_option_is_in_all_places() {
    let scratch = Scratch::new();
    let printed = said(&run(&["--print-config"], &[]));
    let mut names = 0;
    for line in printed.lines() {
        let (setting, _) = line.split_once("  # ").expect("where it comes from");
        let Some((name, value)) = setting.split_once(" = ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        names += 1;
        let variable = format!("CHATD_{}", name.replace('-', "_").to_uppercase());
        let plain = value.trim_matches('"');
        let all = said(&run(&["--print-config"], &[(&variable, plain)]));
        // A switch that is off needs nobody to say so.
        let from = if value == "false" { "by default" } else { &variable };
        assert!(all.contains(&format!("{name} = {value}  # {from}\n")), "{variable}: {all}");
        let toml = file(&scratch, "c.toml", &format!("{setting}\n"));
        let all = said(&run(&["--print-config", "--config", &toml], &[]));
        assert!(all.contains(&format!("{name} = {value}  # {toml}\n")), "{setting}: {all}");
    }
    assert!(names > 15, "{printed}");
}

#[test]
fn the_example_is_that_of_the_definitions_and_can_be_meant() {
    let example = said(&run(&["--example-config"], &[]));
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/chatd.toml");
    assert!(
        example == std::fs::read_to_string(kept).expect("the example"),
        "chatd --example-config > ops/chatd.toml"
    );
    let all = said(&run(&["--print-config"], &[]));
    // Taken out of its comments, each line that has a default changes nothing.
    let has_default =
        |line: &&str| all.lines().any(|printed| printed.strip_suffix("  # by default") == Some(line));
    let text: Vec<&str> =
        example.lines().filter_map(|line| line.strip_prefix("# ")).filter(has_default).collect();
    assert!(text.len() > 15, "{example}");
    let scratch = Scratch::new();
    let toml = file(&scratch, "c.toml", &text.join("\n"));
    let again = said(&run(&["--print-config", "--config", &toml], &[]));
    assert_eq!(again.replace(&format!("# {toml}"), "# by default"), all);
    let output = run(&["--check-config", "--config", &toml], &[]);
    assert!(output.status.success() && said(&output).contains("can be meant"), "{}", said(&output));
}

#[test]
fn what_nobody_knows_is_an_error_and_what_may_be_meant_is_told() {
    let scratch = Scratch::new();
    for (text, wanted) in [
        ("mesage-rate = \"1:2\"", "mesage-rate is no option: did you mean message-rate?"),
        ("[server]\nport = 1", "server is no option"),
        ("check-config = true", "check-config is no option"),
        ("port = [1]", "port is a text or a number"),
        ("port = true", "port is neither true nor false"),
        ("require-tls = 1", "require-tls is true or false"),
        ("port = \"x\"", "invalid value 'x' for '--port <P>'"),
        ("message-rate = \"5:1\"", "1 at once are less than the 5 of a second"),
        ("group-rate = \"0\"", "bytes a second, from 1 to 4294967295, auto or off"),
        ("port = 1\nport = 2", "duplicate key"),
        ("redis-prefix = \"a\"\nredis_prefix = \"b\"", "is there twice"),
        ("port =", "c.toml"),
    ] {
        let toml = file(&scratch, "c.toml", text);
        let output = run(&["--check-config", "--config", &toml], &[]);
        assert!(!output.status.success() && said(&output).contains(wanted), "{text}: {}", said(&output));
        assert!(!said(&output).contains("can be meant"), "{text}");
    }
    let output = run(&["--check-config", "--config", "/nowhere/chatd.toml"], &[]);
    assert!(!output.status.success() && said(&output).contains("cannot read /nowhere/chatd.toml"));
}

#[test]
fn secrets_come_from_files_and_are_not_shown() {
    let scratch = Scratch::new();
    let secret = file(&scratch, "mysql", "mysql://chatd:hush@db.example/chat\n");
    let toml = file(&scratch, "c.toml", &format!("mysql-file = \"{secret}\"\n"));
    let directory = scratch.path().to_str().expect("UTF-8");
    for (arguments, variables) in [
        (vec!["--config", toml.as_str()], vec![]),
        (vec![], vec![("CHATD_MYSQL_FILE", secret.as_str())]),
        (vec![], vec![("CREDENTIALS_DIRECTORY", directory)]),
        (vec![], vec![("CHATD_MYSQL", "mysql://chatd:hush@db.example/chat")]),
    ] {
        let printed = said(&run(&[&["--print-config"], &arguments[..]].concat(), &variables));
        assert!(printed.contains("mysql = \"***\"  # ") && !printed.contains("hush"), "{printed}");
        let checked = run(&[&["--check-config"], &arguments[..]].concat(), &variables);
        assert!(
            checked.status.success() && said(&checked).contains("--mysql without --redis"),
            "{}",
            said(&checked)
        );
    }
}

/// Waits until the log says it.
pub(super) fn until_said(chatd: &Chatd, what: &str) {
    let end = Instant::now() + DEADLINE;
    while !chatd.stderr_lines().iter().any(|line| line.contains(what)) {
        assert!(Instant::now() < end, "waited for {what}: {:?}", chatd.stderr_lines());
        std::thread::yield_now();
    }
}

#[test]
fn a_hangup_takes_up_rates_and_says_what_takes_a_restart() {
    let scratch = Scratch::new();
    let toml = file(&scratch, "c.toml", "message-rate = \"1000:10000\"\n");
    let mut chatd = Setup::new(2).argument("--config").argument(&toml).start();
    let amy = chatd.register("amy");
    let mut session = enter_v2(&chatd, &amy).0;
    assert!((0..50).all(|_| !refused_once(&mut session)));
    file(&scratch, "c.toml", "message-rate = \"1:5\"\nkeep = \"undelivered\"\n");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the options were read again: message-rate since the start");
    until_said(&chatd, "these take a restart: keep");
    file(&scratch, "c.toml", "mesage-rate = \"1:5\"\n");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the options stay as they were");
    let end = Instant::now() + DEADLINE;
    while !refused_once(&mut session) {
        assert!(Instant::now() < end, "the other rate counts, and stays");
    }
    file(&scratch, "c.toml", "group-rate = \"1\"\n");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the options were read again: message-rate, group-rate since the start");
    chatd.end(libc::SIGTERM);
}

fn refused_once(session: &mut crate::common::client::Client) -> bool {
    session.say(json!({"msgid": 22, "n": 1}));
    session.hear("an answer")["errno"] == 109
}
