//! `/healthz` and `/readyz`: whether to restart it, and whether to send clients there.

use super::client::{Admin, start, watched};
use super::openmetrics::Metrics;
use crate::common::DEADLINE;
use crate::common::chatd::Setup;
use crate::common::client::{Client, User};
use crate::common::services::install;
use crate::common::services::redis::Redis;
use serde_json::{Value, json};
use std::time::Instant;

fn not_ready(admin: Admin, why: &str) {
    let page = admin.until(why, "/readyz", |page| page.status == 503);
    assert!(page.text().contains(why), "{}", page.text());
    assert_eq!(admin.get("/healthz").status, 200, "it lives");
    let metrics = Metrics::read(&admin.body("/metrics"));
    assert_eq!(metrics.sum("chatd_ready", &[]), 0.0);
}

#[test]
fn a_server_that_works_is_healthy_and_ready() {
    let (_chatd, admin) = start(2);
    assert_eq!((admin.get("/healthz").status, admin.body("/healthz").as_str()), (200, "ok\n"));
    assert_eq!(admin.body("/readyz"), "ready\n");
}

#[test]
fn one_that_is_draining_is_healthy_and_not_ready() {
    let (mut chatd, admin) = start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut reader = chatd.connect();
    reader.small_window();
    reader.login(&ben);
    let mut writer = chatd.enter(&amy);
    // What nobody reads keeps the server from having finished with its sessions.
    for _ in 0..60 {
        writer.chat(&ben, &"x".repeat(8 << 10));
    }
    writer.hear_until_now();
    chatd.signal(libc::SIGTERM);
    // Whoever sends clients here knows before the first of them is told.
    writer.hear_error(114);
    assert_eq!(admin.get("/readyz").status, 503);
    not_ready(admin, "draining");
    assert_eq!(Metrics::read(&admin.body("/metrics")).sum("chatd_draining", &[]), 1.0);
    drop(reader);
    drop(writer);
    assert_eq!(chatd.wait().code(), Some(0), "{}", chatd.printed());
}

#[test]
fn one_that_has_lost_redis_is_not_ready_until_it_is_back() {
    install::by_apt();
    let mut redis = Redis::start(&[]).unwrap();
    let (_chatd, admin) = watched(Setup::new(2).argument("--redis").argument(&redis.url()));
    admin.until("Redis", "/readyz", |page| page.status == 200);
    redis.kill();
    not_ready(admin, "lost the bus");
    let metrics = Metrics::read(&admin.body("/metrics"));
    assert_eq!(metrics.sum("chatd_bus_up", &[]), 0.0);
    redis.run().unwrap();
    admin.until("Redis to be back", "/readyz", |page| page.status == 200);
}

/// A message of Amy's to Ben, with an answer.
fn say(amy: &mut Client, ben: &User, number: usize) -> Value {
    let id = amy.id;
    amy.say(
        json!({"msgid": 6, "id": id, "toid": ben.id, "msg": "x".repeat(4_000), "cid": format!("c{number}")}),
    );
    amy.hear("an ACK or a refusal")
}

#[test]
fn one_whose_disk_is_full_is_not_ready_until_there_is_room() {
    // Who writes too much is told so by an error, and not by a signal that kills.
    let ignore = || {
        // SAFETY: a system call on numbers.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        Ok(())
    };
    let (chatd, admin) = watched(Setup::new(1).before(ignore));
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amy = chatd.enter(&amy);
    assert_eq!(say(&mut amy, &ben, 0)["errno"], 0);
    assert_eq!(admin.get("/readyz").status, 200);

    chatd.limit_files(4_096);
    assert_eq!(say(&mut amy, &ben, 1)["errno"], 110);
    not_ready(admin, "the store is down");
    assert_eq!(Metrics::read(&admin.body("/metrics")).sum("chatd_store_up", &[]), 0.0);

    chatd.limit_files(libc::RLIM_INFINITY);
    let end = Instant::now() + DEADLINE;
    let mut number = 2;
    while admin.get("/readyz").status != 200 {
        assert!(Instant::now() < end, "waited for the store to work again: {}", chatd.printed());
        say(&mut amy, &ben, number);
        number += 1;
    }
    assert_eq!(Metrics::read(&admin.body("/metrics")).sum("chatd_store_up", &[]), 1.0);
}

/// A database that somebody has made to refuse one user's messages: that user hears so, and nobody else notices.
#[test]
fn what_the_store_refuses_for_good_is_told_counted_and_said_once() {
    let (chatd, admin) = watched(Setup::new(1));
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), chatd.enter(&ben));
    let db = rusqlite::Connection::open(chatd.data.path().join("chatd.db")).unwrap();
    let trigger = format!(
        "CREATE TRIGGER refuses BEFORE INSERT ON message WHEN NEW.sender = {}
         BEGIN SELECT RAISE(ABORT, 'a test refuses this'); END",
        amy.id
    );
    db.execute_batch(&trigger).unwrap();
    for number in 0..3 {
        let refused = say(&mut amys, &ben, number);
        assert_eq!(
            (&refused["errno"], &refused["errmsg"]),
            (&json!(102), &json!("the store cannot take this"))
        );
        bens.hear("what Amy said, live");
        assert_eq!(say(&mut bens, &amy, number)["errno"], 0);
        amys.hear("what Ben says");
    }
    assert_eq!(admin.get("/readyz").status, 200);
    admin.until("all to be counted", "/metrics", |page| {
        Metrics::read(page.text()).sum("chatd_store_unexpected_total", &[]) == 3.0
    });
    let end = Instant::now() + DEADLINE;
    while chatd.stderr_lines().is_empty() && Instant::now() < end {
        std::thread::yield_now();
    }
    let lines = chatd.stderr_lines();
    let said =
        "the store cannot carry out a request, please report this: store a message: a test refuses this";
    assert!(lines.len() == 1 && lines[0].contains(said), "{lines:?}");
}

#[test]
fn off_is_off_and_an_address_that_is_taken_is_refused() {
    let chatd = Setup::new(1).start();
    assert!(chatd.stdout_lines().contains(&"  admin      off".to_owned()), "{}", chatd.printed());
    assert_eq!(listening(chatd.pid()), 1, "the port of the clients and no other");
    let (watched, admin) = start(1);
    assert_eq!(listening(watched.pid()), 2);
    let taken = admin.0.to_string();
    Setup::new(1).admin(&taken).fail().says(&["cannot show metrics", &taken, "--admin"]);
    Setup::new(1).admin("nowhere").start_or_fail().map(drop).expect_err("that is no address");
}

/// How many sockets a process listens on.
fn listening(pid: u32) -> usize {
    let table = |name| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let text = table("tcp") + &table("tcp6");
    let inodes = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(3) == Some(&"0A")).then(|| format!("socket:[{}]", fields[9]))
    });
    let inodes: Vec<String> = inodes.collect();
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").flatten();
    let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.filter(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str())).count()
}
