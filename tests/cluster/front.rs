//! nginx in front, with the project's own nginx.conf.

use super::common::client::Client;
use super::common::services::Nginx;
use super::{Cluster, server};

#[test]
fn clients_talk_through_nginx_and_are_spread_over_both_servers() {
    let cluster = Cluster::start();
    let nginx = Nginx::start([cluster.a.address, cluster.b.address], |conf| conf);
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let users = cluster.a.connect().register_many(&names);
    let mut clients: Vec<Client> = users.iter().map(|_| Client::connect(nginx.address)).collect();
    for (client, user) in clients.iter_mut().zip(&users) {
        client.login(user);
    }
    // Each writes to the next: half of these go across servers.
    for at in 0..users.len() {
        let next = (at + 1) % users.len();
        clients[at].chat(&users[next], &format!("from {at}"));
        clients[next].hear_msg(&format!("from {at}"));
    }
    for server in [&cluster.a, &cluster.b] {
        // Somebody of the forty is on each, or the other would refuse nobody.
        let mut refused = 0;
        for user in &users {
            let mut client = server.connect();
            client.ask_login(user);
            refused += u64::from(client.hear("a login answer")["errno"] == 2);
        }
        assert_eq!(refused, 40);
    }
}

#[test]
fn one_address_stays_on_one_server_with_the_hash_taken_into_use() {
    let cluster = Cluster::start();
    let hashed =
        |conf: String| conf.replace("# hash $remote_addr consistent;", "hash $remote_addr consistent;");
    let nginx = Nginx::start([cluster.a.address, cluster.b.address], hashed);
    let users = cluster.a.register_many("hashed", 10);
    for user in &users {
        Client::connect(nginx.address).login(user);
    }
}

#[test]
fn a_server_that_is_taken_away_is_left_out_and_taken_in_again() {
    let mut cluster = Cluster::start();
    let quick = |conf: String| conf.replace("fail_timeout=30s", "fail_timeout=1s");
    let nginx = Nginx::start([cluster.a.address, cluster.b.address], quick);
    let users = cluster.a.register_many("stayer", 10);
    let port = cluster.b.address.port();
    cluster.b.end(libc::SIGTERM);
    for user in &users {
        drop(Client::connect(nginx.address).login(user));
    }
    cluster.b = server(&cluster.redis, &cluster.mariadb, port);
    let users = cluster.b.register_many("comer", 10);
    for user in &users {
        Client::connect(nginx.address).login(user);
    }
}
