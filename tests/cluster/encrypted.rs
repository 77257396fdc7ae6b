//! TLS to Redis and MariaDB: real servers with real certificates, which are verified.

use super::patience::{SOON, said, until};
use crate::common::chatd::Setup;
use crate::common::client::{Client, User, chat};
use crate::common::cluster::{Backends, Shared};
use crate::common::services::certificates::{Authority, Issued};
use crate::common::services::mariadb::{MariaDb, PASSWORD, USER};
use crate::common::services::proxy::Proxy;
use crate::common::services::redis::Redis;
use crate::common::services::{free_port, install};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A Redis that speaks TLS on a second port.
struct SecureRedis {
    redis: Redis,
    tls: SocketAddr,
}

impl SecureRedis {
    fn start(authority: &Authority, issued: &Issued) -> Self {
        install::by_apt();
        let (port, ca) = (free_port().to_string(), authority.file());
        let redis = Redis::start(&[
            "--requirepass",
            PASSWORD,
            "--tls-port",
            &port,
            "--tls-cert-file",
            issued.certificate(),
            "--tls-key-file",
            issued.key(),
            "--tls-ca-cert-file",
            ca.to_str().expect("a plain path"),
            "--tls-auth-clients",
            "no",
        ]);
        Self {
            redis: redis.expect("Redis starts"),
            tls: ([127, 0, 0, 1], port.parse().expect("a port")).into(),
        }
    }

    fn url(address: SocketAddr) -> String {
        format!("rediss://:{PASSWORD}@localhost:{}/0", address.port())
    }
}

/// Sends a message that is to be acknowledged, and hears how that went.
fn send(client: &mut Client, to: &User, text: &str) -> Value {
    let mut frame = chat(client.id, to.id, text);
    frame["cid"] = json!(text);
    client.say(frame);
    client.hear("an ACK or an ERROR")
}

fn with_redis(url: &str, authority: &Authority) -> Setup {
    Setup::new(1).environment("CHATD_REDIS", url).environment("CHATD_REDIS_CA", text(authority).as_str())
}

fn text(authority: &Authority) -> String {
    authority.file().to_str().expect("a plain path").to_owned()
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Two servers talk through it, nothing of what they say can be read on the way, and a connection that is cut
/// is made again.
#[test]
fn redis_with_tls_carries_messages_that_nobody_reads_on_the_way() {
    let authority = Authority::new();
    let issued = authority.issue(&["localhost"]);
    let redis = SecureRedis::start(&authority, &issued);
    let proxy = Proxy::start(redis.tls);
    proxy.record();
    let shared = Backends::of_all_tests().share();
    let shared = Shared { redis: SecureRedis::url(proxy.address), ..shared };
    let start = || shared.setup(2).environment("CHATD_REDIS_CA", &text(&authority)).start();
    let (first, second) = (start(), start());
    assert!(
        first.printed().contains(&format!("through Redis at localhost:{}, encrypted", proxy.address.port()))
    );
    let (amy, ben) = (first.register("amy"), first.register("ben"));
    let (mut amys, mut bens) = (first.enter(&amy), second.enter(&ben));
    for number in 0..200 {
        let text = format!("words that are read here alone, {number} {}", "x".repeat(number * 40));
        amys.chat(&ben, &text);
        bens.hear_msg(&text);
    }
    for round in 1..=3 {
        proxy.cut();
        let each = [&first, &second];
        until("the loss", SOON, || each.iter().all(|one| said(one, &["is lost"]) == round).then_some(()));
        proxy.mend();
        until("the return", SOON, || each.iter().all(|one| said(one, &["is back"]) == round).then_some(()));
        amys.chat(&ben, &format!("round {round}"));
        bens.hear_msg(&format!("round {round}"));
    }
    let passed = proxy.recorded();
    assert!(passed.len() > 200 * 100 && passed[0] == 0x16, "it went through the proxy, in TLS");
    for word in ["words that are read", PASSWORD, "PUBLISH", "SUBSCRIBE", &shared.prefix, "HELLO"] {
        assert!(!has(&passed, word), "{word:?} was read on the way");
    }
    assert!(redis.redis.address() != redis.tls);
}

#[test]
fn a_redis_that_is_not_who_it_should_be_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let issued = authority.issue(&["localhost"]);
    let redis = SecureRedis::start(&authority, &issued);
    let (url, at) = (SecureRedis::url(redis.tls), format!("localhost:{}", redis.tls.port()));
    let refused = |setup: Setup, words: &[&str]| {
        let failure = setup.fail();
        failure.says(words);
        assert!(!failure.stderr.contains(PASSWORD), "{failure:?}");
    };
    refused(with_redis(&url, &stranger), &[&at, "issued by nobody who is trusted here", "--redis-ca"]);
    // Nobody on this machine has issued it either.
    refused(Setup::new(1).environment("CHATD_REDIS", &url), &["no TLS with Redis"]);
    let by_number = url.replace("localhost", "127.0.0.1");
    refused(with_redis(&by_number, &authority), &["not made out to 127.0.0.1, but to localhost"]);
    let plain = SecureRedis::url(redis.redis.address());
    refused(with_redis(&plain, &authority), &["no TLS with Redis at localhost", "TLS on that port"]);
    refused(with_redis(&format!("{url}#insecure"), &authority), &["a certificate is always verified"]);
    let clear = url.replace("rediss:", "redis:");
    refused(with_redis(&clear, &authority), &["--redis-ca", "does not begin with rediss:"]);
    let nothing = Setup::new(1).environment("CHATD_REDIS", &url).environment("CHATD_REDIS_CA", "/dev/null");
    refused(nothing, &["/dev/null has no certificate in it"]);
    let old = authority.issue_for(&["localhost"], 2020, 2021);
    let expired = SecureRedis::start(&authority, &old);
    refused(with_redis(&SecureRedis::url(expired.tls), &authority), &["expired", "days ago"]);
}

/// A MariaDB with this certificate, for which clear text over TCP is not enough.
fn secure_mariadb(issued: &Issued) -> MariaDb {
    install::by_apt();
    let certificate = format!("--ssl-cert={}", issued.certificate());
    let key = format!("--ssl-key={}", issued.key());
    MariaDb::start(&[&certificate, &key, "--require-secure-transport=ON"]).expect("MariaDB starts")
}

fn secure_url(address: SocketAddr, database: &str) -> String {
    format!("mysql://{USER}:{PASSWORD}@localhost:{}/{database}?require_ssl=true", address.port())
}

fn with_mysql(url: &str, authority: &Authority) -> Setup {
    Setup::new(1).environment("CHATD_MYSQL", url).environment("CHATD_MYSQL_CA", &text(authority))
}

#[test]
fn mariadb_with_tls_keeps_messages_that_nobody_reads_on_the_way() {
    let authority = Authority::new();
    let mariadb = secure_mariadb(&authority.issue(&["localhost"]));
    let database = mariadb.make_database();
    let proxy = Proxy::start(mariadb.address());
    proxy.record();
    let chatd = with_mysql(&secure_url(proxy.address, &database), &authority).start();
    assert!(!chatd.printed().contains(PASSWORD), "{}", chatd.printed());
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), chatd.enter(&ben));
    amys.chat_stored(&ben, "words that are kept", "one");
    bens.hear_msg("words that are kept");
    proxy.cut();
    let refused = until("the loss to be noticed", SOON, || {
        let answer = send(&mut amys, &ben, "a try");
        (answer["errno"] != 0).then_some(answer)
    });
    assert_eq!(refused["errno"], 110, "{refused}");
    proxy.mend();
    until("the return", SOON, || (send(&mut amys, &ben, "after it")["errno"] == 0).then_some(()));
    let passed = proxy.recorded();
    assert!(chatd.stderr_lines().iter().all(|line| !line.contains("https://")), "{}", chatd.printed());
    assert!(passed.len() > 2_000, "it went through the proxy");
    for word in ["words that are kept", PASSWORD, "INSERT", "SELECT", &amy.name] {
        assert!(!has(&passed, word), "{word:?} was read on the way");
    }
}

#[test]
fn a_mariadb_that_is_not_who_it_should_be_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mariadb = secure_mariadb(&authority.issue(&["localhost"]));
    let database = mariadb.make_database();
    let url = secure_url(mariadb.address(), &database);
    let refused = |setup: Setup, words: &[&str]| {
        let failure = setup.fail();
        failure.says(words);
        assert!(!failure.stderr.contains(PASSWORD), "{failure:?}");
    };
    refused(with_mysql(&url, &stranger), &["issued by nobody who is trusted here", "--mysql-ca"]);
    let by_number = url.replace("localhost", "127.0.0.1");
    refused(with_mysql(&by_number, &authority), &["not made out to 127.0.0.1, but to localhost"]);
    let clear = url.replace("?require_ssl=true", "");
    refused(with_mysql(&clear, &authority), &["--mysql-ca", "no require_ssl=true"]);
    refused(with_mysql(&format!("{url}&verify_ca=false"), &authority), &["always verified"]);
    let backends = Backends::of_all_tests();
    let plain = secure_url(backends.mariadb.address(), &backends.mariadb.make_database());
    refused(with_mysql(&plain, &authority), &["no certificate", "clear text"]);
}
