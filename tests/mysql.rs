//! The MySQL store on a real server: the contract, and what happens when several use it at once.

mod services;

use chatd::chat::limits::Limits;
use chatd::storage::contract;
use chatd::storage::mysql::{MySql, MySqlUrl};
use services::install;
use services::mariadb::MariaDb;

#[test]
fn the_store_keeps_the_contract() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    for case in contract::cases() {
        eprintln!("contract: {}", case.name);
        let mut open = |limits: &Limits| -> Box<dyn chatd::storage::Store> {
            let url = MySqlUrl::parse(&mariadb.url(&mariadb.make_database())).unwrap();
            Box::new(MySql::open(&url, limits).unwrap())
        };
        (case.run)(&mut open);
    }
}
