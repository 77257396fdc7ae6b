//! Lines of the log that are lost: counted, and told of when there is room again.

use super::client::watched;
use super::openmetrics::Metrics;
use crate::common::DEADLINE;
use crate::common::chatd::Setup;
use crate::common::client::chat;
use crate::common::scratch::Scratch;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::time::Instant;

#[test]
fn a_log_on_the_disk_that_fills_tells_later_what_it_lacks() {
    let scratch = Scratch::new();
    let path = scratch.path().join("log");
    let file = OpenOptions::new().create(true).append(true).open(&path).expect("a new file");
    let ignore = || {
        // SAFETY: a system call on numbers.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        Ok(())
    };
    let (mut chatd, admin) = watched(Setup::new(1).before(ignore).stderr(file));
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amy = chatd.enter(&amy);
    let lost = || Metrics::read(&admin.body("/metrics")).sum("chatd_log_lines_lost_total", &[]);
    assert_eq!(lost(), 0.0);

    // There is room for a few bytes of the next line, and for nothing in the store.
    chatd.limit_files(10);
    let mut number = 0;
    let mut say = || {
        number += 1;
        let mut frame = chat(amy.id, ben.id, "tea");
        frame["cid"] = json!(format!("c{number}"));
        amy.say(frame);
        amy.hear("an ACK or a refusal")
    };
    assert_eq!(say()["errno"], 110);
    admin.until("the line to be lost", "/metrics", |page| {
        page.text().contains("chatd_log_lines_lost_total 1\n")
    });
    chatd.limit_files(libc::RLIM_INFINITY);
    let end = Instant::now() + DEADLINE;
    while admin.get("/readyz").status != 200 {
        assert!(Instant::now() < end, "waited for the store to work again");
        let _: Value = say();
    }
    assert_eq!(lost(), 1.0);
    chatd.end(libc::SIGTERM);
    let log = std::fs::read_to_string(path).expect("a log");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(
        lines[..3],
        ["chatd: the", "chatd: 1 line was not written", "chatd: the store works again"],
        "{log}"
    );
    assert_eq!(lines.last(), Some(&"chatd: stopped"), "{log}");
}
