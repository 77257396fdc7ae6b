//! What it says about itself may find no reader and no room: it serves, stores and stops all the same.

use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

/// A pipe with no room left: whoever writes to it waits until somebody reads.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = std::io::pipe().expect("descriptors are left");
    let flags = fcntl_getfl(&write).expect("it is open");
    fcntl_setfl(&write, flags | OFlags::NONBLOCK).expect("it is open");
    let page = "x".repeat(4_095) + "\n";
    while rustix::io::write(&write, page.as_bytes()) != Err(Errno::AGAIN) {}
    fcntl_setfl(&write, flags).expect("it is open");
    (read.into(), write.into())
}

/// A message of Amy's to Ben, with the errno of its answer.
fn say(amy: &mut Client, ben: &User, number: usize) -> u64 {
    let (id, cid) = (amy.id, format!("c{number}"));
    amy.say(json!({"msgid": 6, "id": id, "toid": ben.id, "msg": "x".repeat(4_000), "cid": cid}));
    amy.hear("an ACK or a refusal")["errno"].as_u64().expect("a number")
}

/// Makes it say several things, and sees that it does everything as before.
fn goes_on(chatd: &mut Chatd) {
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = chatd.enter(&amy);
    let mut said = 0;
    let mut stored = 0;
    for _ in 0..3 {
        chatd.limit_files(4_096);
        said += 1;
        assert_eq!(say(&mut client, &ben, said), 110, "the disk is full, and it says so");
        chatd.limit_files(libc::RLIM_INFINITY);
        let end = Instant::now() + DEADLINE;
        loop {
            said += 1;
            if say(&mut client, &ben, said) == 0 {
                stored += 1;
                break;
            }
            assert!(Instant::now() < end, "waited for the store to work again");
        }
    }
    // Passwords are hashed, too.
    let mut reader = chatd.connect();
    let backlog = reader.login_with_backlog(&ben, stored);
    assert_eq!(backlog.len(), stored);
    chatd.end(libc::SIGTERM);
}

/// Who writes too much is told so by an error, and not by a signal that kills.
fn ignore_the_limit() -> std::io::Result<()> {
    // SAFETY: a system call on numbers.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    Ok(())
}

fn setup() -> Setup {
    Setup::new(2).before(ignore_the_limit)
}

#[test]
fn a_full_pipe_that_nobody_reads() {
    let (_read, write) = full_pipe();
    goes_on(&mut setup().stderr(write).start());
}

#[test]
fn not_even_that_it_is_ready_is_read() {
    let (_read, write) = full_pipe();
    let stderr = write.try_clone().expect("descriptors are left");
    goes_on(&mut setup().stdout(write).stderr(stderr).start_unheard());
}

#[test]
fn a_full_pipe_that_is_read_in_the_end() {
    let (read, write) = full_pipe();
    let mut chatd = setup().stderr(write).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = chatd.enter(&amy);
    chatd.limit_files(4_096);
    assert_eq!(say(&mut client, &ben, 0), 110);
    let mut lines = BufReader::new(File::from(read)).lines().map(|line| line.expect("UTF-8"));
    let first = lines.next().expect("it waited");
    assert!(first.ends_with('x'), "what was in the pipe: {first:?}");
    let line = lines.find(|line| line.starts_with("chatd: ")).expect("it waited");
    assert!(line.contains("the store is down"), "{line}");
    chatd.limit_files(libc::RLIM_INFINITY);
    drop(client);
    chatd.end(libc::SIGTERM);
    let rest: Vec<String> = lines.collect();
    assert_eq!(rest.last().map(String::as_str), Some("chatd: stopped"), "{rest:?}");
}

#[test]
fn no_stdout_and_no_stderr_at_all() {
    let close = || {
        // SAFETY: system calls on numbers.
        unsafe {
            libc::close(1);
            libc::close(2);
        }
        Ok(())
    };
    goes_on(&mut setup().before(close).start_unheard());
}

#[test]
fn a_device_that_is_full() {
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    goes_on(&mut setup().stdout(full()).stderr(full()).start_unheard());
}

#[test]
fn a_reader_that_is_gone() {
    goes_on(&mut setup().unheard().start());
}

/// The latency log is a pipe that nobody empties: the end of the server does not wait for that.
#[test]
fn a_latency_log_that_takes_nothing() {
    let setup = Setup::new(1);
    let (_read, write) = full_pipe();
    let path = format!("/proc/self/fd/{}", write.as_raw_fd());
    let inherit = move || rustix::io::fcntl_setfd(&write, rustix::io::FdFlags::empty()).map_err(Into::into);
    let setup = setup.before(inherit).argument("--latency-log").argument(&path);
    let mut chatd = setup.argument("--latency-log-interval").argument("0.1").start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = chatd.enter(&amy);
    client.chat_stored(&ben, "tea", "c");
    chatd.end(libc::SIGTERM);
    assert!(chatd.printed().contains("the latency log takes too long"), "{}", chatd.printed());
}
