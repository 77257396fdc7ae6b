//! A user's conversations, newest first, and where each of them stands.
//!
//! All of them are looked through for their last messages, which costs a look-up or two each; what else is told is read for
//! those of the page alone. Places have no gaps, so what others said beyond a marker is what is there beyond it but for the
//! user's own messages. Those are counted where places are, and no message is looked at.

use super::places::{Last, Places, PlacesOfUser};
use super::row;
use crate::key::Key;
use chatd_chat::model::history::{Conversation, Head, HeadsPage};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

/// A conversation that may be in the page.
struct Candidate {
    conversation: Conversation,
    mid: MessageId,
    head: u64,
    marker: u64,
    /// Nothing up to this place counts as unread, whatever the marker says.
    joined: u64,
    /// How many messages beyond the marker are the user's own, if that is known.
    own: Option<u64>,
    /// Beyond this place every row counts.
    uncounted: u64,
    chg: u64,
}

/// The newest conversations whose last messages have smaller ids than `before`.
pub fn page(
    db: &Connection,
    places: &Places,
    user: UserId,
    before: Option<MessageId>,
    most: usize,
) -> rusqlite::Result<HeadsPage> {
    if most == 0 {
        return Ok(HeadsPage::default());
    }
    let places = places.of_user(user);
    let mut candidates = direct(db, &places, user)?;
    candidates.extend(of_groups(db, user)?);
    candidates.retain(|candidate| before.is_none_or(|before| candidate.mid < before));
    candidates.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.mid));
    let complete = candidates.len() <= most;
    candidates.truncate(most);
    let mut details = Details::of(db, &places, user)?;
    let heads = candidates.into_iter().map(|candidate| details.tell(candidate)).collect::<Result<_, _>>()?;
    Ok(HeadsPage { heads, complete })
}

fn direct(db: &Connection, places: &PlacesOfUser, user: UserId) -> rusqlite::Result<Vec<Candidate>> {
    let mut dialogues =
        db.prepare_cached("SELECT peer, marker, uncounted, chg FROM dialogue WHERE userid = ?1")?;
    let mut dialogues = dialogues.query([user.get()])?;
    let mut candidates = Vec::new();
    while let Some(found) = dialogues.next()? {
        let (peer, marker) = (row::user(found, 0)?, row::number(found, 1)?);
        if let Some(Last { pos: head, mid, own }) = places.last(db, peer, marker)? {
            let conversation = Conversation::With(peer);
            let (uncounted, chg) = (row::number(found, 2)?, row::number(found, 3)?);
            candidates.push(Candidate { conversation, mid, head, marker, joined: 0, own, uncounted, chg });
        }
    }
    Ok(candidates)
}

fn of_groups(db: &Connection, user: UserId) -> rusqlite::Result<Vec<Candidate>> {
    db.prepare_cached(
        "SELECT allgroup.id, mid, head, marker, joined, uncounted, chg FROM groupuser
         JOIN allgroup ON allgroup.id = groupuser.groupid
         JOIN message ON message.groupid = allgroup.id AND pos = head
         WHERE userid = ?1 AND head > joined",
    )?
    .query_map([user.get()], |found| {
        Ok(Candidate {
            conversation: Conversation::Group(row::group(found, 0)?),
            mid: row::mid(found, 1)?,
            head: row::number(found, 2)?,
            marker: row::number(found, 3)?,
            joined: row::number(found, 4)?,
            own: None,
            uncounted: row::number(found, 5)?,
            chg: row::number(found, 6)?,
        })
    })?
    .collect()
}

/// What is told of each conversation of the page, and how that is asked.
struct Details<'a> {
    db: &'a Connection,
    places: &'a PlacesOfUser,
    user: UserId,
    peer: CachedStatement<'a>,
    name: CachedStatement<'a>,
    ts: CachedStatement<'a>,
    own_in_group: CachedStatement<'a>,
    uncounted: CachedStatement<'a>,
}

impl<'a> Details<'a> {
    fn of(db: &'a Connection, places: &'a PlacesOfUser, user: UserId) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            places,
            user,
            peer: db.prepare_cached(PEER)?,
            name: db.prepare_cached("SELECT groupname FROM allgroup WHERE id = ?1")?,
            ts: db.prepare_cached("SELECT ts FROM message WHERE mid = ?1")?,
            own_in_group: db.prepare_cached(
                "SELECT count(*) FROM message WHERE groupid = ?2 AND pos > ?3 AND pos <= ?4 AND sender = ?1",
            )?,
            uncounted: db.prepare_cached(
                "SELECT count(*) FROM uncounted WHERE low = ?1 AND high = ?2 AND pos > ?3 AND sender <> ?4",
            )?,
        })
    }

    fn tell(&mut self, candidate: Candidate) -> rusqlite::Result<Head> {
        let Candidate { conversation, mid, head, marker, joined, own, uncounted, chg } = candidate;
        let (name, peer_read) = match conversation {
            Conversation::With(peer) => self.peer.query_row([peer.get(), self.user.get()], |found| {
                Ok((found.get(0)?, row::optional_number(found, 1)?))
            })?,
            Conversation::Group(group) => (self.name_of(group)?, None),
        };
        let ts = self.ts.query_row([row::sql_mid(mid)], |found| row::number(found, 0)).unwrap_or(0);
        let read = marker.max(joined);
        let mut unread = self.unread(conversation, read, head, own)?;
        if uncounted > read {
            unread = unread.saturating_sub(self.uncounted(conversation, read)?);
        }
        Ok(Head { conversation, name, head, read: marker, peer_read, unread, mid, ts: Millis(ts), chg })
    }

    fn name_of(&mut self, group: GroupId) -> rusqlite::Result<String> {
        Ok(self.name.query_row([group.get()], |found| found.get(0)).optional()?.unwrap_or_default())
    }

    /// How many rows of others beyond `read` are none that anybody reads.
    fn uncounted(&mut self, conversation: Conversation, read: u64) -> rusqlite::Result<u64> {
        let Key { low, high } = Key::of(self.user, conversation);
        let values = params![low, high, row::sql_number(read), self.user.get()];
        self.uncounted.query_row(values, |found| row::number(found, 0))
    }

    /// How many messages of others there are beyond `read`.
    fn unread(
        &mut self,
        conversation: Conversation,
        read: u64,
        head: u64,
        own: Option<u64>,
    ) -> rusqlite::Result<u64> {
        let beyond = head.saturating_sub(read);
        if beyond == 0 {
            return Ok(0);
        }
        let own = match conversation {
            // A note to oneself is nobody else's.
            Conversation::With(peer) if peer == self.user => beyond,
            Conversation::With(peer) => own.map_or_else(|| self.places.own(self.db, peer, read), Ok)?,
            Conversation::Group(group) => {
                let places = [row::sql_number(read), row::sql_number(head)];
                let values = params![self.user.get(), group.get(), places[0], places[1]];
                self.own_in_group.query_row(values, |found| row::number(found, 0))?
            }
        };
        Ok(beyond.saturating_sub(own))
    }
}

/// The name of a user, and how far it has read in its conversation with another one, if it does not block that one and tells what it has read.
const PEER: &str = "SELECT name, (SELECT marker FROM dialogue WHERE userid = ?1 AND peer = ?2
        AND NOT EXISTS (SELECT 1 FROM blocked WHERE userid = ?1 AND blocked = ?2)
        AND NOT EXISTS (SELECT 1 FROM setting WHERE userid = ?1 AND NOT read_receipts))
    FROM user WHERE id = ?1";
