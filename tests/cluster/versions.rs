//! Servers of several versions: those that would misunderstand each other refuse to be one cluster, in a sentence, and
//! before anything of the database is changed.

use super::patience::{SOON, until};
use crate::admin::watched;
use crate::common::cluster::{Backends, Shared};
use std::path::PathBuf;

/// What another server has written down: as the version before this one does, which says nothing of its bus.
fn another(database: &str) -> String {
    format!(
        "INSERT INTO {database}.chatd_server (id, place, cores, bus, hears_all, started, heartbeat)
         VALUES (7, '192.0.2.7:6000', 1, '', 1, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 1 HOUR)"
    )
}

/// Servers that share a database of this name.
fn share(backends: &Backends) -> (Shared, String) {
    let shared = backends.share();
    let (_, database) = shared.mysql.rsplit_once('/').expect("a URL names its database");
    (shared.clone(), database.to_owned())
}

#[test]
fn who_speaks_another_version_of_the_bus_does_not_start_and_changes_nothing() {
    let backends = Backends::of_all_tests();
    let sql = |text: &str| backends.mariadb.sql(text).trim().to_owned();
    let (shared, database) = share(backends);
    drop(shared.start(1));
    // A server that is killed counts until it has been silent for a while.
    sql(&format!("DELETE FROM {database}.chatd_server"));
    // The version before, which goes on while this one is started.
    sql(&format!(
        "ALTER TABLE {database}.chatd_server DROP COLUMN bus_version;
         DELETE FROM {database}.chatd_schema WHERE version >= 12; {}",
        another(&database)
    ));
    let words = ["192.0.2.7:6000 works on the same database", "version 1 of the bus", "stop all servers"];
    shared.setup(1).fail().says(&words);
    assert_eq!(sql(&format!("SELECT MAX(version) FROM {database}.chatd_schema")), "11", "it was left alone");
    // A later one.
    sql(&format!("DELETE FROM {database}.chatd_server"));
    drop(shared.start(1));
    sql(&format!("DELETE FROM {database}.chatd_server; {}", another(&database)));
    sql(&format!("UPDATE {database}.chatd_server SET bus_version = 40000"));
    shared.setup(1).fail().says(&["192.0.2.7:6000", "speaks version 40000 of the bus, this chatd version"]);
    // One that has been silent for long is dead.
    sql(&format!("UPDATE {database}.chatd_server SET heartbeat = UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE"));
    drop(shared.start(1));
}

/// What no start has seen: nobody is let in while it is so.
#[test]
fn a_server_that_finds_another_version_beside_it_lets_nobody_in() {
    let backends = Backends::of_all_tests();
    let (shared, database) = share(backends);
    let (_server, admin) = watched(shared.setup(1));
    backends.mariadb.sql(&another(&database));
    let page = admin.until("another version to be noticed", "/readyz", |page| page.status == 503);
    assert!(page.text().contains("the cluster is split"), "{}", page.text());
    backends.mariadb.sql(&format!("DELETE FROM {database}.chatd_server WHERE id = 7"));
    admin.until("one version", "/readyz", |page| page.status == 200);
}

/// Of another version, of a kind that this one does not know, and no envelope at all.
#[test]
fn what_is_not_understood_on_the_bus_is_counted_and_dropped() {
    let backends = Backends::of_all_tests();
    let shared = backends.share();
    let (server, admin) = watched(shared.setup(1));
    let (amy, ben) = (server.register("amy"), server.register("ben"));
    let (mut amys, mut bens) = (server.enter(&amy), server.enter(&ben));
    let rest = "\\x00".repeat(30);
    for envelope in [format!("\\x01\\xff{rest}"), format!("\\x02\\x01{rest}"), "nothing".to_owned()] {
        for channel in [format!("u:{}", amy.id), "cores".to_owned()] {
            let heard = backends.redis.ask(&format!("PUBLISH {}{channel} \"{envelope}\"", shared.prefix));
            assert!(heard.starts_with(":1"), "{heard}");
        }
    }
    admin.until("six of them to be counted", "/metrics", |page| {
        page.text().contains("chatd_bus_not_understood_total{core=\"0\"} 6")
    });
    amys.chat(&ben, "all the same");
    bens.hear_msg("all the same");
}

/// The real one: `CHATD_BEFORE=PROGRAM cargo test --test cluster versions -- --ignored`, where the program is the chatd of
/// the version before. Both are one cluster, or the second one says why not; and after all were stopped the newer one
/// goes on with what is there, and the older one refuses that.
#[test]
#[ignore = "needs the program of the version before: CHATD_BEFORE"]
fn the_version_before_is_understood_or_refused() {
    let before = PathBuf::from(std::env::var_os("CHATD_BEFORE").expect("CHATD_BEFORE names a program"));
    let backends = Backends::of_all_tests();
    let (shared, database) = share(backends);
    let sql = |text: &str| backends.mariadb.sql(text).trim().to_owned();
    let version = || sql(&format!("SELECT MAX(version) FROM {database}.chatd_schema"));
    let older = || shared.setup(1).program(&before);
    let mut first = older().start();
    let (amy, ben) = (first.register("amy"), first.register("ben"));
    let (mut amys, was) = (first.enter(&amy), version());
    match shared.setup(1).start_or_fail() {
        Ok(second) => {
            let mut bens = second.enter(&ben);
            for number in 0..100 {
                amys.chat(&ben, &format!("to the newer {number}"));
                bens.hear_msg(&format!("to the newer {number}"));
                bens.chat(&amy, &format!("to the older {number}"));
                amys.hear_msg(&format!("to the older {number}"));
            }
            println!("one cluster of both");
        }
        Err(failure) => {
            failure.says(&[&first.address.to_string(), "of the bus", "stop all servers"]);
            assert_eq!(version(), was, "the database was left alone");
            amys.chat_stored(&ben, "unharmed", "a");
            println!("{}", failure.stderr.trim());
        }
    }
    drop(amys);
    first.end(libc::SIGTERM);
    let mut newer = shared.start(1);
    amys = newer.enter(&amy);
    amys.chat_stored(&ben, "brought up to date", "b");
    if version() != was {
        older().fail().says(&[&database, "newer chatd"]);
    }
    drop(amys);
    newer.end(libc::SIGTERM);
    until("its row to be gone", SOON, || {
        (sql(&format!("SELECT COUNT(*) FROM {database}.chatd_server")) == "0").then_some(())
    });
}
