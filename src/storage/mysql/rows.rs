//! Rows of a conversation as a history or a device gets them: messages, and what became of them since.
//!
//! What became of the rows of a page is read at once, after the messages: it is as new as those, or newer.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::page::Body;
use super::row;
use crate::key::Key;
use chatd_chat::model::change::{Reaction, RowState, Wanted};
use chatd_chat::model::history::Placed;
use chatd_chat::model::ids::{Millis, UserId};
use mysql_async::Value;
use std::collections::{BTreeMap, HashMap};

/// Places whose reactions one statement reads.
const REACTED: usize = 32;
const REACTIONS: Many = Many {
    head: "",
    row: "(SELECT low, high, pos, emoji, COUNT(*) AS n, COALESCE(MAX(userid = ?), 0) AS mine FROM reaction
           WHERE low = ? AND high = ? AND pos = ? GROUP BY low, high, pos, emoji)",
    between: " UNION ALL ",
    tail: "",
};
// All changes of a recalled message are its recall.
const RECALLS: Many =
    Many::new("SELECT low, high, pos, author, ts FROM changes WHERE (low, high, pos) IN (", "(?,?,?)", ")");

/// The least that a message of these rows may have in the place of how often it was edited.
pub fn least(wanted: Wanted) -> Value {
    Value::Int(if wanted.changes { -1 } else { 0 })
}

/// Whether events of groups are among these rows.
pub fn events(wanted: Wanted) -> Value {
    Value::Int(wanted.events.into())
}

/// A row that was read: where it is, and what.
pub type Read = (Key, u64, Body);

/// The rows, with what became of them, as far as that is wanted.
pub async fn placed(
    client: &mut Client,
    user: UserId,
    wanted: Wanted,
    read: Vec<Read>,
) -> DbResult<Vec<(Key, Placed)>> {
    if !wanted.changes {
        // What was recalled since it was found is none of these rows.
        let is_there = |(_, _, (_, rev)): &Read| rev.is_none_or(|rev| rev >= 0);
        let placed = |(key, pos, (envelope, _)): Read| (key, Placed::as_said(envelope, pos));
        return Ok(read.into_iter().filter(is_there).map(placed).collect());
    }
    let places = |is: fn(i64) -> bool| {
        let one = move |(key, pos, (_, rev)): &Read| rev.filter(|rev| is(*rev)).map(|_| (*key, *pos));
        read.iter().filter_map(one).collect::<Vec<_>>()
    };
    let mut reactions = reactions(client, user, &places(|rev| rev >= 0)).await?;
    let recalls = recalls(client, &places(|rev| rev < 0)).await?;
    let state = |key: Key, pos: u64, rev: Option<i64>| match rev.map(u64::try_from) {
        None => RowState::AsSaid,
        Some(Ok(rev)) => {
            let reactions = reactions.remove(&(key, pos)).unwrap_or_default();
            if rev == 0 && reactions.is_empty() {
                RowState::AsSaid
            } else {
                RowState::Changed { rev, reactions }
            }
        }
        Some(Err(_)) => {
            recalls.get(&(key, pos)).map_or(RowState::AsSaid, |&(by, ts)| RowState::Recalled { by, ts })
        }
    };
    let mut state = state;
    let placed = |(key, pos, (envelope, rev)): Read| {
        let state = state(key, pos, rev);
        (key, Placed { envelope, pos, state })
    };
    Ok(read.into_iter().map(placed).collect())
}

type Place = (Key, u64);

async fn reactions(
    client: &mut Client,
    user: UserId,
    places: &[Place],
) -> DbResult<HashMap<Place, Vec<Reaction>>> {
    let mut found: BTreeMap<(Place, Box<str>), (u64, bool)> = BTreeMap::new();
    for part in places.chunks(REACTED) {
        let values = part.iter().flat_map(|(key, pos)| {
            [user.get().into(), key.low.into(), key.high.into(), row::sql_number(*pos)]
        });
        // What pads the statement comes twice.
        for row in client.find_all(REACTIONS, &values.collect::<Vec<Value>>(), &[]).await? {
            let emoji = row::text(&row, 3)?.into();
            let counted = (row::number(&row, 4)?, row::number(&row, 5)? != 0);
            found.insert((place(&row)?, emoji), counted);
        }
    }
    let mut reactions: HashMap<Place, Vec<Reaction>> = HashMap::new();
    for ((place, emoji), (n, mine)) in found {
        reactions.entry(place).or_default().push(Reaction { emoji, n, mine });
    }
    Ok(reactions)
}

async fn recalls(client: &mut Client, places: &[Place]) -> DbResult<HashMap<Place, (UserId, Millis)>> {
    let values =
        places.iter().flat_map(|(key, pos)| [key.low.into(), key.high.into(), row::sql_number(*pos)]);
    let mut recalls = HashMap::with_capacity(places.len());
    for row in client.find_all(RECALLS, &values.collect::<Vec<Value>>(), &[]).await? {
        recalls.insert(place(&row)?, (row::user(&row, 3)?, Millis(row::number(&row, 4)?)));
    }
    Ok(recalls)
}

fn place(found: &mysql_async::Row) -> DbResult<Place> {
    let id = |column| row::number(found, column).map(|id| u32::try_from(id).unwrap_or(u32::MAX));
    Ok((Key { low: id(0)?, high: id(1)? }, row::number(found, 2)?))
}
