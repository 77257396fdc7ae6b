//! The second dialect, with the real server: what a person sees of it.

use super::screen::{Screen, until_free};
use super::script::run;
use super::script_v2::objects;
use crate::common::chatd::{Chatd, Setup as ChatdSetup};
use serde_json::{Value, json};

/// A screen in which this user is logged in by name.
fn enter(chatd: &Chatd, name: &str, password: &str) -> Screen {
    let mut screen = Screen::open(chatd.address);
    screen.answer("choice:", "1");
    screen.answer("userid or name:", name);
    screen.answer("userpassword:", password);
    screen.see(&format!("welcome, {name}"));
    screen.see_last(">");
    screen
}

/// How often this is the end of a row.
fn times(screen: &Screen, end: &str) -> usize {
    screen.all_rows().iter().filter(|row| row.ends_with(end)).count()
}

#[test]
fn names_work_wherever_ids_do() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    chatd.register("Zoë");
    let mut amys = enter(&chatd, "amy", &amy.password);
    amys.line("chat:ben:hello: you");
    amys.see("✓ safe: hello: you");
    amys.line("addfriend:ben");
    amys.see("ben (2) is a friend now");
    amys.line("find:zoë");
    amys.see("    3  Zoë  offline");
    amys.line("chat:nobody:x");
    amys.see("nobody is not found: no such user");
    amys.line("/open ben2");
    amys.see("ben2 is not found: no such user");
    let mut bens = enter(&chatd, "ben", &ben.password);
    bens.see("amy: hello: you");
    amys.see("ben is online");
    bens.line("/open amy");
    bens.see_last("amy>");
    bens.line("hello");
    amys.see("ben: hello");
    amys.line("delfriend:ben");
    amys.see("ben is no friend any more");
}

#[test]
fn friends_are_seen_to_come_and_go() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = enter(&chatd, "amy", &amy.password);
    amys.line("addfriend:ben");
    amys.see("ben (2) is a friend now");
    let mut bens = enter(&chatd, "ben", &ben.password);
    amys.see("ben is online");
    bens.line("loginout");
    amys.see("ben is offline");
    bens.login(ben.id, &ben.password);
    amys.until("ben again", |rows| rows.iter().filter(|row| *row == "ben is online").count() == 2);
    // Without a word: it is told after a while, in which he could have been back.
    drop(bens);
    amys.until("ben gone", |rows| rows.iter().filter(|row| *row == "ben is offline").count() == 2);
}

#[test]
fn history_pages_back_to_the_beginning() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut writer = chatd.enter(&ben);
    for n in 1..=30 {
        writer.chat_stored(&amy, &format!("message {n:02}"), &format!("b{n}"));
    }
    let mut screen = enter(&chatd, "amy", &amy.password);
    screen.see("ben: message 30");
    screen.line("chat:ben:and mine");
    screen.see("✓ safe: and mine");
    screen.line("history:ben");
    screen.see("ben, messages 12 to 31");
    screen.see("the same again shows what was before");
    screen.line("history:ben");
    screen.see("ben, messages 1 to 11");
    assert_eq!(times(&screen, "ben: message 12"), 2, "as it came, and once in the history");
    assert_eq!(times(&screen, "amy: and mine"), 1);
    screen.line("history:ben");
    screen.see("ben: nothing was said before");
    screen.line("creategroup:tea:at four");
    screen.see("its id is 1");
    screen.line("/open #tea");
    screen.see_last("#tea>");
    screen.line("the kettle is on");
    screen.see("✓ safe: the kettle");
    screen.line("history:group:tea");
    screen.see("#tea, messages 1 to 1");
    screen.line("members:tea");
    screen.see("#tea: 1 member\n    1  amy  online  owner");
    screen.line("history:carol");
    screen.see("carol is not found");
}

#[test]
fn whoever_is_logged_in_elsewhere_is_asked_and_may_take_over() {
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    let mut first = enter(&chatd, "amy", &amy.password);
    let mut second = Screen::open(chatd.address);
    second.answer("choice:", "1");
    second.answer("userid or name:", "amy");
    second.answer("userpassword:", &amy.password);
    second.answer("yes or no:", "no");
    second.answer("choice:", "1");
    second.answer("userid or name:", "amy");
    second.answer("userpassword:", &amy.password);
    second.answer("yes or no:", "yes");
    second.see("welcome, amy");
    first.see("you are logged out: somebody has logged in as you somewhere else");
    first.line("this is not said");
    first.see_last("choice:");
    second.see_last(">");
    second.line("quit");
    assert_eq!(second.end(), 0);
}

#[test]
fn blocking_and_another_password() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = enter(&chatd, "amy", &amy.password);
    let mut bens = enter(&chatd, "ben", &ben.password);
    amys.line("block:ben");
    amys.see("ben is blocked: nothing from there is heard any more");
    bens.line("chat:amy:hello?");
    bens.see("not said to amy (hello?): your messages are not taken there (errno 104)");
    amys.line("unblock:ben");
    amys.see("ben is heard again");
    bens.line("chat:amy:hello!");
    amys.see("ben: hello!");
    assert_eq!(times(&amys, "ben: hello?"), 0);

    amys.line("password");
    amys.answer("current password:", "wrong");
    amys.answer("new password:", "hush-hush anew");
    amys.see("the password is as before: ");
    amys.line("password");
    amys.answer("current password:", &amy.password);
    amys.answer("new password:", "hush-hush anew");
    amys.see("the password is changed");
    assert!(!amys.raw().contains("anew"));
    amys.line("loginout");
    amys.see_last("choice:");
    amys.login(amy.id, "hush-hush anew");
}

/// The server is killed in the middle of a conversation and comes back on its port, with its data.
#[test]
fn a_server_that_is_killed_while_two_talk_loses_nothing_and_repeats_nothing() {
    const EACH: usize = 30;
    let mut chatd = Chatd::start_lasting(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (port, data) = (chatd.address.port(), chatd.data.clone());
    let mut amys = enter(&chatd, "amy", &amy.password);
    let mut bens = enter(&chatd, "ben", &ben.password);
    amys.line("/open ben");
    amys.see_last("ben>");
    bens.line("/open amy");
    bens.see_last("amy>");
    for n in 0..EACH {
        amys.line(&format!("a{n:02}"));
        bens.line(&format!("b{n:02}"));
        if n == EACH / 2 {
            chatd.end(libc::SIGKILL);
            until_free(port);
        }
    }
    amys.see_go_by("connection lost");
    bens.see_go_by("connection lost");
    let chatd = ChatdSetup::new(2).port(port).data(&data).start();
    for screen in [&amys, &bens] {
        screen.see_go_by("logged in again");
    }
    let last = EACH - 1;
    amys.see_go_by(&format!("✓ safe: a{last:02}"));
    bens.see_go_by(&format!("✓ safe: b{last:02}"));
    amys.see_go_by(&format!("ben: b{last:02}"));
    bens.see_go_by(&format!("amy: a{last:02}"));
    for n in 0..EACH {
        assert_eq!(times(&amys, &format!("ben: b{n:02}")), 1, "b{n:02}: {:#?}", amys.all_rows());
        assert_eq!(times(&bens, &format!("amy: a{n:02}")), 1, "a{n:02}: {:#?}", bens.all_rows());
        assert_eq!(times(&amys, &format!("✓ safe: a{n:02}")), 1, "a{n:02}: {:#?}", amys.all_rows());
        assert_eq!(times(&bens, &format!("✓ safe: b{n:02}")), 1, "b{n:02}: {:#?}", bens.all_rows());
    }
    // The history has each of them once, in places without a gap.
    amys.line("quit");
    assert_eq!(amys.end(), 0);
    chatd.until_offline(&amy);
    let lines = format!("1\namy\n{}\n{}", amy.password, "history:ben\n".repeat(2 * EACH / 20 + 1));
    let pages = objects(&run(&[&chatd.address.to_string(), "--json"], &lines));
    let pages: Vec<&Value> = pages.iter().filter(|object| object["kind"] == "history").collect();
    assert!(pages.iter().all(|page| page["complete"] == true), "{pages:#?}");
    let rows: Vec<&Value> = pages.iter().flat_map(|page| page["messages"].as_array().unwrap()).collect();
    let mut places: Vec<u64> = rows.iter().map(|row| row["pos"].as_u64().unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, (1..=2 * EACH as u64).collect::<Vec<_>>());
    let mut texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
    texts.sort_unstable();
    let said = ["a", "b"].iter().flat_map(|who| (0..EACH).map(move |n| format!("{who}{n:02}")));
    assert_eq!(texts, said.collect::<Vec<_>>());
    // Whoever comes back at once may meet the dying server's socket on its other core.
    let times = |said: &str| amys.all_rows().iter().filter(|row| row.contains(said)).count();
    assert!(times("connection lost") >= 1, "{:#?}", amys.all_rows());
    assert_eq!(times("logged in again"), 1, "{:#?}", amys.all_rows());
}

#[test]
fn a_reader_in_the_seeds_dialect_and_one_in_v2_talk() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = enter(&chatd, "amy", &amy.password);
    let mut seed = chatd.enter(&ben);
    screen.line("chat:ben:new to old");
    assert_eq!(seed.hear("what amy said")["msg"], "new to old");
    seed.say(json!({"msgid": 6, "id": ben.id, "toid": amy.id, "msg": "old to new"}));
    screen.see("ben: old to new");
}

#[test]
fn where_only_what_is_undelivered_is_kept_a_message_is_safe_when_its_reader_has_shown_it() {
    let chatd = ChatdSetup::new(2).argument("--keep").argument("undelivered").start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = enter(&chatd, "amy", &amy.password);
    let mut bens = enter(&chatd, "ben", &ben.password);
    amys.line("/open ben");
    amys.see_last("ben>");
    for text in ["one", "two", "three"] {
        amys.line(text);
        bens.see(&format!("amy: {text}"));
        amys.see(&format!("✓ safe: {text}"));
    }
    // Nothing of it is in the store; what nobody was there to show is.
    bens.line("quit");
    assert_eq!(bens.end(), 0);
    chatd.until_offline(&ben);
    amys.line("four");
    amys.see("✓ safe: four");
    amys.line("history:ben");
    amys.see("ben, messages 1 to 1");
    amys.see("not all that was said there is kept");
    let bens = enter(&chatd, "ben", &ben.password);
    bens.see("amy: four");
    assert_eq!(times(&bens, "amy: one"), 0);
}
