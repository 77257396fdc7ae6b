//! One page of a backlog: which messages it holds, whatever store they are read from.
//!
//! A page is a merge. One stream holds the backlog entries, by mid; every group that is ahead of the user
//! is a stream of its own, by place. Of the streams' first messages the oldest goes into the page,
//! until that is full. A group's part of a page is thus always the run of places right after the
//! user's cursor: the cursor can follow, and the next page repeats nothing.
//!
//! Nothing is read here. [`Merge::proceed`] says what has to be read before it can go on, all of it
//! at once, and is told; streams are read ahead a little, numbers only.

use chatd_chat::model::ids::{GroupId, MessageId};
use std::collections::{HashMap, HashSet, VecDeque};

/// Messages that a group's stream reads ahead at least when it is empty, and at most. The entries
/// is always read by the most.
const AHEAD: std::ops::RangeInclusive<usize> = 4..=64;

/// How much fits.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// Messages at most.
    pub messages: usize,
    /// Bytes of bodies at most; the first message always fits.
    pub bytes: usize,
}

/// A group of the user, as the store has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Which.
    pub group: GroupId,
    /// The user's cursor.
    pub upto: u64,
    /// The place of the group's last message.
    pub head: u64,
}

/// A message that could be in the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its id.
    pub mid: MessageId,
    /// Its place in its group; `None` for a backlog entry.
    pub pos: Option<u64>,
    /// Bytes of its body.
    pub bytes: usize,
}

/// Something that must be read before the page can be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// The next backlog entries, by id. → [`Merge::backlog`].
    Backlog {
        /// Only messages with a greater id.
        after: MessageId,
        /// How many at most.
        most: usize,
    },
    /// The next messages of a group that are not the user's own, by place. → [`Merge::group`].
    Group {
        /// Which stream it is for.
        stream: usize,
        /// Which group.
        group: GroupId,
        /// Only messages with a greater place.
        after: u64,
        /// How many at most.
        most: usize,
    },
}

/// What became of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// What it holds, by id.
    pub messages: Vec<Candidate>,
    /// Whether this was all there is.
    pub complete: bool,
    /// For every group the place up to which nothing is missing.
    pub heads: Vec<(GroupId, u64)>,
}

/// A page in the making.
pub struct Merge {
    backlog: Backlog,
    streams: Vec<Stream>,
    page: Vec<Candidate>,
    backlog_in_page: HashSet<MessageId>,
    bytes: usize,
    limit: PageLimit,
}

/// The backlog entries, by mid.
struct Backlog {
    ahead: VecDeque<Candidate>,
    read: MessageId,
    done: bool,
}

/// A group, and how far its part of the page reaches.
struct Stream {
    group: GroupId,
    head: u64,
    /// Nothing is missing up to here: given before, or in the page, or the user's own.
    upto: u64,
    ahead: VecDeque<Candidate>,
    /// Everything up to here is given, in `ahead`, or the user's own.
    read: u64,
}

impl Merge {
    /// A page of the backlog entries after `after`, and of what these groups hold beyond the user's
    /// cursors; `have` says where the cursors are further than the store knows.
    pub fn new(after: MessageId, groups: &[Group], have: &[(GroupId, u64)], limit: PageLimit) -> Self {
        let have: HashMap<GroupId, u64> = have.iter().copied().collect();
        let stream = |group: &Group| {
            let known = have.get(&group.group).copied().unwrap_or(0).min(group.head);
            let upto = group.upto.max(known);
            Stream { group: group.group, head: group.head, upto, ahead: VecDeque::new(), read: upto }
        };
        Self {
            backlog: Backlog { ahead: VecDeque::new(), read: after, done: false },
            streams: groups.iter().map(stream).collect(),
            page: Vec::new(),
            backlog_in_page: HashSet::new(),
            bytes: 0,
            limit,
        }
    }

    /// Goes on as far as it can. What it returns must be read and told before the next call;
    /// when that is nothing, the page is done.
    pub fn proceed(&mut self, wants: &mut Vec<Want>) -> Option<Page> {
        wants.clear();
        loop {
            self.want(wants);
            if !wants.is_empty() {
                return None;
            }
            let Some((candidate, from)) = self.oldest() else { return Some(self.finish(true)) };
            let full = self.page.len() >= self.limit.messages
                || candidate.bytes > self.limit.bytes.saturating_sub(self.bytes);
            if full && !self.page.is_empty() {
                return Some(self.finish(false));
            }
            match from {
                Some(stream) => self.streams[stream].give(),
                None => {
                    self.backlog.ahead.pop_front();
                    self.backlog_in_page.insert(candidate.mid);
                }
            }
            self.bytes += candidate.bytes;
            self.page.push(candidate);
        }
    }

    /// Tells the next backlog entries. Fewer than were wanted means that there are no more.
    pub fn backlog(&mut self, found: impl IntoIterator<Item = Candidate>) {
        self.backlog.ahead.extend(found);
        self.backlog.read = self.backlog.ahead.back().map_or(self.backlog.read, |last| last.mid);
        self.backlog.done = self.backlog.ahead.len() < *AHEAD.end();
    }

    /// Tells what comes next in a group; `most` is what was wanted.
    pub fn group(&mut self, stream: usize, most: usize, found: impl IntoIterator<Item = Candidate>) {
        let stream = &mut self.streams[stream];
        stream.ahead.extend(found);
        let last = stream.ahead.back().and_then(|last| last.pos).unwrap_or(stream.head);
        stream.read = if stream.ahead.len() < most { last.max(stream.head) } else { last };
    }

    fn want(&mut self, wants: &mut Vec<Want>) {
        if self.backlog.ahead.is_empty() && !self.backlog.done {
            wants.push(Want::Backlog { after: self.backlog.read, most: *AHEAD.end() });
        }
        // The more groups are behind, the less of the page is one group's.
        let behind = self.streams.iter().filter(|stream| stream.read < stream.head).count().max(1);
        let most = (self.limit.messages / behind).saturating_mul(2).clamp(*AHEAD.start(), *AHEAD.end());
        for (index, stream) in self.streams.iter_mut().enumerate() {
            // A backlog entry, and of a group that is behind: given once, as an entry. Their stream is sorted, so
            // by now it has given all that is older than this.
            while stream.ahead.front().is_some_and(|first| self.backlog_in_page.contains(&first.mid)) {
                stream.give();
            }
            if stream.ahead.is_empty() && stream.read < stream.head {
                wants.push(Want::Group { stream: index, group: stream.group, after: stream.read, most });
            }
        }
    }

    /// The oldest of the streams' first messages, and which group's it is.
    fn oldest(&self) -> Option<(Candidate, Option<usize>)> {
        let mut oldest = self.backlog.ahead.front().map(|first| (*first, None));
        for (index, stream) in self.streams.iter().enumerate() {
            if let Some(first) = stream.ahead.front()
                && oldest.is_none_or(|(other, _)| first.mid < other.mid)
            {
                oldest = Some((*first, Some(index)));
            }
        }
        oldest
    }

    fn finish(&mut self, complete: bool) -> Page {
        let mut messages = std::mem::take(&mut self.page);
        // Within a group a message that was stored late is younger by place than by mid.
        messages.sort_unstable_by_key(|candidate| candidate.mid);
        let heads = self.streams.iter().map(|stream| (stream.group, stream.complete_upto())).collect();
        Page { messages, complete, heads }
    }
}

impl Stream {
    fn give(&mut self) {
        if let Some(Candidate { pos: Some(pos), .. }) = self.ahead.pop_front() {
            self.upto = pos;
        }
    }

    /// Up to the next message given to nobody, all is the user's own.
    fn complete_upto(&self) -> u64 {
        match self.ahead.front() {
            Some(Candidate { pos: Some(pos), .. }) => pos - 1,
            _ => self.upto.max(self.read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: u64) -> GroupId {
        GroupId::new(number).unwrap()
    }

    fn candidate(mid: u64, pos: Option<u64>) -> Candidate {
        Candidate { mid: MessageId(mid), pos, bytes: 10 }
    }

    #[test]
    fn all_that_must_be_read_is_asked_for_at_once() {
        let groups = [(1, 0, 5), (2, 5, 5), (3, 2, 9)].map(|(number, upto, head)| Group {
            group: group(number),
            upto,
            head,
        });
        let have = [(group(3), 4)];
        let limit = PageLimit { messages: 3, bytes: 1_000 };
        let mut merge = Merge::new(MessageId(7), &groups, &have, limit);
        let mut wants = Vec::new();
        assert_eq!(merge.proceed(&mut wants), None);
        let of_group = |stream, number, after| Want::Group { stream, group: group(number), after, most: 4 };
        let backlog = Want::Backlog { after: MessageId(7), most: 64 };
        assert_eq!(wants, [backlog, of_group(0, 1, 0), of_group(2, 3, 4)]);
        merge.backlog([candidate(20, None)]);
        merge.group(0, 4, [candidate(30, Some(2)), candidate(10, Some(3))]);
        merge.group(2, 4, [candidate(20, Some(5)), candidate(40, Some(7))]);
        let page = merge.proceed(&mut wants).expect("nothing else is behind");
        let mids: Vec<u64> = page.messages.iter().map(|message| message.mid.0).collect();
        assert_eq!((mids, page.complete), (vec![10, 20, 30], false));
        assert_eq!(page.heads, [(group(1), 5), (group(2), 5), (group(3), 6)], "20 is given as an entry");
    }
}
