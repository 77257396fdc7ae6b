//! The connections that are not logged in, each once, oldest first: a list that is linked through the
//! sessions' indexes.
//!
//! Owns their order. A connection is in it from its beginning, or from its logout on, until it says
//! something that is to be answered by a login, and again when that is refused. So one that waits for its
//! password to be looked at is not in it, and those are bounded by the queue of passwords. Every change
//! takes the same time however long the list is.

use crate::model::ids::ConnectionId;

/// Where one stands between its neighbours.
#[derive(Clone, Copy, Debug)]
struct Link {
    id: ConnectionId,
    older: Option<u32>,
    younger: Option<u32>,
}

/// Invariant: `len` links, chained in both directions from `oldest` to `youngest`.
#[derive(Debug, Default)]
pub(super) struct Unauthenticated {
    links: Vec<Option<Link>>,
    oldest: Option<u32>,
    youngest: Option<u32>,
    len: usize,
}

impl Unauthenticated {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn oldest(&self) -> Option<ConnectionId> {
        self.oldest.and_then(|index| self.link(index)).map(|link| link.id)
    }

    /// Puts a connection at the end, wherever it was.
    pub(super) fn push(&mut self, id: ConnectionId) {
        self.remove(id);
        let index = id.index as usize;
        if self.links.len() <= index {
            self.links.resize(index + 1, None);
        }
        self.links[index] = Some(Link { id, older: self.youngest, younger: None });
        match self.youngest {
            Some(youngest) => self.change(youngest, |link| link.younger = Some(id.index)),
            None => self.oldest = Some(id.index),
        }
        self.youngest = Some(id.index);
        self.len += 1;
    }

    /// Takes a connection out, if it is there.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(link) = self.link(id.index).filter(|link| link.id == id) else { return };
        self.links[id.index as usize] = None;
        match link.older {
            Some(older) => self.change(older, |other| other.younger = link.younger),
            None => self.oldest = link.younger,
        }
        match link.younger {
            Some(younger) => self.change(younger, |other| other.older = link.older),
            None => self.youngest = link.older,
        }
        self.len -= 1;
    }

    fn link(&self, index: u32) -> Option<Link> {
        self.links.get(index as usize).copied().flatten()
    }

    fn change(&mut self, index: u32, change: impl FnOnce(&mut Link)) {
        change(self.links[index as usize].as_mut().expect("neighbours are in the list"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn id(index: u32, generation: u32) -> ConnectionId {
        ConnectionId { index, generation }
    }

    fn all(list: &Unauthenticated) -> Vec<ConnectionId> {
        let next = |link: &Link| link.younger.and_then(|index| list.link(index));
        let first = list.oldest.and_then(|index| list.link(index));
        std::iter::successors(first, next).map(|link| link.id).collect()
    }

    #[test]
    fn each_is_there_once_and_the_oldest_is_first() {
        let mut list = Unauthenticated::default();
        assert_eq!((list.len(), list.oldest()), (0, None));
        for index in [4, 0, 2, 0, 4, 4] {
            list.push(id(index, 1));
        }
        assert_eq!(all(&list), [id(2, 1), id(0, 1), id(4, 1)]);
        list.remove(id(0, 2));
        assert_eq!(list.len(), 3, "it is another connection's");
        list.remove(id(0, 1));
        list.remove(id(9, 1));
        assert_eq!((list.len(), list.oldest()), (2, Some(id(2, 1))));
    }

    #[test]
    fn it_is_what_a_plain_list_is() {
        let mut list = Unauthenticated::default();
        let mut plain: VecDeque<ConnectionId> = VecDeque::new();
        let mut random: u64 = 88_172_645_463_325_252;
        for _ in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let some = id((random % 13) as u32, 1);
            plain.retain(|other| *other != some);
            if random & 1 << 40 == 0 {
                list.push(some);
                plain.push_back(some);
            } else {
                list.remove(some);
            }
            assert_eq!((list.len(), list.oldest()), (plain.len(), plain.front().copied()));
        }
        assert_eq!(VecDeque::from(all(&list)), plain);
    }
}
