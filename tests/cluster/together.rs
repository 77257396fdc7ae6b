//! One system: what people of different servers see of each other.

use super::patience::{SOON, befriend, state_of, until};
use crate::common::client::{Client, User};
use crate::common::cluster::{Backends, Cluster};
use serde_json::json;

/// Amy at the first server, Ben at the second.
fn amy_and_ben(cluster: &Cluster) -> [(User, Client); 2] {
    let at = |server: usize, name: &str| {
        let user = cluster.register(name);
        let client = cluster.servers[server].enter(&user);
        (user, client)
    };
    [at(0, "amy"), at(1, "ben")]
}

#[test]
fn people_of_two_servers_talk_and_see_who_is_there() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [(amy, mut at_first), (ben, mut at_second)] = amy_and_ben(&cluster);
    at_first.chat(&ben, "from here to there");
    at_second.hear_msg("from here to there");
    at_second.chat(&amy, "and back");
    at_first.hear_msg("and back");
    befriend(&mut at_first, &ben);
    assert_eq!(state_of(&mut at_first, &ben), "online");
    at_second.logout();
    at_second.hear_until_logged_out();
    until("Ben to be shown offline", SOON, || (state_of(&mut at_first, &ben) == "offline").then_some(()));
    at_first.chat_stored(&ben, "while you were out", "a");
    // He comes back at Amy's server.
    let waited = cluster.servers[0].connect().login_with_backlog(&ben, 1);
    assert_eq!(waited[0]["msg"], "while you were out");
}

#[test]
fn a_second_login_is_refused_at_every_server() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let amy = cluster.register("amy");
    let mut online = cluster.servers[0].enter(&amy);
    for server in &cluster.servers {
        let mut second = server.connect();
        second.ask_login(&amy);
        let answer = second.hear("a refusal");
        assert_eq!(
            answer,
            json!({"errmsg": "this account is using, input another!", "errno": 2, "msgid": 2})
        );
    }
    online.hear_nothing();
}

/// Who is a member is known at every server at once.
#[test]
fn a_group_has_its_members_at_both_servers() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [(amy, mut at_first), (ben, mut at_second)] = amy_and_ben(&cluster);
    let carl = cluster.register("carl");
    let mut third = cluster.servers[1].enter(&carl);
    let group = at_first.create_group("g");
    at_second.join_group(group);
    third.join_group(group);
    at_first.group_chat(group, "all of you");
    at_second.hear_msg("all of you");
    third.hear_msg("all of you");
    at_second.group_chat(group, "all but me");
    at_first.hear_msg("all but me");
    third.hear_msg("all but me");
    at_second.say(json!({"msgid": 11, "id": ben.id, "groupid": group, "cid": "leave"}));
    at_second.hear_ack("leave");
    at_first.group_chat(group, "without Ben");
    third.hear_msg("without Ben");
    at_second.hear_nothing();
    // Its creator dissolves it, for everybody.
    at_first.say(json!({"msgid": 11, "id": amy.id, "groupid": group, "cid": "leave"}));
    at_first.hear_ack("leave");
    third.group_chat(group, "anybody?");
    let error = third.hear("a refusal");
    assert!([106, 107].map(Into::into).contains(&error["errno"]), "{error}");
}
