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
