//! A bus that is not the one of all servers: it is noticed and said.

use super::patience::{said, until};
use crate::admin::{Admin, watched};
use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::User;
use crate::common::services::install;
use crate::common::services::redis::Redis;

/// The answer to who wants to log in.
fn refusal(server: &Chatd, user: &User) -> u64 {
    let mut client = server.connect();
    client.ask_login(user);
    client.hear("the answer to a login")["errno"].as_u64().expect("an errno")
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
    assert_eq!(refusal(&chatd, &chatd.register("carl")), 110);
    amys.chat_stored(&ben, "stored, at least", "a");
    assert!(master.ask("REPLICAOF NO ONE").starts_with("+OK"));
    hears(&chatd, &["Redis", "is back"], 1);
    is_ready(admin);
    bens.hear_msg("stored, at least");
    amys.chat(&ben, "and now");
    bens.hear_msg("and now");
}
