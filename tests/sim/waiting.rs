//! What waits in the simulated store for its reader: what is owed, and what groups are ahead.

use super::store::Store;
use chatd::chat::model::envelope::{Durability, Envelope, Kind, Message};
use chatd::chat::model::ids::{GroupId, MessageId, UserId};
use chatd::chat::port::store::{BacklogMessage, BacklogPage, CursorUpdate, StoreReply};
use std::collections::{BTreeSet, VecDeque};

impl Store {
    pub fn advance(&mut self, user: UserId, progress: &CursorUpdate) {
        let Some(group) = self.groups.get_mut(&progress.group) else { return };
        let Some(seat) = group.members.get_mut(&user) else { return };
        let head = group.messages.len() as u64;
        assert!(progress.upto <= head, "{user:?} is further in {:?} than it has messages", progress.group);
        let mut upto = seat.cursor.max(progress.upto);
        let had =
            |mid: &MessageId| progress.beyond.iter().any(|had| self.alias.get(had).unwrap_or(had) == mid);
        while let Some(mid) = group.messages.get(upto as usize) {
            if self.messages[mid].0.sender() != user && !had(mid) && !self.changes.is_recalled(*mid) {
                break;
            }
            upto += 1;
        }
        seat.cursor = upto;
    }

    /// What is behind the user's cursor of a group, by place.
    pub fn behind(&self, user: UserId, group: GroupId, have: u64) -> Vec<(u64, MessageId)> {
        let group = &self.groups[&group];
        let Some(seat) = group.members.get(&user) else { return Vec::new() };
        let from = seat.cursor.max(have);
        let places = group.messages.iter().enumerate().map(|(at, &mid)| (at as u64 + 1, mid));
        let waits = |mid| self.messages[&mid].0.sender() != user && !self.is_recalled(mid);
        places.filter(|&(pos, mid)| pos > from && waits(mid)).collect()
    }

    /// A merge: what is owed, by mid, and each group, by place; the oldest first of all goes next.
    pub fn take(
        &self,
        user: UserId,
        after: MessageId,
        have: &[(GroupId, u64)],
        messages: usize,
        bytes: usize,
    ) -> StoreReply {
        let none = BTreeSet::new();
        let all_owed = self.owed.get(&user).unwrap_or(&none);
        let mut owed: VecDeque<MessageId> = all_owed.iter().copied().filter(|&mid| mid > after).collect();
        let mine = self.groups.iter().filter(|(_, group)| group.members.contains_key(&user));
        let mut streams: Vec<(GroupId, VecDeque<(u64, MessageId)>)> = mine
            .map(|(&group, _)| {
                let have = have.iter().find(|(id, _)| *id == group).map_or(0, |&(_, have)| have);
                (group, self.behind(user, group, have).into())
            })
            .collect();
        let (mut page, mut room) = (Vec::<BacklogMessage>::new(), bytes);
        let complete = loop {
            for (_, stream) in &mut streams {
                while stream
                    .front()
                    .is_some_and(|(_, mid)| page.iter().any(|given| given.envelope.mid() == *mid))
                {
                    stream.pop_front();
                }
            }
            let group_next = (0..streams.len()).filter(|&at| !streams[at].1.is_empty());
            let next = group_next.min_by_key(|&at| streams[at].1[0].1);
            let from_group = next.filter(|&at| owed.front().is_none_or(|&first| streams[at].1[0].1 < first));
            let (mid, pos) = match (from_group, owed.front()) {
                (Some(at), _) => (streams[at].1[0].1, Some(streams[at].1[0].0)),
                (None, Some(&mid)) => (mid, None),
                (None, None) => break true,
            };
            let envelope = self.stored(mid);
            let size = envelope.body().len();
            if !page.is_empty() && (page.len() >= messages || size > room) {
                break false;
            }
            room = room.saturating_sub(size);
            match from_group {
                Some(at) => streams[at].1.pop_front().map(drop),
                None => owed.pop_front().map(drop),
            };
            page.push(BacklogMessage { envelope, pos });
        };
        page.sort_by_key(|waiting| waiting.envelope.mid());
        let heads = streams.iter().map(|(group, rest)| {
            let end = self.groups[group].messages.len() as u64;
            (*group, rest.front().map_or(end, |(pos, _)| pos - 1))
        });
        let rules = streams.iter().map(|(group, _)| self.rules(*group, user));
        let (heads, rules) = (heads.collect(), rules.collect());
        StoreReply::Backlog(BacklogPage { messages: page, complete, heads, rules })
    }

    /// A message as it comes from the store: flagged as stored.
    pub fn stored(&self, mid: MessageId) -> Envelope {
        let envelope = &self.messages[&mid].0;
        let message = Message {
            sender: envelope.sender(),
            target: envelope.target(),
            mid,
            ts: envelope.ts(),
            cid: envelope.cid(),
            durability: Durability::Always,
            body: envelope.body(),
        };
        assert!(matches!(envelope.kind(), Kind::Direct | Kind::Group));
        Envelope::message(message, &mut Vec::new())
    }
}
