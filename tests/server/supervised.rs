//! What systemd is told: that the server is ready, that it lives, that it reads again, that it stops.

use crate::common::DEADLINE;
use crate::common::chatd::Setup;
use crate::common::scratch::Scratch;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

fn hear(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    let count = socket.recv(&mut bytes).expect("systemd is told something");
    String::from_utf8(bytes[..count].to_vec()).expect("text")
}

/// Where this server's systemd listens.
fn listening(scratch: &Scratch) -> (UnixDatagram, Setup) {
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    (socket, Setup::new(2).environment("NOTIFY_SOCKET", path.to_str().expect("text")))
}

#[test]
fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let scratch = Scratch::new();
    let (socket, setup) = listening(&scratch);
    let mut chatd = setup.environment("WATCHDOG_USEC", "200000").start();
    assert_eq!(hear(&socket), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(&socket), "WATCHDOG=1");
    }
    chatd.signal(libc::SIGTERM);
    let mut told = hear(&socket);
    while told == "WATCHDOG=1" {
        told = hear(&socket);
    }
    assert_eq!(told, "STOPPING=1");
    assert!(chatd.wait().success());
}

/// What `systemctl reload` does: the command of the unit, and what is said to systemd while it waits.
#[test]
fn systemctl_reload_has_it_read_again_and_hears_when_that_is_done() {
    let scratch = Scratch::new();
    let (socket, setup) = listening(&scratch);
    let mut chatd = setup.start();
    assert_eq!(hear(&socket), "READY=1");
    let unit = fs::read_to_string("ops/systemd/chatd.service").unwrap();
    let reload = unit.lines().find_map(|line| line.strip_prefix("ExecReload=")).expect("it can be reloaded");
    let reload = reload.replace("$MAINPID", &chatd.pid().to_string());
    let words: Vec<&str> = reload.split(' ').collect();
    for _ in 0..2 {
        assert!(Command::new(words[0]).args(&words[1..]).status().unwrap().success(), "{reload}");
        let told = hear(&socket);
        let since = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{told}"));
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let since: i64 = since.parse().expect("a number");
        assert!(since > 0 && since / 1_000_000 <= now.tv_sec, "{since} µs, now {} s", now.tv_sec);
        assert_eq!(hear(&socket), "READY=1");
    }
    chatd.signal(libc::SIGTERM);
    assert_eq!(hear(&socket), "STOPPING=1");
    assert!(chatd.wait().success());
}

#[test]
fn nobody_is_told_where_nobody_wants_to_know() {
    let mut chatd = Setup::new(1).environment("NOTIFY_SOCKET", "/nowhere/at/all").start();
    chatd.register("amy");
    chatd.end(libc::SIGTERM);
    assert!(chatd.stderr_lines().iter().any(|line| line.contains("systemd was not told Ready")));
}
