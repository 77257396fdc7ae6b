//! What is posted, and how.

use super::receiver::{Mood, Receiver, once};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User};
use crate::common::scratch::Scratch;
use serde_json::{Value, json};
use std::fs;

fn has(kind: &'static str, events: usize) -> impl Fn(&[Value]) -> bool {
    move |told| once(told).iter().filter(|event| event["type"] == kind).count() >= events
}

/// A v2 session, which confirms nothing by itself.
fn enter_v2(chatd: &Chatd, user: &User) -> Client {
    let mut client = chatd.connect().with_newlines();
    client.id = user.id;
    client.say(json!({ "msgid": 1, "id": user.id, "password": user.password, "v": 2, "device": "phone" }));
    client.hear_login();
    client
}

#[test]
fn what_happens_is_posted_in_its_order() {
    let receiver = Receiver::start();
    let chatd = receiver.told_by(Setup::new(2)).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut session = enter_v2(&chatd, &amy);
    let tea = session.create_group("tea");
    session.chat_stored(&ben, "hello \"ben\"\n", "m1");
    session.group_chat_stored(tea, "to all", "m2");
    let told = receiver.wait_until("two messages", has("message", 2));
    let told = once(&told);
    let kinds: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hello", "user", "user", "group", "message", "message"]);
    assert!(told.is_sorted_by_key(|event| event["id"].as_u64()), "numbers grow: {told:#?}");
    let message = told[4];
    let wanted = json!({ "from": amy.id, "to": ben.id, "pos": 1, "cid": "m1" });
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&message[key], value, "{key} of {message}");
    }
    assert_eq!(message["frame"]["msg"], "hello \"ben\"\n");
    assert_eq!((&told[5]["groupid"], &told[5]["pos"]), (&json!(tea), &json!(1)));
}

/// It would have what people write, in clear text.
#[test]
fn what_is_for_this_machine_goes_to_no_proxy_of_the_environment() {
    let receiver = Receiver::start();
    let names = ["ALL_PROXY", "HTTP_PROXY", "http_proxy"];
    let setup =
        names.into_iter().fold(Setup::new(1), |setup, name| setup.environment(name, "http://127.0.0.1:1"));
    let chatd = receiver.told_by(setup).start();
    chatd.register("amy");
    receiver.wait_until("a user", has("user", 1));
}

#[test]
fn a_reader_that_is_there_and_confirms_nothing_is_told_of() {
    let receiver = Receiver::start();
    let setup = Setup::new(2).argument("--push-after-ms=500").argument("--webhook-events=undelivered");
    let chatd = receiver.told_by(setup).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    // Its socket lives, its session is online, and nobody looks at the phone.
    let mut phone = enter_v2(&chatd, &ben);
    let mut session = enter_v2(&chatd, &amy);
    session.chat_stored(&ben, "are you there", "m1");
    let pushed = phone.hear_msg("are you there");
    let told = receiver.wait_until("a message that nobody confirms", has("undelivered", 1));
    let event = told.iter().find(|event| event["type"] == "undelivered").unwrap();
    assert_eq!((&event["user"], &event["mid"]), (&json!(ben.id), &pushed["mid"]), "{event}");
    assert_eq!((&event["from"], &event["pos"]), (&json!(amy.id), &json!(1)), "{event}");
    assert_eq!(event["devices"][0]["device"], "phone", "{event}");
    assert_eq!(event["frame"]["msg"], "are you there");
}

#[test]
fn what_is_not_taken_waits_and_nobody_waits_for_it() {
    let receiver = Receiver::start();
    receiver.set(Mood::Refuses(302));
    let chatd = receiver.told_by(Setup::new(1)).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut session = enter_v2(&chatd, &amy);
    receiver.wait_for_failures(1);
    for (at, mood) in [Mood::Dead, Mood::Refuses(503), Mood::DiesAfterReading].into_iter().enumerate() {
        receiver.set(mood);
        session.chat_stored(&ben, "while it takes nothing", &format!("m{at}"));
    }
    receiver.wait_for_failures(1);
    assert!(receiver.wait_until("nothing", |_| true).is_empty(), "nothing was taken");
    receiver.set(Mood::Takes);
    receiver.wait_until("all of it", has("message", 3));
    assert!(!chatd.printed().contains("?from="), "what is in the address is not for the log");
}

#[test]
fn a_secret_that_will_not_do_is_said_at_the_start() {
    let scratch = Scratch::new();
    let short = scratch.path().join("short");
    fs::write(&short, "too short").unwrap();
    let url = || Setup::new(1).argument("--webhook-url=http://127.0.0.1:1/");
    url().argument(&format!("--webhook-secret-file={}", short.display())).fail().says(&["16 bytes"]);
    url().argument("--webhook-secret-file=/nowhere").fail().says(&["/nowhere"]);
    url().fail().says(&["--webhook-secret-file"]);
    fs::write(scratch.path().join("webhook-secret"), "long enough for a credential").unwrap();
    drop(url().environment("CREDENTIALS_DIRECTORY", &scratch.path().display().to_string()).start());
    let nonsense = url().argument("--webhook-events=message,nonsense").fail();
    assert!(nonsense.stderr.contains("nonsense is none of"), "{nonsense:?}");
}
