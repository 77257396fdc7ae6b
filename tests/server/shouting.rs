//! One who shouts into a group: it is refused what is too much, and none of those who read is cut for it.

use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, group_chat};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const MEMBERS: usize = 50;
const SHOUTED: usize = 3_000;
const LAST: &str = "that was all";

/// A message of about 3 KiB that says its number.
fn frame(client: &Client, group: u64, number: usize) -> String {
    let mut frame = group_chat(client.id, group, &format!("{number:06} {}", "x".repeat(3_000)));
    frame["cid"] = json!(number.to_string());
    frame.to_string() + "\0"
}

/// Says many as fast as they are read, and what each was answered: the numbers of those that were acknowledged, and how
/// many were refused.
fn shout(client: &mut Client, group: u64, count: usize) -> (Vec<usize>, usize) {
    let frames: Vec<String> = (0..count).map(|number| frame(client, group, number)).collect();
    let mut stream = client.stream.try_clone().expect("a second handle");
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            frames.iter().for_each(|frame| stream.write_all(frame.as_bytes()).expect("chatd reads"));
        });
        for number in 0..count {
            let answer = client.hear(&format!("an answer, {number} of {count}"));
            let answered: usize = answer["cid"].as_str().expect("a cid").parse().expect("a number");
            if answer["msgid"] == 20 {
                acknowledged.push(answered);
            } else {
                assert_eq!((&answer["errno"], &answer["re"]), (&json!(109), &json!(10)), "{answer}");
                assert!(answer["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{answer}");
                refused += 1;
            }
        }
    });
    acknowledged.sort_unstable();
    (acknowledged, refused)
}

/// Says it again, each time when it was told to, until it is acknowledged.
fn say_until_acknowledged(client: &mut Client, group: u64, msg: &str) {
    loop {
        let mut frame = group_chat(client.id, group, msg);
        frame["cid"] = json!(msg);
        client.say(frame);
        let answer = client.hear("an ACK or a refusal");
        if answer["msgid"] == 20 {
            return;
        }
        let wait = Duration::from_millis(answer["retry_after_ms"].as_u64().expect("when"));
        let until = Instant::now() + wait;
        while Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

/// All that is heard until the last message: looked at only afterwards, so that it reads as fast as it can.
fn read_to_the_last(mut stream: TcpStream) -> Vec<u8> {
    let (mut heard, mut part) = (Vec::new(), vec![0; 65_536]);
    loop {
        let count = stream.read(&mut part).expect("chatd goes on");
        assert!(
            count > 0,
            "a member who reads was cut: {:?}",
            String::from_utf8_lossy(&heard[heard.len().saturating_sub(200)..])
        );
        heard.extend_from_slice(&part[..count]);
        let frame = &heard[heard.len().saturating_sub(256)..];
        if frame.last() == Some(&0) && frame.windows(LAST.len()).any(|bytes| bytes == LAST.as_bytes()) {
            return heard;
        }
    }
}

fn numbers(heard: &[u8]) -> Vec<usize> {
    let frames = heard.split(|&byte| byte == 0).filter(|frame| !frame.is_empty());
    let frames = frames.map(|frame| serde_json::from_slice(frame).expect("a frame is JSON"));
    let mut said: Vec<Value> = frames.collect();
    assert_eq!(said.pop().expect("the last message")["msg"], LAST);
    let number = |message: &Value| {
        assert_eq!(message["msgid"], 10, "{message}");
        message["msg"].as_str().expect("a text")[..6].parse().expect("a number")
    };
    said.iter().map(number).collect()
}

#[test]
fn one_who_shouts_is_refused_and_nobody_who_reads_is_cut() {
    // At the slower rate all of it would take more than a minute: whatever the machine is, some is refused. By
    // itself the server refuses what the members do not take, which may be nothing.
    for (cores, rate, at_once) in [(2, "auto", 300), (1, "auto", 300), (1, "131072", 30)] {
        let chatd = Setup::new(cores).argument("--group-rate").argument(rate).start();
        let amy = chatd.register("amy");
        let mut shouter = chatd.enter(&amy);
        let group = shouter.create_group("g");
        let users = chatd.register_many("member", MEMBERS);
        let mut members = chatd.enter_all(&users);
        members.iter_mut().for_each(|member| member.join_group(group));
        std::thread::scope(|scope| {
            let read = |member: &Client| member.stream.try_clone().expect("a second handle");
            let readers: Vec<_> = members
                .iter()
                .map(read)
                .map(|stream| scope.spawn(move || read_to_the_last(stream)))
                .collect();
            let (acknowledged, refused) = shout(&mut shouter, group, SHOUTED);
            assert_eq!(acknowledged.len() + refused, SHOUTED);
            assert!(acknowledged.len() > at_once, "{} at {rate}", acknowledged.len());
            assert!(refused > 0 || rate == "auto", "nothing was too much at {rate}");
            say_until_acknowledged(&mut shouter, group, LAST);
            let heard: Vec<Vec<u8>> =
                readers.into_iter().map(|reader| reader.join().expect("it was not cut")).collect();
            let first = numbers(&heard[0]);
            assert!(first == acknowledged, "{cores} cores: {} of {}", first.len(), acknowledged.len());
            assert!(heard.iter().all(|other| *other == heard[0]), "{cores} cores: all hear the same");
        });
        // All are still there, and hear on.
        say_until_acknowledged(&mut shouter, group, "hello");
        members.iter_mut().for_each(|member| drop(member.hear_msg("hello")));
        shouter.hear_nothing();
    }
}

#[test]
fn the_rate_may_be_chosen_and_off() {
    let start = |rate| Setup::new(1).argument("--group-rate").argument(rate).start();
    let enter = |chatd: &Chatd| {
        let amy = chatd.register("amy");
        let mut client = chatd.enter(&amy);
        let group = client.create_group("g");
        (client, group)
    };
    let chatd = start("off");
    let (mut client, group) = enter(&chatd);
    let (acknowledged, refused) = shout(&mut client, group, SHOUTED);
    assert_eq!((acknowledged.len(), refused), (SHOUTED, 0));
    // At the lowest rate one message passes, and another after what it is told to wait.
    let chatd = start("1");
    let (mut client, group) = enter(&chatd);
    let (acknowledged, refused) = shout(&mut client, group, 20);
    assert!(acknowledged.first() == Some(&0) && refused > 0, "{acknowledged:?}");
    say_until_acknowledged(&mut client, group, LAST);
}
