//! The connections to the server: one that writes, and some that read.
//!
//! The number is bounded and never grows. One that reads and is lost is replaced by and by; if the one
//! that writes is lost, all are.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::refusal::Refusal;
use super::url::MySqlUrl;
use super::{names, row, schema, session};
use crate::OpenError;
use crate::names::Clash;
use chatd_process::panic_policy::{Panicked, contain_library};
use mysql_async::{Conn, Error};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::task::JoinSet;

/// Connections that read.
pub const READERS: usize = 3;
/// How long a statement may take before the server counts as gone. Whoever asked for something hears
/// within two seconds that the store is busy.
pub const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long connecting may take: with patience when a server starts, and without when it runs.
const PATIENCE_AT_START: Duration = Duration::from_secs(5);
const PATIENCE_LATER: Duration = Duration::from_millis(1_000);
/// Bytes of a statement that the server must take: the longest message, and room.
const PACKET_LEAST: u64 = 1 << 20;
const STATEMENT_MOST: u64 = 4 << 20;

/// The connections.
pub struct ConnectionPool {
    /// The one that writes. It is always in a transaction, or about to be.
    pub writer: Client,
    /// Those that read, each statement by itself.
    pub readers: Vec<Client>,
}

/// What is to be known of the server.
pub struct Server {
    /// Its name and version.
    pub version: String,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Connects for the first time: finds out whether the server will do, and brings the database up to
/// date.
///
/// # Errors
/// If the server cannot be used, in a sentence.
pub async fn open(url: &MySqlUrl) -> Result<(ConnectionPool, Server), OpenError> {
    let mut writer = dial(url, PATIENCE_AT_START).await?;
    let version = check_version(&mut writer, url).await?;
    let warnings = check_settings(&mut writer, url).await?;
    schema::migrate(&mut writer, url, schema::MYSQL).await?;
    let clashes = names::fold_all(&mut writer).await.map_err(|fault| schema::of(fault, url))?;
    clashes.into_iter().for_each(Clash::report);
    check_rights(&mut writer).await.map_err(|fault| schema::of(fault, url))?;
    check_tables(&mut writer, url).await?;
    let pool = complete(writer, url, PATIENCE_AT_START).await?;
    Ok((pool, Server { version, warnings }))
}

/// Connects again.
///
/// # Errors
/// If that does not work now.
pub async fn reopen(url: &MySqlUrl) -> Result<ConnectionPool, OpenError> {
    let mut writer = dial(url, PATIENCE_LATER).await?;
    check_settings(&mut writer, url).await?;
    schema::version(&mut writer, url, schema::MYSQL).await?;
    complete(writer, url, PATIENCE_LATER).await
}

/// Another connection that reads.
///
/// # Errors
/// If that does not work now.
pub async fn reader(url: &MySqlUrl) -> Result<Client, OpenError> {
    dial(url, PATIENCE_LATER).await
}

async fn complete(
    mut writer: Client,
    url: &MySqlUrl,
    patience: Duration,
) -> Result<ConnectionPool, OpenError> {
    let mut readers = Vec::with_capacity(READERS);
    for _ in 0..READERS {
        let mut reader = dial(url, patience).await?;
        reader.statement_bytes = writer.statement_bytes;
        readers.push(reader);
    }
    // From now on every statement is in a transaction.
    writer.run("SET autocommit = 0").await.map_err(|fault| schema::of(fault, url))?;
    Ok(ConnectionPool { writer, readers })
}

async fn dial(url: &MySqlUrl, patience: Duration) -> Result<Client, OpenError> {
    let failed = |kind: ErrorKind, why: String| {
        Err(Refusal::of(Error::from(std::io::Error::new(kind, why)), url).into())
    };
    // The driver takes a server at its word, and panics over words that no server says.
    match tokio::time::timeout(patience, contain_library(Conn::new(url.opts()))).await {
        Ok(Ok(Ok(conn))) => {
            let mut client = Client::new(conn, PATIENCE);
            session::apply_settings(&mut client, url).await?;
            Ok(client)
        }
        Ok(Ok(Err(error))) => Err(Refusal::of(error, url).into()),
        Ok(Err(Panicked)) => failed(ErrorKind::InvalidData, "it does not keep to its protocol".to_owned()),
        Err(_) => failed(ErrorKind::TimedOut, format!("no answer within {} ms", patience.as_millis())),
    }
}

async fn check_version(client: &mut Client, url: &MySqlUrl) -> Result<String, OpenError> {
    let rows = client.read("SELECT VERSION()").await.map_err(|fault| schema::of(fault, url))?;
    let text =
        rows.first().map_or(Ok(""), |row| row::text(row, 0)).map_err(|fault| schema::of(fault, url))?;
    let (name, known, least) = if text.contains("MariaDB") {
        ("MariaDB", client.conn().server_version(), (10, 5, 0))
    } else {
        ("MySQL", client.conn().server_version(), (8, 0, 16))
    };
    let number = text.split('-').next().unwrap_or(text);
    let version = format!("{name} {number}");
    if known < least {
        return Err(Refusal::TooOld { server: url.server().to_owned(), version }.into());
    }
    Ok(version)
}

/// Settings that make it impossible, and what must be said about others.
async fn check_settings(client: &mut Client, url: &MySqlUrl) -> Result<Vec<String>, OpenError> {
    let sql = "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog,
        @@max_allowed_packet, @@read_only, @@binlog_format = 'STATEMENT'";
    let of = |fault: Fault| schema::of(fault, url);
    let rows = client.find(sql, vec![]).await.map_err(of)?;
    let number = |column| rows.first().map_or(Ok(0), |row| row::number(row, column)).map_err(of);
    let (flush, logs, sync) = (number(0)?, number(1)? != 0, number(2)?);
    let (packet, by_statement) = (number(3)?, number(5)? != 0);
    let only_reads = rows.first().map_or(Ok(false), |row| row::is_on(row, 4)).map_err(of)?;
    let refuse =
        |what: &str| Err(Refusal::Setting { server: url.server().to_owned(), what: what.to_owned() }.into());
    if only_reads {
        return refuse("it only reads (read_only = 1): name the server that is written to");
    }
    if packet < PACKET_LEAST {
        return refuse("max_allowed_packet is below 1M: long messages would not fit");
    }
    if logs && by_statement {
        return refuse("binlog_format is STATEMENT: set it to ROW or MIXED");
    }
    client.statement_bytes = usize::try_from((packet / 2).min(STATEMENT_MOST)).unwrap_or(1 << 20);
    let mut warnings = Vec::new();
    let breaks = "a crash of its machine may lose messages that were acknowledged";
    if flush != 1 {
        warnings.push(format!("MySQL has innodb_flush_log_at_trx_commit = {flush}, not 1: {breaks}"));
    }
    if logs && sync != 1 {
        warnings.push(format!("MySQL has sync_binlog = {sync}, not 1: {breaks}"));
    }
    Ok(warnings)
}

/// Tables that somebody has changed: without transactions, or with texts that hold less than UTF-8.
async fn check_tables(client: &mut Client, url: &MySqlUrl) -> Result<(), OpenError> {
    let of = |fault: Fault| schema::of(fault, url);
    let refuse = |what| Err(Refusal::Setting { server: url.server().to_owned(), what }.into());
    let engines = "SELECT table_name, engine FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB' AND table_name IN
        ('chatd_schema', 'user', 'friend', 'allgroup', 'groupuser', 'message', 'offlinemessage', 'conversation',
         'history', 'alias', 'token', 'blocked', 'friend_ask', 'setting', 'outbox', 'outbox_poster',
         'undelivered_late', 'untold')";
    if let Some(found) = client.find_one(engines, vec![]).await.map_err(of)? {
        let (table, engine) = (row::text(&found, 0).map_err(of)?, row::text(&found, 1).map_err(of)?);
        return refuse(format!("table {table} has engine {engine}: ALTER TABLE `{table}` ENGINE = InnoDB"));
    }
    let texts = "SELECT table_name, column_name, character_set_name FROM information_schema.columns
        WHERE table_schema = DATABASE() AND character_set_name <> 'utf8mb4' AND (table_name, column_name) IN
        (('user', 'name'), ('allgroup', 'groupname'), ('allgroup', 'groupdesc'), ('message', 'body'),
         ('friend_ask', 'note'))";
    if let Some(found) = client.find_one(texts, vec![]).await.map_err(of)? {
        let text = |column| row::text(&found, column).map_err(of);
        let (table, column, charset) = (text(0)?, text(1)?, text(2)?);
        return refuse(format!(
            "column {column} of table {table} has character set {charset}: it takes utf8mb4, with collation utf8mb4_bin"
        ));
    }
    Ok(())
}

/// Does nothing, in every way that is needed later.
async fn check_rights(client: &mut Client) -> DbResult<()> {
    for (table, key, others) in [
        ("user", "id", "name, password"),
        ("friend", "userid", "friendid"),
        ("allgroup", "id", "groupdesc"),
        ("groupuser", "userid", "groupid, grouprole, joined, upto"),
        ("message", "mid", "ts, sender, body"),
        ("offlinemessage", "userid", "mid"),
        ("conversation", "low", "high, head, refuses"),
        ("history", "one", "complete_from"),
        ("alias", "mid", "`stored`"),
        ("token", "id", "userid, hash, used"),
        ("blocked", "userid", "blocked"),
        ("friend_ask", "userid", "asker, note, cid, dropped"),
        ("setting", "userid", "who_writes, read_receipts"),
        ("search", "low", "high, first, run"),
        ("search_again", "id", "mid"),
        ("outbox", "id", "ts, events, body"),
        ("outbox_poster", "one", "holder, expires, undelivered_upto"),
        ("undelivered_late", "mid", "userid"),
        ("untold", "groupid", "pos, ts, upto, member"),
    ] {
        for sql in [
            format!(
                "INSERT INTO {table} ({key}, {others}) SELECT {key}, {others} FROM {table} AS same WHERE FALSE"
            ),
            format!("UPDATE {table} SET {key} = {key} WHERE FALSE"),
            format!("DELETE FROM {table} WHERE FALSE"),
        ] {
            client.run(&sql).await?;
        }
    }
    Ok(())
}

/// Writes something, and takes it back: whether the server can.
pub async fn probe_write(writer: &mut Client) -> DbResult<()> {
    check_rights(writer).await?;
    let sql = "INSERT INTO message (mid, ts, sender, recipient, body)
        VALUES (-CAST(UUID_SHORT() & 140737488355327 AS SIGNED) - 1, 0, 0, 0, REPEAT(' ', 65536))";
    writer.run(sql).await?;
    writer.run("ROLLBACK").await
}

impl ConnectionPool {
    /// Asks every connection that was asked nothing for `pause` whether the server is there, those that read all at once.
    /// Those of them that are lost are let go.
    ///
    /// # Errors
    /// If the one that writes is lost.
    pub async fn ping(&mut self, pause: Duration) -> DbResult<()> {
        if self.writer.is_idle_for(pause) {
            self.writer.check_that_it_writes().await?;
        }
        let mut asked = JoinSet::new();
        for mut reader in self.readers.extract_if(.., |reader| reader.is_idle_for(pause)) {
            asked.spawn(async move { reader.ping().await.is_ok().then_some(reader) });
        }
        while let Some(answered) = asked.join_next().await {
            self.readers.extend(answered.ok().flatten());
        }
        Ok(())
    }

    /// Says good-bye on every connection.
    pub async fn close(self) {
        for client in std::iter::once(self.writer).chain(self.readers) {
            client.close().await;
        }
    }
}
