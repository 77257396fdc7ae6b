//! `chatd top` in a terminal.

use super::client::start;
use crate::screen::{CTRL_C, Screen, Setup as Terminal};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

fn top(admin: SocketAddr) -> Terminal {
    let terminal = Terminal::of(env!("CARGO_BIN_EXE_chatd")).argument("top").argument("--admin");
    terminal.argument(admin).argument("--interval").argument("0.1").size(130, 40)
}

/// The row that begins with this word.
fn row(screen: &Screen, name: &str) -> Vec<String> {
    let rows = screen.rows();
    let row = rows.iter().find(|row| row.split(' ').next() == Some(name));
    row.map(|row| row.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

#[test]
fn it_shows_cores_rates_and_stages_until_q() {
    let (chatd, admin) = start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amy, mut hearing) = (chatd.enter(&amy), chatd.enter(&ben));
    let mut screen = top(admin.0).start();
    screen.see("ready");
    for head in ["messages/s", "p99.9", "stage flushed", "path other_core", "store up"] {
        screen.see(head);
    }
    screen.until("a row for each core, with those who are online", |rows| {
        let online = |name: &str| -> f64 {
            let row = rows.iter().find(|row| row.starts_with(name)).map(String::as_str);
            row.and_then(|row| row.split_whitespace().nth(3)?.parse().ok()).unwrap_or(0.0)
        };
        online("0 ") + online("1 ") == 2.0 && online("all ") == 2.0
    });
    let mut seen = false;
    for number in 0.. {
        amy.chat(&ben, &format!("{number}"));
        hearing.hear_msg(&format!("{number}"));
        seen = row(&screen, "all").get(4).is_some_and(|rate| rate != "0");
        if seen || number > 1_000_000 {
            break;
        }
    }
    assert!(seen, "messages were said, and a rate is shown: {:#?}", screen.rows());
    screen.type_text("q");
    assert_eq!(screen.end(), 0);
    assert!(screen.raw().contains("\x1b[?1049l"), "the screen is as it was");
}

#[test]
fn it_fits_whatever_room_there_is() {
    let (_chatd, admin) = start(8);
    let mut screen = top(admin.0).size(40, 12).start();
    screen.see("more");
    screen.until("no row that is too long", |rows| {
        rows.len() <= 12 && rows.iter().any(|row| row.starts_with("all"))
    });
    screen.resize(130, 50);
    screen.until("all cores", |rows| {
        (0..8).all(|core| rows.iter().any(|row| row.starts_with(&format!("{core} "))))
    });
    screen.type_text(CTRL_C);
    assert_eq!(screen.end(), 0);
}

#[test]
fn a_server_that_goes_is_told_and_waited_for() {
    let (mut chatd, admin) = start(1);
    let mut screen = top(admin.0).start();
    screen.see("ready");
    chatd.end(libc::SIGTERM);
    screen.see("trying again");
    screen.type_text("q");
    assert_eq!(screen.end(), 0);
}

#[test]
fn once_is_for_pipes_and_nobody_there_is_said() {
    let (_chatd, admin) = start(1);
    let top = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chatd"));
        command.arg("top").args(arguments).stdin(Stdio::null()).output().expect("chatd can be started")
    };
    let address = admin.0.to_string();
    let once = top(&["--admin", &address, "--once", "--interval", "0.1"]);
    let text = String::from_utf8(once.stdout).expect("UTF-8");
    assert!(once.status.success() && text.contains("stage read") && text.contains("ready"), "{text}");
    assert!(!text.contains('\x1b'), "no colours in a pipe: {text:?}");
    let live = top(&["--admin", &address]);
    let said = String::from_utf8(live.stderr).expect("UTF-8");
    assert!(!live.status.success() && said.contains("--once"), "{said}");
    let nobody = top(&["--admin", "127.0.0.1:1", "--once"]);
    let said = String::from_utf8(nobody.stderr).expect("UTF-8");
    assert!(!nobody.status.success() && said.contains("127.0.0.1:1"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
