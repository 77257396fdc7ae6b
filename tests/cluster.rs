//! The cluster on the real things: two servers, one MariaDB, one Redis, nginx in front.
//!
//! What the seed dialect's own suite shows of one server holds when users are spread over two; and
//! whatever dies comes back without a word lost that was answered as done.

mod common;

#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/front.rs"]
mod front;
#[path = "cluster/together.rs"]
mod together;

use common::chatd::{Chatd, Setup};
use common::client::{Client, User};
use common::mariadb::MariaDb;
use common::services::Redis;

/// Two servers of two cores each.
struct Cluster {
    // Dropped in this order: the servers first.
    a: Chatd,
    b: Chatd,
    redis: Redis,
    mariadb: MariaDb,
}

impl Cluster {
    fn start() -> Self {
        let (redis, mariadb) = (Redis::start(), MariaDb::start());
        let (a, b) = (server(&redis, &mariadb, 0), server(&redis, &mariadb, 0));
        Self { a, b, redis, mariadb }
    }
}

fn server(redis: &Redis, mariadb: &MariaDb, port: u16) -> Chatd {
    let setup = Setup::new(2).port(port);
    let setup = setup.argument("--redis").argument(&redis.url()).argument("--mysql").argument(&mariadb.url());
    setup.start()
}

/// Logs in as often as it takes: until another server's death has got about.
fn enter_in_the_end(server: &Chatd, user: &User) -> Client {
    let deadline = std::time::Instant::now() + common::DEADLINE;
    loop {
        let mut client = server.connect();
        client.ask_login(user);
        let answer = client.hear("a login answer");
        match answer["errno"].as_u64() {
            Some(0) => {
                client.id = user.id;
                return client;
            }
            Some(2 | 110) => {
                assert!(std::time::Instant::now() < deadline, "{user:?} stays locked out: {answer}")
            }
            _ => panic!("{answer}"),
        }
    }
}
