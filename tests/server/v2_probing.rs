//! What is not one's own: a v2 client that asks for others' conversations, confirms others'
//! messages and speaks for others learns nothing and changes nothing.

use super::v2_hostile::enter_v2;
use crate::common::chatd::Chatd;
use crate::common::client::{Client, texts};
use serde_json::{Value, json};

/// A page of history.
fn history(client: &mut Client, asked: Value) -> Value {
    let mut frame = json!({"msgid": 26, "cid": "h"});
    frame.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
    client.say(frame);
    let page = client.hear("a page of history");
    assert_eq!(page["cid"], "h", "{page}");
    page
}

fn messages(page: &Value) -> Vec<Value> {
    assert_eq!(page["msgid"], 27, "{page}");
    page["messages"].as_array().expect("a list").clone()
}

#[test]
fn a_conversation_is_shown_to_those_who_had_it() {
    let chatd = Chatd::start(2);
    let (amy, ben, eve) = (chatd.register("amy"), chatd.register("ben"), chatd.register("eve"));
    let (mut sender, mut reader) = (enter_v2(&chatd, &amy).0, enter_v2(&chatd, &ben).0);
    sender.chat_stored(&ben, "between us", "c");
    reader.hear_msg("between us");
    let mut prober = enter_v2(&chatd, &eve).0;
    for with in [amy.id, ben.id, eve.id] {
        assert_eq!(messages(&history(&mut prober, json!({"with": with}))), [] as [Value; 0]);
        for span in [json!({"after": 0}), json!({"before": i64::MAX})] {
            let mut asked = span;
            asked["with"] = json!(with);
            assert_eq!(messages(&history(&mut prober, asked)), [] as [Value; 0]);
        }
    }
    assert_eq!(history(&mut prober, json!({"with": 2_000_000_000}))["errno"], 105);
    for (client, with) in [(&mut sender, ben.id), (&mut reader, amy.id)] {
        assert_eq!(texts(&messages(&history(client, json!({"with": with})))), ["between us"]);
    }
}

#[test]
fn a_group_is_shown_to_its_members_from_their_joining_to_their_leaving() {
    let chatd = Chatd::start(2);
    let (amy, ben, eve) = (chatd.register("amy"), chatd.register("ben"), chatd.register("eve"));
    let (mut creator, mut member) = (enter_v2(&chatd, &amy).0, enter_v2(&chatd, &ben).0);
    let group = creator.create_group("g");
    creator.group_chat_stored(group, "before", "c1");
    member.join_group(group);
    creator.group_chat_stored(group, "after", "c2");
    member.hear_msg("after");
    let mut prober = enter_v2(&chatd, &eve).0;
    let of_group = json!({"groupid": group});
    assert_eq!(history(&mut prober, of_group.clone())["errno"], 107);
    prober.say(json!({"msgid": 34, "groupid": group}));
    prober.hear_error(107);
    assert_eq!(history(&mut prober, json!({"groupid": 2_000_000_000}))["errno"], 106);
    prober.say(json!({"msgid": 34, "groupid": 2_000_000_000}));
    prober.hear_error(106);
    for span in [json!({}), json!({"after": 0}), json!({"before": 1_000})] {
        let mut asked = span;
        asked["groupid"] = json!(group);
        let page = history(&mut member, asked);
        assert_eq!(texts(&messages(&page)), ["after"]);
        // The second row is that he joined.
        assert_eq!(page["messages"][0]["pos"], 3);
    }
    assert_eq!(texts(&messages(&history(&mut creator, of_group.clone()))), ["before", "after"]);
    member.say(json!({"msgid": 11, "id": ben.id, "groupid": group, "cid": "leave"}));
    member.hear_ack("leave");
    assert_eq!(history(&mut member, of_group)["errno"], 107);
}

#[test]
fn who_confirms_for_others_confirms_nothing() {
    let chatd = Chatd::start(2);
    let (amy, ben, eve) = (chatd.register("amy"), chatd.register("ben"), chatd.register("eve"));
    let mut sender = enter_v2(&chatd, &amy).0;
    let mut frame = json!({"msgid": 6, "id": amy.id, "toid": ben.id, "msg": "for ben", "cid": "c"});
    sender.say(frame.clone());
    let waiting = sender.hear_ack("c")["mid"].clone();
    let mut reader = enter_v2(&chatd, &ben).0;
    frame["msg"] = json!("for ben as well");
    frame["cid"] = json!("c2");
    sender.say(frame);
    let pushed = sender.hear_ack("c2")["mid"].clone();
    reader.hear_msg("for ben as well");
    let mut prober = enter_v2(&chatd, &eve).0;
    for client in [&mut prober, &mut sender] {
        client.say(json!({"msgid": 24, "mids": [waiting, pushed]}));
        client.hear_nothing();
    }
    drop(reader);
    chatd.until_offline(&ben);
    let mut again = chatd.connect().with_newlines();
    super::v2_hostile::ask_login_v2(&mut again, &ben);
    let waited = again.hear_login()["offlinemsg"].as_array().expect("a list").clone();
    assert_eq!(texts(&waited), ["for ben", "for ben as well"]);
    // Its own reader's word counts.
    again.say(json!({"msgid": 24, "mids": [waiting, pushed], "cid": "done"}));
    again.hear_ack("done");
    drop(again);
    chatd.until_offline(&ben);
    let mut last = chatd.connect().with_newlines();
    super::v2_hostile::ask_login_v2(&mut last, &ben);
    assert_eq!(last.hear_login()["offlinemsg"], json!([]));
}

#[test]
fn another_id_gets_104_in_v2_too() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = enter_v2(&chatd, &amy).0;
    let requests = [
        json!({"msgid": 24, "mids": ["1"]}),
        json!({"msgid": 26, "with": ben.id}),
        json!({"msgid": 31, "old": amy.password, "new": "forged"}),
        json!({"msgid": 32, "userid": ben.id}),
        json!({"msgid": 33, "userid": ben.id}),
        json!({"msgid": 34, "groupid": 1}),
        json!({"msgid": 3}),
        json!({"msgid": 13}),
        json!({"msgid": 6, "toid": ben.id, "msg": "forged"}),
    ];
    for mut request in requests {
        request["id"] = json!(ben.id);
        client.say(request.clone());
        assert_eq!(client.hear_error(104)["re"], request["msgid"]);
    }
    client.hear_nothing();
    drop(client);
    chatd.until_offline(&amy);
    chatd.enter(&amy);
}

#[test]
fn who_is_blocked_is_refused_and_may_still_speak_in_groups() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut client, mut pest) = (enter_v2(&chatd, &amy).0, enter_v2(&chatd, &ben).0);
    let group = client.create_group("g");
    pest.join_group(group);
    for (userid, errno) in [(amy.id, 102), (2_000_000_000, 105)] {
        client.say(json!({"msgid": 32, "userid": userid}));
        client.hear_error(errno);
    }
    client.say(json!({"msgid": 33, "userid": ben.id}));
    client.hear_error(105);
    client.say(json!({"msgid": 32, "userid": ben.id, "cid": "b"}));
    client.hear_ack("b");
    client.say(json!({"msgid": 32, "userid": ben.id}));
    client.hear_error(108);
    pest.say(json!({"msgid": 6, "id": ben.id, "toid": amy.id, "msg": "hey", "cid": "c"}));
    assert_eq!(pest.hear_error(104)["cid"], "c");
    pest.chat(&amy, "and without a cid");
    pest.group_chat_stored(group, "in the group", "g");
    client.hear_msg("in the group");
    client.hear_nothing();
    client.say(json!({"msgid": 33, "userid": ben.id, "cid": "u"}));
    client.hear_ack("u");
    pest.chat_stored(&amy, "thanks", "t");
    client.hear_msg("thanks");
}

#[test]
fn a_page_is_as_long_as_it_may_be_and_no_longer() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = enter_v2(&chatd, &amy).0;
    for number in 1..=250 {
        client.chat_stored(&ben, &format!("message {number}"), &format!("c{number}"));
    }
    for (limit, expected) in [(1, 1), (200, 200), (201, 200), (i64::MAX, 200)] {
        let page = history(&mut client, json!({"with": ben.id, "limit": limit}));
        let places: Vec<u64> = messages(&page).iter().map(|row| row["pos"].as_u64().unwrap()).collect();
        assert_eq!(places, (251 - expected..=250).collect::<Vec<u64>>());
        assert_eq!(page["complete"], true);
    }
    // Page by page, in both directions, everything is there once.
    let mut backward = Vec::new();
    let mut before = i64::MAX as u64;
    loop {
        let page = messages(&history(&mut client, json!({"with": ben.id, "before": before, "limit": 70})));
        let Some(first) = page.first() else { break };
        before = first["pos"].as_u64().expect("a pos");
        backward.splice(0..0, texts(&page));
    }
    let mut forward = Vec::new();
    let mut after = 0;
    loop {
        let page = messages(&history(&mut client, json!({"with": ben.id, "after": after, "limit": 70})));
        let Some(last) = page.last() else { break };
        after = last["pos"].as_u64().expect("a pos");
        forward.extend(texts(&page));
    }
    let all: Vec<String> = (1..=250).map(|number| format!("message {number}")).collect();
    assert_eq!(backward, all);
    assert_eq!(forward, all);
}

#[test]
fn long_messages_come_in_pages_that_are_not_too_long() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = enter_v2(&chatd, &amy).0;
    // Each is six times as long when it is escaped: as long as a frame may be.
    let long = "\u{1}".repeat(10_000);
    for number in 0..4 {
        client.chat_stored(&ben, &long, &format!("c{number}"));
    }
    let (mut after, mut seen) = (0, 0);
    loop {
        client.say(json!({"msgid": 26, "with": ben.id, "after": after}));
        let page = client.hear_bytes("a page of history");
        assert!(page.len() <= 128 << 10, "{}", page.len());
        let page: Value = serde_json::from_slice(&page).expect("JSON");
        let rows = messages(&page);
        let Some(last) = rows.last() else { break };
        after = last["pos"].as_u64().expect("a pos");
        assert!(rows.iter().all(|row| row["msg"] == long));
        seen += rows.len();
    }
    assert_eq!(seen, 4);
}

#[test]
fn a_long_list_comes_whole_in_frames_that_are_not_too_long() {
    const FRIENDS: usize = 1_000;
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    // Names as long as they may be, of characters as long as they may be.
    let friends = chatd.register_many(&"\u{1f642}".repeat(46), FRIENDS);
    let mut client = enter_v2(&chatd, &amy).0;
    for friend in &friends {
        client.say(json!({"msgid": 7, "id": amy.id, "friendid": friend.id}));
        assert_eq!(client.hear("its state"), json!({"id": friend.id, "msgid": 28, "state": "offline"}));
    }
    client.say(json!({"msgid": 7, "id": amy.id, "friendid": friends[0].id}));
    client.hear_error(108);
    let one_more = chatd.register("one more");
    client.say(json!({"msgid": 7, "id": amy.id, "friendid": one_more.id}));
    client.hear_error(116);
    client.say(json!({"msgid": 13, "id": amy.id, "cid": "list"}));
    let ids: Vec<u64> = friends.iter().map(|friend| friend.id).collect();
    assert_eq!(friends_in_frames(&mut client, 13, 128 << 10), ids);
    client.hear_ack("list");
    client.logout();
    client.hear_until_logged_out();
    super::v2_hostile::ask_login_v2(&mut client, &amy);
    assert_eq!(friends_in_frames(&mut client, 2, 64 << 10), ids);
    client.say(json!({"msgid": 22, "n": 1}));
    assert_eq!(client.hear("a pong, and nothing before it"), json!({"msgid": 23, "n": 1}));
}

/// The friends in all frames of one answer, none of which is longer than it may be.
fn friends_in_frames(client: &mut Client, msgid: u64, most_bytes: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for frames in 1.. {
        let frame = client.hear_bytes("a part of a list");
        assert!(frame.len() <= most_bytes, "{}", frame.len());
        let frame: Value = serde_json::from_slice(&frame).expect("JSON");
        assert_eq!((&frame["msgid"], &frame["errno"]), (&json!(msgid), &json!(0)));
        let friends = frame["friends"].as_array().expect("a list");
        ids.extend(friends.iter().map(|friend| friend["id"].as_u64().expect("an id")));
        if frame["complete"] == true {
            assert!(frames > 1, "they do not fit into one");
            return ids;
        }
    }
    unreachable!("a list has an end");
}
