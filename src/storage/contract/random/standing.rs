//! Where conversations stand in a random history: read markers, what is unread, and what a device lacks.

use super::super::{heads, sync};
use super::History;
use chatd_chat::model::device::Marker;
use chatd_chat::model::history::{Conversation, Head, SyncFrom};
use chatd_chat::model::ids::{MessageId, UserId};
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;
use std::cmp::Reverse;

impl History {
    /// What was said in a conversation, by place from 1 on: which messages, and by whom.
    pub fn said(&self, user: UserId, conversation: Conversation) -> Vec<(MessageId, UserId)> {
        let said = match conversation {
            Conversation::With(other) => self.direct.get(&(user.min(other), user.max(other))),
            Conversation::Group(group) => self.places.get(&group),
        };
        said.cloned().unwrap_or_default()
    }

    /// After which place a user may see what was said, if it has a part in it.
    fn seen_after(&self, user: UserId, conversation: Conversation) -> Option<u64> {
        match conversation {
            Conversation::With(_) => Some(0),
            Conversation::Group(group) => {
                self.cursors.contains_key(&(user, group)).then(|| self.joined[&(user, group)])
            }
        }
    }

    fn any_conversation(&mut self) -> Conversation {
        if self.below(2) == 0 {
            Conversation::With(self.any_user())
        } else {
            Conversation::Group(self.any_group())
        }
    }

    /// Somebody has read something.
    pub fn mark(&mut self, user: UserId) {
        let conversation = self.any_conversation();
        let head = self.said(user, conversation).len();
        let pos = self.below(head + 3) as u64;
        let answer = self.trial.request(StoreRequest::MoveMarker { user, conversation, pos });
        let Some(joined) = self.seen_after(user, conversation) else {
            return assert_eq!(answer, Err(Code::NotAMember));
        };
        let marker = self.markers.entry((user, conversation)).or_default();
        let (now, next) = ((*marker).max(joined), pos.min(head as u64));
        if next > now {
            *marker = next;
        }
        assert_eq!(answer, Ok(StoreReply::Marker(Marker { pos: now.max(next), moved: next > now })));
    }

    /// All conversations of a user, and what a device of it lacks.
    pub fn look_where_it_stands(&mut self, user: UserId) {
        let people = self.users.map(Conversation::With);
        let conversations: Vec<Conversation> =
            people.into_iter().chain(self.groups.map(Conversation::Group)).collect();
        let mut expected: Vec<Head> =
            conversations.iter().filter_map(|conversation| self.head_of(user, *conversation)).collect();
        expected.sort_unstable_by_key(|head| Reverse(head.mid));
        let told = heads::all(&mut self.trial, user);
        let known =
            |head: &Head| (head.conversation, head.head, head.read, head.peer_read, head.unread, head.mid);
        assert_eq!(
            told.iter().map(known).collect::<Vec<_>>(),
            expected.iter().map(known).collect::<Vec<_>>()
        );
        let since: Vec<SyncFrom> = conversations
            .iter()
            .map(|&conversation| {
                let after = self.below(self.said(user, conversation).len() + 2) as u64;
                SyncFrom { conversation, after, chg: None }
            })
            .collect();
        let page = sync::sync(&mut self.trial, user, &since, usize::MAX, usize::MAX);
        assert_eq!(page.dealt_with, since.len());
        let mut synced = page.conversations.into_iter();
        for SyncFrom { conversation, after, .. } in since {
            let (said, seen_after) = (self.said(user, conversation), self.seen_after(user, conversation));
            let is_there = match conversation {
                Conversation::With(_) => !said.is_empty(),
                Conversation::Group(_) => seen_after.is_some(),
            };
            if !is_there {
                continue;
            }
            let synced = synced.next().expect("the user has a part in it");
            assert_eq!((synced.conversation, synced.head), (conversation, said.len() as u64));
            let beyond = after.max(seen_after.unwrap_or(0)) as usize;
            let lacks: Vec<u64> = said.iter().skip(beyond).map(|(mid, _)| mid.0).collect();
            let given: Vec<u64> = synced.messages.iter().map(|message| message.envelope.mid().0).collect();
            assert_eq!(given, lacks, "{conversation:?} after {after}");
            assert!(synced.complete);
        }
        assert_eq!(synced.next(), None);
    }

    /// The head of a conversation that a user has a part in and that has something for it.
    fn head_of(&self, user: UserId, conversation: Conversation) -> Option<Head> {
        let (said, joined) = (self.said(user, conversation), self.seen_after(user, conversation)?);
        let (mid, _) = *said.get(joined as usize..)?.last()?;
        let marker = |user, conversation| self.markers.get(&(user, conversation)).copied().unwrap_or(0);
        let read = marker(user, conversation);
        let unread = said.iter().skip(read.max(joined) as usize).filter(|(_, sender)| *sender != user);
        let peer_read = match conversation {
            Conversation::With(peer) => Some(marker(peer, Conversation::With(user))),
            Conversation::Group(_) => None,
        };
        let (head, unread) = (said.len() as u64, unread.count() as u64);
        Some(Head {
            conversation,
            name: String::new(),
            head,
            read,
            peer_read,
            unread,
            mid,
            ts: Default::default(),
            chg: 0,
        })
    }
}
