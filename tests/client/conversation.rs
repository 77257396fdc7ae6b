//! People talk: the first conversation, names instead of numbers, and a server that goes away.

use super::screen::{CTRL_D, ENTER, Screen, Setup, TAB, until_free};
use crate::common::chatd::{Chatd, Setup as ChatdSetup};
use crate::common::client::Client;
use crate::common::scratch::Scratch;
use std::os::unix::fs::PermissionsExt;

/// The conversation of the README, with this client, and how it goes on.
#[test]
fn the_first_conversation() {
    let chatd = Chatd::start(2);
    let mut amy = Screen::open(chatd.address);
    amy.see("1. login\n2. register\n3. quit\nchoice:");
    amy.line("2");
    amy.answer("username:", "amy");
    amy.answer("userpassword:", "green door");
    amy.see("amy is registered: the userid is 1, log in with it");

    let mut ben = Screen::open(chatd.address);
    ben.answer("choice:", "2");
    ben.answer("username:", "ben");
    ben.answer("userpassword:", "blue chair");
    ben.see("ben is registered: the userid is 2, log in with it");

    amy.login(1, "green door");
    amy.line("addfriend:2");
    amy.see("is a friend now");
    amy.line("chat:2:Tea? At four: sharp");

    ben.login(2, "blue chair");
    ben.see("amy: Tea? At four: sharp");
    ben.line("/open amy");
    ben.see("talking to amy");
    ben.see_last("amy>");
    ben.line("Yes 🍵");
    amy.see("ben: Yes 🍵");

    amy.line("creategroup:tea:at four");
    amy.see("group #tea is made: its id is 1");
    ben.line("addgroup:1");
    ben.see("you are in #1 now");
    amy.line("/open #tea");
    amy.see_last("#tea (1 unread)>");
    amy.line("Kettle is on");
    ben.see("#1 amy: Kettle is on");
    ben.line("groupchat:1:Coming: now");
    amy.see("#tea ben: Coming: now");

    amy.line("/friends");
    amy.see("1 friend, 1 online\n    2  ben  online");
    amy.line("/groups");
    amy.see("1 group\n    1  #tea  at four");
    amy.line("delfriend:ben");
    amy.see("ben is no friend any more");
    amy.line("showfriendlist");
    amy.see("no friends yet");
    amy.line("delgroup:1");
    amy.see("you are in #tea no more");
    amy.line("loginout");
    amy.see("logged out\n1. login\n2. register\n3. quit\nchoice:");
    amy.line("3");
    assert_eq!(amy.end(), 0);
    ben.line("quit");
    assert_eq!(ben.end(), 0);
}

#[test]
fn what_waited_is_there_at_the_login_and_nothing_is_unread_that_is_open() {
    let chatd = Chatd::start(1);
    let (amy, ben, carl) = (chatd.register("amy"), chatd.register("ben"), chatd.register("carl"));
    let mut writer = chatd.enter(&ben);
    writer.chat_stored(&amy, "first", "b1");
    writer.chat_stored(&amy, "second", "b2");
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.see("ben: second");
    screen.line("/unread");
    screen.see("2 unread: ben");
    let mut other = chatd.enter(&carl);
    other.chat_stored(&amy, "third", "c1");
    screen.see("carl: third");
    screen.line("/open ben");
    screen.see_last("ben (1 unread)>");
    screen.line("/open CARL");
    screen.see_last("carl>");
    screen.line("/unread");
    screen.see("nothing is unread");
    screen.line("/say quit");
    assert_eq!(other.hear("what amy says")["msg"], "quit");
}

#[test]
fn commands_names_and_groups_are_completed() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("benedict"));
    let mut entered = chatd.enter(&amy);
    entered.create_group("gardening");
    entered.say(serde_json::json!({"msgid": 7, "id": amy.id, "friendid": ben.id, "cid": "f"}));
    entered.hear_ack("f");
    drop(entered);
    chatd.until_offline(&amy);
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.type_text("gr");
    screen.type_text(TAB);
    screen.see_last("> groupchat:");
    screen.type_text("g");
    screen.type_text(TAB);
    screen.see_last("> groupchat:gardening:");
    screen.line("weeds");
    screen.see_last(">");
    screen.type_text("/op");
    screen.type_text(TAB);
    screen.see_last("> /open");
    screen.type_text("be");
    screen.type_text(TAB);
    screen.see_last("> /open benedict");
    screen.type_text(ENTER);
    screen.see_last("benedict>");
    screen.type_text("/open ");
    screen.type_text(TAB);
    screen.type_text(TAB);
    screen.see("#gardening");
    screen.see_last("benedict> /open");
}

#[test]
fn history_is_kept_across_runs_and_holds_no_passwords() {
    let (chatd, state) = (Chatd::start(1), Scratch::new());
    let amy = chatd.register("amy");
    let run = || Setup::new().argument(chatd.address).state(state.path()).start();
    let mut first = run();
    first.login(amy.id, &amy.password);
    first.line("/groups");
    first.see("no groups yet");
    first.line("showfriendlist");
    first.see("no friends yet");
    first.see_last(">");
    first.type_text(CTRL_D);
    assert_eq!(first.end(), 0);

    let file = state.path().join("chatd/history");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("/groups\nshowfriendlist\n"), "{kept:?}");
    assert!(!kept.contains("hush") && !kept.contains(&format!("\n{}\n", amy.id)), "{kept:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let directory = std::fs::metadata(state.path().join("chatd")).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);

    chatd.until_offline(&amy);
    let mut second = run();
    second.login(amy.id, &amy.password);
    second.type_text("\x1b[A\x1b[A");
    second.see_last("> /groups");
}

#[test]
fn a_restart_in_mid_conversation_is_two_lines_and_loses_nothing() {
    let chatd = Chatd::start_lasting(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let port = chatd.address.port();
    let data = chatd.data.clone();
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.line(&format!("/open {}", ben.id));
    screen.see_last(&format!("{}>", ben.id));
    screen.line("before");
    screen.see("before");
    let mut chatd = chatd;
    chatd.end(libc::SIGKILL);
    until_free(port);
    screen.see("connection lost");
    screen.line("while it was away");
    screen.type_text("half a ");
    screen.see_last(&format!("{}> half a", ben.id));

    let chatd = ChatdSetup::new(1).port(port).data(&data).start();
    screen.see("logged in again");
    screen.see_last(&format!("{}> half a", ben.id));
    screen.line("sentence");
    let mut reader = chatd.connect();
    let mut heard = Vec::new();
    reader.ask_login(&ben);
    let answer = reader.hear_login();
    heard.extend(crate::common::client::texts(&crate::common::client::entries(&answer["offlinemsg"])));
    while heard.last().is_none_or(|last| last != "half a sentence") {
        heard.push(reader.hear("the rest")["msg"].as_str().unwrap().to_owned());
    }
    // `before` was answered or said again under the same cid: it is there once.
    assert_eq!(heard, ["before", "while it was away", "half a sentence"]);
    let rows = screen.rows().join("\n");
    for said_once in ["connection lost", "connected to", "logged in again"] {
        assert_eq!(rows.matches(said_once).count(), 1, "{rows}");
    }
}

/// Names that look like an id, or have a colon in them, are written in quotes, and Tab writes them so.
#[test]
fn names_that_mean_something_else_are_written_in_quotes() {
    let chatd = Chatd::start(1);
    let users = ["amy", "ben", "2", "a:b"].map(|name| chatd.register(name));
    let mut screen = Screen::enter(chatd.address, users[0].id, &users[0].password);
    let mut readers: Vec<Client> = users[1..].iter().map(|user| chatd.enter(user)).collect();
    for (line, reader) in [
        ("chat:2:to the id", 0),
        ("chat:\"2\":to the name", 1),
        ("chat:\"a:b\":to: the other name", 2),
        ("chat:a\t and by Tab", 2),
        ("chat:\"2\t and by Tab", 1),
    ] {
        screen.line(line);
        let text =
            line.split_once(['\t']).map_or_else(|| line.split_once(":to").unwrap().1, |(_, text)| text);
        let heard = readers[reader].hear(line);
        assert!(heard["msg"].as_str().unwrap().ends_with(text), "{line}: {heard}");
    }
    screen.line("find:\"2\"");
    screen.until("the user of that name", |rows| rows.iter().any(|row| row.contains("3  2  online")));
    readers.iter_mut().for_each(Client::hear_nothing);
}
