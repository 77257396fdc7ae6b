//! Presence across servers: true when they are well, and soon true when one dies, hangs or stops.

use super::patience::{SOON, said, until};
use super::redis::own_redis;
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User};
use crate::common::cluster::Backends;
use serde_json::{Value, json};

fn enter_v2(server: &Chatd, user: &User) -> Client {
    let mut client = server.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2}));
    client.hear_login();
    client
}

fn presence(user: &User, state: &str) -> Value {
    json!({"msgid": 28, "id": user.id, "state": state})
}

/// Somebody who is told of the others.
fn watcher(server: &Chatd, user: &User, friends: &[&User]) -> Client {
    let mut client = enter_v2(server, user);
    for friend in friends {
        client.say(json!({"msgid": 7, "id": client.id, "friendid": friend.id}));
        assert_eq!(client.hear("PRESENCE"), presence(friend, "offline"));
    }
    client
}

/// The next frames are these, in whatever order.
fn hear_all(client: &mut Client, mut expected: Vec<Value>) {
    while !expected.is_empty() {
        let frame = client.hear("PRESENCE");
        let at = expected.iter().position(|expected| *expected == frame);
        expected.remove(at.unwrap_or_else(|| panic!("heard {frame}, still expected {expected:?}")));
    }
}

#[test]
fn who_comes_and_goes_is_told_of_on_other_servers() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [first, second] = &cluster.servers;
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let mut watching = watcher(second, &amy, &[&ben]);
    let mut bens = first.enter(&ben);
    hear_all(&mut watching, vec![presence(&ben, "online")]);
    bens.logout();
    hear_all(&mut watching, vec![presence(&ben, "offline")]);
    // From one server to the other, faster than anybody is told of.
    drop(enter_v2(first, &ben));
    hear_all(&mut watching, vec![presence(&ben, "online")]);
    let bens = until("Ben to be let in", SOON, || {
        let mut client = second.connect().with_newlines();
        client.id = ben.id;
        client.say(json!({"msgid": 1, "id": ben.id, "password": ben.password, "v": 2, "takeover": true}));
        (client.hear("the answer to a login")["errno"] == 0).then_some(client)
    });
    watching.hear_nothing();
    drop(bens);
    hear_all(&mut watching, vec![presence(&ben, "offline")]);
}

#[test]
fn users_of_a_killed_server_are_soon_offline_to_their_friends() {
    let mut cluster = Backends::of_all_tests().share().cluster(2);
    let users = cluster.register_many("user", 9);
    let (amy, friends) = users.split_first().expect("nine");
    let [first, second] = &mut cluster.servers;
    let mut watching = watcher(second, amy, &friends.iter().collect::<Vec<_>>());
    let theirs = first.enter_all(friends);
    hear_all(&mut watching, friends.iter().map(|friend| presence(friend, "online")).collect());
    // Who logs in later has not been told of them, and knows of them by looking.
    watching.logout();
    watching.hear_until_logged_out();
    let mut watching = enter_v2(second, amy);
    first.end(libc::SIGKILL);
    hear_all(&mut watching, friends.iter().map(|friend| presence(friend, "offline")).collect());
    watching.hear_nothing();
    drop(theirs);
}

#[test]
fn users_of_a_server_that_hangs_are_soon_offline_and_back_when_it_goes_on() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [first, second] = &cluster.servers;
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let mut watching = watcher(second, &amy, &[&ben]);
    let mut bens = first.enter(&ben);
    hear_all(&mut watching, vec![presence(&ben, "online")]);
    first.signal(libc::SIGSTOP);
    hear_all(&mut watching, vec![presence(&ben, "offline")]);
    first.signal(libc::SIGCONT);
    hear_all(&mut watching, vec![presence(&ben, "online")]);
    watching.chat(&ben, "there you are");
    bens.hear_msg("there you are");
}

#[test]
fn users_of_a_server_that_stops_are_offline_unless_they_are_back() {
    let mut cluster = Backends::of_all_tests().share().cluster(2);
    let (amy, ben, carl) = (cluster.register("amy"), cluster.register("ben"), cluster.register("carl"));
    let [first, second] = &mut cluster.servers;
    let mut watching = watcher(second, &amy, &[&ben, &carl]);
    let theirs = (enter_v2(first, &ben), enter_v2(first, &carl));
    hear_all(&mut watching, vec![presence(&ben, "online"), presence(&carl, "online")]);
    first.end(libc::SIGTERM);
    let mut bens = enter_v2(second, &ben);
    hear_all(&mut watching, vec![presence(&carl, "offline")]);
    watching.hear_nothing();
    bens.hear_nothing();
    drop(theirs);
}

/// All servers join their channels again, at different times; nobody is taken for absent meanwhile.
#[test]
fn nobody_goes_and_comes_because_redis_did() {
    let (mut redis, shared) = own_redis();
    let cluster = shared.cluster(2);
    let [first, second] = &cluster.servers;
    let (amy, ben, carl) = (cluster.register("amy"), cluster.register("ben"), cluster.register("carl"));
    let mut watching = watcher(second, &amy, &[&ben, &carl]);
    let (_bens, carls) = (enter_v2(first, &ben), enter_v2(first, &carl));
    hear_all(&mut watching, vec![presence(&ben, "online"), presence(&carl, "online")]);
    redis.kill();
    for server in [first, second] {
        until("the loss to be noticed", SOON, || (said(server, &["Redis", "is lost"]) == 1).then_some(()));
    }
    redis.run().unwrap();
    for server in [first, second] {
        until("the return to be noticed", SOON, || (said(server, &["Redis", "is back"]) == 1).then_some(()));
    }
    // Told when his three seconds are over: those of the servers are, too.
    drop(carls);
    hear_all(&mut watching, vec![presence(&carl, "offline")]);
    watching.hear_nothing();
}

/// A session that lives beside others.
fn enter_beside(server: &Chatd, user: &User) -> Client {
    let mut client = server.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2, "multi": true}));
    client.hear_login();
    client
}

/// Nobody was ever told of the older one but by its own server, at a time when a newer one was known.
#[test]
fn of_two_sessions_the_newer_ends_and_then_the_server_of_the_older_one_is_killed() {
    let mut cluster = Backends::of_all_tests().share().cluster(1);
    let [amy, ben, carl, dora] = ["amy", "ben", "carl", "dora"].map(|name| cluster.register(name));
    let [first, second] = &mut cluster.servers;
    let mut watching = watcher(second, &amy, &[&ben, &carl, &dora]);
    let older = enter_beside(first, &ben);
    hear_all(&mut watching, vec![presence(&ben, "online")]);
    let newer = enter_beside(second, &ben);
    let carls = enter_v2(second, &carl);
    hear_all(&mut watching, vec![presence(&carl, "online")]);
    drop(newer);
    drop(carls);
    // The second server looks for Ben before it says that Carl is gone, and has found him when Dora is there.
    hear_all(&mut watching, vec![presence(&carl, "offline")]);
    let doras = enter_v2(second, &dora);
    hear_all(&mut watching, vec![presence(&dora, "online")]);
    first.end(libc::SIGKILL);
    hear_all(&mut watching, vec![presence(&ben, "offline")]);
    watching.hear_nothing();
    drop((older, doras));
}
