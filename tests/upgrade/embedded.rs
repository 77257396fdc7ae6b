//! SQLite.

use super::rows::{self, Size};
use super::told;
use crate::common::scratch::Scratch;
use chatd::chat::model::limits::Limits;
use chatd::storage::embedded::Embedded;
use chatd::storage::migrate;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Instant;

fn numbers(count: u64) -> String {
    format!(
        "(WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {count})
          SELECT n FROM counted) AS n"
    )
}

/// The columns of each table that stay what they are.
fn columns(db: &Connection, version: usize) -> BTreeMap<String, Vec<String>> {
    let sql =
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'";
    let mut statement = db.prepare(sql).expect("a database");
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("a database");
    let mut tables = BTreeMap::<String, Vec<String>>::new();
    for (table, column) in found.map(|pair: rusqlite::Result<(String, String)>| pair.expect("two names")) {
        if rows::stays(version, &table, &column) {
            tables.entry(table).or_default().push(column);
        }
    }
    tables
}

/// How many rows a table has, and the sum of what they come to.
fn fingerprint(db: &Connection, table: &str, columns: &[String]) -> (u64, u64) {
    let sql = format!("SELECT \"{}\" FROM \"{table}\"", columns.join("\", \""));
    let mut statement = db.prepare(&sql).expect("the columns are there");
    let (mut found, mut print) = (statement.query([]).expect("a query"), (0, 0_u64));
    while let Some(row) = found.next().expect("a row") {
        let mut hasher = DefaultHasher::new();
        for column in 0..columns.len() {
            match row.get_ref(column).expect("a value") {
                ValueRef::Null => 0.hash(&mut hasher),
                ValueRef::Integer(number) => (1, number).hash(&mut hasher),
                ValueRef::Real(number) => (2, number.to_bits()).hash(&mut hasher),
                ValueRef::Text(bytes) => (3, bytes).hash(&mut hasher),
                ValueRef::Blob(bytes) => (4, bytes).hash(&mut hasher),
            }
        }
        print = (print.0 + 1, print.1.wrapping_add(hasher.finish()));
    }
    print
}

/// Brings a copy of `template` up to date, and compares.
fn upgrade(template: &Path, version: usize, size: &Size) {
    let scratch = Scratch::new();
    let path = scratch.path().join("chatd.db");
    fs::copy(template, &path).expect("a copy");
    let db = Connection::open(&path).expect("a database");
    let columns = columns(&db, version);
    let prints = |db: &Connection| -> Vec<_> {
        columns.iter().map(|(table, columns)| (table.clone(), fingerprint(db, table, columns))).collect()
    };
    let before = prints(&db);
    assert!(
        before.iter().any(|(table, (count, _))| table == "message" && *count == size.messages),
        "{before:?}"
    );
    drop(db);
    let began = Instant::now();
    let mut store = Embedded::open(scratch.path(), &Limits::default()).expect("it is brought up to date");
    told::report("SQLite", version, size, began.elapsed());
    told::check(&mut store, size);
    drop(store);
    let db = Connection::open(&path).expect("a database");
    assert_eq!(prints(&db), before, "from version {version}");
    let misplaced: i64 = db.query_row(rows::MISPLACED, [], |row| row.get(0)).expect("a count");
    assert_eq!(misplaced, 0, "from version {version}");
}

#[test]
fn every_version_of_the_embedded_store_keeps_what_it_had() {
    let (scratch, size) = (Scratch::new(), rows::size());
    let path = scratch.path().join("template.db");
    let mut db = Connection::open(&path).expect("a database");
    db.pragma_update(None, "synchronous", "OFF").expect("a setting");
    for version in 1..=migrate::SQLITE.len() {
        migrate::migrate(&mut db, &path, &migrate::SQLITE[..version]).expect("the next version");
        let more = format!("BEGIN; {} COMMIT", rows::of_version(version, &size, numbers));
        db.execute_batch(&more).unwrap_or_else(|error| panic!("version {version}: {error}"));
        upgrade(&path, version, &size);
    }
}
