//! Two servers are one system.

use super::Cluster;
use super::common::client::{Client, entries, texts};
use serde_json::json;

#[test]
fn a_conversation_goes_across_servers_as_it_does_on_one() {
    let cluster = Cluster::start();
    let (amy, ben) = (cluster.a.register("amy"), cluster.b.register("ben"));
    let (mut a, mut b) = (cluster.a.enter(&amy), cluster.b.enter(&ben));
    a.chat(&ben, "hello: ben with colon, 你好 🙂 \"\\");
    let frame = b.hear_msg("hello: ben with colon, 你好 🙂 \"\\");
    assert_eq!((&frame["name"], &frame["id"]), (&json!("amy"), &json!(amy.id)));
    b.chat_stored(&amy, "and back", "b1");
    a.hear_msg("and back");
    let group = a.create_group("across");
    b.join_group(group);
    a.group_chat_stored(group, "to all", "a1");
    b.hear_msg("to all");
    b.group_chat(group, "from the other side");
    a.hear_msg("from the other side");
    // Ben goes; what comes meanwhile waits for him on whichever server he comes back to.
    b.logout();
    cluster.a.until_offline(&ben);
    a.chat_stored(&ben, "one", "a2");
    a.group_chat_stored(group, "two", "a3");
    let mut elsewhere = cluster.a.connect();
    assert_eq!(texts(&elsewhere.login_with_backlog(&ben, 2)), ["one", "two"]);
}

#[test]
fn one_sender_is_heard_in_order_across_servers() {
    let cluster = Cluster::start();
    let (amy, ben) = (cluster.a.register("amy"), cluster.b.register("ben"));
    let (mut a, mut b) = (cluster.a.enter(&amy), cluster.b.enter(&ben));
    for number in 0..2_000 {
        a.chat(&ben, &number.to_string());
    }
    for number in 0..2_000 {
        b.hear_msg(&number.to_string());
    }
}

#[test]
fn a_user_is_online_once_in_the_whole_cluster() {
    let cluster = Cluster::start();
    let amy = cluster.a.register("amy");
    let _held = cluster.a.enter(&amy);
    let mut second = cluster.b.connect();
    second.ask_login(&amy);
    let refused = second.hear("a login answer");
    assert_eq!(refused["errno"], 2, "{refused}");
    assert_eq!(refused["errmsg"], "this account is using, input another!");
}

#[test]
fn of_twenty_logins_at_once_on_two_servers_one_wins() {
    let cluster = Cluster::start();
    for round in 0..5 {
        let user = cluster.a.register(&format!("wanted{round}"));
        let servers = [&cluster.a, &cluster.b];
        let mut clients: Vec<Client> = (0..20).map(|at| servers[at % 2].connect()).collect();
        clients.iter_mut().for_each(|client| client.ask_login(&user));
        let answers: Vec<u64> = clients
            .iter_mut()
            .map(|client| client.hear("a login answer")["errno"].as_u64().unwrap())
            .collect();
        assert_eq!(answers.iter().filter(|&&errno| errno == 0).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|&errno| errno == 0 || errno == 2), "{answers:?}");
    }
}

#[test]
fn friend_lists_show_who_is_online_on_the_other_server() {
    let cluster = Cluster::start();
    let (amy, ben) = (cluster.a.register("amy"), cluster.b.register("ben"));
    let mut a = cluster.a.enter(&amy);
    a.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id, "cid": "f"}));
    a.hear_ack("f");
    let state = |a: &mut Client| {
        a.say(json!({"msgid": 13, "id": a.id}));
        entries(&a.hear("the friend list")["friends"])[0]["state"].clone()
    };
    assert_eq!(state(&mut a), "offline");
    let mut b = cluster.b.enter(&ben);
    assert_eq!(state(&mut a), "online");
    b.logout();
    cluster.b.until_offline(&ben);
    assert_eq!(state(&mut a), "offline");
}

#[test]
fn a_group_that_is_dissolved_is_gone_on_every_server() {
    let cluster = Cluster::start();
    let (amy, ben) = (cluster.a.register("amy"), cluster.b.register("ben"));
    let (mut a, mut b) = (cluster.a.enter(&amy), cluster.b.enter(&ben));
    let group = a.create_group("short-lived");
    b.join_group(group);
    a.say(json!({"msgid": 11, "id": amy.id, "groupid": group, "cid": "d"}));
    a.hear_ack("d");
    // The notice and this race; whichever comes first, the store refuses the message.
    b.group_chat(group, "too late");
    b.hear_error(106);
}
