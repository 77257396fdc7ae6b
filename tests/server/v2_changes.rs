//! What the ACK of a change promises, on the real server: it is there after kill -9, once.

use super::v2_hostile::{ask_login_v2, enter_v2};
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use serde_json::{Value, json};

fn row(client: &mut Client, with: &User) -> Value {
    client.say(json!({"msgid": 26, "with": with.id}));
    client.hear("a page of history")["messages"][0].clone()
}

#[test]
fn a_change_that_was_acknowledged_survives_kill_9_and_what_was_recalled_is_never_heard() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = enter_v2(&chatd, &amy).0;
    client.chat_stored(&ben, "as it was said", "said");
    client.chat_stored(&ben, "secret", "secret");
    client.say(json!({"msgid": 44, "with": ben.id, "pos": 2, "cid": "recall"}));
    assert_eq!(client.hear_ack("recall")["chg"], 1);
    for number in 0..400 {
        let msg = format!("edit {number}");
        client.say(json!({"msgid": 43, "with": ben.id, "pos": 1, "msg": msg, "cid": msg}));
    }
    for number in 0..=50 {
        client.hear_ack(&format!("edit {number}"));
    }
    chatd.signal(libc::SIGKILL);
    let last = client.hear_until_end("the ACKs until the end").pop();
    let (last, chg) = last.map_or((50, 52), |ack| {
        let cid = ack["cid"].as_str().expect("a cid").to_owned();
        (cid[5..].parse::<u64>().expect("a number"), ack["chg"].as_u64().expect("a number"))
    });
    assert_eq!(chg, last + 2, "without gaps");
    let chatd = chatd.after_kill(2);
    let mut client = enter_v2(&chatd, &amy).0;
    let said = row(&mut client, &ben)["msg"].as_str().expect("a text").to_owned();
    let there: u64 = said[5..].parse().expect("a number");
    assert!(there >= last, "edit {last} was acknowledged, and it says {said}");
    // Said again it is the same.
    let again = format!("edit {last}");
    client.say(json!({"msgid": 43, "with": ben.id, "pos": 1, "msg": again, "cid": again}));
    assert_eq!(client.hear_ack(&again)["chg"], chg);
    client.say(json!({"msgid": 43, "with": ben.id, "pos": 1, "msg": "other", "cid": again}));
    client.hear_error(112);
    assert_eq!(row(&mut client, &ben)["msg"], said);
    // What waited is what it says by now, and nothing of what was recalled.
    let mut reader = chatd.connect().with_newlines();
    ask_login_v2(&mut reader, &ben);
    let login = reader.hear_login();
    let waited: Vec<&Value> =
        login["offlinemsg"].as_array().expect("a list").iter().map(|message| &message["msg"]).collect();
    assert_eq!(waited, [&json!(said)]);
}
