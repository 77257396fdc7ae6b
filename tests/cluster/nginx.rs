//! Through a real nginx with the project's own nginx.conf.

use super::patience::{SOON, log_in, until};
use crate::admin::{Admin, watched};
use crate::common::client::Client;
use crate::common::cluster::{Backends, Shared};
use crate::common::door::Door;
use crate::common::raise_open_files;
use crate::common::services::free_port;
use crate::common::services::nginx::{Nginx, Secure};
use crate::common::services::proxy::Proxy;
use crate::common::websocket::{UPGRADE, WebSocket};
use crate::tunnel::Tunnel;
use serde_json::json;
use std::net::SocketAddr;

/// Connections that a server has taken in until now.
fn taken_in(admin: Admin) -> u64 {
    let page = admin.body("/metrics");
    let lines = page.lines().filter(|line| line.starts_with("chatd_connections_accepted_total{"));
    lines
        .map(|line| line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a count"))
        .sum()
}

#[test]
fn many_connections_through_nginx() {
    let sessions = (raise_open_files() / 8).min(600) as usize;
    let cluster = Backends::of_all_tests().share().cluster(2);
    let servers = cluster.servers.each_ref().map(|server| server.address);
    let nginx = Nginx::start(servers, |conf| conf).unwrap();
    let door = Door::new(nginx.address, Vec::new());
    let users = door.register_many("user", sessions);
    let mut clients = door.enter_all(&users);
    for round in 0..3 {
        for (at, client) in clients.iter_mut().enumerate() {
            let to = (at + round * 131 + 1) % sessions;
            client.chat(&users[to], &format!("{round} from {at}"));
        }
        for client in &mut clients {
            client.hear("a message");
        }
    }
    for client in &mut clients {
        client.hear_nothing();
    }
}

/// Its timeout is what would end a connection that is silent for long, and the project's is a day.
#[test]
fn a_silent_connection_stays() {
    let shared = Backends::of_all_tests().share();
    let cluster = shared.cluster(1);
    let servers = cluster.servers.each_ref().map(|server| server.address);
    let as_it_is = Nginx::start(servers, |conf| conf).unwrap();
    let impatient = Nginx::start(servers, |conf| {
        assert!(conf.contains("proxy_timeout 24h;"), "{conf}");
        conf.replace("proxy_timeout 24h;", "proxy_timeout 2s;")
    })
    .unwrap();
    let amy = cluster.register("amy");
    let mut silent = Door::new(as_it_is.address, Vec::new()).enter(&amy);
    let mut cut = Client::connect(impatient.address);
    cut.hear_end();
    silent.hear_nothing();
}

/// After its failures a server is left out; when it is back it is used again.
#[test]
fn a_server_is_taken_away_and_brought_back() {
    let shared: Shared = Backends::of_all_tests().share();
    let (mut first, _) = watched(shared.setup(1).port(free_port()));
    let (second, second_admin) = watched(shared.setup(1));
    let nginx = Nginx::start([first.address, second.address], |conf| {
        assert!(conf.contains("max_fails=3 fail_timeout=30s"), "{conf}");
        conf.replace("fail_timeout=30s", "fail_timeout=1s")
    })
    .unwrap();
    let door = Door::new(nginx.address, Vec::new());
    let users = door.register_many("user", 12);
    let mut clients = door.enter_all(&users);
    first.end(libc::SIGKILL);
    // Whose server is gone sees the end, and comes back by the same way.
    for (client, user) in clients.iter_mut().zip(&users) {
        if !client.is_answered() {
            *client = log_in_through(&door, user);
        }
    }
    assert!(taken_in(second_admin) >= users.len() as u64, "all of them are there");
    for at in 0..users.len() {
        clients[at].chat(&users[(at + 1) % users.len()], "still here");
        clients[(at + 1) % users.len()].hear_msg("still here");
    }
    // On the same port, as a restart would have it.
    let (first, first_admin) = watched(shared.setup(1).port(first.address.port()));
    until("nginx to use the server again", SOON, || {
        let mut client = door.connect();
        client.half_close();
        client.hear_end();
        (taken_in(first_admin) > 0).then_some(())
    });
    let (mut again, _) = log_in(&first, &door.register("eve"), SOON);
    again.chat(&users[0], "new here");
    clients[0].hear_msg("new here");
}

/// The page and its WebSocket come through, and a connection from a page of another site does not.
fn browsers_are_served(address: SocketAddr, scheme: &str) {
    let mut page = WebSocket::dial(address);
    page.write(b"GET / HTTP/1.1\r\nHost: chat.example.org\r\nConnection: close\r\n\r\n");
    let head = page.hear_head();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Security-Policy: "), "{head}");
    // The name that the browser used comes through: that is what an origin is compared with.
    for (host, wanted) in [("localhost", "101"), ("evil.example", "403")] {
        let mut socket = WebSocket::dial(address);
        let origin = format!("Origin: {scheme}://{host}\r\nUpgrade: w");
        socket.write(UPGRADE.replace("Upgrade: w", &origin).as_bytes());
        assert_eq!(socket.hear_head().split(' ').nth(1), Some(wanted), "{host}");
    }
}

/// Four people in turn, whoever serves each of them.
fn all_talk(mut people: Vec<WebSocket>) {
    let names = ["web-amy", "web-ben", "web-eve", "web-dan"];
    let ids: Vec<u64> =
        people.iter_mut().zip(names).map(|(socket, name)| socket.enter(name, Some(2))).collect();
    for from in 0..people.len() {
        let to = (from + 1) % people.len();
        people[from]
            .say(json!({"msgid": 6, "id": ids[from], "toid": ids[to], "msg": names[from], "time": "t"}));
        assert_eq!(people[to].hear()["msg"], json!(names[from]));
    }
}

/// The page and its WebSocket, by HTTP through nginx: both servers are come to, and people on both talk.
#[test]
fn browsers_come_by_http_through_nginx() {
    let cluster = Backends::of_all_tests().share().cluster(1);
    let servers = cluster.servers.each_ref().map(|server| server.address);
    let nginx = Nginx::start(servers, |conf| conf).unwrap();
    browsers_are_served(nginx.web, "http");
    all_talk((0..4).map(|_| WebSocket::connect(nginx.web)).collect());
}

/// nginx shows the certificate and ends TLS: what is said before it is read by nobody, and the servers, which speak clear
/// text here, never see it.
#[test]
fn tls_ends_at_nginx() {
    let cluster = Backends::of_all_tests().share().cluster(1);
    let servers = cluster.servers.each_ref().map(|server| server.address);
    let nginx = Nginx::start(servers, |conf| conf).unwrap();
    let Secure { clients, browsers, authority } = nginx.secure.as_ref().expect("the project's own");
    let [clients, browsers] = [clients, browsers].map(|&address| Proxy::start(address));
    let ways = [&clients, &browsers].map(|proxy| {
        proxy.record();
        Tunnel::start(proxy.address, authority)
    });
    browsers_are_served(ways[1].address, "https");
    all_talk((0..4).map(|_| WebSocket::connect(ways[1].address)).collect());
    // Frames as they are: among each other, and with somebody who comes by the other door.
    let door = Door::new(ways[0].address, Vec::new());
    let (amy, ben, dan) = (door.register("amy"), door.register("ben"), door.register("dan"));
    let (mut amys, mut bens) = (door.enter(&amy), door.enter(&ben));
    let mut dans = Door::new(nginx.address, Vec::new()).enter(&dan);
    amys.chat(&ben, "between two in TLS");
    bens.hear_msg("between two in TLS");
    dans.chat(&amy, "from clear text");
    amys.hear_msg("from clear text");
    for proxy in [clients, browsers] {
        let passed = proxy.recorded();
        assert!(passed.len() > 2_000 && passed[0] == 0x16, "it went this way, in TLS");
        let has = |word: &str| passed.windows(word.len()).any(|window| window == word.as_bytes());
        for word in ["msgid", "web-amy", "in TLS", "clear text", "Content-Security-Policy"] {
            assert!(!has(word), "{word:?} was read on the way");
        }
    }
}

/// nginx may still send who comes to the server that has just died, and then the connection ends.
fn log_in_through(door: &Door, user: &crate::common::client::User) -> Client {
    until("a login through nginx", SOON, || {
        let mut client = door.connect();
        client.ask_login(user);
        let answer = client.hear_or_end("the answer to a login")?;
        (answer["errno"] == 0).then_some(client)
    })
}

/// What the servers count by address is the client's, by either way through nginx: an owner who was here before gets in
/// while others guess.
#[test]
fn limits_see_through_nginx_where_a_client_is() {
    let cluster = Backends::of_all_tests().share().cluster(1);
    let servers = cluster.servers.each_ref().map(|server| server.address);
    // Each server has an allowance of its own.
    let nginx = Nginx::start([servers[0], servers[0]], |conf| conf).unwrap();
    let (amy, eve) = (cluster.register("amy"), cluster.register("eve"));
    let plain = |source| Client::connect_from(source, nginx.address);
    let web = |source| {
        let mut socket = WebSocket::dial_from(source, nginx.web);
        socket.write(UPGRADE.as_bytes());
        assert!(socket.hear_head().starts_with("HTTP/1.1 101 "));
        socket
    };
    plain([127, 0, 0, 7]).login(&amy);
    let log_in = json!({"msgid": 1, "id": eve.id, "password": eve.password});
    let mut eves = web([127, 0, 0, 8]);
    eves.say(log_in.clone());
    assert_eq!(eves.hear()["errno"], 0);
    for user in [&amy, &eve] {
        let guesses = (0..100).map(|last| {
            let mut guesser = plain([127, 0, 3, last]);
            guesser.say(json!({"msgid": 1, "id": user.id, "password": "guess"}));
            guesser.hear("the answer to a guess")["errno"] == 1
        });
        let looked_at = guesses.filter(|&looked_at| looked_at).count();
        assert!(looked_at < 60, "{looked_at} of 100 were looked at");
    }
    drop(eves);
    plain([127, 0, 0, 7]).login(&amy);
    let mut eves = web([127, 0, 0, 8]);
    eves.say(log_in);
    assert_eq!(eves.hear()["errno"], 0);
}
