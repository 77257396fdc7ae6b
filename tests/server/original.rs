//! The original client, which takes what one `recv(1024)` gives for one frame: it shows everything that was written to
//! it, whatever comes together.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, assert_same, chat};
use crate::common::original::Original;
use serde_json::json;
use std::sync::Barrier;
use std::thread;

/// What a reader like the original shows of what `write` brings about, up to `last`.
fn shows(chatd: &Chatd, reader: &User, last: &str, write: impl FnOnce()) -> Vec<String> {
    let mut original = Original::connect(chatd.address);
    original.login(reader).expect("the login is shown");
    original.begin();
    thread::scope(|scope| {
        let shown = scope.spawn(move || original.go_on_until(Vec::new(), last));
        write();
        let (texts, died) = shown.join().unwrap();
        assert_eq!(died, None, "after {} messages", texts.len());
        texts
    })
}

fn lines(who: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{who} {number}")).collect()
}

/// Those of one sender, in the order in which they were shown.
fn of(who: &str, texts: &[String]) -> Vec<String> {
    texts.iter().filter(|text| text.starts_with(who)).cloned().collect()
}

/// Two write to it at the same moment, 200 times.
#[test]
fn of_two_who_write_at_the_same_moment_all_is_shown() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let (amy, ben, carl) = (chatd.register("amy"), chatd.register("ben"), chatd.register("carl"));
        let senders = [("amy", chatd.enter(&amy)), ("ben", chatd.enter(&ben))];
        let moment = Barrier::new(2);
        let texts = shows(&chatd, &carl, "end", || {
            let senders = thread::scope(|scope| {
                let write = |(who, mut client): (&'static str, Client)| {
                    let (moment, carl) = (&moment, &carl);
                    scope.spawn(move || {
                        for line in lines(who, 200) {
                            moment.wait();
                            client.chat(carl, &line);
                            // What it says next is not ahead of what this was answered.
                            client.say(json!({"msgid": 22, "n": 1}));
                            client.hear("a PONG");
                        }
                        client
                    })
                };
                senders.map(write).map(|sender| sender.join().unwrap())
            });
            let [mut amy, _ben] = senders;
            amy.chat(&carl, "end");
        });
        for who in ["amy", "ben"] {
            assert_same(&of(who, &texts), &lines(who, 200), &format!("{who} on {cores} cores"));
        }
    }
}

/// Each says all at once what it has to say.
#[test]
fn of_two_who_say_all_at_once_all_is_shown() {
    let chatd = Chatd::start(2);
    let (amy, ben, carl) = (chatd.register("amy"), chatd.register("ben"), chatd.register("carl"));
    let (mut first, mut second) = (chatd.enter(&amy), chatd.enter(&ben));
    let texts = shows(&chatd, &carl, "end", || {
        write_at_once(&mut first, &carl, &lines("amy", 200));
        write_at_once(&mut second, &carl, &lines("ben", 200));
        for sender in [&mut first, &mut second] {
            sender.say(json!({"msgid": 22, "n": 1}));
            sender.hear("a PONG");
        }
        first.chat(&carl, "end");
    });
    assert_same(&of("amy", &texts), &lines("amy", 200), "amy");
    assert_same(&of("ben", &texts), &lines("ben", 200), "ben");
}

/// All frames in one segment.
fn write_at_once(client: &mut Client, to: &User, texts: &[String]) {
    let frame = |text: &String| [chat(client.id, to.id, text).to_string().as_bytes(), client.end].concat();
    let bytes: Vec<u8> = texts.iter().flat_map(frame).collect();
    client.write(&bytes);
}

#[test]
fn twenty_lines_pasted_at_once_are_shown() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let (amy, carl) = (chatd.register("amy"), chatd.register("carl"));
        let mut client = chatd.enter(&amy);
        let pasted = lines("amy", 20);
        let texts = shows(&chatd, &carl, "amy 19", || write_at_once(&mut client, &carl, &pasted));
        assert_same(&texts, &pasted, &format!("{cores} cores"));
    }
}

/// The text that makes the frame that its reader gets so long.
fn text_of_frame(from: &User, to: &User, frame_bytes: usize, number: usize) -> String {
    let mut frame = chat(from.id, to.id, "");
    frame["name"] = json!(from.name);
    let start = format!("{number:04} ");
    let room = frame_bytes - frame.to_string().len() - start.len();
    start + &"x".repeat(room)
}

/// Up to what it can read at once, 1,024 bytes; what is longer ends it, with its own server, too.
#[test]
fn frames_of_all_lengths_that_it_can_read_are_shown() {
    let chatd = Chatd::start(1);
    let (amy, carl) = (chatd.register("amy"), chatd.register("carl"));
    let mut client = chatd.enter(&amy);
    let lengths = (998..=1_024).chain([1_024, 1_024, 1_023, 1_024]);
    let sent: Vec<String> =
        lengths.enumerate().map(|(at, length)| text_of_frame(&amy, &carl, length, at)).collect();
    let shown = [sent.clone(), vec!["end".into()]].concat();
    let texts = shows(&chatd, &carl, "end", || {
        write_at_once(&mut client, &carl, &sent);
        client.chat(&carl, "end");
    });
    assert_same(&texts, &shown, "frames of 998 to 1,024 bytes");
    chatd.until_offline(&carl);
    // All of it has arrived: nothing comes again.
    let (texts, died) = {
        client.chat_stored(&carl, "once more", "c");
        Original::connect(chatd.address).show_until(&carl, "once more")
    };
    assert_eq!((texts, died), (vec!["once more".to_owned()], None));
}

/// A client of another make that ends frames with NUL, and needs it at the end of frames: it names a request, or asks
/// for v2, which the original never does.
#[test]
fn whoever_is_not_the_original_has_a_nul_after_every_frame() {
    let chatd = Chatd::start(1);
    let (amy, carl) = (chatd.register("amy"), chatd.register("carl"));
    let mut client = chatd.enter(&amy);
    let mut reader = chatd.enter(&carl);
    reader.say(json!({"msgid": 13, "id": carl.id, "cid": "mine"}));
    assert_eq!(reader.hear("the list")["msgid"], 13);
    reader.hear_ack("mine");
    let lengths = 998..=1_026;
    let sent: Vec<String> =
        lengths.enumerate().map(|(at, length)| text_of_frame(&amy, &carl, length, at)).collect();
    write_at_once(&mut client, &carl, &sent);
    for text in &sent {
        reader.hear_msg(text);
    }
    reader.hear_nothing();
}

/// What waited comes to the end of it, and what is said meanwhile after that.
#[test]
fn a_backlog_is_shown_to_its_end() {
    for (cores, count) in [(1, 150), (2, 1_000)] {
        let chatd = Chatd::start(cores);
        let (amy, carl) = (chatd.register("amy"), chatd.register("carl"));
        let mut client = chatd.enter(&amy);
        let sent = lines("amy", count);
        for (number, text) in sent.iter().enumerate() {
            client.chat_stored(&carl, text, &format!("c{number}"));
        }
        let (texts, died) =
            Original::connect(chatd.address).show_until(&carl, sent.last().expect("one at least"));
        assert_eq!(died, None, "{cores} cores: after {} of {count}", texts.len());
        assert_same(&texts, &sent, &format!("{cores} cores: {count}"));
    }
}

/// Registration, logins that fail, and requests that are refused: one answer a read, also before a login.
#[test]
fn answers_to_requests_in_one_segment_are_read_one_by_one() {
    let chatd = Chatd::start(1);
    let mut original = Original::connect(chatd.address);
    let requests = [
        json!({"msgid": 4, "name": "dan", "password": "x"}),
        json!({"id": 1, "msgid": 1, "password": "wrong"}),
        json!({"friendid": 9, "id": 1, "msgid": 7}),
        json!({"id": 1, "msgid": 1, "password": "x"}),
        json!({"friendid": 9, "id": 1, "msgid": 7}),
        json!({"friendid": 1, "id": 1, "msgid": 7}),
    ];
    let bytes: Vec<u8> =
        requests.iter().flat_map(|frame| [frame.to_string().as_bytes(), b"\0"].concat()).collect();
    original.begin();
    original.write(&bytes);
    let read: Vec<(u64, u64)> = (0..requests.len())
        .map(|_| {
            let frame = original.read().expect("a frame").expect("the connection lives");
            (frame["msgid"].as_u64().unwrap(), frame["errno"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(read, [(5, 0), (2, 1), (21, 103), (2, 0), (21, 105), (21, 102)]);
}

/// A server that stops says so after all that it has to say, a frame a read.
#[test]
fn a_server_that_stops_says_all_of_it_first() {
    let mut chatd = Chatd::start(1);
    let (amy, carl) = (chatd.register("amy"), chatd.register("carl"));
    let mut client = chatd.enter(&amy);
    let mut original = Original::connect(chatd.address);
    original.login(&carl).expect("the login is shown");
    let pasted = lines("amy", 10);
    original.begin();
    write_at_once(&mut client, &carl, &pasted);
    client.say(json!({"msgid": 22, "n": 1}));
    client.hear("a PONG");
    chatd.signal(libc::SIGTERM);
    let (texts, died) = thread::spawn(move || original.go_on_until(Vec::new(), "none")).join().unwrap();
    assert_eq!(died.as_deref(), Some("the connection ended"));
    assert_same(&texts, &pasted, "what was said before it stopped");
    assert!(chatd.wait().success());
}
