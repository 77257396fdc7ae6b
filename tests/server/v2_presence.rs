//! Presence on one server: friends are told who comes and goes, once each, and not of those who
//! are back at once.

use super::v2_hostile::enter_v2;
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, entries};
use serde_json::{Value, json};

fn befriend(client: &mut Client, friend: &User) {
    client.say(json!({"msgid": 7, "id": client.id, "friendid": friend.id}));
    assert_eq!(client.hear("PRESENCE"), presence(friend, "offline"));
}

fn presence(user: &User, state: &str) -> Value {
    json!({"msgid": 28, "id": user.id, "state": state})
}

#[test]
fn logins_and_logouts_are_told_wherever_friends_are() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let ben = chatd.register("ben");
        let watchers: Vec<User> = chatd.register_many("watcher", 6);
        let mut clients: Vec<Client> = watchers.iter().map(|user| enter_v2(&chatd, user).0).collect();
        clients.iter_mut().for_each(|client| befriend(client, &ben));
        for v2 in [false, true, false] {
            let mut friend = if v2 { enter_v2(&chatd, &ben).0 } else { chatd.enter(&ben) };
            for client in &mut clients {
                assert_eq!(client.hear("PRESENCE"), presence(&ben, "online"), "{cores} cores");
            }
            friend.logout();
            for client in &mut clients {
                assert_eq!(client.hear("PRESENCE"), presence(&ben, "offline"), "{cores} cores");
            }
        }
        clients.iter_mut().for_each(Client::hear_nothing);
    }
}

#[test]
fn a_lost_connection_is_told_of_and_a_quick_reconnection_is_not() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let (amy, ben, carl) = (chatd.register("amy"), chatd.register("ben"), chatd.register("carl"));
        let mut watcher = enter_v2(&chatd, &amy).0;
        befriend(&mut watcher, &ben);
        befriend(&mut watcher, &carl);
        let (first, token) = enter_v2(&chatd, &ben);
        assert_eq!(watcher.hear("PRESENCE"), presence(&ben, "online"));
        let other = enter_v2(&chatd, &carl).0;
        assert_eq!(watcher.hear("PRESENCE"), presence(&carl, "online"));
        // Ben is back at once. Carl goes after him and stays away: by the time that is told, the
        // time in which ben's absence would have been told is over.
        first.reset();
        let mut back = chatd.connect().with_newlines();
        back.id = ben.id;
        back.say(json!({"msgid": 25, "token": token}));
        back.hear_login();
        other.reset();
        assert_eq!(watcher.hear("PRESENCE"), presence(&carl, "offline"), "{cores} cores");
        watcher.hear_nothing();
        drop(back);
        assert_eq!(watcher.hear("PRESENCE"), presence(&ben, "offline"), "{cores} cores");
    }
}

#[test]
fn strangers_and_seed_sessions_are_told_nothing() {
    let chatd = Chatd::start(2);
    let (amy, ben, seed) = (chatd.register("amy"), chatd.register("ben"), chatd.register("seed"));
    let mut stranger = enter_v2(&chatd, &amy).0;
    let mut of_the_seed = chatd.enter(&seed);
    of_the_seed.say(json!({"msgid": 7, "id": seed.id, "friendid": ben.id}));
    enter_v2(&chatd, &ben).0.logout();
    chatd.until_offline(&ben);
    stranger.hear_nothing();
    of_the_seed.hear_nothing();
}

fn block(client: &mut Client, msgid: u64, user: &User) {
    client.say(json!({"msgid": msgid, "userid": user.id, "cid": "block"}));
    client.hear_ack("block");
}

/// The states in every list that shows somebody: FIND, MEMBERS, SHOW_FRIENDS of v2 and of the seed, and what login
/// answers say of friends and members.
fn states(chatd: &Chatd, client: &mut Client, seed: &User, shown: &User, group: u64) -> Vec<String> {
    let of = |list: Vec<Value>| -> String {
        let entry = list.iter().find(|entry| entry["id"] == shown.id).expect("it is in the list");
        entry["state"].as_str().expect("a state").to_owned()
    };
    client.say(json!({"msgid": 29, "id": shown.id}));
    let mut states = vec![client.hear("FIND_ACK")["state"].as_str().expect("a state").to_owned()];
    client.say(json!({"msgid": 34, "groupid": group}));
    states.push(of(client.hear("MEMBERS_ACK")["users"].as_array().expect("a list").clone()));
    client.say(json!({"msgid": 13, "id": client.id}));
    states.push(of(client.hear("SHOW_FRIENDS_ACK")["friends"].as_array().expect("a list").clone()));
    let mut of_seed = chatd.connect();
    let welcome = of_seed.login(seed);
    states.push(of(entries(&welcome["friends"])));
    states.push(of(entries(&entries(&welcome["groups"])[0]["users"])));
    of_seed.say(json!({"msgid": 13, "id": seed.id}));
    states.push(of(entries(&of_seed.hear("SHOW_FRIENDS_ACK")["friends"])));
    of_seed.logout();
    chatd.until_offline(seed);
    states
}

#[test]
fn whoever_blocks_somebody_is_offline_to_it() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben, seed) = (chatd.register("amy"), chatd.register("ben"), chatd.register("seed"));
        let mut watcher = enter_v2(&chatd, &amy).0;
        befriend(&mut watcher, &ben);
        let mut bens = enter_v2(&chatd, &ben).0;
        assert_eq!(watcher.hear("PRESENCE"), presence(&ben, "online"), "{cores} cores");
        let group = bens.create_group("g");
        watcher.join_group(group);
        let mut of_seed = chatd.enter(&seed);
        of_seed.say(json!({"msgid": 7, "id": seed.id, "friendid": ben.id, "cid": "friend"}));
        of_seed.hear_ack("friend");
        of_seed.join_group(group);
        of_seed.logout();
        chatd.until_offline(&seed);
        assert_eq!(states(&chatd, &mut watcher, &seed, &ben, group), ["online"; 6], "{cores} cores");
        block(&mut bens, 32, &amy);
        block(&mut bens, 32, &seed);
        assert_eq!(watcher.hear("PRESENCE"), presence(&ben, "offline"), "{cores} cores");
        assert_eq!(states(&chatd, &mut watcher, &seed, &ben, group), ["offline"; 6], "{cores} cores");
        // Neither its coming and going is told, nor its state to who logs in or adds it.
        bens.logout();
        chatd.until_offline(&ben);
        let mut bens = enter_v2(&chatd, &ben).0;
        watcher.hear_nothing();
        watcher.logout();
        watcher.hear_until_logged_out();
        super::v2_hostile::ask_login_v2(&mut watcher, &amy);
        assert_eq!(watcher.hear_login()["friends"][0]["state"], "offline", "{cores} cores");
        watcher.say(json!({"msgid": 12, "id": amy.id, "friendid": ben.id, "cid": "no friend"}));
        watcher.hear_ack("no friend");
        befriend(&mut watcher, &ben);
        block(&mut bens, 33, &amy);
        block(&mut bens, 33, &seed);
        assert_eq!(watcher.hear("PRESENCE"), presence(&ben, "online"), "{cores} cores");
        assert_eq!(states(&chatd, &mut watcher, &seed, &ben, group), ["online"; 6], "{cores} cores");
        bens.logout();
        assert_eq!(watcher.hear("PRESENCE"), presence(&ben, "offline"), "{cores} cores");
        watcher.hear_nothing();
    }
}
