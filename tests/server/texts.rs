//! Texts are carried byte for byte: live, over cores, through the store, and over a restart.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, assert_same, chat, texts};
use crate::common::{Random, seed};
use serde_json::json;

fn specimens() -> Vec<String> {
    let mut specimens: Vec<String> = [
        "",
        " ",
        "\"quoted\" and \\back\\slashed\\",
        "\\\\\"\\",
        "\\u0041 is not A",
        "你好，世界",
        "🙂👨‍👩‍👧‍👦🏳️‍🌈",
        "\u{202e}right to left\u{202c}\u{200f}\u{200e}",
        "שלום مرحبا",
        "a\u{300}\u{301}\u{302} Z̸̖a̵l̶g̷o",
        "tab\tnewline\ncarriage\rreturn",
        "\u{0}in\u{0}the\u{0}middle\u{0}",
        "\u{1}\u{2}\u{1b}[31mred\u{7f}\u{80}\u{9f}",
        "\u{feff}byte order mark\u{fffe}\u{ffff}\u{fffd}",
        "\u{2028}line\u{2029}paragraph",
        "\u{10ffff}\u{10000}\u{d7ff}\u{e000}",
        "</script><b>&amp;&lt;",
        "{\"msgid\":3,\"id\":1}",
        "]}\"],\"errno\":0",
        "%s %n %00 \\0 \\x00",
        "/slashes/ and \\/escaped ones",
        "null",
        "NaN",
        "1e999",
    ]
    .map(str::to_owned)
    .to_vec();
    specimens.push((0..0x80).map(char::from).collect());
    specimens.push("x".repeat(16 << 10));
    specimens.push("\"".repeat(16 << 10));
    specimens.push("\u{1}".repeat(8 << 10));
    specimens.push("🙂".repeat(4 << 10));
    specimens.push(format!("{}é", "漢".repeat(5_460)));
    specimens
}

#[test]
fn live_and_from_the_store_over_a_restart() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben, carl) = (chatd.register("amy"), chatd.register("ben"), chatd.register("carl"));
        let specimens = specimens();
        let mut reader = chatd.enter(&ben);
        let mut client = chatd.enter(&amy);
        let group = client.create_group("g");
        for user in [&ben, &carl] {
            let mut member = if user.id == ben.id { None } else { Some(chatd.enter(user)) };
            member.as_mut().unwrap_or(&mut reader).join_group(group);
        }
        chatd.until_offline(&carl);
        for (number, text) in specimens.iter().enumerate() {
            client.chat(&ben, text);
            client.chat_stored(&carl, text, &format!("{number}"));
            client.group_chat_stored(group, text, &format!("g{number}"));
        }
        let heard: Vec<_> = (0..specimens.len() * 2).map(|_| reader.hear("a message")).collect();
        for msgid in [6, 10] {
            let of: Vec<_> = heard.iter().filter(|message| message["msgid"] == msgid).cloned().collect();
            assert_same(&texts(&of), &specimens, &format!("live, {msgid}, {cores} cores"));
        }
        let chatd = chatd.restart(libc::SIGKILL, 1);
        let mut reader = chatd.connect();
        let waited = reader.login_with_backlog(&carl, specimens.len() * 2);
        for msgid in [6, 10] {
            let of: Vec<_> = waited.iter().filter(|message| message["msgid"] == msgid).cloned().collect();
            assert_same(&texts(&of), &specimens, &format!("stored, {msgid}, {cores} cores"));
        }
    }
}

#[test]
fn names_and_descriptions_too() {
    let chatd = Chatd::start(1);
    let names = ["O'Brien \"the\" \\ slash", "你好", "🙂👨‍👩‍👧", "שלום rtl", "{\"id\":1}", "a\u{300}", "null"];
    let mut client = chatd.connect();
    for name in names {
        let user = client.register(name);
        assert_eq!(client.login(&user)["name"], name);
        let (id, desc) = (user.id, format!("about {name}\nand more"));
        client.say(json!({"msgid": 8, "id": id, "groupname": name, "groupdesc": desc, "cid": "c"}));
        client.hear_ack("c");
        client.logout();
        let answer = client.login(&user);
        let group = crate::common::client::entries(&answer["groups"]).remove(0);
        assert_eq!((&group["groupname"], &group["groupdesc"]), (&json!(name), &json!(desc)));
        let member = crate::common::client::entries(&group["users"]).remove(0);
        assert_eq!(member["name"], name);
        client.logout();
    }
}

/// What is pushed is escaped as the original server does it: the bytes are its bytes.
#[test]
fn escapes_are_the_originals() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut reader = chatd.enter(&ben);
    let mut client = chatd.enter(&amy);
    for (sent, heard) in [
        (r#""plain""#, r#""plain""#),
        (r#""\u0041\u00e9\u4f60\ud83d\ude42""#, r#""Aé你🙂""#),
        (r#""\"\\\/\b\f\n\r\t""#, r#""\"\\/\b\f\n\r\t""#),
        (r#""\u0000\u0001\u001f\u007F""#, "\"\\u0000\\u0001\\u001f\u{7f}\""),
        (r#""\u2028""#, "\"\u{2028}\""),
    ] {
        client.say_text(&format!(r#"{{"msgid":6,"id":1,"toid":2,"msg":{sent},"time":{sent}}}"#));
        let expected = format!(r#"{{"id":1,"msg":{heard},"msgid":6,"name":"amy","time":{heard},"toid":2}}"#);
        assert_eq!(reader.hear_text("a message"), expected, "{sent}");
    }
}

/// A text with anything in it that may be in a text, written with random escapes.
fn escaped(random: &mut Random, text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match random.below(3) {
            0 => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out += &format!("\\u{unit:04x}");
                }
            }
            _ => {
                let plain = json!(c.to_string()).to_string();
                out += &plain[1..plain.len() - 1];
            }
        }
    }
    out + "\""
}

#[test]
fn random_texts() {
    let seed = seed();
    println!("CHATD_SEED={seed}");
    let mut random = Random(seed);
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut reader: Client = chatd.enter(&ben);
    let mut client = chatd.enter(&amy);
    for _ in 0..400 {
        let length = random.below(60);
        let text: String = (0..length)
            .map(|_| {
                let bound = [0x80, 0x800, 0x1_0000, 0x11_0000][random.below(4)];
                char::from_u32(random.below(bound) as u32).unwrap_or('\u{fffd}')
            })
            .collect();
        let mut frame = chat(amy.id, ben.id, "");
        let spelled = escaped(&mut random, &text);
        frame["msg"] = json!("@");
        client.say_text(&frame.to_string().replace("\"@\"", &spelled));
        reader.hear_msg(&text);
    }
}
