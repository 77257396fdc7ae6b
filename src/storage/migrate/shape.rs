//! The shape of a database: which tables, columns and indexes it has, to tell whether its version number is true.
//!
//! A number that lies (half a restore, a file put together by hand) would let a server start whose requests all fail, or
//! apply a schema file to what it was not written for.

use rusqlite::Connection;
use std::collections::BTreeSet;

/// A line for each column of a table and each index: `column user.name TEXT NOT NULL`, `index message_pos of message`.
type Lines = BTreeSet<String>;

const COLUMNS: &str = "SELECT lower('column ' || t.name || '.' || c.name || ' ' || c.type) || iif(c.\"notnull\", ' NOT NULL', '')
    || iif(c.pk, ' key ' || c.pk, '')
    FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const INDEXES: &str = "SELECT lower('index ' || name || ' of ' || tbl_name) FROM sqlite_schema
    WHERE type = 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// What of a database's shape is not that of version `found` of `files`, in a few words. What no version has, such as
/// tables that somebody added, does not count.
pub fn difference(db: &Connection, files: &[&str], found: usize) -> rusqlite::Result<Option<String>> {
    let model = Connection::open_in_memory()?;
    let (mut wanted, mut known) = (Lines::new(), Lines::new());
    for version in 0..=files.len() {
        if version > 0 {
            model.execute_batch(files[version - 1])?;
        }
        let shape = lines(&model)?;
        if version == found {
            wanted.clone_from(&shape);
        }
        known.extend(shape);
    }
    let real: Lines = lines(db)?;
    let missing = wanted.difference(&real).next().map(|line| format!("it has no {line}"));
    let early = || real.intersection(&known).find(|line| !wanted.contains(*line));
    Ok(missing.or_else(|| early().map(|line| format!("it has {line}"))))
}

fn lines(db: &Connection) -> rusqlite::Result<Lines> {
    let mut found = Lines::new();
    for sql in [COLUMNS, INDEXES] {
        let mut statement = db.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|row| row.map(|line| found.insert(line))).collect::<rusqlite::Result<Vec<_>>>()?;
    }
    Ok(found)
}
