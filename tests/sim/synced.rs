//! What the simulated store knows of devices: their names, where conversations stand, how far they were read, and what
//! lies beyond a place.

use super::store::Store;
use chatd::chat::model::device::{Device, Marker};
use chatd::chat::model::history::{
    Conversation, Head, HeadsPage, Placed, SyncFrom, SyncPage, SyncedConversation,
};
use chatd::chat::model::ids::{MessageId, Millis, UserId};
use chatd::chat::model::token::TokenId;
use chatd::chat::port::store::{StoreReply, StoreResult};
use chatd::chat::wire::code::Code;
use std::collections::BTreeMap;

/// Read markers, by user and conversation.
pub type Markers = BTreeMap<(UserId, Conversation), u64>;

impl Store {
    /// The messages of a conversation in the order of their places, and the place after which the user sees them.
    pub fn sequence(&self, user: UserId, conversation: Conversation) -> Result<(&[MessageId], u64), Code> {
        match conversation {
            Conversation::With(other) => {
                self.person(other).ok_or(Code::NoSuchUser)?;
                let pair = (user.min(other), user.max(other));
                Ok((self.direct.get(&pair).map_or(&[][..], Vec::as_slice), 0))
            }
            Conversation::Group(group) => {
                let group = self.group(group)?;
                let joined = group.members.get(&user).ok_or(Code::NotAMember)?.joined;
                Ok((&group.messages, joined))
            }
        }
    }

    pub fn marker(&self, user: UserId, conversation: Conversation) -> u64 {
        self.markers.get(&(user, conversation)).copied().unwrap_or(0)
    }

    fn peer_read(&self, user: UserId, conversation: Conversation) -> Option<u64> {
        let Conversation::With(peer) = conversation else { return None };
        let tells = !self.blocks(peer, user) && self.settings_of(peer).read_receipts;
        tells.then(|| self.marker(peer, Conversation::With(user)))
    }

    /// Messages of others that the user may see and has not read, counted one by one.
    pub fn unread(&self, user: UserId, conversation: Conversation) -> u64 {
        let Ok((all, joined)) = self.sequence(user, conversation) else { return 0 };
        let read = self.marker(user, conversation).max(joined);
        let is_new = |(pos, mid): &(u64, &MessageId)| *pos > read && self.stored(**mid).sender() != user;
        (1..).zip(all).filter(is_new).count() as u64
    }

    fn head(&self, user: UserId, conversation: Conversation, name: String) -> Option<Head> {
        let (all, joined) = self.sequence(user, conversation).ok()?;
        let (last, head) = (all.last()?, all.len() as u64);
        (head > joined).then(|| Head {
            conversation,
            name,
            head,
            read: self.marker(user, conversation),
            peer_read: self.peer_read(user, conversation),
            unread: self.unread(user, conversation),
            mid: *last,
            ts: self.stored(*last).ts(),
        })
    }

    pub fn heads(&self, user: UserId, before: Option<MessageId>, most: usize) -> HeadsPage {
        let others = self.direct.keys().filter(|(one, other)| *one == user || *other == user);
        let others = others.map(|&(one, other)| if one == user { other } else { one });
        let direct = others.filter_map(|other| {
            let name = self.person(other)?.name;
            self.head(user, Conversation::With(other), name)
        });
        let groups = self
            .groups
            .iter()
            .filter_map(|(&group, found)| self.head(user, Conversation::Group(group), found.name.clone()));
        let mut heads: Vec<Head> = direct.chain(groups).collect();
        heads.retain(|head| before.is_none_or(|before| head.mid < before));
        heads.sort_by_key(|head| std::cmp::Reverse(head.mid));
        let complete = heads.len() <= most;
        heads.truncate(most);
        HeadsPage { heads, complete }
    }

    pub fn sync(&self, user: UserId, since: &[SyncFrom], most: usize, bytes: usize) -> StoreResult {
        let mut page = SyncPage::default();
        let (mut room, mut given) = (bytes, 0);
        for &SyncFrom { conversation, after } in since {
            if given > 0 && room == 0 {
                break;
            }
            page.dealt_with += 1;
            let Ok((all, joined)) = self.sequence(user, conversation) else { continue };
            if all.is_empty() {
                continue;
            }
            let lacking = (1..).zip(all).filter(|(pos, _)| *pos > after.max(joined));
            let mut messages = Vec::new();
            for (pos, mid) in lacking {
                let envelope = self.stored(*mid);
                let size = envelope.body().len();
                if messages.len() == most || (given > 0 && size > room) {
                    room = if messages.len() == most { room } else { 0 };
                    break;
                }
                room = room.saturating_sub(size);
                given += 1;
                messages.push(Placed { envelope, pos });
            }
            let head = all.len() as u64;
            let last = messages.last().map_or(after.max(joined), |placed| placed.pos);
            let (peer_read, complete) = (self.peer_read(user, conversation), last >= head);
            page.conversations.push(SyncedConversation { conversation, messages, head, peer_read, complete });
        }
        Ok(StoreReply::Synced(page))
    }

    pub fn move_marker(&mut self, user: UserId, conversation: Conversation, pos: u64) -> StoreResult {
        let (all, _) = self.sequence(user, conversation)?;
        let to = pos.min(all.len() as u64);
        let marker = self.markers.entry((user, conversation)).or_default();
        let moved = to > *marker;
        *marker = (*marker).max(to);
        Ok(StoreReply::Marker(Marker { pos: *marker, moved }))
    }

    pub fn places(&self, mids: &[MessageId]) -> StoreResult {
        let place = |mid: &MessageId| Some((*mid, self.messages.get(mid)?.1?));
        Ok(StoreReply::Places(mids.iter().filter_map(place).collect()))
    }

    pub fn devices(&self, user: UserId) -> StoreResult {
        let device = |(token, name): (TokenId, String)| Device {
            token,
            name,
            created: Millis(token.0),
            used: Millis(token.0),
        };
        Ok(StoreReply::Devices(self.remembered.devices(user).into_iter().map(device).collect()))
    }

    pub fn drop_device(&mut self, user: UserId, token: TokenId) -> StoreResult {
        if !self.remembered.has(user, token) {
            return Err(Code::NoSuchUser);
        }
        self.remembered.revoke(user, token);
        Ok(StoreReply::Done)
    }
}
