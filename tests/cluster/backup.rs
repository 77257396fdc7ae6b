//! Backups as docs/operations.md tells to make them, taken while chatd runs, and started from.

use super::patience::{SOON, log_in};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{User, entries};
use crate::common::cluster::{Backends, Shared};
use crate::common::scratch::Scratch;
use crate::common::services::mariadb;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Somebody with a message that waits.
fn fill(chatd: &Chatd) -> User {
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    chatd.enter(&amy).chat_stored(&ben, "kept", "kept");
    ben
}

fn check(chatd: &Chatd, ben: &User) {
    let waited = chatd.connect().login_with_backlog(ben, 1);
    assert_eq!(waited[0]["msg"], "kept");
}

#[test]
fn of_the_embedded_store() {
    let chatd = Chatd::start(1);
    let ben = fill(&chatd);
    let copy = Arc::new(Scratch::new());
    let db = rusqlite::Connection::open(chatd.data.path().join("chatd.db")).unwrap();
    db.execute("VACUUM INTO ?1", [copy.path().join("chatd.db").to_str()]).unwrap();
    check(&chatd, &ben);
    check(&Setup::new(1).data(&copy).start(), &ben);
}

#[test]
fn of_mysql() {
    let backends = Backends::of_all_tests();
    let name = backends.mariadb.make_database();
    let shared = Shared { mysql: backends.mariadb.url(&name), ..backends.share() };
    let chatd = shared.start(1);
    let ben = fill(&chatd);
    let socket = format!("--socket={}", backends.mariadb.socket().display());
    let login = [socket, format!("-u{}", mariadb::USER), format!("-p{}", mariadb::PASSWORD)];
    let dump = Command::new("mariadb-dump")
        .arg("--no-defaults")
        .args(&login)
        .args(["--single-transaction", &name])
        .output()
        .expect("mariadb-dump comes with MariaDB");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let restored = backends.mariadb.make_database();
    let mut load = Command::new("mariadb")
        .arg("--no-defaults")
        .args(&login)
        .arg(&restored)
        .stdin(Stdio::piped())
        .spawn()
        .expect("mariadb comes with MariaDB");
    load.stdin.take().expect("piped").write_all(&dump.stdout).unwrap();
    assert!(load.wait().unwrap().success());
    let other = Shared { mysql: backends.mariadb.url(&restored), ..backends.share() };
    check(&chatd, &ben);
    // The dump says of the first server that it lives, and this one does not hear it: that takes a while to end.
    let other = other.start(1);
    let (_, answer) = log_in(&other, &ben, SOON);
    assert_eq!(entries(&answer["offlinemsg"])[0]["msg"], "kept");
}
