//! Brings a MySQL database to the version that this program knows: once, though several servers
//! start at the same time.
//!
//! MySQL commits each change of a table by itself, so a schema file cannot be one transaction. Instead
//! each of its statements can be repeated (`IF NOT EXISTS`), its version is written when all of it is
//! done, and a named lock of the server lets one chatd at a time do it. Never changes a file once
//! it was released: a change is a new number.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::refusal::Refusal;
use super::row;
use super::siblings;
use super::url::MySqlUrl;
use crate::OpenError;
use std::time::Duration;

/// The schema files; the first one makes version 1.
pub const MYSQL: &[&str] = &[
    include_str!("../../../schema/mysql/0001_tables.sql"),
    include_str!("../../../schema/mysql/0002_second_dialect.sql"),
    include_str!("../../../schema/mysql/0003_one_name.sql"),
    include_str!("../../../schema/mysql/0004_servers.sql"),
    include_str!("../../../schema/mysql/0005_places.sql"),
    include_str!("../../../schema/mysql/0006_devices.sql"),
    include_str!("../../../schema/mysql/0007_changes.sql"),
    include_str!("../../../schema/mysql/0008_group_rules.sql"),
    include_str!("../../../schema/mysql/0009_consent.sql"),
    include_str!("../../../schema/mysql/0010_search.sql"),
    include_str!("../../../schema/mysql/0011_application.sql"),
    include_str!("../../../schema/mysql/0012_bus_version.sql"),
    include_str!("../../../schema/mysql/0013_outbox.sql"),
    include_str!("../../../schema/mysql/0014_push_tokens.sql"),
    include_str!("../../../schema/mysql/0015_issued_tokens.sql"),
    include_str!("../../../schema/mysql/0016_untold.sql"),
];

/// How long another chatd may take to do it, and how long one statement of ours may.
const PATIENCE: Duration = Duration::from_secs(600);
const LOCK: &str = "SELECT GET_LOCK(CONCAT('chatd ', SHA2(DATABASE(), 224)), 60)";
const UNLOCK: &str = "SELECT RELEASE_LOCK(CONCAT('chatd ', SHA2(DATABASE(), 224)))";
const VERSION: &str = "SELECT MAX(version) FROM chatd_schema";

/// Applies those of `files` that the database lacks.
///
/// # Errors
/// If the database is another program's or a newer chatd's, a server works on it that speaks another version of the bus,
/// or it cannot be changed.
pub async fn migrate(client: &mut Client, url: &MySqlUrl, files: &[&str]) -> Result<(), OpenError> {
    let usual = client.patience();
    client.set_patience(PATIENCE);
    let locked = client.read(LOCK).await.and_then(|found| one(&found)).map_err(|fault| of(fault, url))?;
    if locked != Some(1) {
        return Err(Refusal::Migrating { database: url.database().to_owned() }.into());
    }
    let done = apply(client, url, files).await;
    // The lock goes with the connection, if it does not go now.
    drop(client.read(UNLOCK).await);
    client.set_patience(usual);
    done
}

async fn apply(client: &mut Client, url: &MySqlUrl, files: &[&str]) -> Result<(), OpenError> {
    let found = found(client, url, files).await?;
    // Before anything is changed under those who work on it.
    if let Some(other) = siblings::of_another_version(client).await.map_err(|fault| of(fault, url))? {
        return Err(Refusal::AnotherVersion(other).into());
    }
    for (number, file) in (1..).zip(files).skip(found) {
        let step = format!("{file}\nINSERT IGNORE INTO chatd_schema (version) VALUES ({number});\nCOMMIT");
        client.run(&step).await.map_err(|fault| of(fault, url))?;
    }
    Ok(())
}

/// The version of the database, 0 if it is empty or was left half done.
async fn found(client: &mut Client, url: &MySqlUrl, files: &[&str]) -> Result<usize, OpenError> {
    let database = || url.database().to_owned();
    let tables = "SELECT COUNT(*), COALESCE(SUM(table_name = 'chatd_schema'), 0) <> 0
        FROM information_schema.tables WHERE table_schema = DATABASE()";
    let rows = client.read(tables).await.map_err(|fault| of(fault, url))?;
    let count = |column| rows.first().map_or(Ok(0), |row| row::number(row, column));
    let (tables, ours) =
        (count(0).map_err(|fault| of(fault, url))?, count(1).map_err(|fault| of(fault, url))?);
    if tables == 0 {
        return Ok(0);
    }
    if ours == 0 {
        return Err(Refusal::NotOurs { database: database() }.into());
    }
    version(client, url, files).await
}

/// The version that is written in the database.
///
/// # Errors
/// If it is newer than `files`.
pub async fn version(client: &mut Client, url: &MySqlUrl, files: &[&str]) -> Result<usize, OpenError> {
    let found = client.read(VERSION).await.and_then(|found| one(&found)).map_err(|fault| of(fault, url))?;
    let found = found.unwrap_or(0);
    if found > files.len() as u64 {
        let clip = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let database = url.to_string();
        return Err(OpenError::Newer { database, found: clip(found), known: clip(files.len() as u64) });
    }
    Ok(found as usize)
}

/// The number in the only row, if there is one.
fn one(found: &[mysql_async::Row]) -> DbResult<Option<u64>> {
    found.first().map_or(Ok(None), |found| row::optional_number(found, 0))
}

/// What a fault means to whoever started the server.
pub fn of(fault: Fault, url: &MySqlUrl) -> OpenError {
    let why = fault.why();
    let denied = ["(error 1142)", "(error 1143)", "(error 1044)", "(error 1227)", "(error 1370)"];
    if denied.iter().any(|code| why.ends_with(code)) {
        let (user, database) = (url.user().to_owned(), url.database().to_owned());
        return Refusal::NoRight { user, database, why }.into();
    }
    Refusal::Failed { server: url.server().to_owned(), why }.into()
}
