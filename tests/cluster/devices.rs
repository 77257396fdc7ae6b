//! One user on two servers at once: each of its sessions has everything, and what dies takes nothing along.

use super::patience::{SOON, until};
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use crate::common::cluster::{Backends, Shared};
use crate::common::services::proxy::Proxy;
use serde_json::{Value, json};

/// A device that asks to be let in; and the answer.
fn ask(server: &Chatd, user: &User, token: Option<&str>, device: &str) -> (Client, Value) {
    let mut client = server.connect().with_newlines();
    client.id = user.id;
    let mut frame = json!({"msgid": 1, "id": user.id, "password": user.password});
    if let Some(token) = token {
        frame = json!({"msgid": 25, "token": token});
    }
    frame["v"] = json!(2);
    frame["multi"] = json!(true);
    frame["device"] = json!(device);
    frame["caps"] = json!(["own", "read", "typing"]);
    client.say(frame);
    let answer = client.hear("the answer to a login");
    (client, answer)
}

/// A device that is let in; and the answer.
fn enter(server: &Chatd, user: &User, token: Option<&str>, device: &str) -> (Client, Value) {
    until(&format!("{device} to be let in"), SOON, || {
        let (client, answer) = ask(server, user, token, device);
        (answer["errno"] == 0).then_some((client, answer))
    })
}

/// The next frame with this msgid. Between come only places and presence.
fn next(client: &mut Client, msgid: u64) -> Value {
    loop {
        let frame = client.hear(&format!("a frame {msgid}"));
        if frame["msgid"] == msgid {
            return frame;
        }
        assert!([28, 61].contains(&frame["msgid"].as_u64().expect("a msgid")), "{frame}");
    }
}

/// What a device lacks of a conversation beyond a place: texts by place.
fn sync(client: &mut Client, with: u64, after: u64) -> Vec<(u64, String)> {
    client.say(json!({"msgid": 36, "since": [{"with": with, "after": after}], "cid": "sync"}));
    let answer = next(client, 37);
    let messages = answer["convs"][0]["messages"].as_array().expect("messages").clone();
    let row = |row: &Value| (row["pos"].as_u64().unwrap(), row["msg"].as_str().unwrap().to_owned());
    messages.iter().map(row).collect()
}

#[test]
fn a_user_on_two_servers_has_everything_on_both_and_after_one_of_them_is_killed() {
    let mut cluster = Backends::of_all_tests().share().cluster(2);
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let [first, second] = &mut cluster.servers;
    let (mut desk, answer) = enter(first, &amy, None, "desk");
    let token = answer["token"].as_str().expect("a token").to_owned();
    let (mut phone, _) = enter(second, &amy, None, "phone");
    let mut bens = second.enter(&ben);
    let mut mids = Vec::new();
    for round in 0..10 {
        bens.chat_stored(&amy, &format!("from ben {round}"), &format!("b{round}"));
        for device in [&mut desk, &mut phone] {
            let pushed = next(device, 6);
            assert_eq!(pushed["msg"], format!("from ben {round}"));
            mids.push(pushed["mid"].clone());
        }
        let text = format!("from the desk {round}");
        desk.say(json!({"msgid": 6, "id": amy.id, "toid": ben.id, "msg": text, "cid": format!("d{round}")}));
        assert_eq!(next(&mut desk, 20)["pos"], 2 * round + 2);
        let own = next(&mut phone, 6);
        assert_eq!((&own["msg"], &own["own"]), (&json!(text), &json!(true)));
        bens.hear_msg(&text);
    }
    phone.say(json!({"msgid": 38, "with": ben.id, "pos": 20, "cid": "read"}));
    assert_eq!(next(&mut phone, 20)["pos"], 20);
    let read = next(&mut desk, 38);
    assert_eq!((&read["id"], &read["pos"], &read["with"]), (&json!(amy.id), &json!(20), &json!(ben.id)));
    // One dies, and the other one goes on.
    first.end(libc::SIGKILL);
    for round in 10..30 {
        bens.chat_stored(&amy, &format!("from ben {round}"), &format!("b{round}"));
        let pushed = next(&mut phone, 6);
        assert_eq!(pushed["msg"], format!("from ben {round}"));
        mids.push(pushed["mid"].clone());
    }
    // Nothing of it lies in the backlog any more: it is found by place all the same.
    phone.say(json!({"msgid": 24, "mids": mids, "cid": "safe"}));
    next(&mut phone, 20);
    let (mut desk, answer) = enter(second, &amy, Some(&token), "desk");
    assert_eq!(answer["offlinemsg"], json!([]));
    let head = &answer["heads"][0];
    assert_eq!((&head["head"], &head["read"], &head["unread"]), (&json!(40), &json!(20), &json!(20)));
    let lacked: Vec<(u64, String)> =
        (10..30).map(|round| (round + 11, format!("from ben {round}"))).collect();
    assert_eq!(sync(&mut desk, ben.id, 20), lacked);
    let all = sync(&mut desk, ben.id, 0);
    assert_eq!(all.len(), 40);
    assert_eq!(sync(&mut phone, ben.id, 0), all);
}

#[test]
fn ten_sessions_live_side_by_side_on_two_servers_and_a_dropped_device_makes_room() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let amy = cluster.register("amy");
    let mut devices: Vec<Client> =
        (0..10).map(|nth| enter(&cluster.servers[nth % 2], &amy, None, &format!("device {nth}")).0).collect();
    for server in &cluster.servers {
        let (_, answer) = ask(server, &amy, None, "one too many");
        assert_eq!(answer["errno"], 116, "{answer}");
    }
    // Who does not live beside others is not let in either, and they stay.
    let mut alone = cluster.servers[0].connect();
    alone.ask_login(&amy);
    assert_eq!(alone.hear("the answer to a login")["errno"], 2);
    devices[0].say(json!({"msgid": 40, "cid": "list"}));
    let list = next(&mut devices[0], 41)["devices"].as_array().expect("devices").clone();
    assert!(list.len() == 10 && list.iter().all(|device| device["online"] == true), "{list:?}");
    let dropped = list.iter().find(|device| device["device"] == "device 9").expect("the last one");
    devices[0].say(json!({"msgid": 42, "deviceid": dropped["id"], "cid": "drop"}));
    next(&mut devices[0], 20);
    let mut last = devices.pop().expect("the last one");
    assert_eq!(next(&mut last, 21)["errno"], 113);
    last.hear_end();
    let (_newest, _) = enter(&cluster.servers[0], &amy, None, "the newest");
}

/// The session is told that its device is none any more, past what it is told when its server has Redis back.
fn hear_dropped(client: &mut Client) {
    loop {
        let frame = client.hear("that the device was dropped");
        if frame["msgid"] == 21 {
            assert_eq!(frame["errno"], 113, "{frame}");
            return client.hear_end();
        }
    }
}

#[test]
fn a_device_that_is_dropped_while_its_server_has_lost_redis_ends_when_that_is_back() {
    let backends = Backends::of_all_tests();
    let shared = backends.share();
    let proxy = Proxy::start(backends.redis.address());
    let first = shared.start(1);
    let second = Shared { redis: format!("redis://{}/0", proxy.address), ..shared.clone() }.start(1);
    let [amy, ben] = ["amy", "ben"].map(|name| first.register(name));
    let (mut desk, _) = enter(&first, &amy, None, "desk");
    let (mut phone, _) = enter(&second, &amy, None, "phone");
    let (mut pad, _) = enter(&second, &amy, None, "pad");
    let (mut laptop, _) = enter(&first, &ben, None, "laptop");
    let (mut tablet, _) = enter(&second, &ben, None, "tablet");
    proxy.cut();
    until("the second server to have lost Redis", SOON, || {
        second.printed().contains("is lost").then_some(())
    });
    desk.say(json!({"msgid": 40, "cid": "list"}));
    let list = next(&mut desk, 41)["devices"].as_array().expect("devices").clone();
    let dropped = list.iter().find(|device| device["device"] == "phone").expect("the phone");
    desk.say(json!({"msgid": 42, "deviceid": dropped["id"], "cid": "drop"}));
    assert_eq!(next(&mut desk, 20)["cid"], "drop");
    laptop.say(json!({"msgid": 31, "old": ben.password, "new": "another one", "cid": "password"}));
    assert_eq!(next(&mut laptop, 20)["cid"], "password");
    proxy.mend();
    hear_dropped(&mut phone);
    hear_dropped(&mut tablet);
    // What is good goes on.
    for (client, devices) in [(&mut desk, 2), (&mut pad, 2), (&mut laptop, 1)] {
        client.say(json!({"msgid": 40, "cid": "list"}));
        let list = loop {
            let frame = client.hear("the devices");
            assert_ne!(frame["msgid"], 21, "{frame}");
            if frame["msgid"] == 41 {
                break frame;
            }
        };
        assert_eq!(list["devices"].as_array().map(Vec::len), Some(devices), "{list}");
    }
}
