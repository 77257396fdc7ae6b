//! Brings an embedded database to the version that this program knows.
//!
//! Owns the numbered schema files and the order in which they are applied; refuses a database that
//! is newer than itself. Never changes a file once it was released: a change is a new number.

mod shape;

use super::OpenError;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;

/// Marks a SQLite file as ours: "chat" in ASCII.
const APPLICATION_ID: i32 = 0x6368_6174;

/// The schema files; the first one makes version 1.
pub const SQLITE: &[&str] = &[
    include_str!("../../schema/sqlite/0001_tables.sql"),
    include_str!("../../schema/sqlite/0002_second_dialect.sql"),
    include_str!("../../schema/sqlite/0003_one_name.sql"),
    include_str!("../../schema/sqlite/0004_servers.sql"),
    include_str!("../../schema/sqlite/0005_places.sql"),
    include_str!("../../schema/sqlite/0006_devices.sql"),
    include_str!("../../schema/sqlite/0007_changes.sql"),
    include_str!("../../schema/sqlite/0008_group_rules.sql"),
    include_str!("../../schema/sqlite/0009_consent.sql"),
    include_str!("../../schema/sqlite/0010_search.sql"),
    include_str!("../../schema/sqlite/0011_application.sql"),
    include_str!("../../schema/sqlite/0012_bus_version.sql"),
    include_str!("../../schema/sqlite/0013_outbox.sql"),
    include_str!("../../schema/sqlite/0014_push_tokens.sql"),
    include_str!("../../schema/sqlite/0015_issued_tokens.sql"),
    include_str!("../../schema/sqlite/0016_untold.sql"),
];

/// Applies those of `files` that the database lacks, each in a transaction of its own: one that is interrupted leaves the
/// version before it, and is done again at the next start.
///
/// # Errors
/// If [`check`] refuses the database, or a file cannot be applied.
pub fn migrate(db: &mut Connection, path: &Path, files: &[&str]) -> Result<(), OpenError> {
    let found = check(db, path, files)?;
    for (number, file) in (1..).zip(files).skip(found as usize) {
        step(db, number, file).map_err(|error| match explain(&error, path) {
            OpenError::Failed(database, why) => OpenError::Migration { database, to: number, why },
            other => other,
        })?;
    }
    Ok(())
}

/// Makes version `number` of the one before it, or changes nothing.
fn step(db: &mut Connection, number: u32, file: &str) -> rusqlite::Result<()> {
    let step = db.transaction()?;
    step.execute_batch(file)?;
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", number)?;
    step.commit()
}

/// The version of a database, 0 if it is empty. Changes nothing.
///
/// # Errors
/// If it is no database, belongs to another program or a newer chatd, or its tables are not those of its version.
pub fn check(db: &Connection, path: &Path, files: &[&str]) -> Result<u32, OpenError> {
    let number = |query: &str| {
        db.query_row(query, [], |row| row.get::<_, i64>(0)).map_err(|error| explain(&error, path))
    };
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let fresh = tables == 0 && application == 0 && version == 0;
    if !fresh && application != i64::from(APPLICATION_ID) {
        return Err(OpenError::NotOurs(path.to_path_buf()));
    }
    let found = u32::try_from(version).map_err(|_| OpenError::NotADatabase(path.to_path_buf()))?;
    let known = u32::try_from(files.len()).expect("fewer than four billion schema files");
    if found > known {
        return Err(OpenError::Newer { database: path.display().to_string(), found, known });
    }
    let lie = shape::difference(db, files, found as usize).map_err(|error| explain(&error, path))?;
    match lie {
        None => Ok(found),
        Some(why) => Err(OpenError::FalseVersion { path: path.to_path_buf(), found, why }),
    }
}

/// A database error at opening, in words for whoever started the server.
pub fn explain(error: &rusqlite::Error, path: &Path) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::NotADatabase(path.to_path_buf())
        }
        _ => OpenError::Failed(path.display().to_string(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "CREATE TABLE a (b); INSERT INTO a VALUES (1)";
    const TWO: &str = "ALTER TABLE a ADD COLUMN c DEFAULT 2";

    fn run(db: &mut Connection, files: &[&str]) -> Result<(), String> {
        migrate(db, Path::new("test.db"), files).map_err(|error| error.to_string())
    }

    fn version_of(db: &Connection) -> u32 {
        db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn the_files_that_are_there_make_the_version_that_they_say() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db, SQLITE).unwrap();
        assert_eq!(version_of(&db), SQLITE.len() as u32);
        run(&mut db, SQLITE).unwrap();
    }

    #[test]
    fn each_file_is_applied_once_and_keeps_what_is_there() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db, &[ONE]).unwrap();
        run(&mut db, &[ONE, TWO]).unwrap();
        run(&mut db, &[ONE, TWO]).unwrap();
        assert_eq!(version_of(&db), 2);
        let row = db.query_row("SELECT b, c FROM a", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row, Ok((1, 2)));
    }

    #[test]
    fn a_version_that_lies_is_refused_and_nothing_is_changed() {
        for (made_of, says, lack) in [
            (&[ONE, TWO][..], 1, "it has column a.c"),
            (&[ONE][..], 2, "it has no column a.c"),
            (&[ONE], 0, "it has"),
        ] {
            let mut db = Connection::open_in_memory().unwrap();
            run(&mut db, made_of).unwrap();
            db.pragma_update(None, "user_version", says).unwrap();
            let sentence = run(&mut db, &[ONE, TWO]).unwrap_err();
            let words = format!("says that it has schema version {says}, but {lack}");
            assert!(sentence.contains(&words), "{sentence}");
            assert_eq!(version_of(&db), says);
        }
    }

    #[test]
    fn what_somebody_added_is_left_alone() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db, SQLITE).unwrap();
        db.execute_batch("CREATE TABLE notes (text); CREATE INDEX mine ON user (password); ANALYZE").unwrap();
        run(&mut db, SQLITE).unwrap();
    }

    #[test]
    fn a_newer_database_is_refused_and_not_touched() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db, &[ONE, TWO]).unwrap();
        let sentence = run(&mut db, &[ONE]).unwrap_err();
        assert!(sentence.contains("version 2") && sentence.contains("up to 1"), "{sentence}");
        assert_eq!(version_of(&db), 2);
    }

    #[test]
    fn a_file_that_fails_leaves_the_version_before_it() {
        let mut db = Connection::open_in_memory().unwrap();
        // What is in the database may be in the way of a file that is right by itself.
        run(&mut db, &[ONE]).unwrap();
        db.execute_batch("INSERT INTO a VALUES (1)").unwrap();
        let sentence =
            run(&mut db, &[ONE, "CREATE TABLE d (e); CREATE UNIQUE INDEX once ON a (b)"]).unwrap_err();
        assert!(
            sentence.contains("cannot be brought to schema version 2") && sentence.contains("a.b"),
            "{sentence}"
        );
        assert_eq!(version_of(&db), 1);
        run(&mut db, &[ONE, TWO]).unwrap();
    }

    #[test]
    fn the_database_of_another_program_is_refused() {
        for other in ["CREATE TABLE x (y)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"] {
            let mut db = Connection::open_in_memory().unwrap();
            db.execute_batch(other).unwrap();
            assert!(run(&mut db, &[ONE]).unwrap_err().contains("another program"), "{other}");
        }
    }
}
