//! Presence on one server: friends are told who comes and goes, once each, and not of those who
//! are back at once.

use super::v2_hostile::enter_v2;
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
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
