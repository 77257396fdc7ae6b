//! MariaDB.

use super::rows::{self, Size};
use super::told;
use crate::common::services::install;
use crate::common::services::mariadb::MariaDb;
use chatd::chat::model::limits::Limits;
use chatd::storage::mysql::{MySql, MySqlUrl};
use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

fn numbers(count: u64) -> String {
    format!("(SELECT CAST(seq AS SIGNED) AS n FROM seq_1_to_{count}) AS n")
}

/// The files of the schema, the first one first.
fn files() -> Vec<String> {
    let found = fs::read_dir("schema/mysql").expect("the schema");
    let mut paths: Vec<_> = found.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).expect("a file")).collect()
}

/// A database of this version, made as a server makes it.
fn make(mariadb: &MariaDb, files: &[String], size: &Size) -> String {
    let database = mariadb.make_database();
    for (version, file) in (1..).zip(files) {
        let more = rows::of_version(version, size, numbers);
        mariadb.sql(&format!(
            "USE {database};\n{file}\nINSERT IGNORE INTO chatd_schema (version) VALUES ({version});\nBEGIN; {more} COMMIT"
        ));
    }
    database
}

/// The columns of each table that stay what they are.
fn columns(mariadb: &MariaDb, database: &str, version: usize) -> BTreeMap<String, Vec<String>> {
    let listed = mariadb.sql(&format!(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{database}'
         ORDER BY table_name, ordinal_position"
    ));
    let mut tables = BTreeMap::<String, Vec<String>>::new();
    for (table, column) in listed.lines().map(|line| line.split_once('\t').expect("two names")) {
        if rows::stays(version, table, column) {
            tables.entry(table.to_owned()).or_default().push(column.to_owned());
        }
    }
    tables
}

/// How many rows a table has, and the sum of what they come to.
fn fingerprint(mariadb: &MariaDb, database: &str, table: &str, columns: &[String]) -> String {
    let values: Vec<String> =
        columns.iter().map(|column| format!("COALESCE(HEX(`{column}`), 'null')")).collect();
    mariadb.sql(&format!(
        "SELECT COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(MD5(CONCAT_WS('/', {})), 15), 16, 10) AS UNSIGNED)), 0)
         FROM {database}.`{table}`",
        values.join(", ")
    ))
}

#[test]
fn every_version_of_mysql_keeps_what_it_had() {
    install::by_apt();
    let (mariadb, size, files) = (MariaDb::start(&[]).unwrap(), rows::size(), files());
    let flush = |each: u8| mariadb.sql(&format!("SET GLOBAL innodb_flush_log_at_trx_commit = {each}"));
    for version in 1..=files.len() {
        flush(0);
        let database = make(&mariadb, &files[..version], &size);
        flush(1);
        let columns = columns(&mariadb, &database, version);
        let prints = || -> Vec<(String, String)> {
            let print = |(table, columns): (&String, &Vec<String>)| {
                (table.clone(), fingerprint(&mariadb, &database, table, columns))
            };
            columns.iter().map(print).collect()
        };
        let before = prints();
        let messages = format!("{}\t", size.messages);
        assert!(
            before.iter().any(|(table, print)| table == "message" && print.starts_with(&messages)),
            "{before:?}"
        );
        let url = MySqlUrl::parse(&mariadb.url(&database)).expect("a URL");
        let began = Instant::now();
        let mut store = MySql::open(&url, &Limits::default()).expect("it is brought up to date");
        told::report("MariaDB", version, &size, began.elapsed());
        told::check(&mut store, &size);
        drop(store);
        assert_eq!(prints(), before, "from version {version}");
        let misplaced = mariadb.sql(&format!("USE {database}; {}", rows::MISPLACED));
        assert_eq!(misplaced.trim(), "0", "from version {version}");
        mariadb.sql(&format!("DROP DATABASE {database}"));
    }
}
