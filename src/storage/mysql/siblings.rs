//! The servers of a database: a row each, with a heartbeat by the clock of the database.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::row;
use crate::siblings::{AnotherVersion, DEAD, Entry, Hearing, Sibling};
use chatd_chat::model::envelope::{BUS_VERSION, FIRST_BUS_VERSION};
use mysql_async::Value;
use std::time::Duration;

/// A row that nobody has touched for so long is of a server that died: it is deleted.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// The storage thread has no time to wait for who has locked a row by hand: it finds out at once.
const FREE: &str = "SELECT id FROM chatd_server WHERE id = ? FOR UPDATE NOWAIT";
const BEAT: &str = "INSERT INTO chatd_server (id, place, cores, bus, hears_all, bus_version, started, heartbeat)
    VALUES (?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE place = VALUES(place),
    cores = VALUES(cores), bus = VALUES(bus), hears_all = VALUES(hears_all),
    bus_version = VALUES(bus_version), heartbeat = VALUES(heartbeat)";
/// A clock that was set back makes no heartbeat older than new.
const OTHERS: &str = "SELECT id, place, cores, bus, hears_all,
    GREATEST(0, TIMESTAMPDIFF(MICROSECOND, heartbeat, UTC_TIMESTAMP(3)) DIV 1000), bus_version
    FROM chatd_server WHERE id <> ? ORDER BY id";
/// Whether the database has the table of servers, and whether that says which version of the bus each speaks.
const KNOWN: &str =
    "SELECT COUNT(*), COALESCE(SUM(column_name = 'bus_version'), 0) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'chatd_server'";
const STRIKE_OUT: &str = "DELETE FROM chatd_server WHERE id = ?";

/// Writes down that a server lives, and finds the others. All of it is one question: messages wait for the answer, however
/// far away the database is.
pub async fn announce(client: &mut Client, entry: &Entry) -> DbResult<Vec<Sibling>> {
    let hears_all = entry.hearing == Hearing::All;
    let (place, bus) = (entry.place.as_str(), entry.bus.as_str());
    let server = [entry.server.into()];
    let values = [
        entry.server.into(),
        place.into(),
        entry.cores.into(),
        bus.into(),
        u8::from(hears_all).into(),
        entry.bus_version.into(),
    ];
    let statements: [(&str, &[Value]); 4] =
        [(FREE, &server), (BEAT, &values), (OTHERS, &server), ("COMMIT", &[])];
    let others = client.run_together(&statements).await?.into_iter().nth(2).unwrap_or_default();
    let siblings = others.iter().map(read).collect::<DbResult<Vec<Sibling>>>()?;
    let (dead, siblings): (Vec<Sibling>, Vec<Sibling>) =
        siblings.into_iter().partition(|sibling| sibling.silent > FORGOTTEN);
    for sibling in dead {
        withdraw(client, sibling.entry.server).await?;
    }
    Ok(siblings)
}

/// Strikes out a server that stops.
pub async fn withdraw(client: &mut Client, server: u64) -> DbResult<()> {
    client.write(STRIKE_OUT, vec![server.into()]).await?;
    client.run("COMMIT").await
}

/// A server that lives and speaks another version of the bus, if there is one. The database may be of any version:
/// servers of before version 12 tell of none.
pub async fn of_another_version(client: &mut Client) -> DbResult<Option<AnotherVersion>> {
    let Some(known) = client.read(KNOWN).await?.into_iter().next() else { return Ok(None) };
    let bus_version = match (row::number(&known, 0)?, row::number(&known, 1)?) {
        (0, _) => return Ok(None),
        (_, 0) => FIRST_BUS_VERSION.to_string(),
        _ => "bus_version".to_owned(),
    };
    let sql = format!(
        "SELECT place, {bus_version} FROM chatd_server WHERE {bus_version} <> {BUS_VERSION}
         AND heartbeat > UTC_TIMESTAMP(3) - INTERVAL {} SECOND ORDER BY id LIMIT 1",
        DEAD.as_secs()
    );
    let Some(found) = client.read(&sql).await?.into_iter().next() else { return Ok(None) };
    let theirs = u16::try_from(row::number(&found, 1)?).unwrap_or(u16::MAX);
    Ok(Some(AnotherVersion { place: row::text(&found, 0)?.to_owned(), theirs, ours: BUS_VERSION }))
}

fn read(found: &mysql_async::Row) -> DbResult<Sibling> {
    let cores = u16::try_from(row::number(found, 2)?);
    let entry = Entry {
        server: row::number(found, 0)?,
        place: row::text(found, 1)?.to_owned(),
        cores: cores.map_err(|_| Fault::Unexpected("a number of cores is too great".to_owned()))?,
        bus: row::text(found, 3)?.to_owned(),
        hearing: if row::number(found, 4)? == 0 { Hearing::NotAll } else { Hearing::All },
        bus_version: u16::try_from(row::number(found, 6)?).unwrap_or(u16::MAX),
    };
    Ok(Sibling { entry, silent: Duration::from_millis(row::number(found, 5)?) })
}
