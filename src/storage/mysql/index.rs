//! The index of the search, filled behind the messages, by one of the servers that share the database.
//!
//! Owns what was indexed and is not old enough yet to be taken for all that there is: those are looked for again. Each
//! step is a transaction, and to index a message twice changes nothing, so that nothing comes of it if a server dies or two
//! do it after all.

use super::client::{Client, Many};
use super::fault::{DbResult, Fault};
use super::late::{LAG, Mark};
use super::row;
use crate::expiry;
use crate::key::Key;
use crate::search::Indexed;
use crate::search::run::{self, Change};
use crate::search::words::fold_body;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::MessageId;
use mysql_async::{Row, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Messages that one step looks at, at most.
const STEP: usize = 1_024;
/// Bytes of a run.
const RUN_BYTES: usize = 3_900;

const LOCK: &str = "SELECT GET_LOCK(CONCAT('search ', SHA2(DATABASE(), 224)), 0)";
const AGAIN: &str = "SELECT id, mid FROM search_again ORDER BY id LIMIT 256";
const NEXT: &str = "SELECT mid FROM message WHERE mid > ? ORDER BY mid LIMIT ?";
// Of a group that was dissolved nothing is indexed any more.
const MESSAGES: Many = Many::new(
    "SELECT mid, sender, recipient, groupid, pos, body FROM message LEFT JOIN allgroup ON allgroup.id = groupid
     WHERE pos IS NOT NULL AND (groupid IS NULL OR groupname IS NOT NULL) AND mid IN (",
    "?",
    ")",
);
/// Of a conversation, the run that a message is in or belongs to.
const RUNS: Many = Many {
    head: "",
    row: "(SELECT low, high, first, run FROM search WHERE low = ? AND high = ? AND first <= ?
           ORDER BY first DESC LIMIT 1)",
    between: " UNION ALL ",
    tail: "",
};
/// Conversations whose runs one statement reads.
const STREAMS: usize = 16;
const WRITE: Many = Many::new(
    "INSERT INTO search (low, high, first, run) VALUES ",
    "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE run = VALUES(run)",
);
const DELETE: Many = Many::new("DELETE FROM search WHERE (low, high, first) IN (", "(?,?,?)", ")");
const FORGET: Many = Many::new("DELETE FROM search_again WHERE id IN (", "?", ")");

/// See above.
#[derive(Default)]
pub struct Indexer {
    /// Whether this server is the one that fills the index: as long as its connection lives.
    pub is_own: bool,
    /// Messages beyond the mark that are indexed.
    done: BTreeSet<MessageId>,
}

impl Indexer {
    /// Another connection: whatever was so on the last one is not.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Does a little, if it is this server that does it.
    pub async fn step(&mut self, client: &mut Client, mark: &Mark) -> DbResult<Indexed> {
        if !self.is_own {
            let found = client.read(LOCK).await?;
            self.is_own = found.first().map_or(Ok(0), |found| row::number(found, 0)).unwrap_or(0) == 1;
        }
        let upto = searched_upto(client).await?;
        mark.raise(upto);
        if !self.is_own {
            return Ok(Indexed::All);
        }
        let again = client.find(AGAIN, vec![]).await?;
        let next = client.find(NEXT, vec![row::sql_number(upto.0), Value::Int(STEP as i64)]).await?;
        let next: Vec<MessageId> = next.iter().map(|found| row::mid(found, 0)).collect::<DbResult<_>>()?;
        let old = expiry::judged_mid().earlier(LAG.as_millis() as u64);
        let reached = next.iter().copied().take_while(|mid| *mid <= old).last().unwrap_or(upto);
        let mut wanted: Vec<MessageId> =
            next.iter().copied().filter(|mid| !self.done.contains(mid)).collect();
        let fresh = wanted.clone();
        for found in &again {
            wanted.push(row::mid(found, 1)?);
        }
        if !wanted.is_empty() || reached != upto {
            let changes = changes(client, &wanted).await?;
            client.run("START TRANSACTION").await?;
            put(client, changes).await?;
            let forget: Vec<Value> = again
                .iter()
                .map(|found| row::number(found, 0).map(row::sql_number))
                .collect::<DbResult<_>>()?;
            if !forget.is_empty() {
                client.find_all(FORGET, &forget, &[]).await?;
            }
            if reached != upto {
                let sql = "UPDATE history SET searched_upto = ? WHERE one = 1";
                client.write(sql, vec![row::sql_number(reached.0)]).await?;
            }
            client.run("COMMIT").await?;
        }
        mark.raise(reached);
        self.done.extend(fresh);
        self.done = self.done.split_off(&MessageId(reached.0 + 1));
        let more = next.len() == STEP && next.last() == Some(&reached);
        Ok(if more || again.len() == 256 { Indexed::Partly } else { Indexed::All })
    }
}

/// The id up to which the index has every message.
pub async fn searched_upto(client: &mut Client) -> DbResult<MessageId> {
    let found = client.find_one("SELECT searched_upto FROM history WHERE one = 1", vec![]).await?;
    let found = found.ok_or_else(|| Fault::Unexpected("the table history has no row".to_owned()))?;
    row::mid(&found, 0)
}

/// What is to become of these messages, by conversation and id.
async fn changes(client: &mut Client, mids: &[MessageId]) -> DbResult<BTreeMap<Key, Vec<Change>>> {
    let mut changes: BTreeMap<Key, BTreeMap<u64, Change>> = BTreeMap::new();
    if mids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mids: Vec<Value> = mids.iter().filter_map(|mid| row::sql_mid(*mid)).map(Value::Int).collect();
    for found in client.find_all(MESSAGES, &mids, &[]).await? {
        let (key, change) = change(&found)?;
        changes.entry(key).or_default().insert(change.mid, change);
    }
    Ok(changes.into_iter().map(|(key, own)| (key, own.into_values().collect())).collect())
}

fn change(found: &Row) -> DbResult<(Key, Change)> {
    let conversation = if row::optional_number(found, 3)?.is_some() {
        Conversation::Group(row::group(found, 3)?)
    } else {
        Conversation::With(row::user(found, 2)?)
    };
    let key = Key::of(row::user(found, 1)?, conversation);
    let mut words = String::new();
    fold_body(row::bytes(found, 5)?, &mut words);
    Ok((key, Change { mid: row::mid(found, 0)?.0, pos: row::number(found, 4)?, words }))
}

/// Puts changes into the runs of their conversations: of each the last run first, until there are none left.
async fn put(client: &mut Client, mut changes: BTreeMap<Key, Vec<Change>>) -> DbResult<()> {
    while !changes.is_empty() {
        let old = runs(client, &changes).await?;
        let (mut write, mut delete) = (Vec::new(), Vec::new());
        for (key, own) in &mut changes {
            let found = old.get(key);
            let begin = found.map_or(0, |(first, _)| own.partition_point(|change| change.mid < *first));
            let own = own.split_off(begin);
            let Some(least) = own.first() else { continue };
            let (first, bytes) = found.map_or((least.mid, &[][..]), |(first, bytes)| (*first, bytes));
            for run in run::put(first, bytes, &own, RUN_BYTES) {
                let place = [key.low.into(), key.high.into(), row::sql_number(run.first)];
                if run.bytes.is_empty() {
                    delete.extend(place);
                } else {
                    write.extend(place);
                    write.push(Value::Bytes(run.bytes));
                }
            }
        }
        client.write_all(WRITE, write).await?;
        if !delete.is_empty() {
            client.find_all(DELETE, &delete, &[]).await?;
        }
        changes.retain(|_, own| !own.is_empty());
    }
    Ok(())
}

/// Of each conversation the run that its last change belongs to.
async fn runs(
    client: &mut Client,
    changes: &BTreeMap<Key, Vec<Change>>,
) -> DbResult<HashMap<Key, (u64, Vec<u8>)>> {
    let mut runs = HashMap::new();
    let wanted: Vec<[Value; 3]> = changes
        .iter()
        .filter_map(|(key, own)| Some([key.low.into(), key.high.into(), row::sql_number(own.last()?.mid)]))
        .collect();
    for part in wanted.chunks(STREAMS) {
        let values: Vec<Value> = part.iter().flatten().cloned().collect();
        for found in client.find_all(RUNS, &values, &[]).await? {
            let key = Key { low: number(&found, 0)?, high: number(&found, 1)? };
            runs.insert(key, (row::number(&found, 2)?, row::bytes(&found, 3)?.to_vec()));
        }
    }
    Ok(runs)
}

pub fn number(found: &Row, column: usize) -> DbResult<u32> {
    let number = row::number(found, column)?;
    u32::try_from(number).map_err(|_| Fault::Unexpected(format!("{number} is no id")))
}
