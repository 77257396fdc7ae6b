//! What another server recalls between two statements of one that reads.

use super::outbox::{crowd, look, say, tea};
use super::{keep, user};
use chatd::chat::model::change::Alteration;
use chatd::chat::model::envelope::Target;
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::Millis;
use chatd::chat::model::limits::Limits;
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::storage::mysql::{MySql, MySqlUrl};
use chatd::storage::{Order, Outcome, Store};
use chatd_testing::services::install;
use chatd_testing::services::mariadb::MariaDb;
use chatd_testing::services::proxy::Proxy;

/// Two servers of a database, the second of which has the proxy before it.
fn two_servers(mariadb: &MariaDb, proxy: &Proxy) -> [MySql; 2] {
    let database = mariadb.make_database();
    let urls = [mariadb.url(&database), mariadb.url_by_way_of(proxy.address, &database)];
    urls.map(|url| MySql::open(&MySqlUrl::parse(&url).unwrap(), &Limits::default()).unwrap())
}

fn recall(store: &mut MySql, user: u64, conversation: Conversation, pos: u64) {
    let (alteration, ts) = (Alteration::Recall, Millis(1));
    let user = super::user(user);
    let request = StoreRequest::Alter { user, conversation, pos, alteration, cid: None, ts };
    let mut outcomes = Vec::new();
    store.perform(&[Order::Request(request)], &mut outcomes).expect("it works");
    assert!(matches!(outcomes[..], [Outcome::Reply(Ok(_))]), "{outcomes:?}");
}

/// What comes of this if that is done once the server was told the first of these words.
fn meanwhile<T: Send>(
    proxy: &Proxy,
    words: &'static str,
    read: impl FnOnce() -> T + Send,
    change: impl FnOnce(),
) -> T {
    proxy.shut_after(&[words]);
    std::thread::scope(|scope| {
        let reads = scope.spawn(read);
        proxy.await_shut();
        change();
        proxy.open();
        reads.join().expect("it is read")
    })
}

#[test]
fn what_is_recalled_beyond_a_head_is_not_taken_off_what_is_unread() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let proxy = Proxy::start(mariadb.address());
    let [mut writes, mut reads] = two_servers(&mariadb, &proxy);
    let enroll = |name: &str| Order::Enroll { name: name.to_owned(), hash: String::new() };
    let tell = |mid| keep(2, Target::User(user(1)), mid, "");
    writes.perform(&[enroll("amy"), enroll("ben"), tell(1), tell(2), tell(3)], &mut Vec::new()).unwrap();
    recall(&mut writes, 2, Conversation::With(user(1)), 2);
    let heads = || {
        let (request, mut outcomes) =
            (StoreRequest::Heads { user: user(1), before: None, heads: 9 }, Vec::new());
        reads.perform(&[Order::Request(request)], &mut outcomes).expect("it works");
        outcomes
    };
    let outcomes = meanwhile(&proxy, "FROM uncounted", heads, || {
        writes.perform(&[tell(4)], &mut Vec::new()).unwrap();
        recall(&mut writes, 2, Conversation::With(user(1)), 4);
    });
    let [Outcome::Reply(Ok(StoreReply::Heads(page)))] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((page.heads[0].head, page.heads[0].unread), (3, 2), "the first and the third");
}

#[test]
fn who_lacks_what_was_said_before_what_is_recalled_is_told_of() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let proxy = Proxy::start(mariadb.address());
    let [mut writes, mut posts] = two_servers(&mariadb, &proxy);
    crowd(&mut writes, 1);
    say(&mut writes, 1_000);
    say(&mut writes, 1_001);
    let first = || look(&mut posts, 1, 2_000);
    let (mut told, more) = meanwhile(&proxy, "SELECT id, external FROM user", first, || {
        recall(&mut writes, 1, Conversation::Group(tea()), 2);
    });
    if more {
        told.extend(look(&mut posts, 1, 2_000).0);
    }
    assert_eq!(told, [2], "the first message is there");
    assert_eq!(look(&mut posts, 1, 9_000), (Vec::new(), false), "once");
}
