//! The MySQL store on a real server: the contract, and what happens when several use it at once.

#[path = "mysql/between.rs"]
mod between;
#[path = "mysql/outbox.rs"]
mod outbox;
#[path = "mysql/places.rs"]
mod places;

use chatd::chat::model::envelope::{BUS_VERSION, Durability, Envelope, Message, Target};
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::profile::Who;
use chatd::chat::model::token::Proof;
use chatd::chat::port::store::{BacklogPage, CursorUpdate, Detail, Issue, StoreReply, StoreRequest};
use chatd::chat::wire::code::Code;
use chatd::storage::health::News;
use chatd::storage::mysql::{MySql, MySqlUrl};
use chatd::storage::siblings::{Entry, Hearing, Sibling};
use chatd::storage::{Order, Outcome, Store, StoreError, contract, password_print};
use chatd_testing::services;
use chatd_testing::services::install;
use chatd_testing::services::mariadb::MariaDb;
use chatd_testing::services::proxy::Proxy;
use places::gaps;
use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

#[test]
fn the_store_keeps_the_contract() {
    install::by_apt();
    keeps_the_contract(&MariaDb::start(&[]).unwrap());
}

/// What the SQL relies on is set at each connection, whatever the server, the database and the account
/// are set to.
#[test]
fn the_store_keeps_the_contract_whatever_a_session_is_set_to() {
    const INIT: &str = "--init-connect=SET NAMES latin1, sql_select_limit = 2, autocommit = 0, \
        sql_safe_updates = 1, foreign_key_checks = 0, unique_checks = 0, tx_read_only = 1, \
        time_zone = '+05:00', completion_type = 'CHAIN', max_join_size = 1, sql_big_selects = 0, \
        max_statement_time = 30, sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'";
    install::by_apt();
    let mariadb = MariaDb::start(&[
        "--skip-character-set-client-handshake",
        "--character-set-server=latin1",
        "--collation-server=latin1_swedish_ci",
        "--transaction-isolation=SERIALIZABLE",
        "--default-storage-engine=Aria",
        INIT,
    ])
    .unwrap();
    keeps_the_contract(&mariadb);
    let mut store = open_plain(&mariadb);
    let name = "zo\u{eb} \u{1f642}";
    let enroll = Order::Enroll { name: name.to_owned(), hash: "h".to_owned() };
    let find = Order::Lookup { who: Who::Name(name.to_owned()) };
    let mut outcomes = Vec::new();
    store.perform(&[enroll, find], &mut outcomes).unwrap();
    assert!(matches!(&outcomes[1], Outcome::Found(Some(account)) if account.name == name), "{outcomes:?}");
    let body = "{\"msg\":\"\u{1f642}\"}";
    let (sender, target, cid) = (user(1), Target::User(user(1)), "\u{1f642}");
    let (mid, ts, durability) = (MessageId(1), Millis(1), Durability::Always);
    let message = Message { sender, target, mid, ts, cid, durability, body: body.as_bytes() };
    let envelope = Envelope::message(message, &mut Vec::new());
    let take = StoreRequest::FetchBacklog {
        user: user(1),
        after: MessageId(0),
        have: Vec::new(),
        messages: 9,
        bytes: 999,
    };
    outcomes.clear();
    store
        .perform(
            &[Order::Request(StoreRequest::StoreMessage { envelope }), Order::Request(take)],
            &mut outcomes,
        )
        .unwrap();
    let Outcome::Reply(Ok(StoreReply::Backlog(BacklogPage { messages, .. }))) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert_eq!((messages[0].envelope.body(), messages[0].envelope.cid()), (body.as_bytes(), cid));
}

/// All who use a server share its prepared statements: where there are too many, the same goes as text.
#[test]
fn the_store_keeps_the_contract_where_nothing_can_be_prepared() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    keeps_the_contract_with(&|limits| {
        // Making the tables prepares something, too.
        mariadb.sql("SET GLOBAL max_prepared_stmt_count = 100");
        let store = open_plain_with(&mariadb, limits);
        mariadb.sql("SET GLOBAL max_prepared_stmt_count = 0");
        store
    });
}

/// The same on a server that is there already, one that no package of this system brings:
/// `CHATD_TEST_MYSQL=mysql://user:password@host:port cargo test --test mysql -- --ignored`. The user may
/// make databases, and the test leaves them there.
#[test]
#[ignore = "needs a server, named by CHATD_TEST_MYSQL"]
fn the_store_keeps_the_contract_on_a_given_server() {
    let server = std::env::var("CHATD_TEST_MYSQL").expect("CHATD_TEST_MYSQL names a server");
    let parsed = MySqlUrl::parse(&format!("{server}/none")).unwrap();
    let (host, port) = parsed.server().rsplit_once(':').unwrap();
    let password = server.split(':').nth(2).and_then(|rest| rest.split('@').next()).unwrap();
    let databases = std::cell::Cell::new(0);
    keeps_the_contract_with(&|limits| {
        databases.set(databases.get() + 1);
        let database = format!("chatd_test_{}_{}", std::process::id(), databases.get());
        let made = std::process::Command::new("mariadb")
            .args(["--no-defaults", "-h", host, "-P", port, "-u", parsed.user()])
            .arg(format!("--password={password}"))
            .args(["-e", &format!("CREATE DATABASE {database}")])
            .status();
        assert!(made.unwrap().success());
        MySql::open(&MySqlUrl::parse(&format!("{server}/{database}")).unwrap(), limits).unwrap()
    });
}

fn keeps_the_contract(mariadb: &MariaDb) {
    keeps_the_contract_with(&|limits| open_plain_with(mariadb, limits));
}

fn keeps_the_contract_with(open: &dyn Fn(&Limits) -> MySql) {
    for case in contract::cases() {
        eprintln!("contract: {}", case.name);
        (case.run)(&mut |limits: &Limits| -> Box<dyn Store> { Box::new(open(limits)) });
    }
}

/// A store in a database of its own, which has the server's character set, by a user without privileges.
fn open_plain(mariadb: &MariaDb) -> MySql {
    open_plain_with(mariadb, &Limits::default())
}

fn open_plain_with(mariadb: &MariaDb, limits: &Limits) -> MySql {
    let database = mariadb.make_database();
    mariadb.sql(&format!("DROP DATABASE {database}; CREATE DATABASE {database}"));
    let url = MySqlUrl::parse(&mariadb.plain_user(&database, mariadb.address())).unwrap();
    MySql::open(&url, limits).unwrap()
}

#[test]
fn a_database_of_version_1_is_brought_up_to_date_by_whichever_server_is_first() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let first = std::fs::read_to_string("schema/mysql/0001_tables.sql").unwrap();
    let version = "INSERT INTO chatd_schema (version) VALUES (1);";
    mariadb.sql(&format!("USE {database};\n{first}\n{version}\n{}", contract::VERSION_1));
    // A server that was killed in the middle of it has left it half done.
    let second = std::fs::read_to_string("schema/mysql/0002_second_dialect.sql").unwrap();
    let half: String = second.split_inclusive("DEALLOCATE PREPARE step;").take(2).collect();
    mariadb.sql(&format!("USE {database};\n{half}"));
    let open = || MySql::open(&url, &Limits::default()).unwrap();
    let mut stores: Vec<MySql> = std::thread::scope(|scope| {
        let servers = [0; 4].map(|_| scope.spawn(open));
        servers.map(|server| server.join().unwrap()).into()
    });
    contract::check_version_1(&mut stores[0]);
    for store in &mut stores {
        contract::check_again(store);
    }
    contract::check_again(&mut open());
}

/// A server behind a forwarded port names a socket of its own machine. Here it is another server's.
#[test]
fn a_url_with_a_port_leads_to_the_server_behind_that_port() {
    install::by_apt();
    let [named, another] = [MariaDb::start(&[]).unwrap(), MariaDb::start(&[]).unwrap()];
    let databases = [named.make_database(), another.make_database()];
    assert_eq!(databases[0], databases[1], "what is written by mistake would find its place");
    let aside = named.socket().with_extension("aside");
    std::fs::rename(named.socket(), &aside).unwrap();
    std::os::unix::fs::symlink(another.socket(), named.socket()).unwrap();
    let proxy = Proxy::start(named.address());
    let url = MySqlUrl::parse(&named.url_by_way_of(proxy.address, &databases[0])).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    let order = Order::Enroll { name: "amy".to_owned(), hash: String::new() };
    store.perform(&[order], &mut Vec::new()).expect("a user is stored");
    std::fs::rename(&aside, named.socket()).unwrap();
    let tables =
        format!("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{}'", databases[0]);
    assert_eq!(another.sql(&tables).trim(), "0", "nothing was written to the other server");
    assert_eq!(named.sql(&format!("SELECT name FROM {}.user", databases[0])).trim(), "amy");
}

/// By the clock of the database, whatever theirs say.
#[test]
fn servers_of_a_database_know_of_each_other() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let [mut one, mut two] = [0; 2].map(|_| MySql::open(&url, &Limits::default()).unwrap());
    let entry = |server, hearing| Entry {
        server,
        place: format!("127.0.0.1:{server} (Redis at häuser:6379)"),
        cores: 3,
        bus: "run chatd:".to_owned(),
        hearing,
        bus_version: BUS_VERSION,
    };
    let others = |found: Vec<Sibling>| found.into_iter().map(|sibling| sibling.entry).collect::<Vec<_>>();
    let (first, second) = (entry(1 << 62, Hearing::All), entry(7, Hearing::NotAll));
    let began = Instant::now();
    assert_eq!(one.announce(&first).unwrap(), []);
    assert_eq!(others(two.announce(&second).unwrap()), std::slice::from_ref(&first));
    let found = one.announce(&first).unwrap();
    // The database counts whole seconds.
    assert!(found[0].silent <= began.elapsed() + Duration::from_secs(1), "{found:?}");
    assert_eq!(others(found), std::slice::from_ref(&second));
    // One that died long ago is forgotten, one that was heard of some minutes ago is told of as such.
    mariadb.sql(&format!(
        "UPDATE {database}.chatd_server SET heartbeat = heartbeat - INTERVAL 5 MINUTE WHERE id = 7"
    ));
    let silent = one.announce(&first).unwrap()[0].silent;
    assert!(silent > Duration::from_secs(290), "{silent:?}");
    mariadb.sql(&format!(
        "UPDATE {database}.chatd_server SET heartbeat = heartbeat - INTERVAL 1 HOUR WHERE id = 7"
    ));
    assert_eq!(one.announce(&first).unwrap(), []);
    assert_eq!(mariadb.sql(&format!("SELECT COUNT(*) FROM {database}.chatd_server")).trim(), "1");
    assert_eq!(others(two.announce(&second).unwrap()), [first]);
    one.withdraw(1 << 62).unwrap();
    assert_eq!(two.announce(&second).unwrap(), []);
}

/// The server cuts a connection that says nothing for eight seconds; the one that writes has nothing to
/// say while people only log in.
#[test]
fn who_only_reads_for_long_can_write_after() {
    const LONG: Duration = Duration::from_secs(10);
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let url = MySqlUrl::parse(&mariadb.url(&mariadb.make_database())).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    let write = |name: &str, store: &mut MySql| {
        let order = Order::Enroll { name: name.to_owned(), hash: String::new() };
        store.perform(&[order], &mut Vec::new()).expect("a user is stored");
    };
    write("amy", &mut store);
    let began = Instant::now();
    while began.elapsed() < LONG {
        let read = Order::Lookup { who: Who::Name("amy".to_owned()) };
        store.perform(&[read], &mut Vec::new()).expect("a user is found");
    }
    write("ben", &mut store);
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn keep(sender: u64, target: Target, mid: u64, cid: &str) -> Order {
    let (mid, ts, durability) = (MessageId(mid), Millis(1), Durability::Always);
    let message = Message { sender: user(sender), target, mid, ts, cid, durability, body: b"{}" };
    Order::Request(StoreRequest::StoreMessage { envelope: Envelope::message(message, &mut Vec::new()) })
}

fn mark(user: UserId, conversation: Conversation) -> Order {
    Order::Request(StoreRequest::MoveMarker { user, conversation, pos: u64::MAX })
}

/// Users 1 to 4, group 1 of 1 and 2, group 2 of 3, and a first message from 1 to 2.
fn four_users(mariadb: &MariaDb) -> (String, MySql) {
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    let enroll = |number| Order::Enroll { name: format!("u{number}"), hash: String::new() };
    let group = |number| {
        Order::Request(StoreRequest::CreateGroup {
            user: user(number),
            name: format!("g{number}"),
            desc: String::new(),
        })
    };
    let join =
        Order::Request(StoreRequest::AddGroup { user: user(2), group: GroupId::new(1).unwrap(), row: None });
    let first = keep(1, Target::User(user(2)), 1, "first");
    let orders = [enroll(1), enroll(2), enroll(3), enroll(4), group(1), group(3), join, first];
    store.perform(&orders, &mut Vec::new()).unwrap();
    (database, store)
}

/// What needs a row that somebody else has locked is set aside, with what must not overtake it; all else
/// of its batch is stored. Asked again, it is stored in its order.
#[test]
fn what_waits_for_a_lock_waits_alone() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let group = |number| GroupId::new(number).unwrap();
    let login = |number| {
        let proof = Proof::Password(password_print(""));
        Order::Request(StoreRequest::LoadProfile {
            user: user(number),
            proof,
            detail: Detail::Counts,
            issue: Issue::Token,
            device: None,
            heads: 0,
        })
    };
    let progress = vec![CursorUpdate { group: group(1), upto: 1, beyond: Vec::new() }];
    let orders = [
        keep(1, Target::User(user(2)), 10, "one"),
        keep(3, Target::User(user(4)), 11, "one"),
        keep(2, Target::Group(group(1)), 12, "one"),
        keep(1, Target::User(user(2)), 13, "two"),
        keep(3, Target::Group(group(2)), 14, "two"),
        login(1),
        login(3),
        keep(1, Target::User(user(2)), 15, "first"),
        Order::Request(StoreRequest::AckDelivered { user: user(1), mids: Vec::new(), cursors: progress }),
        mark(user(2), Conversation::With(user(1))),
        mark(user(2), Conversation::Group(group(1))),
    ];
    for (held, waiting) in [
        ("conversation WHERE low = 1 AND high = 2", &[0, 3, 7][..]),
        ("allgroup WHERE id = 1", &[2, 8, 10]),
        ("user WHERE id = 1", &[5, 8]),
        ("groupuser WHERE userid = 1 AND groupid = 1", &[8]),
        ("groupuser WHERE userid = 2 AND groupid = 1", &[10]),
        ("dialogue WHERE userid = 2 AND peer = 1", &[9]),
        ("message WHERE cid = 'first' AND sender = 1", &[7]),
    ] {
        let (database, mut store) = four_users(&mariadb);
        let holder = mariadb.hold(&database, &format!("SELECT * FROM {held} FOR UPDATE"));
        let mut outcomes = Vec::new();
        store.perform(&orders, &mut outcomes).expect(held);
        let places = |outcomes: &[Outcome]| -> Vec<usize> {
            (0..outcomes.len()).filter(|place| outcomes[*place] == Outcome::Deferred).collect()
        };
        assert_eq!(places(&outcomes), waiting, "{held}: {outcomes:?}");
        drop(holder);
        let mut left: Vec<Order> = waiting.iter().map(|place| orders[*place].clone()).collect();
        let mut answers = outcomes;
        let deadline = Instant::now() + Duration::from_secs(30);
        while !left.is_empty() {
            let mut outcomes = Vec::new();
            store.perform(&left, &mut outcomes).expect(held);
            let again = places(&outcomes);
            left = again.iter().map(|place| left[*place].clone()).collect();
            answers.extend(outcomes);
            assert!(Instant::now() < deadline, "{held}: still waited for");
        }
        let done = answers.iter().filter(|outcome| matches!(outcome, Outcome::Reply(Ok(_)))).count();
        assert_eq!(done, orders.len(), "{held}: {answers:?}");
        assert_eq!(gaps(&mariadb, &database), ["0", "0", "6"], "{held}");
        let order = mariadb.sql(&format!("SELECT mid FROM {database}.message WHERE sender = 1 ORDER BY pos"));
        assert_eq!(order.split_whitespace().collect::<Vec<_>>(), ["1", "10", "13"], "{held}");
    }
}

/// How long what comes by itself may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn enroll(name: &str) -> Order {
    Order::Enroll { name: name.to_owned(), hash: String::new() }
}

fn try_to(store: &mut MySql, order: &Order) -> Result<(), StoreError> {
    store.perform(std::slice::from_ref(order), &mut Vec::new()).map(drop)
}

/// What the store finds out while nothing is asked of it, up to what is waited for.
fn hear(store: &mut MySql, what: &str, is_it: impl Fn(&News) -> bool) {
    let deadline = Instant::now() + SOON;
    loop {
        let news = store.wait(pin!(pending()));
        if is_it(&news) {
            return;
        }
        assert!(Instant::now() < deadline, "waited for {what}, heard {news:?}");
    }
}

fn is_lost_for(news: &News, word: &str) -> bool {
    matches!(news, News::Lost(why) if why.contains(word))
}

/// After a switchover the old connections lead to a server that only reads, and the address to another.
#[test]
fn a_server_that_only_reads_now_is_left_for_the_one_that_writes() {
    install::by_apt();
    let [old, new] = [MariaDb::start(&[]).unwrap(), MariaDb::start(&[]).unwrap()];
    let database = old.make_database();
    assert_eq!(new.make_database(), database);
    drop(new.plain_user(&database, new.address()));
    drop(MySql::open(&MySqlUrl::parse(&new.url(&database)).unwrap(), &Limits::default()).unwrap());
    let proxy = Proxy::start(old.address());
    let url = MySqlUrl::parse(&old.plain_user(&database, proxy.address)).unwrap();
    let [mut asked, mut idle] = [0; 2].map(|_| MySql::open(&url, &Limits::default()).unwrap());
    try_to(&mut asked, &enroll("amy")).unwrap();
    old.sql("SET GLOBAL read_only = 1");
    let error = try_to(&mut asked, &enroll("ben")).unwrap_err().to_string();
    assert!(error.contains("read-only") || error.contains("only reads"), "{error}");
    hear(&mut idle, "word that it only reads", |news| is_lost_for(news, "only reads"));
    hear(&mut asked, "the reason why it is not back", |news| {
        is_lost_for(news, "name the server that is written to")
    });
    proxy.lead_new_ones_to(new.address());
    for (store, name) in [(&mut asked, "ben"), (&mut idle, "carl")] {
        let deadline = Instant::now() + SOON;
        while try_to(store, &enroll(name)).is_err() {
            drop(store.wait(pin!(pending())));
            assert!(Instant::now() < deadline, "the new server is not found");
        }
    }
    let names = |server: &MariaDb| server.sql(&format!("SELECT name FROM {database}.user ORDER BY id"));
    assert_eq!((names(&old).trim(), names(&new).trim()), ("amy", "ben\ncarl"));
}

/// Why it does not come back is told whenever that becomes another reason.
#[test]
fn why_the_server_does_not_come_back_is_told() {
    install::by_apt();
    let mut mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.plain_user(&database, mariadb.address())).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    mariadb.sql("ALTER USER plain IDENTIFIED BY 'another'; KILL USER plain");
    hear(&mut store, "its end", |news| matches!(news, News::Lost(_)));
    hear(&mut store, "a wrong password", |news| is_lost_for(news, "does not let user plain in"));
    mariadb.kill();
    hear(&mut store, "that nobody is there", |news| is_lost_for(news, "no MySQL answers"));
    mariadb.run().unwrap();
    hear(&mut store, "a wrong password", |news| is_lost_for(news, "does not let user plain in"));
    drop(mariadb.plain_user(&database, mariadb.address()));
    mariadb.sql(&format!("ALTER USER plain IDENTIFIED BY '{}'", services::mariadb::PASSWORD));
    hear(&mut store, "its return", |news| *news == News::Well);
    try_to(&mut store, &enroll("amy")).unwrap();
}

/// A server that says that it cannot is not well because it answers: it is when it can.
#[test]
fn a_right_that_is_revoked_is_a_reason_until_it_is_given_again() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    drop(MySql::open(&MySqlUrl::parse(&mariadb.url(&database)).unwrap(), &Limits::default()).unwrap());
    mariadb.sql(&format!("CREATE USER poor IDENTIFIED BY '{}'", services::mariadb::PASSWORD));
    let tables = mariadb
        .sql(&format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'"));
    let rights = "SELECT, INSERT, UPDATE, DELETE";
    for table in tables.lines() {
        mariadb.sql(&format!("GRANT {rights} ON {database}.{table} TO poor"));
    }
    let url = format!("mysql://poor:{}@{}/{database}", services::mariadb::PASSWORD, mariadb.address());
    let mut store = MySql::open(&MySqlUrl::parse(&url).unwrap(), &Limits::default()).unwrap();
    try_to(&mut store, &enroll("amy")).unwrap();
    mariadb.sql(&format!("REVOKE INSERT ON {database}.user FROM poor"));
    let error = try_to(&mut store, &enroll("ben")).unwrap_err();
    assert!(matches!(&error, StoreError::Down(why) if why.contains("1142")), "{error:?}");
    for _ in 0..3 {
        assert!(is_lost_for(&store.wait(pin!(pending())), "1142"), "it answers and cannot");
    }
    mariadb.sql(&format!("GRANT INSERT ON {database}.user TO poor"));
    hear(&mut store, "that it can", |news| *news == News::Well);
    try_to(&mut store, &enroll("ben")).unwrap();
}

/// What can never succeed is told so, and spoils no batch.
#[test]
fn when_ids_are_used_up_that_is_said() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    let enroll = |name: &str| Order::Enroll { name: name.to_owned(), hash: String::new() };
    let amy = UserId::new(1).unwrap();
    let group = |name: &str| {
        Order::Request(StoreRequest::CreateGroup { user: amy, name: name.to_owned(), desc: String::new() })
    };
    store.perform(&[enroll("amy"), group("first")], &mut Vec::new()).unwrap();
    mariadb.sql(&format!(
        "USE {database}; ALTER TABLE user AUTO_INCREMENT = 2147483647; ALTER TABLE allgroup AUTO_INCREMENT = 2147483647;"
    ));
    let batch = [enroll("ben"), enroll("carl"), group("second"), group("third"), enroll("amy")];
    for (round, last) in [(0, true), (1, false)] {
        let mut outcomes = Vec::new();
        store.perform(&batch, &mut outcomes).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let done = |at: usize| matches!(&outcomes[at], Outcome::Reply(Ok(_)));
        let code = |at: usize| match &outcomes[at] {
            Outcome::Reply(Err(code)) => Some(*code),
            _ => None,
        };
        assert_eq!((done(0), done(2)), (last, last), "round {round}: the last ids: {outcomes:?}");
        assert_eq!((code(1), code(3)), (Some(Code::TooMany), Some(Code::TooMany)), "round {round}");
        assert_eq!(code(4), Some(Code::Refused), "a name that is taken is that");
    }
}

/// What a trigger refuses to one user is that user's trouble; what it refuses to all is the store's.
#[test]
fn a_database_that_refuses_one_is_told_from_one_that_refuses_all() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let (database, mut store) = four_users(&mariadb);
    let refuse = |which: &str| {
        // The client ends a statement at a semicolon unless it is told otherwise, on a line of its own.
        mariadb.sql(&format!(
            "USE {database};\nDELIMITER //\n\
             CREATE OR REPLACE TRIGGER refuses BEFORE INSERT ON message FOR EACH ROW \
             IF {which} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a test refuses this'; END IF //"
        ));
    };
    let to_three = |sender, mid| keep(sender, Target::User(user(3)), mid, "");
    refuse("NEW.sender = 2");
    let refused = try_to(&mut store, &to_three(2, 10));
    assert!(matches!(&refused, Err(StoreError::Order(why)) if why.contains("refuses this")), "{refused:?}");
    store.probe_write().unwrap();
    try_to(&mut store, &to_three(1, 11)).unwrap();
    refuse("TRUE");
    assert!(matches!(try_to(&mut store, &to_three(1, 12)), Err(StoreError::Order(_))));
    let down = store.probe_write();
    assert!(matches!(&down, Err(StoreError::Down(why)) if why.contains("refuses this")), "{down:?}");
    hear(&mut store, "that it stores nothing", |news| is_lost_for(news, "refuses this"));
    mariadb.sql(&format!("DROP TRIGGER {database}.refuses"));
    hear(&mut store, "that it stores again", |news| *news == News::Well);
    try_to(&mut store, &to_three(1, 12)).unwrap();
}
