//! Users of another application: the library with what that has signed, and `chat --jwt-file`.

use super::library::{address, until};
use super::script::{run, status};
use super::script_v2::objects;
use crate::common::chatd::{Chatd, Setup};
use crate::common::scratch::Scratch;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatd_client::{Answer, Client, Config, Event, Events, Failure, Request};
use ring::hmac;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &[u8] = b"thirty-two bytes of a shared secret";

fn signed(subject: &str, seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims =
        json!({ "iss": "app", "aud": "chat", "sub": subject, "name": subject, "exp": now + seconds });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "HS256" })), part(&claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn believing(scratch: &Arc<Scratch>) -> Chatd {
    let file = scratch.path().join("secret");
    fs::write(&file, SECRET).unwrap();
    let secret = format!("--jwt-secret={}", file.display());
    Setup::new(1).argument("--jwt-issuer=app").argument("--jwt-audience=chat").argument(&secret).start()
}

#[test]
fn a_session_goes_on_with_a_new_word_and_only_with_its_own() {
    let scratch = Arc::new(Scratch::new());
    let chatd = believing(&scratch);
    let (client, mut events) = Client::connect(Config::new(vec![address(chatd.address)]));
    let answer = |events: &mut Events, wanted| {
        until(events, "an answer", |event| match event {
            Event::Answered { request_id, result } if request_id == wanted => Some(result),
            _ => None,
        })
    };
    let refused = |result| match result {
        Err(Failure::Refused(refusal)) => refusal.errno,
        other => panic!("{other:?}"),
    };
    let forged = client.login_jwt(signed("u-1", 3_600) + "x");
    assert_eq!(refused(answer(&mut events, forged)), 1);
    let first = client.login_jwt(signed("u-1", 31));
    let Ok(Answer::LoggedIn(id)) = answer(&mut events, first) else { panic!("it is let in") };
    let soon = until(&mut events, "word of the end", |event| match event {
        Event::Notice(refusal) => Some(refusal.errno),
        _ => None,
    });
    assert_eq!(soon, 117);
    let others = client.login_jwt(signed("u-2", 3_600));
    assert_eq!(refused(answer(&mut events, others)), 104);
    let again = client.login_jwt(signed("u-1", 3_600));
    assert_eq!(answer(&mut events, again), Ok(Answer::Done));
    let found = client.ask(Request::Find("u-1".into()));
    let Ok(Answer::Found(person)) = answer(&mut events, found) else { panic!("it is found") };
    assert_eq!(person.id, id, "and it goes on");
}

#[test]
fn a_script_logs_in_by_what_is_in_a_file() {
    let scratch = Arc::new(Scratch::new());
    let chatd = believing(&scratch);
    let (server, file) = (chatd.address.to_string(), scratch.path().join("token"));
    let option = format!("--jwt-file={}", file.display());
    let run = |lines: &str| run(&[&server, "--json", &option], lines);
    status(&run(""), 5);
    fs::write(&file, signed("amy", 3_600) + "\n").unwrap();
    let said = run("find:amy\n");
    status(&said, 0);
    let said = objects(&said);
    assert_eq!((&said[0]["kind"], &said[0]["name"]), (&json!("welcome"), &json!("amy")), "{said:?}");
    assert_eq!(said[1]["id"], said[0]["id"]);
    fs::write(&file, signed("amy", 3_600) + "x").unwrap();
    status(&run("find:amy\n"), 3);
}

#[test]
fn who_has_an_invitation_registers() {
    let scratch = Arc::new(Scratch::new());
    let file = scratch.path().join("invitations");
    fs::write(&file, "spring in the garden\n").unwrap();
    let setup = Setup::new(1).argument("--registration=token");
    let chatd = setup.argument(&format!("--registration-tokens={}", file.display())).start();
    let server = chatd.address.to_string();
    let lines = "2\namy\ngreen door\n";
    status(&run(&[&server], lines), 3);
    status(&run(&[&server, "--invitation=spring in the garden"], lines), 0);
}
