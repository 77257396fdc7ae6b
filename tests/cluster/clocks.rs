//! Two servers whose clocks are minutes apart: whatever somebody reads on the one behind, the answer has a
//! greater id than the question.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use crate::common::clock::Clocks;
use crate::common::cluster::{Backends, Shared};
use serde_json::{Value, json};

const BEHIND_MS: i64 = 300_000;
/// More than a login answer holds.
const MANY: usize = 300;

fn mid(frame: &Value) -> u64 {
    frame["mid"].as_str().unwrap_or_else(|| panic!("an id in {frame}")).parse().expect("a number")
}

/// Says something that is stored, and tells its id.
fn say(client: &mut Client, to: &User, text: &str) -> u64 {
    let cid: String = text.chars().take(32).collect();
    client.say(json!({"msgid": 6, "id": client.id, "toid": to.id, "msg": text, "cid": cid}));
    mid(&client.hear_ack(&cid))
}

/// Enters in v2; gives back what waits, too, `count` messages.
fn enter(server: &Chatd, user: &User, count: usize) -> (Client, Vec<Value>) {
    let mut client = server.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2}));
    let answer = client.hear_login();
    let mut messages = answer["offlinemsg"].as_array().expect("a list of objects").clone();
    assert!(count <= 1 || messages.len() < count, "all {count} are in the login answer");
    while messages.len() < count {
        messages.push(client.hear("what waits"));
    }
    (client, messages)
}

#[test]
fn an_answer_to_what_was_read_where_the_clock_is_behind_has_a_greater_id() {
    let backends = Backends::of_all_tests();
    let database = backends.mariadb.make_database();
    let shared = Shared { mysql: backends.mariadb.url(&database), ..backends.share() };
    let (clocks, first) = (Clocks::new(), shared.start(1));
    clocks.set_wall_by(-BEHIND_MS);
    let behind = clocks.under(shared.setup(1)).start();
    let amy = first.register("amy");
    let [ben, carl, dora] = ["ben", "carl", "dora"].map(|name| first.register(name));
    let mut amys = enter(&first, &amy, 0).0;

    // In a login answer.
    let asked = say(&mut amys, &ben, "to ben");
    let (mut bens, read) = enter(&behind, &ben, 1);
    assert_eq!(mid(&read[0]), asked);
    let answered = say(&mut bens, &amy, "of ben");
    amys.hear_msg("of ben");
    assert!(answered > asked, "in the login answer: {answered} after {asked}");

    // In what comes after one.
    let filler = "x".repeat(500);
    let asked =
        (0..MANY).map(|number| say(&mut amys, &carl, &format!("{number} {filler}"))).last().expect("many");
    let (mut carls, read) = enter(&behind, &carl, MANY);
    assert_eq!(mid(&read[MANY - 1]), asked);
    let answered = say(&mut carls, &amy, "of carl");
    amys.hear_msg("of carl");
    assert!(answered > asked, "in the backlog: {answered} after {asked}");

    // In the history: another session has confirmed it.
    let asked = say(&mut amys, &dora, "to dora");
    backends.mariadb.sql(&format!("DELETE FROM {database}.offlinemessage WHERE userid = {}", dora.id));
    let mut doras = enter(&behind, &dora, 0).0;
    doras.say(json!({"msgid": 26, "with": amy.id, "after": 0}));
    let page = doras.hear("a page of history");
    assert_eq!(mid(&page["messages"][0]), asked, "{page}");
    let answered = say(&mut doras, &amy, "of dora");
    assert!(answered > asked, "in the history: {answered} after {asked}");
}
