//! What comes while somebody types leaves what is typed alone.

use super::screen::{ENTER, Screen, Setup};
use crate::common::chatd::Chatd;
use crate::common::client::chat;
use serde_json::json;

#[test]
fn a_message_that_comes_while_typing_is_above_the_line_being_typed() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.line(&format!("/open {}", ben.id));
    screen.see_last(&format!("{}>", ben.id));
    let typed = format!("{}> 你好 🙂 half a sen", ben.id);
    screen.type_text("你好 🙂 half a sen");
    screen.see_last(&typed);
    let cursor = screen.cursor();
    let mut writer = chatd.enter(&ben);
    for text in ["one", "two 你好", "three"] {
        writer.chat(&amy, text);
        screen.until(text, |rows| {
            matches!(rows, [.., said, last] if said.ends_with(&format!("ben: {text}")) && *last == typed)
        });
        assert_eq!(screen.cursor().1, cursor.1, "the cursor stays in its column");
    }
    screen.line("tence");
    assert_eq!(writer.hear("what amy said")["msg"], "你好 🙂 half a sentence");
}

#[test]
fn a_line_edited_in_its_middle_stays_whole() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.line("/open 2");
    screen.see_last("2>");
    screen.type_text("abXef\x1b[D\x1b[D");
    screen.see_last("2> abXef");
    let mut writer = chatd.enter(&ben);
    writer.chat(&amy, "hello");
    screen.see("ben: hello");
    screen.type_text("\x7fcd");
    screen.see_last("2> abcdef");
    screen.type_text(ENTER);
    assert_eq!(writer.hear("what amy said")["msg"], "abcdef");
}

#[test]
fn a_window_of_twenty_columns_is_wide_enough() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = Setup::new().argument(chatd.address).size(20, 24).start();
    screen.answer("choice:", "1");
    screen.answer("userid or name:", &amy.id.to_string());
    screen.answer("userpassword:", &amy.password);
    screen.see_last(">");
    screen.line("/open 2");
    screen.see_last("2>");
    // Three rows and a bit, with wide characters across the edges.
    screen.type_text("0123456789012345你好你好6789012345678901234567890123");
    let typed = "2> 0123456789012345\n你好你好678901234567\n8901234567890123";
    screen.until("the line in its rows", |rows| rows.join("\n").ends_with(typed));
    let mut writer = chatd.enter(&ben);
    writer.say(json!({
        "msgid": 6, "id": ben.id, "toid": amy.id, "msg": "a message that takes three rows by itself", "time": "12:34"
    }));
    let both = format!("12:34 ben: a message\n that takes three ro\nws by itself\n{typed}");
    screen.until("the message, and the line below it", |rows| rows.join("\n").ends_with(&both));
    let rows = screen.rows().join("\n");
    assert_eq!(rows.matches("0123456789012345").count(), 1, "{rows}");
    screen.resize(30, 24);
    screen.type_text("!");
    screen.see("8901234567890123!");
    screen.type_text(ENTER);
    assert_eq!(writer.hear("what amy said")["msg"], "0123456789012345你好你好6789012345678901234567890123!");
}

#[test]
fn ten_thousand_messages_come_in_order_while_somebody_types() {
    const MESSAGES: usize = 10_000;
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.line("/open 2");
    screen.see_last("2>");
    let mut writer = chatd.enter(&ben);
    // In portions, with keys between them: typing goes on in the flood.
    let typed = "I am still here";
    let keys: Vec<char> = typed.chars().collect();
    let mut said = 0;
    for key in &keys {
        for _ in 0..MESSAGES / keys.len() + 1 {
            if said < MESSAGES {
                writer.say(chat(ben.id, amy.id, &format!("message {said:05}.")));
                said += 1;
            }
        }
        screen.type_text(&key.to_string());
    }
    screen.until("the last message, and what was typed", |rows| {
        rows.iter().any(|row| row.ends_with("message 09999."))
            && rows.last().is_some_and(|row| *row == format!("2> {typed}"))
    });
    let raw = screen.raw();
    let numbers: Vec<usize> = raw
        .match_indices("message ")
        .filter_map(|(at, word)| raw.get(at + word.len()..at + word.len() + 6))
        .filter_map(|number| number.strip_suffix('.')?.parse().ok())
        .collect();
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
    screen.type_text(ENTER);
    assert_eq!(writer.hear("what amy said")["msg"], typed);
}

#[test]
fn lines_that_are_sent_in_a_flood_and_messages_stay_apart() {
    const MESSAGES: usize = 4_000;
    const LINES: usize = 80;
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = Screen::enter(chatd.address, amy.id, &amy.password);
    screen.line("/open 2");
    screen.see_last("2>");
    let mut writer = chatd.enter(&ben);
    for line in 0..LINES {
        for message in line * MESSAGES / LINES..(line + 1) * MESSAGES / LINES {
            writer.say(json!({
                "msgid": 6, "id": ben.id, "toid": amy.id, "msg": format!("message {message:05}."), "time": "12:34"
            }));
        }
        screen.line(&format!("line {line:02}"));
    }
    for line in 0..LINES {
        assert_eq!(writer.hear("a line")["msg"], format!("line {line:02}"));
    }
    screen.see_go_by(&format!("message {:05}.", MESSAGES - 1));
    screen.see_go_by(&format!("safe: line {:02}", LINES - 1));
    screen.see_last("ben>");
    // Each row is a message, a line, or word that a line is safe, whole; all are in their order and
    // there once.
    let (mut messages, mut lines, mut safe) = (0, 0, 0);
    let rows = screen.all_rows();
    let begin = rows.iter().position(|row| row.starts_with("talking to")).expect("it was opened") + 1;
    for row in &rows[begin..rows.len() - 1] {
        if *row == format!("12:34 ben: message {messages:05}.") {
            messages += 1;
        } else if [format!("2> line {lines:02}"), format!("ben> line {lines:02}")].contains(row) {
            lines += 1;
        } else if *row == format!("✓ safe: line {safe:02}") {
            safe += 1;
        } else {
            panic!("{row:?} after {messages} messages and {lines} lines");
        }
    }
    assert_eq!((messages, lines, safe), (MESSAGES, LINES, LINES));
}

/// An é of a terminal that speaks Latin-1. The first of its bytes that cannot be text takes the next one with it.
#[test]
fn a_byte_that_is_not_utf_8_ends_nothing_and_leaves_what_was_typed() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut screen = Screen::open(chatd.address);
    screen.see_last("choice:");
    screen.type_bytes(b"\xe9 ");
    screen.see("not UTF-8");
    screen.login(amy.id, &amy.password);
    screen.line("/open 2");
    screen.see_last("2>");
    let mut reader = chatd.enter(&ben);
    for (before, rest, whole) in [("caf", "e", "cafe"), ("cafe au l", "ait", "cafe au lait")] {
        screen.type_text(before);
        screen.see_last(&format!("2> {before}"));
        screen.type_bytes(b"\xe9 ");
        screen.until("the line again, below what is said", |rows| {
            matches!(rows, [.., said, last] if said.contains("not UTF-8") && *last == format!("2> {before}"))
        });
        screen.line(rest);
        assert_eq!(reader.hear("what amy said")["msg"], whole);
        screen.see(&format!("safe: {whole}"));
    }
}
