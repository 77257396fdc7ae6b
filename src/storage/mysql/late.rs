//! Messages that are stored late: with ids that the index of the search may be beyond already.
//!
//! Several servers store, each by its own clock, and one of them fills the index, in the order of ids and [`LAG`] behind
//! its clock. Whoever stores a message whose id is older than it should be writes it down, in the same transaction, to be
//! indexed anew: if it is [`SPARE`] old by its own clock, or not that far beyond what it knows the index to have, for its
//! clock may be wrong. To write down one too many costs little, and most are never late.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::row;
use crate::expiry;
use chatd_chat::model::ids::MessageId;
use mysql_async::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How far behind its clock the index takes it that everything is stored.
pub const LAG: Duration = Duration::from_secs(5);
/// How much of that is for whoever stores to be done.
const SPARE: Duration = Duration::from_secs(2);

const AGAIN: Many = Many::new("INSERT INTO search_again (mid) VALUES ", "(?)", "");

/// How far the index was when this server last looked.
#[derive(Clone, Debug, Default)]
pub struct Mark(Arc<AtomicU64>);

impl Mark {
    /// It is as far as this by now.
    pub fn raise(&self, upto: MessageId) {
        self.0.fetch_max(upto.0, Ordering::Relaxed);
    }

    /// Which of these, which are stored now, are late.
    pub fn late(&self, mids: impl Iterator<Item = MessageId>) -> Vec<MessageId> {
        let spare = SPARE.as_millis() as u64;
        let known = MessageId(self.0.load(Ordering::Relaxed));
        let late = known.later(spare).max(expiry::judged_mid().earlier(spare));
        mids.filter(|mid| *mid <= late).collect()
    }
}

/// The texts of these messages have changed, or are gone: what the index has of them is made anew, after what is stored.
pub async fn changed(client: &mut Client, mids: &[MessageId]) -> DbResult<()> {
    if mids.is_empty() {
        return Ok(());
    }
    let values: Vec<Value> = mids.iter().filter_map(|mid| row::sql_mid(*mid)).map(Value::Int).collect();
    client.write_all(AGAIN, values).await
}
