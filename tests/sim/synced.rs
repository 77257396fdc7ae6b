//! What the simulated store knows of devices: their names, where conversations stand, how far they were read, and what
//! lies beyond a place.

use super::store::Store;
use chatd::chat::model::change::Wanted;
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
        let is_new = |(pos, mid): &(u64, &MessageId)| {
            let stored = self.stored(**mid);
            *pos > read && stored.sender() != user && !stored.is_event() && !self.is_recalled(**mid)
        };
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
            chg: self.last_change(user, conversation),
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

    pub fn sync(
        &self,
        user: UserId,
        (since, wanted): (&[SyncFrom], Wanted),
        most: usize,
        bytes: usize,
    ) -> StoreResult {
        let mut page = SyncPage::default();
        let (mut room, mut given) = (bytes, 0);
        let mut fits = |size: usize| {
            let fits = given == 0 || size <= room;
            room = if fits { room.saturating_sub(size) } else { 0 };
            given += usize::from(fits);
            fits
        };
        for &SyncFrom { conversation, after, chg } in since {
            let Ok((all, joined)) = self.sequence(user, conversation) else {
                page.dealt_with += 1;
                continue;
            };
            page.dealt_with += 1;
            if all.is_empty() {
                continue;
            }
            let lacking = (1..).zip(all).filter(|(pos, _)| *pos > after.max(joined));
            let lacking: Vec<Placed> =
                lacking.filter_map(|(pos, mid)| self.row(user, wanted, pos, *mid)).collect();
            let messages: Vec<Placed> =
                lacking.iter().take(most).take_while(|placed| fits(placed.bytes())).cloned().collect();
            let has_all = messages.len() == lacking.len();
            let last = self.last_change(user, conversation);
            let lacking = chg.map_or(vec![], |chg| self.changes_after(user, conversation, chg, joined));
            let changes: Vec<_> = lacking
                .iter()
                .take(most)
                .take_while(|changed| has_all && fits(changed.bytes() + 64))
                .cloned()
                .collect();
            let complete = has_all && changes.len() == lacking.len();
            let (head, peer_read) = (all.len() as u64, self.peer_read(user, conversation));
            let chg = last;
            page.conversations.push(SyncedConversation {
                conversation,
                messages,
                changes,
                head,
                chg,
                peer_read,
                complete,
            });
            if !complete {
                // Whoever asks goes on there, or with the rest.
                break;
            }
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
            push: None,
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
