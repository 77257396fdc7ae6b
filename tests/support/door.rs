//! Where clients come in: at one server, or at several in turn.

use super::DEADLINE;
use super::client::{Client, User, entries};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

/// One address or several.
pub struct Door {
    /// Of the first server.
    pub address: SocketAddr,
    others: Vec<SocketAddr>,
    connections: AtomicUsize,
}

impl Door {
    pub fn new(address: SocketAddr, others: Vec<SocketAddr>) -> Self {
        Self { address, others, connections: AtomicUsize::new(0) }
    }

    /// The server whose turn it is.
    fn next(&self) -> SocketAddr {
        let turn = self.connections.fetch_add(1, Ordering::Relaxed) % (1 + self.others.len());
        if turn == 0 { self.address } else { self.others[turn - 1] }
    }

    /// A connection that has said nothing yet.
    pub fn connect(&self) -> Client {
        Client::connect(self.next())
    }

    /// A new user.
    pub fn register(&self, name: &str) -> User {
        self.connect().register(name)
    }

    /// New users, named with a number each.
    pub fn register_many(&self, name: &str, count: usize) -> Vec<User> {
        let mut client = self.connect();
        let names: Vec<String> = (0..count).map(|number| format!("{name}{number}")).collect();
        // In portions, so that neither side's buffer holds up the other.
        names.chunks(500).flat_map(|names| client.register_many(names)).collect()
    }

    /// A connection on which `user` is logged in, with an empty backlog.
    pub fn enter(&self, user: &User) -> Client {
        let mut client = self.connect();
        client.login(user);
        client
    }

    /// The same for somebody whose last session may not be quite over.
    pub fn enter_patiently(&self, user: &User) -> Client {
        self.until_offline(user);
        self.enter(user)
    }

    /// Connections on which `users` are logged in.
    pub fn enter_all(&self, users: &[User]) -> Vec<Client> {
        let mut clients: Vec<Client> = users.iter().map(|_| self.connect()).collect();
        for (client, user) in clients.iter_mut().zip(users) {
            client.ask_login(user);
        }
        for client in &mut clients {
            client.hear_login();
        }
        clients
    }

    /// Waits until nobody takes `user` for online: a message that is sent now goes to the store.
    pub fn until_offline(&self, user: &User) {
        let mut watcher = self.connect();
        let watching = watcher.register(&format!("watcher of {} {}", user.id, unique()));
        watcher.login(&watching);
        let id = watcher.id;
        watcher.say(json!({"msgid": 7, "id": id, "friendid": user.id}));
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            watcher.say(json!({"msgid": 13, "id": id}));
            if entries(&watcher.hear("the friend list")["friends"])[0]["state"] == "offline" {
                return;
            }
        }
        panic!("waited for user {} to be offline", user.id);
    }
}

/// A number that no name of these tests has yet.
fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
