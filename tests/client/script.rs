//! Without a terminal: lines in, lines or objects out, and a status that tells what went wrong.

use crate::common::chatd::Chatd;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

pub fn command() -> Command {
    let mut command = Command::new(chatd_testing::program("chat"));
    command.env_remove("CHAT_SERVER").env_remove("NO_COLOR").stderr(Stdio::piped());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

pub fn run(arguments: &[&str], lines: &str) -> Output {
    let mut child = command().args(arguments).spawn().expect("chat can be started");
    // A script that fails does not read on.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    child.wait_with_output().expect("chat ends")
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn status(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{output:?}");
}

#[test]
fn a_script_is_the_same_lines_and_each_has_its_answer() {
    let chatd = Chatd::start(1);
    let address = chatd.address.to_string();
    let registered = run(&[&address], "2\namy\npw a\n2\nben\npw b\n");
    status(&registered, 0);
    assert_eq!(
        out(&registered),
        "amy is registered: the userid is 1, log in with it\nben is registered: the userid is 2, log in with it\n"
    );
    let amy =
        "1\n1\npw a\naddfriend:2\nchat:2:hello: there\ncreategroup:tea:at four\naddgroup:1\nquit\nnonsense\n";
    let amy = run(&[&address], amy);
    // She is in the group already.
    status(&amy, 6);
    assert_eq!(
        out(&amy),
        "welcome, amy: your id is 1; help shows the commands\nben (2) is a friend now\nsent to ben\n\
         group #tea is made: its id is 1\n"
    );
    let [host, port] = address.split(':').collect::<Vec<_>>()[..] else { panic!("{address}") };
    let ben = run(&[host, port], "1\r\n2\r\npw b\r\n/wait\r\naddgroup:1\r\ngroupchat:1:hi\r\nshowfriendlist");
    status(&ben, 0);
    let lines: Vec<String> = out(&ben).lines().map(str::to_owned).collect();
    assert!(lines[1].ends_with(" [1] amy: hello: there"), "{lines:?}");
    assert_eq!(&lines[2..], ["you are in #1 now", "sent to #1", "no friends yet: addfriend:friendid"]);
    assert!(!out(&ben).contains('\x1b'));
}

#[test]
fn the_exit_status_tells_what_went_wrong() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let address = chatd.address.to_string();
    let login = format!("1\n{}\n{}\n", amy.id, amy.password);
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
    for (expected, arguments, lines, told) in [
        (0, vec![&*address], String::new(), ""),
        (0, vec![&*address], "3\n".to_owned(), ""),
        (0, vec![&*address], format!("{login}quit\n"), ""),
        (2, vec!["host:nonsense"], String::new(), "is not a port"),
        (2, vec!["--nonsense"], String::new(), "unexpected argument"),
        (3, vec![&*address], "1\n1\nwrong\n".to_owned(), "line 3: not logged in: id or password is invalid!"),
        (3, vec![&*address], "2\namy\npw\n".to_owned(), "line 3: amy is not registered"),
        (4, vec![&*nobody, "--timeout", "1"], login.clone(), "no connection, or no answer, within 1 s"),
        (5, vec![&*address], format!("{login}hallo\n"), "line 4: no such command: hallo"),
        (5, vec![&*address], format!("{login}chat:1\n"), "line 4: it is written chat:friendid:message"),
        (5, vec![&*address], "7\n".to_owned(), "line 1: choose 1, 2 or 3"),
        (5, vec![&*address], "1\n0\n".to_owned(), "line 2: a userid is a number"),
        (6, vec![&*address], format!("{login}chat:999:x\n"), "line 4: not said to 999 (x): no such user"),
        (6, vec![&*address], format!("{login}addgroup:999\n"), "line 4: #999 is not joined: no such group"),
    ] {
        let output = run(&arguments, &lines);
        status(&output, expected);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(told) && told.is_empty() == stderr.is_empty(), "{told:?}: {stderr}");
        chatd.until_offline(&amy);
    }
}

#[test]
fn a_script_that_is_to_keep_going_does_and_tells_of_its_first_failure() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let lines = format!("1\n{}\n{}\nhallo\nchat:999:x\n/groups\n", amy.id, amy.password);
    let output = run(&[&chatd.address.to_string(), "--keep-going"], &lines);
    status(&output, 5);
    assert!(out(&output).ends_with("no groups yet: creategroup:groupname:groupdesc, or addgroup:groupid\n"));
}

#[test]
fn json_is_one_object_a_line_and_goes_both_ways_while_it_runs() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut child = command().args([&chatd.address.to_string(), "--json"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Where messages stand is told a little later, between others.
    let mut hear = || -> Value {
        let objects = lines.by_ref().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        objects.into_iter().find(|object| object["kind"] != "stored").unwrap()
    };
    write!(stdin, "1\n{}\n{}\n", amy.id, amy.password).unwrap();
    let welcome = hear();
    assert_eq!((welcome["kind"].as_str(), welcome["id"].as_u64()), (Some("welcome"), Some(amy.id)));
    // Nothing is asked for, and what comes is told at once.
    let mut writer = chatd.enter(&ben);
    writer.chat(&amy, "a\x1b[31m \u{202e} \"quoted\"\n你好");
    let message = hear();
    assert_eq!((message["kind"].as_str(), message["from"].as_u64()), (Some("message"), Some(ben.id)));
    assert_eq!(message["text"], "a\x1b[31m \u{202e} \"quoted\"\n你好");
    writeln!(stdin, "chat:{}:thanks", ben.id).unwrap();
    assert_eq!(hear()["what"], "sent");
    assert_eq!(writer.hear("the answer")["msg"], "thanks");
    writeln!(stdin, "chat:999:x").unwrap();
    let failed = hear();
    assert_eq!((failed["kind"].as_str(), failed["errno"].as_u64()), (Some("failed"), Some(105)));
    assert_eq!(child.wait().unwrap().code(), Some(6));
}

#[test]
fn the_server_may_come_from_the_environment_and_several_are_tried() {
    let chatd = Chatd::start(1);
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let mut child = command().env("CHAT_SERVER", format!("{nobody}, {}", chatd.address)).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"2\namy\npw\n").unwrap();
    let output = child.wait_with_output().unwrap();
    status(&output, 0);
    assert!(out(&output).contains("amy is registered"));
}

#[test]
fn help_has_the_table_of_exit_statuses_and_so_has_the_documentation() {
    let help = run(&["--help"], "");
    status(&help, 0);
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/client.md")).unwrap();
    let (_, table) =
        out(&help).split_once("Exit status:\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(table.lines().count(), 7, "{table}");
    for line in table.lines() {
        let (status, meaning) = line.trim().split_once("  ").unwrap();
        assert!(document.contains(&format!("| {status} | {meaning} |")), "{line}");
    }
}
