//! Somebody sets the machine's time while the server runs: deadlines come all the same, and nobody meets
//! one for it.

use super::v2_hostile::enter_v2;
use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, SECRET, Setup};
use crate::common::client::{Client, User};
use crate::common::clock::Clocks;
use serde_json::json;
use std::time::Instant;

const STEP_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;
/// After so long even a server that looks at the wall clock once a minute has seen that it was set.
const A_MINUTE_MS: i64 = 61_000;
/// Less than anybody has to be silent for anything.
const FEW_MS: i64 = 5_000;
/// An unfinished frame is cut after 10 s, and a silent v2 session is pinged after 30.
const FRAME_MS: i64 = 32_000;

/// What the server's wall clock shows, as its messages say: until it is what it should be.
fn await_wall(amy: &mut Client, to: &User, is_right: impl Fn(i64) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    for number in 0.. {
        let cid = format!("wall {number} {:?}", Instant::now());
        amy.say(json!({"msgid": 6, "id": amy.id, "toid": to.id, "msg": "what time is it?", "cid": cid}));
        let ts = amy.hear_ack(&cid)["ts"].as_i64().expect("a time");
        let real_ms = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis() as i64;
        if is_right(ts - real_ms) {
            return;
        }
        assert!(Instant::now() < deadline, "the wall clock is {} ms off", ts - real_ms);
    }
}

/// A server whose wall clock was set by `step_ms` after it had run for a while, somebody who is logged in
/// in v2, and a friend of hers.
struct Stepped {
    clocks: Clocks,
    chatd: Chatd,
    amy: Client,
    ben: User,
    bens: Client,
}

impl Stepped {
    fn start() -> Self {
        let clocks = Clocks::new();
        let chatd = clocks.under(Setup::new(1)).start();
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut amy = enter_v2(&chatd, &amy).0;
        amy.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id}));
        amy.hear("that ben is offline");
        // Told of, so that nobody has to look for him.
        let bens = chatd.enter(&ben);
        assert_eq!(amy.hear("PRESENCE"), json!({"msgid": 28, "id": ben.id, "state": "online"}));
        Self { clocks, chatd, amy, ben, bens }
    }

    fn step(&mut self, ms: i64) {
        self.clocks.set_wall_by(ms);
        self.clocks.pass(A_MINUTE_MS);
        // Her session was silent for a minute.
        self.amy.say(json!({"msgid": 23, "n": 1}));
    }

    /// Messages bear the time of the wall clock, as it was set.
    fn shows(&self, off_ms: i64) {
        let stranger = self.chatd.register(&format!("stranger {off_ms}"));
        let mut other = self.chatd.enter(&stranger);
        await_wall(&mut other, &self.ben, |off| (off_ms - 30_000..off_ms + 30_000).contains(&off));
    }

    /// Ben loses his connection, which his friend is told three seconds later.
    fn lose_ben(&mut self) {
        let bens = std::mem::replace(&mut self.bens, self.chatd.connect());
        bens.reset();
        let offline = json!({"msgid": 28, "id": self.ben.id, "state": "offline"});
        while self.amy.hear("that ben is offline") != offline {}
    }
}

fn open_files(chatd: &Chatd) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", chatd.pid())).expect("it runs").count()
}

#[test]
fn a_clock_that_is_set_back_stops_no_deadline() {
    let mut stepped = Stepped::start();
    let before = open_files(&stepped.chatd);
    stepped.step(-STEP_MS);
    stepped.lose_ben();
    let Stepped { clocks, chatd, amy, ben, .. } = &mut stepped;
    // Who guessed may go on when it was told that it may.
    let mut guesser = chatd.connect();
    let guess = |guesser: &mut Client| {
        guesser.say(json!({"msgid": 1, "id": ben.id, "password": SECRET}));
        guesser.hear("the answer to a guess")["errno"].clone()
    };
    while guess(&mut guesser) != 109 {}
    let deadline = Instant::now() + DEADLINE;
    while guess(&mut guesser) == 109 {
        assert!(Instant::now() < deadline, "109 does not end");
    }
    // Connections that the server closes are over, though the other side keeps them.
    let mut refused: Vec<Client> = (0..50).map(|_| chatd.connect()).collect();
    for client in &mut refused {
        client.write(b"this is no frame\0");
        client.hear_error(100);
        client.hear_end();
    }
    let deadline = Instant::now() + DEADLINE;
    while open_files(chatd) > before + 10 {
        assert!(Instant::now() < deadline, "{} files, and {before} before", open_files(chatd));
    }
    // A frame that is not finished is cut, and who is silent is pinged and then closed.
    let mut unfinished = chatd.connect();
    unfinished.write(b"{\"msgid\":");
    unfinished_is_seen(chatd);
    clocks.pass(FRAME_MS);
    unfinished.hear_error_and_end(100);
    amy.sees_pings = true;
    while amy.hear("a ping")["msgid"] != 22 {}
    clocks.pass(FRAME_MS);
    amy.hear_until_end("the end of a silent session");
    chatd.enter(ben);
    stepped.shows(-STEP_MS + A_MINUTE_MS + 2 * FRAME_MS);
}

/// What was written before on other connections has been read: requests are read in the order in which
/// they arrive at the core, or nearly so, and a login takes several turns.
fn unfinished_is_seen(chatd: &Chatd) {
    chatd.register("somebody else");
}

#[test]
fn a_clock_that_is_set_forward_cuts_nobody() {
    for step_ms in [STEP_MS, 40 * 24 * HOUR_MS] {
        let mut stepped = Stepped::start();
        let carl = stepped.chatd.register("carl");
        let (carls, token) = enter_v2(&stepped.chatd, &carl);
        carls.reset();
        stepped.clocks.pass(A_MINUTE_MS - FEW_MS);
        // She was pinged.
        stepped.amy.say(json!({"msgid": 23, "n": 1}));
        stepped.amy.hear_until_now();
        let mut unfinished = stepped.chatd.connect();
        unfinished.write(b"{\"msgid\":13");
        unfinished_is_seen(&stepped.chatd);
        stepped.clocks.set_wall_by(step_ms);
        stepped.clocks.pass(FEW_MS);
        // That takes three seconds, in which frames that are overdue were looked for several times.
        stepped.lose_ben();
        unfinished.write(b",\"id\":1}\0");
        unfinished.hear_error(103);
        stepped.amy.sees_pings = true;
        let frames = stepped.amy.hear_until_now();
        assert!(frames.iter().all(|frame| frame["msgid"] != 22), "nobody was silent: {frames:?}");
        // A token that was used a minute ago is good, whatever the clock says, and stays so.
        resume(&stepped.chatd, &carl, &token);
        stepped.clocks.set_wall_by(-step_ms);
        stepped.shows(A_MINUTE_MS);
        resume(&stepped.chatd, &carl, &token);
    }
}

/// A server that is started again with its clock behind the last run gives ids after those of that run,
/// and takes no message for another one.
#[test]
fn after_a_restart_with_the_clock_behind_ids_go_on_and_nothing_is_lost() {
    const MESSAGES: usize = 40;
    let clocks = Clocks::new();
    let mut chatd = clocks.under(Setup::new(1)).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut last = 0_u64;
    for run in 0..3 {
        let mut amys = chatd.enter(&amy);
        for number in 0..MESSAGES {
            let (id, cid) = (amys.id, format!("{run} {number}"));
            amys.say(json!({"msgid": 6, "id": id, "toid": ben.id, "msg": "the same", "cid": cid}));
            let mid = amys.hear_ack(&cid)["mid"].as_str().expect("an id").parse().expect("a number");
            assert!(mid > last, "run {run}, message {number}: {mid} after {last}");
            last = mid;
        }
        chatd.end(libc::SIGKILL);
        clocks.set_wall_by(-STEP_MS);
        chatd = clocks.under(Setup::new(1).data(&chatd.data)).start();
    }
    let mut bens = chatd.connect();
    bens.login_with_backlog(&ben, 3 * MESSAGES);
    bens.hear_nothing();
}

/// Somebody comes with its token, and goes.
fn resume(chatd: &Chatd, user: &User, token: &str) {
    let mut client = chatd.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 25, "token": token}));
    let answer = client.hear_login();
    assert_eq!(answer["token"], json!(token), "{answer}");
    client.reset();
}
