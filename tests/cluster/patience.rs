//! Waiting for what a cluster does by itself, and looking at its processes from outside.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, entries};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What is promised within two seconds is given so long here: the machine may be busy, and how fast
/// it is belongs to benchmarks.
pub const SOON: Duration = Duration::from_secs(30);

/// Tries again until it works.
pub fn until<T>(what: &str, within: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < deadline, "waited {within:?} for {what}");
    }
}

/// Logs in as soon as that is possible; what the login answer says.
pub fn log_in(server: &Chatd, user: &User, within: Duration) -> (Client, Value) {
    let mut client = server.connect();
    let answer = until(&format!("a login of {}", user.name), within, || {
        client.ask_login(user);
        let answer = client.hear("the answer to a login");
        assert_eq!(answer["msgid"], 2, "{answer}");
        (answer["errno"] == 0).then_some(answer)
    });
    (client, answer)
}

/// How `friend` looks on the list of friends of whoever asks.
pub fn state_of(client: &mut Client, friend: &User) -> String {
    client.say(json!({"msgid": 13, "id": client.id}));
    let list = client.hear("the friend list");
    let friends = entries(&list["friends"]);
    let friend = friends.iter().find(|entry| entry["id"] == friend.id).expect("a friend");
    friend["state"].as_str().expect("a state").to_owned()
}

/// Makes `friend` a friend of whoever asks.
pub fn befriend(client: &mut Client, friend: &User) {
    client.say(json!({"msgid": 7, "id": client.id, "friendid": friend.id, "cid": "friend"}));
    client.hear_ack("friend");
}

/// What a process has used of the CPU.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = |at: usize| fields.split(' ').nth(at).and_then(|field| field.parse::<u64>().ok());
    let ticks = ticks(11).expect("utime") + ticks(12).expect("stime");
    // SAFETY: a system call on a number.
    let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as u64;
    Duration::from_millis(ticks * 1_000 / ticks_a_second)
}

/// What a process holds of the memory, in bytes.
pub fn memory_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident set");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib << 10
}

/// Lines on stderr with all of these words.
pub fn said(server: &Chatd, words: &[&str]) -> usize {
    let lines = server.stderr_lines();
    lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
}
