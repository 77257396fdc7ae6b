//! Groups that are run, on two servers: who is muted or taken out on one is so on the other from the ACK on.

use super::patience::{SOON, until};
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use crate::common::cluster::{Backends, Shared};
use crate::common::services::proxy::Proxy;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A session that understands how groups are run.
fn enter(server: &Chatd, user: &User) -> Client {
    until(&format!("{} to be let in", user.name), SOON, || {
        let mut client = server.connect().with_newlines();
        client.id = user.id;
        let frame = json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2, "multi": true,
            "caps": ["own", "group"]});
        client.say(frame);
        (client.hear("the answer to a login")["errno"] == 0).then_some(client)
    })
}

/// The next frame that says this, past what else comes.
fn next(client: &mut Client, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    loop {
        let frame = client.hear(what);
        if is_it(&frame) {
            return frame;
        }
        assert_ne!(frame["msgid"], 21, "{what}: {frame}");
    }
}

fn event(client: &mut Client, what: &str) -> Value {
    next(client, what, |frame| frame["msgid"] == 51 && frame["what"] == what)
}

fn ack(client: &mut Client, cid: &str) -> Value {
    next(client, cid, |frame| frame["msgid"] == 20 && frame["cid"] == cid)
}

fn ask(client: &mut Client, mut frame: Value, cid: &str) -> Value {
    frame["cid"] = json!(cid);
    client.say(frame);
    ack(client, cid)
}

fn refused(client: &mut Client, mut frame: Value, errno: u64) {
    frame["cid"] = json!("refused");
    client.say(frame);
    let heard = loop {
        let frame = client.hear("a refusal");
        if frame["msgid"] == 21 {
            break frame;
        }
    };
    assert_eq!(heard["errno"], errno, "{heard}");
}

#[test]
fn a_group_is_run_on_two_servers() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [amy, ben, cleo, dan] = ["amy", "ben", "cleo", "dan"].map(|name| cluster.register(name));
    let [first, second] = &cluster.servers[..] else { panic!("two servers") };
    let (mut amys, mut bens, mut cleos) = (enter(first, &amy), enter(first, &ben), enter(second, &cleo));
    let mut dans = second.enter(&dan);
    let group = ask(&mut amys, json!({"msgid": 8, "id": amy.id, "groupname": "tea", "groupdesc": ""}), "g")["groupid"]
        .as_u64()
        .expect("a group");
    for (client, user) in [(&mut bens, &ben), (&mut cleos, &cleo)] {
        ask(client, json!({"msgid": 9, "id": user.id, "groupid": group}), "j");
        let joined = event(&mut amys, "joined");
        assert_eq!((&joined["by"], &joined["groupid"]), (&json!(user.id), &json!(group)));
    }
    dans.join_group(group);
    assert_eq!(event(&mut cleos, "joined")["pos"], 3);
    // An admin, who hears of it on the other server, and does on it what admins do.
    ask(&mut amys, json!({"msgid": 47, "groupid": group, "userid": cleo.id, "role": "admin"}), "r1");
    assert_eq!(event(&mut cleos, "role")["role"], "admin");
    refused(&mut bens, json!({"msgid": 49, "groupid": group, "userid": dan.id, "until": -1}), 104);
    ask(&mut cleos, json!({"msgid": 49, "groupid": group, "userid": ben.id, "until": -1}), "m1");
    refused(&mut bens, json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": "no"}), 118);
    ask(&mut cleos, json!({"msgid": 49, "groupid": group, "userid": ben.id, "until": 0}), "m2");
    ask(&mut bens, json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": "again"}), "b1");
    dans.hear_msg("again");
    // Taken out on the other server: it is the last that it hears.
    let kicked =
        ask(&mut cleos, json!({"msgid": 48, "groupid": group, "userid": ben.id, "ban_until": -1}), "k1");
    let told = event(&mut bens, "kicked");
    assert_eq!((&told["pos"], &told["by"]), (&kicked["pos"], &json!(cleo.id)));
    ask(&mut amys, json!({"msgid": 10, "id": amy.id, "groupid": group, "msg": "without ben"}), "a1");
    dans.hear_msg("without ben");
    refused(&mut bens, json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": "no"}), 107);
    refused(&mut bens, json!({"msgid": 9, "id": ben.id, "groupid": group}), 104);
    // One asks, and is let in on the other server, at all of its sessions.
    ask(&mut amys, json!({"msgid": 50, "groupid": group, "join": "ask", "groupname": "coffee"}), "s1");
    ask(&mut amys, json!({"msgid": 48, "groupid": group, "userid": ben.id, "ban_until": 0}), "k2");
    let mut others = enter(second, &ben);
    refused(&mut bens, json!({"msgid": 9, "id": ben.id, "groupid": group}), 119);
    assert_eq!(event(&mut cleos, "asks")["by"], ben.id);
    assert_eq!(event(&mut amys, "asks")["by"], ben.id);
    let asking = ask(&mut cleos, json!({"msgid": 56, "groupid": group}), "l1");
    assert_eq!(asking["users"][0]["id"], ben.id);
    ask(&mut cleos, json!({"msgid": 55, "groupid": group, "userid": ben.id, "yes": true}), "y1");
    for client in [&mut bens, &mut others] {
        assert_eq!(event(client, "joined")["userid"], ben.id);
        let text = format!("hello {}", client.id);
        until("both sessions to be members", SOON, || {
            client.say(json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": text, "cid": text}));
            let heard = next_of(client, &text);
            (heard["msgid"] == 20).then_some(())
        });
    }
    // Who does not understand it has heard nothing of all this but messages.
    let (mut frames, text) = (Vec::new(), format!("hello {}", ben.id));
    while frames.last().is_none_or(|frame: &Value| frame["msg"] != text.as_str()) {
        frames.push(dans.hear("what is said to the group"));
    }
    frames.extend(dans.hear_until_now());
    let heard: BTreeSet<u64> = frames.iter().filter_map(|frame| frame["msgid"].as_u64()).collect();
    assert_eq!(heard, BTreeSet::from([10]));
    let page = ask_members(&mut bens, group);
    let roles: Vec<&str> = page.iter().map(|user| user["role"].as_str().expect("a role")).collect();
    assert_eq!(roles, ["owner", "normal", "admin", "normal"]);
}

/// The ACK or ERROR of this cid.
fn next_of(client: &mut Client, cid: &str) -> Value {
    loop {
        let frame = client.hear(cid);
        if frame["cid"] == cid && matches!(frame["msgid"].as_u64(), Some(20 | 21)) {
            return frame;
        }
    }
}

fn ask_members(client: &mut Client, group: u64) -> Vec<Value> {
    client.say(json!({"msgid": 34, "groupid": group}));
    next(client, "members", |frame| frame["msgid"] == 35)["users"].as_array().expect("users").clone()
}

#[test]
fn nothing_of_somebody_muted_comes_after_the_ack_while_he_shouts_on_another_server() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [amy, ben, cleo] = ["amy", "ben", "cleo"].map(|name| cluster.register(name));
    let [first, second] = &cluster.servers[..] else { panic!("two servers") };
    let (mut amys, mut bens, mut cleos) = (enter(first, &amy), enter(second, &ben), enter(first, &cleo));
    let group = ask(&mut amys, json!({"msgid": 8, "id": amy.id, "groupname": "loud", "groupdesc": ""}), "g")
        ["groupid"]
        .as_u64()
        .expect("a group");
    for (client, user) in [(&mut bens, &ben), (&mut cleos, &cleo)] {
        ask(client, json!({"msgid": 9, "id": user.id, "groupid": group}), "j");
    }
    for round in 0..20 {
        // Ben shouts, and is muted in the middle of it.
        let number = |nth: usize| format!("{round} {nth}");
        let shout = |bens: &mut Client, nth: usize| {
            let text = number(nth);
            bens.say(json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": text, "cid": text}));
        };
        (0..20).for_each(|nth| shout(&mut bens, nth));
        amys.say(
            json!({"msgid": 49, "groupid": group, "userid": ben.id, "until": -1, "cid": format!("m{round}")}),
        );
        (20..60).for_each(|nth| shout(&mut bens, nth));
        let mut before: Vec<Value> = Vec::new();
        loop {
            let frame = amys.hear("the ACK of MUTE");
            assert_ne!(frame["msgid"], 21, "{frame}");
            if frame["msgid"] == 20 {
                break;
            }
            before.push(frame);
        }
        // From now on, whatever ben says is refused, and comes to nobody.
        (60..70).for_each(|nth| shout(&mut bens, nth));
        // A refusal overtakes the ACK of what waits to be stored.
        let mut unanswered: BTreeSet<String> = (0..70).map(number).collect();
        while !unanswered.is_empty() {
            let answer = bens.hear("an answer");
            let Some(cid) = answer["cid"].as_str().filter(|cid| unanswered.remove(*cid)) else { continue };
            let is_refused = answer["msgid"] == 21;
            assert!(!is_refused || answer["errno"] == 118, "{answer}");
            let nth: usize = cid.rsplit(' ').next().unwrap().parse().expect("a number");
            assert!(nth < 60 || is_refused, "said after the ACK: {answer}");
        }
        ask(
            &mut amys,
            json!({"msgid": 49, "groupid": group, "userid": ben.id, "until": 0}),
            &format!("u{round}"),
        );
        let last = format!("{round} last");
        ask(&mut bens, json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": last}), &last);
        for client in [&mut amys, &mut cleos] {
            loop {
                let frame = client.hear("the last of a round");
                let Some(text) = frame["msg"].as_str().filter(|_| frame["msgid"] == 10) else { continue };
                if text == last {
                    break;
                }
                let nth: usize = text.rsplit(' ').next().unwrap().parse().expect("a number");
                assert!(nth < 60, "{text} came after the ACK");
            }
        }
    }
}

#[test]
fn a_server_that_does_not_answer_makes_a_mute_busy_until_it_does() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [amy, ben] = ["amy", "ben"].map(|name| cluster.register(name));
    let [first, second] = &cluster.servers[..] else { panic!("two servers") };
    let (mut amys, mut bens) = (enter(first, &amy), enter(second, &ben));
    let group = ask(&mut amys, json!({"msgid": 8, "id": amy.id, "groupname": "deaf", "groupdesc": ""}), "g")
        ["groupid"]
        .as_u64()
        .expect("a group");
    ask(&mut bens, json!({"msgid": 9, "id": ben.id, "groupid": group}), "j");
    second.signal(libc::SIGSTOP);
    let mute = json!({"msgid": 49, "groupid": group, "userid": ben.id, "until": -1, "cid": "m"});
    amys.say(mute.clone());
    let busy = next_of(&mut amys, "m");
    assert_eq!((&busy["msgid"], &busy["errno"]), (&json!(21), &json!(110)));
    // She was told while that server still could not answer.
    second.signal(libc::SIGCONT);
    let done = until("the other server to say that it knows", SOON, || {
        amys.say(mute.clone());
        Some(next_of(&mut amys, "m")).filter(|answer| answer["msgid"] == 20)
    });
    // It is one row, however often it was said.
    assert_eq!(done["pos"], 2);
    refused(&mut bens, json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": "no"}), 118);
}

/// Whoever mutes somebody does not wait for a server that has lost Redis. That one has the store decide what its users may
/// say before anybody is pushed it.
#[test]
fn who_is_muted_is_not_heard_at_a_server_that_has_lost_the_bus() {
    let backends = Backends::of_all_tests();
    let shared = backends.share();
    let proxy = Proxy::start(backends.redis.address());
    let first = shared.start(1);
    let second = Shared { redis: format!("redis://{}/0", proxy.address), ..shared.clone() }.start(1);
    let [amy, ben, cleo, dan] = ["amy", "ben", "cleo", "dan"].map(|name| first.register(name));
    let (mut amys, mut bens) = (enter(&first, &amy), enter(&second, &ben));
    let (mut cleos, mut dans) = (enter(&second, &cleo), enter(&second, &dan));
    let group = ask(&mut amys, json!({"msgid": 8, "id": amy.id, "groupname": "cut", "groupdesc": ""}), "g")["groupid"]
        .as_u64()
        .expect("a group");
    for (client, user) in [(&mut bens, &ben), (&mut cleos, &cleo), (&mut dans, &dan)] {
        ask(client, json!({"msgid": 9, "id": user.id, "groupid": group}), "j");
    }
    proxy.cut();
    until("the second server to have lost Redis", SOON, || {
        second.printed().contains("is lost").then_some(())
    });
    let mute = json!({"msgid": 49, "groupid": group, "userid": ben.id, "until": -1, "cid": "m"});
    until("the mute to be known to all who are on the bus", SOON, || {
        amys.say(mute.clone());
        Some(next_of(&mut amys, "m")).filter(|answer| answer["msgid"] == 20)
    });
    refused(&mut bens, json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": "no"}), 118);
    // Who may speak is heard there all the same, and what comes next is what he says.
    ask(&mut dans, json!({"msgid": 10, "id": dan.id, "groupid": group, "msg": "last"}), "d");
    let heard = next(&mut cleos, "a message", |frame| frame["msgid"] == 10);
    assert_eq!(heard["msg"], "last");
    proxy.mend();
    // Back on the bus, its users hear what was said meanwhile, and ben is muted still.
    let heard = next(&mut amys, "a message", |frame| frame["msgid"] == 10);
    assert_eq!(heard["msg"], "last");
    refused(&mut bens, json!({"msgid": 10, "id": ben.id, "groupid": group, "msg": "no"}), 118);
}
