//! Stopping: sessions are told, nothing is lost, the port is free at once, and nothing that was
//! secret was printed.

use crate::common::chatd::{Chatd, SECRET, Setup};
use crate::common::client::Client;
use serde_json::json;

#[test]
fn a_signal_stops_it_cleanly_and_tells_the_sessions() {
    for cores in [1, 2, 8] {
        for signal in [libc::SIGTERM, libc::SIGINT] {
            let mut chatd = Chatd::start(cores);
            let users = chatd.register_many("user", 20);
            let mut clients = chatd.enter_all(&users);
            // One that has not logged in, and one in the middle of a frame.
            clients.push(chatd.connect());
            clients.push(chatd.connect());
            clients[21].write(b"{\"msgid\":");
            // All of them are in.
            clients[20].say(json!({"msgid": 13, "id": 1}));
            clients[20].hear_error(103);
            let mut after = chatd.connect();
            after.say(json!({"msgid": 13, "id": 1}));
            after.hear_error(103);
            chatd.signal(signal);
            for client in &mut clients[..21] {
                client.hear_error_and_end(114);
            }
            drop(clients);
            drop(after);
            assert_eq!(chatd.wait().code(), Some(0), "{}", chatd.printed());
            assert_eq!(chatd.stdout_lines().last(), Some(&format!("ready {}", chatd.address)));
            let name = if signal == libc::SIGTERM { "SIGTERM" } else { "SIGINT" };
            let said = chatd.stderr_lines();
            assert!(
                said[0].contains(name) && said.last().is_some_and(|line| line.contains("stopped")),
                "{said:?}"
            );
        }
    }
}

/// Sessions that do not let go do not keep it: they neither read nor close.
#[test]
fn clients_that_do_not_let_go_do_not_keep_it() {
    let mut chatd = Chatd::start(2);
    let users = chatd.register_many("user", 10);
    let clients: Vec<Client> = chatd.enter_all(&users);
    chatd.end(libc::SIGTERM);
    drop(clients);
}

#[test]
fn the_port_is_free_at_once() {
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let mut chatd = Chatd::start_lasting(2);
        let port = chatd.address.port();
        let mut users = chatd.register_many("user", 20);
        for round in 0..4 {
            // With sessions that are open, half closed, and closed by either side.
            let mut clients: Vec<Client> = chatd.enter_all(&users);
            clients[0].half_close();
            clients[1].write(b"nonsense\n");
            drop(clients.split_off(15));
            chatd.end(signal);
            let data = chatd.data.clone();
            drop(chatd);
            chatd = Setup::new(1 + round % 2).port(port).data(&data).start();
            assert_eq!(chatd.address.port(), port);
            users.truncate(20);
        }
    }
}

/// Whoever started it may stop listening to what it prints: it goes on, and stops as it should.
#[test]
fn nobody_reads_what_it_prints() {
    let mut chatd = Setup::new(2).unheard().start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = chatd.enter(&amy);
    for number in 0..500 {
        client.chat(&ben, &format!("message {number}"));
    }
    client.hear_nothing();
    chatd.end(libc::SIGTERM);
    let chatd = Setup::new(1).data(&chatd.data).start();
    let mut reader = chatd.connect().with_newlines();
    assert_eq!(reader.login_with_backlog(&ben, 500).len(), 500);
}

/// Passwords, texts and names of all kinds go through it, and nothing of them is printed.
#[test]
fn nothing_secret_is_printed() {
    let mut chatd = Chatd::start(2);
    let mut client = chatd.connect();
    let user = client.register(&format!("amy {SECRET}"));
    let ben = client.register("ben");
    client.say(json!({"msgid": 4, "name": user.name, "password": SECRET}));
    client.hear("a refusal");
    client.say(json!({"msgid": 1, "id": user.id, "password": format!("wrong {SECRET}")}));
    client.hear("a refusal");
    client.login(&user);
    client.chat(&ben, SECRET);
    client.chat_stored(&ben, SECRET, SECRET);
    client.say(json!({"msgid": 8, "id": user.id, "groupname": SECRET, "groupdesc": SECRET, "cid": SECRET}));
    client.hear_ack(SECRET);
    client.group_chat(1, SECRET);
    client.say(json!({"msgid": 6, "id": user.id, "toid": 99, "msg": SECRET, "time": SECRET}));
    client.hear_error(105);
    client.say(json!({"msgid": 99, "id": user.id, "msg": SECRET}));
    client.hear_error(101);
    client.write(format!("{SECRET} is not JSON\0").as_bytes());
    client.hear_error_and_end(100);
    chatd.end(libc::SIGTERM);
    assert!(!chatd.printed().contains(SECRET), "{}", chatd.printed());
    // Nor is a password in the files.
    for entry in std::fs::read_dir(chatd.data.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let password = user.password.as_bytes();
        assert!(!bytes.windows(password.len()).any(|window| window == password), "a password is stored");
    }
}

#[test]
fn a_third_signal_ends_it_at_once() {
    let mut chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let mut client = chatd.enter(&amy);
    chatd.signal(libc::SIGTERM);
    // It is stopping, and waits for this client.
    client.hear_error_and_end(114);
    chatd.signal(libc::SIGTERM);
    chatd.signal(libc::SIGTERM);
    let status = chatd.wait();
    // It may have ended before the last signal came.
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?} {}", chatd.printed());
}
