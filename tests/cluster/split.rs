//! A cluster whose servers are on different buses: it is noticed, said, and healed.

use super::patience::{SOON, befriend, log_in, said, until};
use super::redis::own_redis;
use crate::admin::{Admin, watched};
use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{User, entries};
use crate::common::cluster::{Backends, Shared};
use crate::common::services::install;
use crate::common::services::proxy::Proxy;
use crate::common::services::redis::Redis;

/// What a server says that does not hear another one.
const SPLIT: &[&str] = &["the cluster is split", "does not hear", "uses the same database"];
/// What it says whether it does not hear another one or is told so by that one: who notices first is chance.
const NOTICED: &[&str] = &["the cluster is split"];
const WHOLE: &[&str] = &["the cluster is whole again"];

/// The answer to who wants to log in.
fn refusal(server: &Chatd, user: &User) -> u64 {
    let mut client = server.connect();
    client.ask_login(user);
    client.hear("the answer to a login")["errno"].as_u64().expect("an errno")
}

fn is_split(admin: Admin) {
    let page = admin.until("a split to be noticed", "/readyz", |page| page.status == 503);
    assert!(page.text().contains("the cluster is split"), "{}", page.text());
    assert!(admin.body("/metrics").contains("chatd_bus_up{core=\"0\"} 0"));
}

fn is_ready(admin: Admin) {
    admin.until("a server to be ready", "/readyz", |page| page.status == 200);
}

fn hears(server: &Chatd, words: &[&str], times: usize) {
    let what = format!("{words:?} to be said {times} times");
    until(&what, DEADLINE, || (said(server, words) == times).then_some(()));
}

/// PUBLISH on a replica is no error, and is not heard at its master.
#[test]
fn a_replica_is_refused_at_start_and_counts_as_lost_later() {
    install::by_apt();
    let master = Redis::start(&[]).unwrap();
    let port = master.address().port().to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &port]).unwrap();
    let with = |url: String| Setup::new(2).environment("CHATD_REDIS", &url);
    let at = replica.address().to_string();
    with(replica.url()).fail().says(&[&at, "is a replica", "name the master"]);
    let (chatd, admin) = watched(with(master.url()));
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), chatd.enter(&ben));
    // Fail over, and back again.
    assert!(replica.ask("REPLICAOF NO ONE").starts_with("+OK"));
    let demote = format!("REPLICAOF 127.0.0.1 {}", replica.address().port());
    assert!(master.ask(&demote).starts_with("+OK"));
    hears(&chatd, &["Redis", "is lost", "it is a replica now"], 1);
    admin.until("a server that has lost its bus", "/readyz", |page| page.status == 503);
    // Each core asks for itself.
    let carl = chatd.register("carl");
    until("a login to be refused", DEADLINE, || (refusal(&chatd, &carl) == 110).then_some(()));
    amys.chat_stored(&ben, "stored, at least", "a");
    assert!(master.ask("REPLICAOF NO ONE").starts_with("+OK"));
    hears(&chatd, &["Redis", "is back"], 1);
    is_ready(admin);
    bens.hear_msg("stored, at least");
    amys.chat(&ben, "and now");
    bens.hear_msg("and now");
}

#[test]
fn servers_of_one_database_and_two_redis_notice_it_at_start() {
    let (_one, shared) = own_redis();
    let two = Redis::start(&[]).unwrap();
    let (first, first_admin) = watched(shared.setup(2));
    let (amy, ben, carl) = (first.register("amy"), first.register("ben"), first.register("carl"));
    let (mut amys, mut bens) = (first.enter(&amy), first.enter(&ben));
    let elsewhere = Shared { redis: two.url(), ..shared.clone() };
    let (mut second, second_admin) = watched(elsewhere.setup(1));
    assert_eq!(said(&second, SPLIT), 1, "before it is ready: {}", second.printed());
    is_split(second_admin);
    is_split(first_admin);
    hears(&first, SPLIT, 1);
    for server in [&first, &second] {
        assert_eq!(refusal(server, &carl), 110);
    }
    // Who was there goes on.
    amys.chat(&ben, "nothing happened");
    bens.hear_msg("nothing happened");
    second.end(libc::SIGTERM);
    hears(&first, WHOLE, 1);
    is_ready(first_admin);
    assert_eq!(refusal(&first, &carl), 0);
    // One that dies is not missed for long, either.
    let mut second = elsewhere.start(1);
    hears(&first, SPLIT, 2);
    second.end(libc::SIGKILL);
    hears(&first, WHOLE, 2);
    is_ready(first_admin);
    // And another one on the right Redis is welcome.
    let (_third, third_admin) = watched(shared.setup(1));
    is_ready(third_admin);
    amys.hear_nothing();
    bens.hear_nothing();
}

/// One of two servers is led to another Redis, as by a failover that the other one has not heard of.
#[test]
fn a_split_is_noticed_and_healed_and_nothing_is_lost() {
    let (one, shared) = own_redis();
    let two = Redis::start(&[]).unwrap();
    let proxy = Proxy::start(one.address());
    let led = Shared { redis: format!("redis://{}/0", proxy.address), ..shared.clone() };
    let (first, first_admin) = watched(shared.setup(1));
    let (second, second_admin) = watched(led.setup(2));
    let (amy, ben, carl, dora) =
        (first.register("amy"), first.register("ben"), first.register("carl"), first.register("dora"));
    let (mut amys, mut bens, mut carls) = (first.enter(&amy), first.enter(&ben), second.enter(&carl));
    befriend(&mut amys, &carl);
    // Before it is noticed somebody may be let in twice. On a machine that is busy the servers may be
    // faster than this test; then once more.
    let mut tries = 0;
    let mut bens_new = loop {
        tries += 1;
        proxy.lead_to(two.address());
        hears(&second, &["Redis", "is back"], 2 * tries - 1);
        let mut client = second.connect();
        let let_in = until("a login, or a split", DEADLINE, || {
            let split = said(&second, NOTICED) == tries;
            client.ask_login(&ben);
            let errno = client.hear("the answer to a login")["errno"].as_u64();
            if errno == Some(0) { Some(true) } else { split.then_some(false) }
        });
        if let_in {
            break client;
        }
        proxy.lead_to(one.address());
        hears(&first, WHOLE, tries);
        hears(&second, WHOLE, tries);
    };
    hears(&first, NOTICED, tries);
    hears(&second, NOTICED, tries);
    is_split(first_admin);
    is_split(second_admin);
    for server in [&first, &second] {
        assert_eq!(refusal(server, &dora), 110);
    }
    // What is acknowledged meanwhile is delivered when they hear each other again.
    amys.chat_stored(&carl, "do you hear me?", "a");
    bens_new.chat_stored(&amy, "who is there?", "b");
    proxy.lead_to(one.address());
    hears(&first, WHOLE, tries);
    hears(&second, WHOLE, tries);
    is_ready(first_admin);
    is_ready(second_admin);
    bens_new.hear_error_and_end(113);
    carls.hear_msg("do you hear me?");
    amys.hear_msg("who is there?");
    amys.chat(&ben, "one of you");
    bens.hear_msg("one of you");
    let (mut doras, answer) = log_in(&second, &dora, SOON);
    assert_eq!(entries(&answer["friends"]).len(), 0);
    amys.chat(&dora, "welcome");
    doras.hear_msg("welcome");
}

/// Its row in the database falls silent before it is missed on the bus.
#[test]
fn a_server_that_is_killed_or_stopped_is_no_split() {
    let backends = Backends::of_all_tests();
    let shared = backends.share();
    let cluster = shared.cluster(1);
    let [mut first, second] = cluster.servers;
    let mut third = shared.start(1);
    third.end(libc::SIGTERM);
    first.end(libc::SIGKILL);
    let name = shared.mysql.split('/').next_back().and_then(|rest| rest.split('?').next()).unwrap();
    let silent = format!(
        "SELECT COUNT(*) FROM {name}.chatd_server WHERE heartbeat < UTC_TIMESTAMP(3) - INTERVAL 14 SECOND"
    );
    until("the dead one to be silent for long", DEADLINE, || {
        (backends.mariadb.sql(&silent).trim() == "1").then_some(())
    });
    let rows = backends.mariadb.sql(&format!("SELECT COUNT(*) FROM {name}.chatd_server"));
    assert_eq!(rows.trim(), "2", "who stops strikes itself out");
    assert_eq!(said(&second, &[]), 0, "{}", second.printed());
}
