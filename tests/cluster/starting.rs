//! Starting: what the screen says, and one clear sentence where MySQL or Redis cannot be used.

use crate::common::chatd::Setup;
use crate::common::cluster::{Backends, Shared};
use crate::common::services::free_port;
use crate::common::services::install;
use crate::common::services::mariadb::{MariaDb, PASSWORD, USER};
use crate::common::services::redis::Redis;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

fn with_mysql(url: &str) -> Setup {
    Setup::new(1).environment("CHATD_MYSQL", url)
}

fn with_redis(url: &str) -> Setup {
    Setup::new(1).environment("CHATD_REDIS", url)
}

#[test]
fn the_screen_says_where_everything_is_and_no_password() {
    let backends = Backends::of_all_tests();
    let shared = backends.share();
    let chatd = shared.start(2);
    let printed = chatd.printed();
    let mariadb = format!("mysql://{USER}@{}/", backends.mariadb.address());
    assert!(printed.contains("store      MariaDB 1") && printed.contains(&mariadb), "{printed}");
    let redis = format!("through Redis at {}", backends.redis.address());
    assert!(printed.contains(&redis), "{printed}");
    assert!(!printed.contains(PASSWORD) && !printed.contains("processes of this machine"), "{printed}");
    assert!(!printed.contains("only one server") && !printed.contains("MySQL has"), "{printed}");
}

/// What a URL says on the command line is seen by others: that is a warning. So is half a cluster.
#[test]
fn a_password_that_others_see_and_half_a_cluster_are_warnings() {
    let shared = Backends::of_all_tests().share();
    let chatd = Setup::new(1).argument("--mysql").argument(&shared.mysql).start();
    let printed = chatd.printed();
    assert!(printed.contains("CHATD_MYSQL hides it") && !printed.contains(PASSWORD), "{printed}");
    assert!(printed.contains("--mysql without --redis"), "{printed}");
    let chatd = with_redis(&shared.redis).argument("--redis-prefix").argument(&shared.prefix).start();
    assert!(chatd.printed().contains("--redis without --mysql"), "{}", chatd.printed());
}

#[test]
fn help_shows_no_url_of_the_environment() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_chatd"))
        .arg("--help")
        .env("CHATD_MYSQL", format!("mysql://a:{PASSWORD}@b/c"))
        .env("CHATD_REDIS", format!("redis://a:{PASSWORD}@b/0"))
        .output()
        .expect("chatd runs");
    let help = String::from_utf8(help.stdout).expect("help is UTF-8");
    assert!(help.contains("CHATD_MYSQL") && help.contains("CHATD_REDIS"), "{help}");
    assert!(!help.contains(PASSWORD), "{help}");
}

#[test]
fn a_mysql_that_cannot_be_used() {
    let backends = Backends::of_all_tests();
    let (mariadb, at) = (&backends.mariadb, backends.mariadb.address().to_string());
    let fails = |url: &str, words: &[&str]| {
        let failure = with_mysql(url).fail();
        failure.says(words);
        assert!(!failure.stderr.contains(PASSWORD), "{failure:?}");
    };
    fails("redis://h/d", &["MySQL URL", "mysql://user:password@host:3306/database"]);
    fails(&format!("mysql://{USER}:{PASSWORD}@h"), &["MySQL URL", "no database"]);
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    fails(&mariadb.url_by_way_of(nobody, "chat"), &[&nobody.to_string(), "start it, or correct the URL"]);
    fails("mysql://a:b@no-such-host.invalid/chat", &["no-such-host.invalid", "correct the URL"]);
    let wrong = format!("mysql://{USER}:{PASSWORD}x@{at}/chat");
    fails(&wrong, &[&at, "does not let user chatd in", "password"]);
    fails(&mariadb.url("nowhere"), &[&at, "no database nowhere", "CREATE DATABASE `nowhere`"]);
    mariadb.sql("CREATE DATABASE ledger; CREATE TABLE ledger.account (x INT)");
    fails(&mariadb.url("ledger"), &["ledger", "another program"]);
    mariadb.sql("CREATE DATABASE poor; CREATE USER poor IDENTIFIED BY 'p'; GRANT SELECT ON poor.* TO poor");
    let poor = format!("mysql://poor:p@{at}/poor");
    fails(&poor, &["poor lacks rights", "GRANT ALL ON `poor`.*"]);
}

#[test]
fn a_mysql_of_a_newer_chatd() {
    let backends = Backends::of_all_tests();
    let name = backends.mariadb.make_database();
    drop(with_mysql(&backends.mariadb.url(&name)).start());
    backends.mariadb.sql(&format!("INSERT INTO {name}.chatd_schema (version) VALUES (99)"));
    with_mysql(&backends.mariadb.url(&name)).fail().says(&[&name, "version 99", "newer chatd"]);
}

/// Settings that break what an ACK promises are named; a server that is too old is refused.
#[test]
fn a_mysql_that_is_careless_or_too_old() {
    install::by_apt();
    let careless = ["--innodb-flush-log-at-trx-commit=2", "--log-bin", "--sync-binlog=0"];
    let mariadb = MariaDb::start(&careless).unwrap();
    let chatd = with_mysql(&mariadb.url(&mariadb.make_database())).start();
    let printed = chatd.printed();
    assert!(printed.contains("warning    MySQL has innodb_flush_log_at_trx_commit = 2"), "{printed}");
    assert!(printed.contains("warning    MySQL has sync_binlog = 0"), "{printed}");
    drop((chatd, mariadb));
    let mariadb = MariaDb::start(&["--version=10.4.34-MariaDB"]).unwrap();
    let url = mariadb.url(&mariadb.make_database());
    with_mysql(&url).fail().says(&["MariaDB 10.4.34", "too old", "MariaDB 10.5"]);
}

/// What the SQL relies on and cannot be set is named, and so is a table that somebody has changed.
#[test]
fn a_mysql_that_cannot_be_set_as_it_has_to_be() {
    install::by_apt();
    let mariadb = MariaDb::start(&["--maximum-wait-timeout=4"]).unwrap();
    let named = ["wait_timeout is 4", "cannot be set to 8"];
    with_mysql(&mariadb.url(&mariadb.make_database())).fail().says(&named);
    let backends = Backends::of_all_tests();
    let name = backends.mariadb.make_database();
    drop(with_mysql(&backends.mariadb.url(&name)).start());
    for (change, back, named) in [
        ("alias ENGINE = MyISAM", "alias ENGINE = InnoDB", "table alias has engine MyISAM"),
        (
            "message MODIFY body MEDIUMTEXT CHARACTER SET latin1 NOT NULL",
            "message MODIFY body MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
            "column body of table message has character set latin1",
        ),
    ] {
        backends.mariadb.sql(&format!("ALTER TABLE {name}.{change}"));
        with_mysql(&backends.mariadb.url(&name)).fail().says(&[named]);
        backends.mariadb.sql(&format!("ALTER TABLE {name}.{back}"));
    }
    drop(with_mysql(&backends.mariadb.url(&name)).start());
}

#[test]
fn a_redis_that_cannot_be_used() {
    install::by_apt();
    let redis = Redis::start(&["--requirepass", "s3cret"]).unwrap();
    let at = redis.address().to_string();
    let fails = |url: &str, words: &[&str]| {
        let failure = with_redis(url).fail();
        failure.says(words);
        assert!(!failure.stderr.contains("s3cret"), "{failure:?}");
    };
    fails("mysql://h/d", &["Redis URL", "redis://[user:password@]host:port/db"]);
    fails("rediss://h/0#insecure", &["a certificate is always verified"]);
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    fails(&format!("redis://{nobody}/0"), &[&nobody.to_string(), "start it, or correct the URL"]);
    fails(&format!("redis://{at}/0"), &[&at, "does not let user default in", "password"]);
    fails(&format!("redis://:s3cretx@{at}/0"), &[&at, "does not let user default in"]);
    fails(&format!("redis://:s3cret@{at}/99"), &[&at, "DB index"]);
    drop(with_redis(&format!("redis://:s3cret@{at}/1")).start());
    let spaced =
        with_redis(&format!("redis://:s3cret@{at}/1")).argument("--redis-prefix").argument("my chat");
    spaced.fail().says(&["my chat", "no space"]);
}

/// A user of Redis with what the sentence tells to give it, and with less.
#[test]
fn a_redis_user_with_too_few_rights() {
    install::by_apt();
    let redis = Redis::start(&[]).unwrap();
    let url = format!("redis://chat:s3cret@{}/0", redis.address());
    assert!(redis.ask("ACL SETUSER chat on >s3cret").starts_with("+OK"));
    let failure = with_redis(&url).fail();
    failure.says(&["Redis user chat lacks rights", "ACL SETUSER chat &chatd:*"]);
    let (_, told) = failure.stderr.split_once("give them with: ").expect("what to type");
    assert!(redis.ask(told.trim()).starts_with("+OK"), "{told}");
    let chatd = with_redis(&url).start();
    let amy = chatd.register("amy");
    chatd.enter(&amy).hear_nothing();
    // The channels of all cores, of users and of groups are three kinds of channels.
    const COMMANDS: [&str; 5] = ["-publish", "-subscribe", "-info", "-client|kill", "-pubsub|numsub"];
    const CHANNELS: [&str; 4] = [
        "resetchannels",
        "resetchannels &chatd:core*",
        "resetchannels &chatd:core* &chatd:g:*",
        "resetchannels &chatd:core* &chatd:u:*",
    ];
    for right in COMMANDS.iter().chain(&CHANNELS) {
        assert!(redis.ask(&format!("ACL SETUSER chat {right}")).starts_with("+OK"), "{right}");
        with_redis(&url).fail().says(&["lacks rights", "ACL SETUSER chat &chatd:*"]);
        assert!(redis.ask(told.trim()).starts_with("+OK"), "{told}");
    }
}

/// A command that somebody has taken away is named, and not the age of a Redis that is young.
#[test]
fn a_redis_that_has_a_command_disabled() {
    install::by_apt();
    for (command, named) in [("HELLO", "HELLO"), ("CLIENT", "CLIENT SETNAME"), ("PUBSUB", "PUBSUB NUMSUB")] {
        let redis =
            Redis::start(&["--requirepass", "s3cret", "--rename-command", command, "OTHERWISE"]).unwrap();
        let at = redis.address().to_string();
        let failure = with_redis(&format!("redis://:s3cret@{at}/0")).fail();
        failure.says(&[&format!("may not use {named} at {at}"), "disabled or renamed"]);
        assert!(!failure.stderr.contains("too old") && !failure.stderr.contains("s3cret"), "{failure:?}");
    }
    let redis = Redis::start(&["--rename-command", "HELLO", "OTHERWISE"]).unwrap();
    with_redis(&redis.url()).fail().says(&["may not use HELLO"]);
}

/// Stands for a Redis before RESP3, which no system has any more.
#[test]
fn a_redis_that_is_too_old() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n");
        }
    });
    with_redis(&format!("redis://{address}/0")).fail().says(&[&address.to_string(), "too old", "Redis 6"]);
}

/// Several servers that start together on an empty database bring it up to date once.
#[test]
fn many_servers_start_together_on_an_empty_database() {
    let backends = Backends::of_all_tests();
    for _ in 0..3 {
        let shared: Shared = backends.share();
        let servers = Setup::start_together((0..4).map(|_| shared.setup(1)));
        let name = shared.mysql.split('/').next_back().and_then(|rest| rest.split('?').next()).unwrap();
        let versions = backends.mariadb.sql(&format!("SELECT version FROM {name}.chatd_schema"));
        let expected =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/mysql")).unwrap().count();
        assert_eq!(versions.lines().count(), expected, "{versions}");
        let users: Vec<_> =
            servers.iter().map(|server| server.register(&format!("of {}", server.pid()))).collect();
        let mut clients: Vec<_> =
            servers.iter().zip(&users).map(|(server, user)| server.enter(user)).collect();
        for (at, client) in clients.iter_mut().enumerate() {
            client.chat(&users[(at + 1) % users.len()], "all of us");
        }
        for client in &mut clients {
            client.hear_msg("all of us");
        }
    }
}
