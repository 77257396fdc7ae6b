//! The outbox of several servers: one of them posts at a time.

use chatd::chat::model::ids::Millis;
use chatd::chat::model::limits::Limits;
use chatd::storage::mysql::{MySql, MySqlUrl};
use chatd::storage::outbox::{Kinds, Page, Step};
use chatd::storage::{Order, Store};
use chatd_testing::services::install;
use chatd_testing::services::mariadb::MariaDb;
use std::time::Duration;

fn step(store: &mut MySql, holder: u64, posted: &[u64]) -> Page {
    let step = Step {
        holder,
        now: Millis(0),
        renew: true,
        posted: posted.to_vec(),
        tell: None,
        trim: None,
        undelivered_before: None,
        wanted: true,
    };
    store.outbox(&step).expect("the store works")
}

#[test]
fn one_server_posts_until_its_lease_is_over() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let [mut one, mut two] = [0; 2].map(|_| MySql::open(&url, &Limits::default()).unwrap());
    one.set_outbox(Kinds::ALL, Duration::from_secs(10));
    let order = Order::Enroll { name: "amy".to_owned(), hash: String::new() };
    one.perform(&[order], &mut Vec::new()).expect("a user is stored");
    let first = step(&mut one, 1, &[]);
    assert_eq!((first.posts, first.rows.len()), (true, 1));
    let aside = step(&mut two, 2, &[]);
    assert_eq!((aside.posts, aside.rows.len()), (false, 0), "another one posts");
    assert!(step(&mut one, 1, &[]).posts, "it goes on");
    // As if the first had hung for long.
    mariadb.sql(&format!("UPDATE {database}.outbox_poster SET expires = '2001-01-01'"));
    let second = step(&mut two, 2, &[]);
    assert_eq!((second.posts, &second.rows), (true, &first.rows), "what was not deleted comes again");
    let late = step(&mut one, 1, &[first.rows[0].id]);
    assert!(!late.posts, "it learns that another one posts by now");
    assert_eq!(step(&mut two, 2, &[]).rows, [], "and what it has posted is deleted all the same");
}
