//! Scripts on a server that speaks v2: what a program is told of messages.

use super::script::{command, out, run, status};
use crate::common::chatd::Chatd;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::Output;

pub fn objects(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn of<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {objects:#?}"))
}

#[test]
fn a_program_is_told_what_the_server_knows_of_a_message() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let address = chatd.address.to_string();
    let lines = format!("1\namy\n{}\nchat:ben:hello\nhistory:ben\nfind:ben\naddfriend:ben\n", amy.password);
    let said = run(&[&address, "--json"], &lines);
    status(&said, 0);
    let said = objects(&said);
    let sent = of(&said, "done");
    assert_eq!((&sent["what"], &sent["safe"], &sent["pos"]), (&json!("sent"), &json!(true), &json!(1)));
    let row = &of(&said, "history")["messages"][0];
    for field in ["mid", "cid", "pos", "ts"] {
        assert_eq!(row[field], sent[field], "{field}: {said:#?}");
    }
    assert!(row["mid"].is_string() && row["ts"].is_u64() && row["text"] == "hello", "{row}");
    assert_eq!(of(&said, "found"), &json!({"kind": "found", "id": ben.id, "name": "ben", "online": false}));

    let lines = format!("1\nben\n{}\n/wait\n", ben.password);
    let heard = run(&[&address, "--json"], &lines);
    status(&heard, 0);
    let heard = objects(&heard);
    let message = of(&heard, "message");
    assert_eq!((&message["mid"], &message["cid"]), (&row["mid"], &row["cid"]));
}

#[test]
fn a_script_is_refused_where_somebody_is_logged_in_unless_it_is_to_take_over() {
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    let address = chatd.address.to_string();
    let login = format!("1\namy\n{}\n", amy.password);
    let mut child = command().args([&address, "--json"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut hear = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    stdin.write_all(login.as_bytes()).unwrap();
    assert_eq!(hear()["kind"], "welcome");

    status(&run(&[&address], &login), 3);
    status(&run(&[&address, "--take-over"], &login), 0);
    let signed_out = hear();
    assert_eq!((&signed_out["kind"], &signed_out["errno"]), (&json!("signed_out"), &json!(113)));
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0), "nothing that it was told to do has failed");
}
