//! Connections that come and go, at one server: another one of a cluster hears of it a moment later.

use crate::common::chatd::Chatd;
use crate::common::client::Client;

/// How often somebody has to log in whose last session has ended, at most.
const MOST_TRIES: usize = 3;

/// Who closes its connection is away at once: nobody is locked out by its own last session.
#[test]
fn who_has_left_may_come_back_at_once() {
    for cores in [1, 8] {
        let chatd = Chatd::start(cores);
        let amy = chatd.register("amy");
        for round in 0..60 {
            // On a busy machine the kernel may bring an end later than what was done after it, on another CPU.
            let entered = (0..MOST_TRIES).find_map(|_| {
                let mut client = chatd.connect();
                client.ask_login(&amy);
                let answer = client.hear("the answer to a login");
                (answer["errno"] == 0).then_some(client)
            });
            let mut client =
                entered.unwrap_or_else(|| panic!("locked out in round {round} on {cores} cores"));
            match round % 3 {
                0 => drop(client),
                1 => client.reset(),
                _ => {
                    client.half_close();
                    client.hear_end();
                }
            }
        }
    }
}

/// Connections come and go: nothing of them stays behind, and no slot is lost.
#[test]
fn ten_thousand_connections_one_after_the_other() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let amy = chatd.register("amy");
        let files = || std::fs::read_dir(format!("/proc/{}/fd", chatd.pid())).unwrap().count();
        let before = files();
        for round in 0..50 {
            let mut clients: Vec<Client> = (0..100).map(|_| chatd.connect()).collect();
            for (at, mut client) in clients.drain(..).enumerate() {
                match (round + at) % 5 {
                    0 => drop(client),
                    1 => client.reset(),
                    2 => {
                        client.half_close();
                        client.hear_end();
                    }
                    3 => client.write(b"{\"msgid\":"),
                    _ => {
                        client.write(b"nonsense\n");
                        client.hear_error_and_end(100);
                    }
                }
            }
        }
        // Each request is a turn of the server's, in which it goes on with what it has to close.
        let mut client = chatd.enter(&amy);
        for _ in 0..1_000_000 {
            if files() <= before + 1 {
                break;
            }
            client.hear_nothing();
        }
        assert!(files() <= before + 1, "{} files were open, {} are", before, files());
    }
}
