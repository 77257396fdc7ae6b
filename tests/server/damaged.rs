//! A database that somebody else has written into: what is in it is read as well as can be, and nobody dies of it.

use super::v2_hostile::enter_v2;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::texts;
use rusqlite::Connection;
use serde_json::{Value, json};

#[test]
fn messages_that_no_chatd_writes() {
    let mut chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = chatd.enter(&amy);
    for text in ["one", "two", "three", "four"] {
        client.chat_stored(&ben, text, text);
    }
    drop(client);
    chatd.end(libc::SIGTERM);
    let db = Connection::open(chatd.data.path().join("chatd.db")).expect("it is there");
    let long = "c".repeat(300);
    let change = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        assert_eq!(db.execute(sql, values).expect("it can be written"), 1, "{sql}");
    };
    change("UPDATE message SET cid = ?1 WHERE cid = 'one'", &[&long]);
    change("UPDATE message SET ts = -1 WHERE cid = 'two'", &[]);
    change("UPDATE message SET cid = CAST(x'ff' AS TEXT) WHERE cid = 'three'", &[]);
    let body = "UPDATE message SET body = replace(body, 'four', CAST(x'fffe' AS TEXT)) WHERE cid = 'four'";
    change(body, &[]);
    drop(db);

    let chatd = Setup::new(1).data(&chatd.data).start();
    let as_read = ["one", "two", "three", "\u{fffd}\u{fffd}"];
    let (mut reader, _) = enter_v2(&chatd, &amy);
    reader.say(json!({"msgid": 26, "with": ben.id, "after": 0}));
    let page = reader.hear("a page of history");
    let rows: Vec<Value> = page["messages"].as_array().expect("a list").clone();
    assert_eq!(texts(&rows), as_read, "{page}");
    let mut login = chatd.connect().with_newlines();
    let backlog = login.login_with_backlog(&ben, 4);
    assert_eq!(texts(&backlog), as_read);
    // And everything else goes on.
    login.chat_stored(&amy, "five", "five");
}
