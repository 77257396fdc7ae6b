//! What everybody is told who is online.

use crate::common::api::start;
use crate::common::client::Client;
use crate::common::original::Original;
use serde_json::{Value, json};

/// A session of v2, which is told what it is: who it is, and that it lives on.
fn modern(client: Client, name: &str) -> Client {
    let mut client = client.with_newlines();
    client.say(json!({ "msgid": 4, "name": name, "password": "p" }));
    assert_eq!(client.hear("an answer to REG")["errno"], 0);
    client.say(json!({ "msgid": 1, "name": name, "password": "p", "v": 2 }));
    assert_eq!(client.hear("an answer to LOGIN")["errno"], 0);
    client
}

#[test]
fn everybody_hears_it_once_on_every_core_and_in_every_dialect() {
    let (chatd, mut api) = start(3);
    let mut modern: Vec<Client> =
        (0..9).map(|number| modern(chatd.connect(), &format!("modern{number}"))).collect();
    let mut seed: Vec<Client> = (0..9).map(|_| chatd.connect()).collect();
    for (number, client) in seed.iter_mut().enumerate() {
        let user = client.register(&format!("seed{number}"));
        client.login(&user);
    }
    let mut nobody = chatd.connect().with_newlines();
    let said = |msg: &str, cid: &str| json!({ "msg": msg, "cid": cid });
    let first = api.done("announce", &said("Down at \"ten\"", "a1"));
    for _ in 0..3 {
        assert_eq!(api.done("announce", &said("Down at \"ten\"", "a1"))["ts"], first["ts"]);
    }
    assert_eq!(api.act("announce", &said("Down at nine", "a1"))["errno"], 112);
    api.done("announce", &said("And back at eleven", "a2"));
    for text in ["Down at \"ten\"", "And back at eleven"] {
        for client in &mut modern {
            let heard = client.hear("an announcement");
            assert_eq!(heard, json!({ "errmsg": text, "errno": 0, "msgid": 21 }));
        }
        for client in &mut seed {
            let heard = client.hear("an announcement");
            assert_eq!((&heard["id"], &heard["msg"], &heard["msgid"]), (&json!(0), &json!(text), &json!(6)));
            assert!(heard["time"].is_string() && heard["name"].is_string(), "{heard}");
        }
    }
    // Who is nobody yet, and who comes later, hears nothing of it.
    nobody.say(json!({ "msgid": 22, "n": 1 }));
    assert_eq!(nobody.hear("a pong")["msgid"], 23);
    for client in &mut modern {
        client.say(json!({ "msgid": 22, "n": 1 }));
        assert_eq!(client.hear("a pong")["msgid"], 23);
    }
}

#[test]
fn what_cannot_be_announced_is_refused() {
    let (_chatd, mut api) = start(1);
    let errno = |api: &mut crate::common::api::Api, body: Value| api.act("announce", &body)["errno"].clone();
    assert_eq!(errno(&mut api, json!({})), 102);
    assert_eq!(errno(&mut api, json!({ "msg": " \n" })), 102);
    assert_eq!(errno(&mut api, json!({ "msg": "x".repeat(801) })), 111);
    assert_eq!(errno(&mut api, json!({ "msg": "\"".repeat(401) })), 111, "JSON writes each as two");
    // Nobody is here: it is over at once, and does not fill what waits.
    for number in 0..3 {
        assert_eq!(errno(&mut api, json!({ "msg": "x".repeat(800), "cid": format!("c{number}") })), 0);
    }
}

/// It ends over a frame of more than 1,024 bytes, and over two that it reads at once.
#[test]
fn the_original_client_prints_the_longest_ones() {
    let (chatd, mut api) = start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut writer = chatd.enter(&ben);
    let mut original = Original::connect(chatd.address);
    let mut shown = original.login(&amy).expect("a login");
    original.begin();
    let longest: Vec<String> = (0..5).map(|number| format!("{number}{}", "\"".repeat(399))).collect();
    for text in &longest {
        api.done("announce", &json!({ "msg": text }));
    }
    let frame =
        json!({ "msgid": 6, "id": ben.id, "toid": amy.id, "msg": "a message meanwhile", "time": "t" });
    for text in &longest {
        let died;
        (shown, died) = original.go_on_until(shown, text);
        assert_eq!(died, None, "{shown:?}");
    }
    writer.say(frame);
    let (shown, died) = original.go_on_until(shown, "a message meanwhile");
    assert_eq!((died, shown.len()), (None, 6), "{shown:?}");
}
