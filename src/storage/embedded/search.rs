//! Finding messages by their words: on a connection that only reads, which keeps nobody from writing. And moving what was
//! indexed from the log into the database, on one of its own.

use super::{Answered, accounts, groups, row, rows};
use crate::StoreError;
use crate::key::Key;
use crate::search::hunt::{Candidate, Hunt, RUNS_MOST, Visible};
use crate::search::words::{Words, fold_body};
use crate::search::{Page, Question, Searcher, searched_to};
use chatd_chat::model::history::{Conversation, Hit, SearchPage};
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::port::store::{StoreReply, StoreResult};
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use std::time::Duration;

/// How long to wait for another program.
const PATIENCE: Duration = Duration::from_millis(500);
/// Runs that are wanted at one time.
const AT_ONCE: usize = 64;

const RUNS: &str = "SELECT first FROM search WHERE low = ?1 AND high = ?2 AND first < ?3
    ORDER BY first DESC LIMIT ?4";
/// When the first message was accepted that the index does not have.
const LACKS: &str =
    "SELECT ts FROM message WHERE mid > (SELECT searched_upto FROM history) ORDER BY mid LIMIT 1";

/// See above.
pub struct Reader {
    db: Connection,
    /// Writes nothing but what is in the log already.
    settler: Connection,
}

impl Reader {
    pub fn open(database: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(database, flags)?;
        db.busy_timeout(PATIENCE)?;
        db.pragma_update(None, "cache_size", -(8 << 10))?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        db.set_prepared_statement_cache_capacity(32);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let settler = Connection::open_with_flags(database, flags)?;
        Ok(Self { db, settler })
    }

    /// All of it as it was at one moment.
    fn at_one_moment(&self, question: &Question) -> Answered {
        self.db.prepare_cached("BEGIN")?.execute([])?;
        let answered = search(&self.db, question);
        let ended = self.db.prepare_cached("COMMIT")?.execute([]);
        answered.and_then(|answer| ended.map(|_| answer))
    }
}

impl Searcher for Reader {
    fn search(&mut self, question: &Question) -> Result<StoreResult, StoreError> {
        self.at_one_moment(question).map_err(|error| {
            if !self.db.is_autocommit() {
                // It only reads: there is nothing to lose.
                drop(self.db.execute_batch("ROLLBACK"));
            }
            StoreError::Down(error.to_string())
        })
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        // It waits for nobody and keeps nobody from writing: what is in the way of it stays in the log.
        self.settler
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(|error| StoreError::Down(error.to_string()))
    }
}

fn search(db: &Connection, question: &Question) -> Answered {
    let Some(words) = Words::of(&question.q) else { return Ok(Err(Code::InvalidField)) };
    let visible = match visible(db, question)? {
        Ok(visible) => visible,
        Err(code) => return Ok(Err(code)),
    };
    let mut hunt = Hunt::new(question.user, words, question.before, question.messages);
    let mut runs = db.prepare_cached(RUNS)?;
    for one in visible {
        let Key { low, high } = Key::of(question.user, one.conversation);
        let values = params![low, high, row::sql_number(hunt.before()), RUNS_MOST as i64];
        let firsts: Vec<u64> =
            runs.query_map(values, |found| row::number(found, 0))?.collect::<rusqlite::Result<_>>()?;
        hunt.conversation(one, &firsts);
    }
    hunt.begin();
    let mut run = db.prepare_cached("SELECT run FROM search WHERE low = ?1 AND high = ?2 AND first = ?3")?;
    loop {
        let wanted = hunt.wanted(AT_ONCE);
        if wanted.is_empty() {
            break;
        }
        for one in wanted {
            let mut rows = run.query(params![one.key.low, one.key.high, row::sql_number(one.first)])?;
            match rows.next()? {
                Some(found) => hunt.look_through(one, found.get_ref(0)?.as_bytes()?),
                None => hunt.look_through(one, &[]),
            }
        }
    }
    page(db, question, &mut hunt)
}

/// What was found, as it is now: who has lost its words since is left out.
fn page(db: &Connection, question: &Question, hunt: &mut Hunt) -> Answered {
    let bag = hunt.end();
    let (mut page, mut before, mut folded) = (Page::default(), bag.before, String::new());
    for Candidate { mid, pos, conversation } in bag.candidates {
        let Some(placed) = rows::as_it_is(db, question.user, (conversation, pos), mid, question.wanted)?
        else {
            continue;
        };
        folded.clear();
        fold_body(placed.envelope.body(), &mut folded);
        if hunt.words().are_in(folded.as_bytes()) && !page.take(Hit { conversation, placed }, question.bytes)
        {
            before = page.last();
            break;
        }
    }
    let lacks = db.prepare_cached(LACKS)?.query_row([], |found| row::number(found, 0)).optional()?;
    let searched_to = searched_to(lacks.map(Millis));
    Ok(Ok(StoreReply::Search(SearchPage { hits: page.hits, before, searched_to })))
}

/// The conversations that are looked through: one, or all that the user may see.
fn visible(db: &Connection, question: &Question) -> rusqlite::Result<Result<Vec<Visible>, Code>> {
    let user = question.user;
    Ok(match question.conversation {
        Some(Conversation::With(other)) if !accounts::is_user(db, other)? => Err(Code::NoSuchUser),
        Some(conversation @ Conversation::With(_)) => Ok(vec![Visible { conversation, joined: 0 }]),
        Some(conversation @ Conversation::Group(group)) => match groups::joined(db, user, group)? {
            Some(joined) => Ok(vec![Visible { conversation, joined }]),
            None => Err(groups::why_not_a_member(db, group)?),
        },
        None => all_of(db, user).map(Ok)?,
    })
}

fn all_of(db: &Connection, user: UserId) -> rusqlite::Result<Vec<Visible>> {
    let mut direct = db.prepare_cached("SELECT peer FROM dialogue WHERE userid = ?1")?;
    let direct = direct.query_map([user.get()], |found| {
        Ok(Visible { conversation: Conversation::With(row::user(found, 0)?), joined: 0 })
    })?;
    let mut all: Vec<Visible> = direct.collect::<rusqlite::Result<_>>()?;
    let mut groups = db.prepare_cached("SELECT groupid, joined FROM groupuser WHERE userid = ?1")?;
    let groups = groups.query_map([user.get()], |found| {
        Ok(Visible {
            conversation: Conversation::Group(row::group(found, 0)?),
            joined: row::number(found, 1)?,
        })
    })?;
    for group in groups {
        all.push(group?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{Connection, Reader};
    use crate::scratch::Scratch;

    /// Where the root is read-only there is nowhere to put one.
    #[test]
    fn what_a_search_sorts_goes_to_no_file() {
        let scratch = Scratch::new();
        let database = scratch.path().join("chatd.db");
        Connection::open(&database).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
        let store: i64 =
            Reader::open(&database).unwrap().db.query_row("PRAGMA temp_store", [], |row| row.get(0)).unwrap();
        assert_eq!(store, 2, "memory");
    }
}
