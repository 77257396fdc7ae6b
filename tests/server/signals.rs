//! Signals: none that can be caught ends it without its sessions being told.

use crate::common::chatd::{Chatd, Setup};
use crate::common::client::Client;
use crate::common::scratch::Scratch;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};

/// Sends the signal to a server of one core with a session, which must hear that it stops.
fn drains(mut chatd: Chatd, signal: i32, name: &str) {
    let amy = chatd.register("amy");
    let mut client = chatd.enter(&amy);
    chatd.signal(signal);
    client.hear_error_and_end(114);
    drop(client);
    assert_eq!(chatd.wait().code(), Some(0), "{name}: {}", chatd.printed());
    let said = chatd.stderr_lines();
    assert_eq!(said[0], format!("chatd: {name} received, finishing with every session"));
    assert_eq!(said.last().map(String::as_str), Some("chatd: stopped"), "{name}");
}

#[test]
fn those_that_stop_it_let_it_finish() {
    let stopping = [
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGINT, "SIGINT"),
    ];
    for (signal, name) in stopping {
        drains(Chatd::start(1), signal, name);
    }
}

#[test]
fn the_others_do_nothing() {
    let others = [
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
        libc::SIGSTKFLT,
        libc::SIGXFSZ,
        libc::SIGPIPE,
        libc::SIGRTMIN(),
        libc::SIGRTMAX(),
    ];
    let mut chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amy, mut reader) = (chatd.enter(&amy), chatd.enter(&ben));
    for signal in others {
        chatd.signal(signal);
        amy.chat_stored(&ben, "tea", &format!("after {signal}"));
        reader.hear_msg("tea");
        assert!(chatd.lives(), "signal {signal}");
    }
    // What it did not end by it does not end by later either.
    drop((amy, reader));
    chatd.end(libc::SIGTERM);
}

#[test]
fn a_terminal_that_closes() {
    let data = Scratch::new();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_chatd"));
    command.args([
        "--cores",
        "1",
        "--port",
        "0",
        "--admin",
        "off",
        "--password-cost",
        "m=8,t=1,p=1",
        "--data",
    ]);
    command.arg(data.path());
    command.env_remove("CHATD_MYSQL");
    command.env_remove("CHATD_REDIS");
    let pair = native_pty_system().openpty(PtySize::default()).expect("a pseudo-terminal can be had");
    let mut child = pair.slave.spawn_command(command).expect("chatd can be started");
    drop(pair.slave);
    let screen = BufReader::new(pair.master.try_clone_reader().expect("it can be read"));
    let mut lines = screen.lines().map_while(Result::ok);
    let ready = lines.find_map(|line| line.trim_end().strip_prefix("ready ").map(ToOwned::to_owned));
    let address: SocketAddr = ready.expect("it is ready").parse().expect("an address");
    let mut client = Client::connect(address);
    let amy = client.register("amy");
    client.login(&amy);
    // Whoever closes the window closes both.
    drop((lines, pair.master));
    client.hear_error_and_end(114);
    drop(client);
    assert_eq!(child.wait().expect("a child can be waited for").exit_code(), 0);
}

/// Under `nohup` a terminal that closes means nothing.
#[test]
fn who_starts_it_without_hanging_up() {
    let ignore = || {
        // SAFETY: a system call on numbers.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        Ok(())
    };
    let chatd = Setup::new(1).before(ignore).start();
    chatd.signal(libc::SIGHUP);
    drains(chatd, libc::SIGTERM, "SIGTERM");
}

/// A shell and the kernel both tell of a terminal that closes, and limits are told of every second; nothing is read again then.
#[test]
fn repeated_hangups_do_not_cut_it_short() {
    let mut chatd = Chatd::start(1);
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
    chatd.signal(libc::SIGXCPU);
    writer.hear_error(114);
    for signal in [libc::SIGHUP, libc::SIGXCPU, libc::SIGTERM] {
        chatd.signal(signal);
    }
    drop((reader, writer));
    assert_eq!(chatd.wait().code(), Some(0), "{}", chatd.printed());
}

#[test]
fn one_that_is_still_starting_ends_at_once() {
    // A MySQL that never says anything.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("mysql://amy:x@{}/chat", listener.local_addr().expect("it is bound"));
    let setup = Setup::new(1).environment("CHATD_MYSQL", &url);
    let failure = setup.fail_after(|pid| {
        let (connection, _) = listener.accept().expect("it connects");
        // SAFETY: a system call on numbers; the child is not waited for yet, so the id is its own.
        unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
        connection
    });
    failure.says(&["SIGTERM received while starting, stopping at once"]);
}
