//! Dedup windows of users who are away: what the last session of each left for the next one.
//!
//! All cores of a server ask one worker, so a user finds its window on whichever core it comes to next.
//! In memory only: a server that was started anew asks the database about each repeated message.

use chatd_chat::model::dedup::DedupWindow;
use chatd_chat::model::ids::UserId;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Windows, by user. Those of the users who left first go first.
pub struct DedupWindows {
    windows: FxHashMap<UserId, (u64, Box<DedupWindow>)>,
    /// Users as they left, by number; some are back, or have left again.
    left: VecDeque<(u64, UserId)>,
    next: u64,
    /// Messages in all windows, and how many there may be.
    cids: usize,
    most: usize,
}

impl DedupWindows {
    /// None yet; `most` messages in all.
    pub fn new(most: usize) -> Self {
        Self { windows: FxHashMap::default(), left: VecDeque::new(), next: 0, cids: 0, most }
    }

    /// A user has left.
    pub fn put(&mut self, user: UserId, window: Box<DedupWindow>) {
        drop(self.take(user));
        self.next += 1;
        self.cids += window.len();
        self.windows.insert(user, (self.next, window));
        self.left.push_back((self.next, user));
        while self.cids > self.most
            && let Some((number, user)) = self.left.pop_front()
        {
            if self.windows.get(&user).is_some_and(|(of, _)| *of == number) {
                drop(self.take(user));
            }
        }
        if self.left.len() > 2 * self.windows.len() + 64 {
            let windows = &self.windows;
            self.left.retain(|(number, user)| windows.get(user).is_some_and(|(of, _)| of == number));
        }
    }

    /// A user is back.
    pub fn take(&mut self, user: UserId) -> Option<Box<DedupWindow>> {
        let (_, window) = self.windows.remove(&user)?;
        self.cids -= window.len();
        Some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_chat::model::ids::MessageId;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn window(cids: usize) -> Box<DedupWindow> {
        let mut window = DedupWindow::default();
        (0..cids).for_each(|number| window.note(&number.to_string(), MessageId(number as u64)));
        Box::new(window)
    }

    #[test]
    fn who_left_first_is_forgotten_first_and_the_sum_is_bounded() {
        let mut windows = DedupWindows::new(10);
        windows.put(user(1), window(4));
        windows.put(user(2), window(4));
        windows.put(user(1), window(5));
        windows.put(user(3), window(4));
        assert_eq!(windows.take(user(2)), None, "it left first: the first one has left again since");
        assert_eq!(windows.take(user(1)).map(|window| window.len()), Some(5));
        assert_eq!(windows.take(user(1)), None, "it is given once");
        for number in 4..10_000 {
            windows.put(user(number), window(1));
            assert!(windows.take(user(number)).is_some());
        }
        assert!(windows.left.len() <= 80, "{}", windows.left.len());
        windows.put(user(4), window(11));
        assert_eq!((windows.cids, windows.windows.len()), (0, 0));
    }
}
