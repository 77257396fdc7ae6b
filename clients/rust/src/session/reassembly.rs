//! Answers that come in several frames, because one would be too long: put together again.

use crate::device::Synced;
use crate::dialect::Entrance;
use crate::roster::Person;

/// Entries that are put together at most, however many a server sends: above, the rest is left out.
const MOST: usize = 20_000;

/// What has come so far, on this connection.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    entrance: Option<Entrance>,
    friends: Vec<Person>,
    synced: Vec<Synced>,
    /// Whose pieces these are.
    synced_for: String,
}

impl Reassembly {
    /// One frame of a login answer; all of it, with the last one.
    pub(super) fn entrance(&mut self, part: Entrance) -> Option<Entrance> {
        let whole = match self.entrance.take() {
            None => part,
            Some(mut whole) => {
                add(&mut whole.welcome.friends, part.welcome.friends);
                add(&mut whole.welcome.groups, part.welcome.groups);
                add(&mut whole.waiting, part.waiting);
                whole.welcome.heads = part.welcome.heads.or(whole.welcome.heads);
                Entrance { token: part.token.or(whole.token), complete: part.complete, ..whole }
            }
        };
        if whole.complete {
            return Some(whole);
        }
        self.entrance = Some(whole);
        None
    }

    /// One frame of a friend list; all of it, with the last one.
    pub(super) fn friends(&mut self, part: Vec<Person>, complete: bool) -> Option<Vec<Person>> {
        add(&mut self.friends, part);
        complete.then(|| std::mem::take(&mut self.friends))
    }

    /// One frame of the answer to a SYNC; all of it, with the last one.
    pub(super) fn synced(&mut self, cid: &str, part: Vec<Synced>, complete: bool) -> Option<Vec<Synced>> {
        if self.synced_for != cid {
            (self.synced, self.synced_for) = (Vec::new(), cid.to_owned());
        }
        let rows =
            self.synced.iter().map(|synced| 1 + synced.rows.len() + synced.changes.len()).sum::<usize>();
        if rows < MOST {
            self.synced.extend(part);
        }
        complete.then(|| std::mem::take(&mut self.synced))
    }
}

fn add<T>(whole: &mut Vec<T>, part: Vec<T>) {
    let room = MOST.saturating_sub(whole.len());
    whole.extend(part.into_iter().take(room));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Welcome;
    use chatd_chat::model::ids::UserId;

    fn person(id: u64) -> Person {
        Person { id: UserId::new(id).unwrap(), name: id.to_string(), online: false }
    }

    fn part(friends: &[u64], complete: bool) -> Entrance {
        let mut welcome = Welcome::new(UserId::new(9).unwrap(), "amy".into());
        welcome.friends = friends.iter().map(|id| person(*id)).collect();
        Entrance { welcome, waiting: Vec::new(), token: Some("t".into()), complete }
    }

    #[test]
    fn an_answer_in_pieces_is_whole_with_the_last_one() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.entrance(part(&[1, 2], false)), None);
        let whole = reassembly.entrance(part(&[3], true)).unwrap();
        assert_eq!(whole.welcome.friends.len(), 3);
        assert_eq!(reassembly.entrance(part(&[4], true)).unwrap().welcome.friends, [person(4)]);
        assert_eq!(reassembly.friends(vec![person(1)], false), None);
        assert_eq!(reassembly.friends(vec![person(2)], true), Some(vec![person(1), person(2)]));
    }

    #[test]
    fn a_server_without_end_fills_no_memory() {
        let mut reassembly = Reassembly::default();
        for _ in 0..30 {
            assert_eq!(reassembly.friends((1..=1_000).map(person).collect(), false), None);
        }
        assert_eq!(reassembly.friends(Vec::new(), true).map(|friends| friends.len()), Some(MOST));
    }
}
