//! What is told of groups: which of their messages members have not confirmed for too long.
//!
//! A group that has messages of which nobody was told yet has a row in the table `untold`, made with the first of them.
//! Once that is due, a pass goes over the members, in the order of their ids and a page at a time: it tells of all
//! messages that are due by then. Each page is told in the transaction that moves the row on, so it is told once. What is
//! said meanwhile is for the next pass.
//!
//! Owns what the stores agree on: the bounds of a step, what is due, and who is told of which message.

use super::ROW_BYTES;
use super::pending::{Pending, text};
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

/// Members that one step goes over at most, and so a page.
pub const MEMBERS: usize = 500;
/// Groups that one step looks at, at most.
pub const GROUPS: usize = 64;
/// Places that one pass tells of, at most.
pub const STRETCH: usize = 1_000;
/// Places that one step looks at, more or less: the group that passes it is the last.
pub const PLACES: usize = 2_000;

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Untold {
    pub group: GroupId,
    /// The first place of which nobody was told.
    pub pos: u64,
    /// The last place that the pass under way tells of; 0 if none is.
    pub upto: u64,
    /// The last member that it has come to.
    pub member: u64,
}

impl Untold {
    /// The same with a pass that begins.
    pub fn begun(self, upto: u64) -> Self {
        Self { upto, member: 0, ..self }
    }
}

/// A message that a pass may tell of. What was recalled, and what was done to the group, is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Said {
    pub pos: u64,
    pub mid: MessageId,
    pub sender: UserId,
}

/// A member, and the place up to which it has confirmed or read what was said, or that it joined after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reader {
    pub user: UserId,
    pub after: u64,
}

/// What one step may still do.
#[derive(Debug)]
pub struct Budget {
    pub members: usize,
    pub places: usize,
    pub bytes: usize,
}

impl Budget {
    /// That of a whole step.
    pub fn of_step() -> Self {
        Self { members: MEMBERS, places: PLACES, bytes: super::PAGE_BYTES }
    }

    /// Whether nothing more is to be begun.
    pub fn is_used_up(&self) -> bool {
        self.members == 0 || self.places == 0 || self.bytes == 0
    }
}

/// Up to which of these places, which follow each other, all were said before `before`. `None`: the first was not.
pub fn due_upto(places: &[(u64, Millis)], before: Millis) -> Option<u64> {
    places.iter().take_while(|(_, ts)| *ts <= before).last().map(|(pos, _)| *pos)
}

/// The newest of these messages, newest first, that a member lacks: no own one, and none of whom it blocks.
fn lacked(said: &[Said], reader: Reader, blocked: Option<&HashSet<UserId>>) -> Option<Said> {
    let lacks = said.iter().take_while(|said| said.pos > reader.after);
    let is_blocked = |said: &Said| blocked.is_some_and(|blocked| blocked.contains(&said.sender));
    lacks.copied().find(|said| said.sender != reader.user && !is_blocked(said))
}

/// The newest message that each of these lacks, if it lacks one.
pub fn lacking(
    said: &[Said],
    readers: &[Reader],
    blocked: &HashMap<UserId, HashSet<UserId>>,
) -> Vec<(Reader, Said)> {
    let of = |reader: &Reader| Some((*reader, lacked(said, *reader, blocked.get(&reader.user))?));
    readers.iter().filter_map(of).collect()
}

/// What one page tells: whom, of which message.
#[derive(Debug, Default)]
pub struct Telling {
    /// Of each message the readers who lack it, in texts that are not much longer than [`ROW_BYTES`].
    of: BTreeMap<MessageId, (u64, Vec<String>)>,
    bytes: usize,
}

impl Telling {
    /// A reader lacks this message, and is reached by these devices, each an object.
    pub fn add(&mut self, reader: Reader, said: Said, external: Option<&str>, devices: &[String]) {
        let (_, texts) = self.of.entry(said.mid).or_insert((said.pos, Vec::new()));
        if texts.last().is_none_or(|last| last.len() >= ROW_BYTES) {
            texts.push(String::new());
        }
        let line = texts.last_mut().expect("one was made");
        let before = line.len();
        if before > 0 {
            line.push(',');
        }
        let _ = write!(line, "{{\"user\":{}", reader.user);
        if let Some(external) = external {
            text(line, "external", external);
        }
        let _ = write!(line, ",\"devices\":[{}],\"after\":{}}}", devices.join(","), reader.after);
        self.bytes += line.len() - before;
    }

    /// How much was added.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The messages of which it tells.
    pub fn mids(&self) -> impl Iterator<Item = MessageId> {
        self.of.keys().copied()
    }

    /// Tells of one of them, in as many events as that takes.
    pub fn tell(&self, pending: &mut Pending, envelope: &Envelope) {
        let Some((pos, texts)) = self.of.get(&envelope.mid()) else { return };
        for users in texts {
            pending.undelivered_in_group(envelope, *pos, users);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> UserId {
        UserId::new(id).expect("an id")
    }

    fn said(pos: u64, sender: u64) -> Said {
        Said { pos, mid: MessageId(pos), sender: user(sender) }
    }

    #[test]
    fn what_is_due_ends_where_something_is_not() {
        let places = [(4, Millis(10)), (5, Millis(20)), (6, Millis(30)), (7, Millis(15))];
        for (before, upto) in [(9, None), (10, Some(4)), (25, Some(5)), (30, Some(7))] {
            assert_eq!(due_upto(&places, Millis(before)), upto, "before {before}");
        }
    }

    #[test]
    fn a_member_lacks_what_others_said_after_what_it_has() {
        let (all, nobody) = ([said(9, 1), said(8, 2), said(7, 1)], HashMap::new());
        let lacks = |id, after, blocked: &HashMap<UserId, HashSet<UserId>>| {
            let readers = [Reader { user: user(id), after }];
            lacking(&all, &readers, blocked).first().map(|(_, said)| said.pos)
        };
        for (id, after, pos) in
            [(3, 0, Some(9)), (3, 9, None), (1, 0, Some(8)), (1, 8, None), (2, 8, Some(9)), (3, 8, Some(9))]
        {
            assert_eq!(lacks(id, after, &nobody), pos, "user {id} after {after}");
        }
        let blocked = HashMap::from([(user(3), HashSet::from([user(1)]))]);
        assert_eq!((lacks(3, 0, &blocked), lacks(3, 8, &blocked)), (Some(8), None));
    }
}
