//! Finding messages by their words: with a connection of its own, on a thread of its own, which fills the index too.

use super::client::{Client, Many};
use super::fault::{DbResult, Fault};
use super::index::{self, Indexer, number};
use super::late::Mark;
use super::{Answered, MySqlUrl, accounts, connection_pool, groups, page, row, rows};
use crate::key::Key;
use crate::search::hunt::{Hunt, Visible, Wanted};
use crate::search::words::{Words, fold_body};
use crate::search::{Indexed, Page, Question, Searcher, searched_to};
use crate::{OpenError, StoreError};
use chatd_chat::model::history::{Conversation, Hit, SearchPage};
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::port::store::{StoreReply, StoreResult};
use chatd_chat::wire::code::Code;
use mysql_async::{Row, Value};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How often it is looked whether there is something to be indexed.
const LOOK: Duration = Duration::from_millis(500);
/// How long nobody connects again after that has failed.
const FAILED: Duration = Duration::from_millis(400);
/// Runs that one statement reads.
const AT_ONCE: usize = 128;
/// Runs that are known of at one time.
const RUNS_MOST: usize = 65_536;

const DIRECT: &str = "SELECT dialogue.peer, first FROM dialogue
    JOIN search ON low = LEAST(userid, peer) AND high = GREATEST(userid, peer)
    WHERE userid = ? AND first < ? ORDER BY first DESC LIMIT ?";
const GROUPS: &str = "SELECT groupid, first, joined FROM groupuser JOIN search ON low = 0 AND high = groupid
    WHERE userid = ? AND first < ? ORDER BY first DESC LIMIT ?";
const OF_ONE: &str = "SELECT high, first FROM search WHERE low = ? AND high = ? AND first < ?
    ORDER BY first DESC LIMIT ?";
const RUNS: Many =
    Many::new("SELECT low, high, first, run FROM search WHERE (low, high, first) IN (", "(?,?,?)", ")");
/// When the first message was accepted that the index does not have.
const LACKS: &str = "SELECT ts FROM message
    WHERE mid > (SELECT searched_upto FROM history WHERE one = 1) ORDER BY mid LIMIT 1";

/// See above.
pub struct Reader {
    /// Declared first: what is dropped with it may want to say good-bye in the runtime.
    client: Option<Client>,
    runtime: Runtime,
    url: MySqlUrl,
    mark: Mark,
    indexer: Indexer,
    failed: Option<Instant>,
}

impl Reader {
    pub fn open(url: &MySqlUrl, mark: Mark) -> Result<Self, OpenError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(OpenError::NoThread)?;
        let (url, indexer) = (url.clone(), Indexer::default());
        Ok(Self { client: None, runtime, url, mark, indexer, failed: None })
    }

    /// Does something with the connection, which is made if there is none. If that fails, whatever it is in the middle of
    /// goes with the connection.
    fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Client, &mut Indexer, &Mark) -> DbResult<T>,
    ) -> Result<T, StoreError> {
        let Self { client, runtime, url, mark, indexer, failed } = self;
        let down = |why: String| StoreError::Down(format!("{url}: {why}"));
        runtime.block_on(async {
            if client.is_none() {
                if failed.is_some_and(|failed| failed.elapsed() < FAILED) {
                    return Err(down("it is gone".to_owned()));
                }
                indexer.forget();
                *failed = Some(Instant::now());
                *client = Some(connection_pool::reader(url).await.map_err(|error| down(error.to_string()))?);
                *failed = None;
            }
            let Some(connected) = client.as_mut() else { return Err(down("it is gone".to_owned())) };
            let done = work(connected, indexer, mark).await;
            if done.is_err() {
                *client = None;
            }
            done.map_err(|fault| down(fault.why()))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.client = None;
    }
}

impl Searcher for Reader {
    fn search(&mut self, question: &Question) -> Result<StoreResult, StoreError> {
        // One that was idle for too long is connected again.
        let first = self.with(async |client, _, _| search(client, question).await);
        first.or_else(|_| self.with(async |client, _, _| search(client, question).await))
    }

    fn index(&mut self) -> Result<Indexed, StoreError> {
        self.with(async |client, indexer, mark| indexer.step(client, mark).await)
    }

    fn index_after(&self) -> Option<Duration> {
        Some(LOOK)
    }
}

async fn search(client: &mut Client, question: &Question) -> Answered {
    let Some(words) = Words::of(&question.q) else { return Ok(Err(Code::InvalidField)) };
    let mut hunt = Hunt::new(question.user, words, question.before, question.messages);
    if let Err(code) = find_runs(client, question, &mut hunt).await? {
        return Ok(Err(code));
    }
    hunt.begin();
    loop {
        let wanted = hunt.wanted(AT_ONCE);
        if wanted.is_empty() {
            break;
        }
        look_through(client, &mut hunt, wanted).await?;
    }
    found(client, question, &mut hunt).await
}

async fn look_through(client: &mut Client, hunt: &mut Hunt, wanted: Vec<Wanted>) -> DbResult<()> {
    let place = |one: &Wanted| [one.key.low.into(), one.key.high.into(), row::sql_number(one.first)];
    let values: Vec<Value> = wanted.iter().flat_map(place).collect();
    let rows = client.find_all(RUNS, &values, &[]).await?;
    let mut runs: HashMap<(Key, u64), &[u8]> = HashMap::with_capacity(rows.len());
    for found in &rows {
        let key = Key { low: number(found, 0)?, high: number(found, 1)? };
        runs.insert((key, row::number(found, 2)?), row::bytes(found, 3)?);
    }
    for one in wanted {
        hunt.look_through(one, runs.get(&(one.key, one.first)).copied().unwrap_or_default());
    }
    Ok(())
}

/// What was found, as it is now: who has lost its words since is left out.
async fn found(client: &mut Client, question: &Question, hunt: &mut Hunt) -> Answered {
    let bag = hunt.end();
    let mut bodies = page::bodies(client, bag.candidates.iter().map(|one| one.mid)).await?;
    let (mut page, mut before, mut folded) = (Page::default(), bag.before, String::new());
    let (mut read, mut of) = (Vec::new(), Vec::new());
    for one in bag.candidates {
        // What is below 0 was recalled.
        let there = bodies.remove(&one.mid).filter(|(_, rev)| rev.is_none_or(|rev| rev >= 0));
        let Some(body) = there else { continue };
        folded.clear();
        fold_body(body.0.body(), &mut folded);
        if hunt.words().are_in(folded.as_bytes()) {
            read.push((Key::of(question.user, one.conversation), one.pos, body));
            of.push(one.conversation);
        }
    }
    let placed = rows::placed(client, question.user, question.wanted, read).await?;
    for ((_, placed), conversation) in placed.into_iter().zip(of) {
        if !page.take(Hit { conversation, placed }, question.bytes) {
            before = page.last();
            break;
        }
    }
    let lacks = client.find_one(LACKS, vec![]).await?;
    let lacks = lacks.map(|found| row::number(&found, 0)).transpose()?;
    let searched_to = searched_to(lacks.map(Millis));
    Ok(Ok(StoreReply::Search(SearchPage { hits: page.hits, before, searched_to })))
}

/// Tells the hunt which runs there are: of one conversation, or of all that the user may see.
async fn find_runs(client: &mut Client, question: &Question, hunt: &mut Hunt) -> DbResult<Result<(), Code>> {
    let (user, before) = (question.user, row::sql_number(hunt.before()));
    let most = Value::Int(RUNS_MOST as i64);
    let Some(conversation) = question.conversation else {
        let values = vec![user.get().into(), before, most];
        let direct = client.find(DIRECT, values.clone()).await?;
        tell(hunt, &direct, |found| Ok((Conversation::With(row::user(found, 0)?), 0)))?;
        let groups = client.find(GROUPS, values).await?;
        tell(hunt, &groups, |found| {
            Ok((Conversation::Group(row::group(found, 0)?), row::number(found, 2)?))
        })?;
        return Ok(Ok(()));
    };
    let joined = match may_see(client, user, conversation).await? {
        Ok(joined) => joined,
        Err(code) => return Ok(Err(code)),
    };
    let Key { low, high } = Key::of(user, conversation);
    let runs = client.find(OF_ONE, vec![low.into(), high.into(), before, most]).await?;
    tell(hunt, &runs, |_| Ok((conversation, joined)))?;
    Ok(Ok(()))
}

/// Of one conversation: after which place the user may see it, or why not.
async fn may_see(
    client: &mut Client,
    user: UserId,
    conversation: Conversation,
) -> DbResult<Result<u64, Code>> {
    match conversation {
        Conversation::With(other) => {
            Ok(if accounts::is_user(client, other).await? { Ok(0) } else { Err(Code::NoSuchUser) })
        }
        Conversation::Group(group) => match groups::joined(client, user, group).await? {
            Some(joined) => Ok(Ok(joined)),
            None => match groups::not_a_member(client, group).await? {
                Err(code) => Ok(Err(code)),
                Ok(_) => Err(Fault::Unexpected("no member is one".to_owned())),
            },
        },
    }
}

/// Tells the hunt of runs, which come newest first. If there may be others, it knows from where on.
fn tell(hunt: &mut Hunt, rows: &[Row], of: impl Fn(&Row) -> DbResult<(Conversation, u64)>) -> DbResult<()> {
    let mut runs: HashMap<Conversation, (u64, Vec<u64>)> = HashMap::new();
    for found in rows {
        let (conversation, joined) = of(found)?;
        runs.entry(conversation).or_insert((joined, Vec::new())).1.push(row::number(found, 1)?);
    }
    for (conversation, (joined, firsts)) in runs {
        hunt.conversation(Visible { conversation, joined }, &firsts);
    }
    if rows.len() == RUNS_MOST
        && let Some(last) = rows.last()
    {
        hunt.known_from(row::number(last, 1)?);
    }
    Ok(())
}

/// The mark of a database, as far as it is.
pub async fn load_mark(client: &mut Client) -> DbResult<Mark> {
    let mark = Mark::default();
    mark.raise(index::searched_upto(client).await?);
    client.run("COMMIT").await?;
    Ok(mark)
}
