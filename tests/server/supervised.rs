//! What systemd is told: that the server is ready, that it lives, that it stops.

use crate::common::DEADLINE;
use crate::common::chatd::Setup;
use crate::common::scratch::Scratch;
use std::os::unix::net::UnixDatagram;

fn hear(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    let count = socket.recv(&mut bytes).expect("systemd is told something");
    String::from_utf8(bytes[..count].to_vec()).expect("text")
}

#[test]
fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let scratch = Scratch::new();
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let setup = Setup::new(2).environment("NOTIFY_SOCKET", path.to_str().expect("text"));
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

#[test]
fn nobody_is_told_where_nobody_wants_to_know() {
    let mut chatd = Setup::new(1).environment("NOTIFY_SOCKET", "/nowhere/at/all").start();
    chatd.register("amy");
    chatd.end(libc::SIGTERM);
    assert!(chatd.stderr_lines().iter().any(|line| line.contains("systemd was not told Ready")));
}
