//! A server that dies or hangs: the others go on, and its users find everything elsewhere.

use super::patience::{SOON, befriend, log_in, said, state_of, until};
use super::redis::own_redis;
use crate::common::DEADLINE;
use crate::common::client::entries;
use crate::common::cluster::{Backends, Shared};
use crate::common::services::proxy::Proxy;
use crate::common::services::redis::Redis;

#[test]
fn users_of_a_killed_server_log_in_elsewhere_and_find_their_messages() {
    let mut cluster = Backends::of_all_tests().share().cluster(2);
    let users = cluster.register_many("user", 20);
    let (amy, others) = users.split_first().expect("twenty");
    let [first, second] = &mut cluster.servers;
    let mut at_second = second.enter(amy);
    befriend(&mut at_second, &others[0]);
    let at_first = first.enter_all(others);
    at_second.chat_stored(&others[0], "before", "before");
    first.end(libc::SIGKILL);
    // Whether he was told of it before or not, what was acknowledged waits.
    for (at, other) in others.iter().enumerate() {
        at_second.chat_stored(other, &format!("after {at}"), &format!("after {at}"));
    }
    assert_eq!(state_of(&mut at_second, &others[0]), "offline");
    for (at, other) in others.iter().enumerate() {
        let (mut client, answer) = log_in(second, other, SOON);
        let mut waited: Vec<_> =
            entries(&answer["offlinemsg"]).iter().map(|message| message["msg"].clone()).collect();
        waited.retain(|msg| msg != "before");
        assert_eq!(waited, [format!("after {at}")]);
        client.hear_nothing();
    }
    assert_eq!(state_of(&mut at_second, &others[0]), "offline");
    drop(at_first);
    // The server that is left is as it was.
    assert_eq!(said(second, &[]), 0, "{}", second.printed());
}

/// A server that hangs keeps its connections, and with them its users' names: for a while.
#[test]
fn users_of_a_server_that_hangs_are_soon_shown_offline_and_log_in_elsewhere() {
    let cluster = Backends::of_all_tests().share().cluster(1);
    let [first, second] = &cluster.servers;
    let (amy, ben, carl) = (cluster.register("amy"), cluster.register("ben"), cluster.register("carl"));
    let mut at_second = second.enter(&amy);
    befriend(&mut at_second, &ben);
    let mut bens = first.enter(&ben);
    let mut carls = first.enter(&carl);
    assert_eq!(state_of(&mut at_second, &ben), "online");
    first.signal(libc::SIGSTOP);
    // A login elsewhere does not wait until the others have noticed.
    let (mut carls_new, _) = log_in(second, &carl, SOON);
    until("Ben to be shown offline", DEADLINE, || {
        (state_of(&mut at_second, &ben) == "offline").then_some(())
    });
    at_second.chat_stored(&ben, "are you there?", "a");
    let (mut bens_new, answer) = log_in(second, &ben, SOON);
    assert_eq!(entries(&answer["offlinemsg"])[0]["msg"], "are you there?");
    // When it goes on, it finds that it was given up: the older of two sessions stays.
    first.signal(libc::SIGCONT);
    for client in [&mut bens_new, &mut carls_new] {
        client.hear_error_and_end(113);
    }
    until("Ben to be shown online", SOON, || (state_of(&mut at_second, &ben) == "online").then_some(()));
    at_second.chat(&ben, "so you are");
    // What came to his other session comes again if his TCP had not acknowledged it in time.
    while bens.hear("a message")["msg"] != "so you are" {}
    at_second.chat(&carl, "and you");
    carls.hear_msg("and you");
}

/// It hangs for so short a time that nobody gives it up, and for so long that another login is let in.
#[test]
fn of_two_sessions_after_a_short_hang_one_stays() {
    let cluster = Backends::of_all_tests().share().cluster(1);
    let [first, second] = &cluster.servers;
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let mut at_second = second.enter(&amy);
    let mut bens = first.enter(&ben);
    first.signal(libc::SIGSTOP);
    let (mut bens_new, _) = log_in(second, &ben, SOON);
    first.signal(libc::SIGCONT);
    bens_new.hear_error_and_end(113);
    at_second.chat(&ben, "one of you");
    bens.hear_msg("one of you");
}

/// Its sibling has listed the connections before this one was there, and goes on when the only
/// heartbeat of this one is over.
#[test]
fn a_server_that_hangs_at_once_is_given_up_too() {
    let (redis, shared) = own_redis();
    let by_way_of = |proxy: &Proxy, attempt: usize| Shared {
        redis: format!("redis://{}/0", proxy.address),
        prefix: format!("{}{attempt}:", shared.prefix),
        ..shared.clone()
    };
    // On a machine that is busy enough, the server notices that nothing passes before it is stopped.
    let mut attempts = 0..;
    let _both = until("a server to hang while its connection lives", DEADLINE, || {
        let attempt = attempts.next().expect("it has no end");
        let (to_first, to_second) = (Proxy::start(redis.address()), Proxy::start(redis.address()));
        let prefix = format!("{}{attempt}:", shared.prefix);
        to_second.shut_after(&["LIST"]);
        let second = by_way_of(&to_second, attempt).start(1);
        to_second.await_shut();
        second.signal(libc::SIGSTOP);
        to_first.shut_after(&["LIST", "PUBLISH"]);
        let first = by_way_of(&to_first, attempt).start(1);
        to_first.await_shut();
        first.signal(libc::SIGSTOP);
        if connections(&redis, &prefix) != 2 {
            return None;
        }
        to_second.open();
        second.signal(libc::SIGCONT);
        until("the one that hangs to be cut off", DEADLINE, || {
            (connections(&redis, &prefix) == 1).then_some(())
        });
        assert_eq!(said(&second, &["is lost"]), 0, "{}", second.printed());
        Some((first, second))
    });
}

/// Cores that are connected under this prefix.
fn connections(redis: &Redis, prefix: &str) -> usize {
    let name = format!("name=chatd/{prefix} ");
    redis.ask("CLIENT LIST TYPE pubsub").lines().filter(|line| line.contains(&name)).count()
}
