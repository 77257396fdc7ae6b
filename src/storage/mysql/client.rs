//! One connection, and the statements that are prepared on it.
//!
//! Every statement is prepared once and then sent with its values only. One that takes a row of
//! values for each of many things is prepared for 1, 2, 4, … [`ROWS`] rows: a write of 21 rows is one
//! of 16, one of 4 and one of 1; a search for 21 is one for 32, of which the last is repeated. Where the
//! server prepares no more of them, the same goes as text.
//! Nothing is waited for longer than [`Client::patience`].

use super::fault::{DbResult, Fault};
use super::row;
use chatd_process::panic_policy::{Panicked, contain_library};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Statement, Value};
use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long a server that has too many statements is not asked for another.
const FULL: Duration = Duration::from_secs(1);
/// Rows of one statement at most.
pub const ROWS: usize = 256;

/// A statement with as many rows of `?` as there are things to write or find.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Many {
    /// What comes before the rows.
    pub head: &'static str,
    /// One row.
    pub row: &'static str,
    /// What comes between two rows.
    pub between: &'static str,
    /// What comes after the rows.
    pub tail: &'static str,
}

impl Many {
    /// Rows with commas in between.
    pub const fn new(head: &'static str, row: &'static str, tail: &'static str) -> Self {
        Self { head, row, between: ",", tail }
    }

    fn text(&self, rows: usize) -> String {
        let mut text = String::from(self.head);
        for row in 0..rows {
            text.push_str(if row > 0 { self.between } else { "" });
            text.push_str(self.row);
        }
        text.push_str(self.tail);
        text
    }

    fn values_a_row(&self) -> usize {
        self.row.bytes().filter(|byte| *byte == b'?').count()
    }
}

/// A connection with a memory.
pub struct Client {
    conn: Conn,
    prepared: HashMap<(Many, usize), Statement>,
    patience: Duration,
    /// When the server last prepared nothing because it has too many statements.
    full: Option<Instant>,
    /// When it was asked something last.
    asked: Instant,
    /// Bytes of values in one statement at most, more or less.
    pub statement_bytes: usize,
    /// Whether a statement that writes rows can tell what they are then: MariaDB has RETURNING.
    pub returns_rows: bool,
    /// Rows that its statements changed since this was last set to 0.
    pub changed: u64,
}

impl Client {
    /// Takes a connection into service.
    pub fn new(conn: Conn, patience: Duration) -> Self {
        Self {
            conn,
            prepared: HashMap::new(),
            patience,
            full: None,
            asked: Instant::now(),
            statement_bytes: 1 << 20,
            returns_rows: false,
            changed: 0,
        }
    }

    /// How long a statement may take.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Changes how long a statement may take.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The server's version, and whether it is a MariaDB.
    pub fn conn(&self) -> &Conn {
        &self.conn
    }

    /// Asks whether the server is there.
    pub async fn ping(&mut self) -> DbResult<()> {
        self.asked = Instant::now();
        within(self.patience, self.conn.ping()).await
    }

    /// Asks whether the server is there and still is the one that is written to. After a switchover old
    /// connections lead to one that only reads.
    pub async fn check_that_it_writes(&mut self) -> DbResult<()> {
        self.asked = Instant::now();
        let found = self.read("SELECT @@read_only").await?;
        match found.first().map(|found| row::is_on(found, 0)) {
            Some(Ok(true)) => Err(Fault::Lost("it only reads (read_only = 1)".to_owned())),
            _ => Ok(()),
        }
    }

    /// Whether it was asked nothing for so long.
    pub fn is_idle_for(&self, pause: Duration) -> bool {
        self.asked.elapsed() > pause
    }

    /// Says good-bye. Whether that arrives does not matter.
    pub async fn close(self) {
        drop(self.conn.disconnect().await);
    }

    /// Runs plain text: one statement or several.
    pub async fn run(&mut self, sql: &str) -> DbResult<()> {
        self.asked = Instant::now();
        within(self.patience, self.conn.query_drop(sql)).await
    }

    /// Reads the rows that plain text gives.
    pub async fn read(&mut self, sql: &str) -> DbResult<Vec<Row>> {
        within(self.patience, self.conn.query(sql)).await
    }

    /// Carries out statements one after the other, up to the first that fails, for one answer of the server's: what each of
    /// them finds.
    pub async fn run_together(&mut self, statements: &[(&str, &[Value])]) -> DbResult<Vec<Vec<Row>>> {
        self.asked = Instant::now();
        let texts = statements.iter().map(|(sql, values)| written_out(sql, values));
        let text = texts.collect::<DbResult<Vec<String>>>()?.join(";");
        within(self.patience, found_by_each(&mut self.conn, text)).await
    }

    /// Carries out a statement of one row, and says how many rows it changed.
    pub async fn write(&mut self, sql: &'static str, values: Vec<Value>) -> DbResult<u64> {
        self.execute(fixed(sql), 1, values).await?;
        Ok(self.conn.affected_rows())
    }

    /// The id that the last statement gave away.
    pub fn last_id(&self) -> Option<u64> {
        self.conn.last_insert_id()
    }

    /// The rows that a statement finds.
    pub async fn find(&mut self, sql: &'static str, values: Vec<Value>) -> DbResult<Vec<Row>> {
        self.find_rows(fixed(sql), 1, values).await
    }

    /// The row that a statement finds, if it finds one.
    pub async fn find_one(&mut self, sql: &'static str, values: Vec<Value>) -> DbResult<Option<Row>> {
        Ok(self.find(sql, values).await?.into_iter().next())
    }

    /// Writes rows of values, all of them. If it fails some of them may be written.
    pub async fn write_all(&mut self, sql: Many, values: Vec<Value>) -> DbResult<()> {
        let width = sql.values_a_row();
        let mut values = values.into_iter();
        loop {
            let rows = chunk(values.len() / width);
            if rows == 0 {
                return Ok(());
            }
            self.execute(sql, rows, values.by_ref().take(rows * width).collect()).await?;
        }
    }

    /// The same with a statement that returns the rows as they are then. `None`, and nothing is written, where none of
    /// those can be prepared.
    pub async fn write_all_returning(&mut self, sql: Many, values: &[Value]) -> DbResult<Option<Vec<Row>>> {
        let width = sql.values_a_row();
        let first = chunk(values.len() / width);
        if !self.returns_rows || self.prepare(sql, first).await?.is_none() {
            return Ok(None);
        }
        let (mut found, mut left) = (Vec::new(), values);
        while !left.is_empty() {
            let rows = chunk(left.len() / width);
            let (part, rest) = left.split_at(rows * width);
            found.extend(self.find_rows(sql, rows, part.to_vec()).await?);
            left = rest;
        }
        Ok(Some(found))
    }

    /// Finds, or deletes, by rows of values: `before` are the values in the head, `after` those in
    /// the tail. No row may matter more if it comes twice.
    pub async fn find_all(&mut self, sql: Many, values: &[Value], after: &[Value]) -> DbResult<Vec<Row>> {
        let width = sql.values_a_row();
        let mut found = Vec::new();
        for part in values.chunks(ROWS * width) {
            let rows = (part.len() / width).next_power_of_two();
            let last = &part[part.len() - width..];
            let mut padded = Vec::with_capacity(rows * width + after.len());
            padded.extend_from_slice(part);
            while padded.len() < rows * width {
                padded.extend_from_slice(last);
            }
            padded.extend_from_slice(after);
            found.extend(self.find_rows(sql, rows, padded).await?);
        }
        Ok(found)
    }

    /// Carries out one statement with so many rows: a power of two, and [`ROWS`] at most.
    pub async fn execute(&mut self, sql: Many, rows: usize, values: Vec<Value>) -> DbResult<()> {
        self.asked = Instant::now();
        match self.prepare(sql, rows).await? {
            Some(statement) => {
                within(self.patience, self.conn.exec_drop(&statement, Params::Positional(values))).await?;
            }
            None => {
                within(self.patience, self.conn.query_drop(written_out(&sql.text(rows), &values)?)).await?
            }
        }
        self.changed = self.changed.saturating_add(self.conn.affected_rows());
        Ok(())
    }

    /// What one statement with so many rows finds: a power of two, and [`ROWS`] at most.
    pub async fn find_rows(&mut self, sql: Many, rows: usize, values: Vec<Value>) -> DbResult<Vec<Row>> {
        self.asked = Instant::now();
        let found = match self.prepare(sql, rows).await? {
            Some(statement) => {
                within(self.patience, self.conn.exec(&statement, Params::Positional(values))).await?
            }
            None => within(self.patience, self.conn.query(written_out(&sql.text(rows), &values)?)).await?,
        };
        self.changed = self.changed.saturating_add(self.conn.affected_rows());
        Ok(found)
    }

    /// None while the server prepares no more statements: all who use it have too many.
    async fn prepare(&mut self, sql: Many, rows: usize) -> DbResult<Option<Statement>> {
        if let Some(statement) = self.prepared.get(&(sql, rows)) {
            return Ok(Some(statement.clone()));
        }
        if self.full.is_some_and(|full| full.elapsed() < FULL) {
            return Ok(None);
        }
        match within(self.patience, self.conn.prep(sql.text(rows))).await {
            Ok(statement) => {
                self.prepared.insert((sql, rows), statement.clone());
                Ok(Some(statement))
            }
            Err(Fault::Full(_)) => {
                self.full = Some(Instant::now());
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }
}

async fn found_by_each(conn: &mut Conn, statements: String) -> mysql_async::Result<Vec<Vec<Row>>> {
    let mut results = conn.query_iter(statements).await?;
    let mut found = Vec::new();
    while !results.is_empty() {
        found.push(results.collect().await?);
    }
    results.drop_result().await?;
    Ok(found)
}

/// The largest part of `rows` that a statement is prepared for.
pub fn chunk(rows: usize) -> usize {
    if rows == 0 { 0 } else { 1 << rows.min(ROWS).ilog2() }
}

/// What is to be added to `rows` so that one statement takes what is left after the full ones.
pub fn padding(rows: usize) -> usize {
    match rows % ROWS {
        0 => 0,
        rest => rest.next_power_of_two() - rest,
    }
}

/// A statement with its values in it, for which sql_mode is as [`session`](super::session) sets it.
fn written_out(sql: &str, values: &[Value]) -> DbResult<String> {
    let bytes: usize =
        values.iter().map(|value| if let Value::Bytes(text) = value { text.len() } else { 8 }).sum();
    let (mut text, mut values) = (String::with_capacity(sql.len() + 2 * bytes), values.iter());
    let mut parts = sql.split('?');
    text.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let value = values.next().ok_or_else(|| Fault::Unexpected("a statement lacks a value".to_owned()))?;
        text.push_str(&value.as_sql(false));
        text.push_str(part);
    }
    Ok(text)
}

const fn fixed(sql: &'static str) -> Many {
    Many { head: sql, row: "", between: "", tail: "" }
}

/// Waits for the server, and not for ever: one that does not answer is as good as gone.
pub async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = mysql_async::Result<T>>,
) -> DbResult<T> {
    // The driver takes a server at its word, and panics over words that no server says.
    match tokio::time::timeout(patience, contain_library(answer)).await {
        Ok(Ok(answer)) => Ok(answer?),
        Ok(Err(Panicked)) => Err(Fault::Lost("it does not keep to its protocol".to_owned())),
        Err(_) => Err(Fault::Lost(format!("no answer within {} ms", patience.as_millis()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_in_powers_of_two() {
        let parts = |mut rows: usize| {
            let mut parts = Vec::new();
            while rows > 0 {
                parts.push(chunk(rows));
                rows -= chunk(rows);
            }
            parts
        };
        assert_eq!(parts(21), [16, 4, 1]);
        assert_eq!(parts(600), [256, 256, 64, 16, 8]);
        assert_eq!(chunk(0), 0);
        assert_eq!([0, 1, 21, 256, 600].map(padding), [0, 0, 11, 0, 40]);
    }

    #[test]
    fn a_statement_has_its_rows() {
        let many = Many::new("INSERT INTO a VALUES ", "(?,?)", " ON x");
        assert_eq!(many.text(2), "INSERT INTO a VALUES (?,?),(?,?) ON x");
        let values =
            [Value::Int(-3), Value::Bytes(b"it's \\ ?\0".to_vec()), Value::NULL, Value::Bytes(vec![0xff])];
        let written = "INSERT INTO a VALUES (-3,'it\\'s \\\\ ?\\0'),(NULL,0xFF) ON x";
        assert_eq!(written_out(&many.text(2), &values), Ok(written.to_owned()));
        assert!(written_out("?", &[]).is_err());
        assert_eq!((many.values_a_row(), fixed("SELECT ?").text(1)), (2, "SELECT ?".to_owned()));
    }
}
