//! What the simulated store knows of changes: how often messages were edited, what was recalled, who reacts, and the log.

use super::store::Store;
use chatd::chat::model::change::{Alteration, Altered, Changed, Done, Reaction, RowState, Wanted};
use chatd::chat::model::envelope::{Durability, Envelope, Message};
use chatd::chat::model::history::{Conversation, Placed};
use chatd::chat::model::ids::{MessageId, Millis, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::port::store::{StoreReply, StoreResult};
use chatd::chat::wire::code::Code;
use chatd::chat::wire::edited::edited;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A conversation, whoever sees it: a direct one from the side of the smaller id.
type Key = (UserId, Conversation);

#[derive(Default)]
pub struct Changes {
    log: BTreeMap<Key, Vec<Changed>>,
    /// What was asked for under which name, and the number that it was answered with.
    asked: HashMap<(UserId, String), (Key, u64, Alteration, u64)>,
    edits: HashMap<MessageId, u64>,
    recalled: HashMap<MessageId, (UserId, Millis)>,
    reactions: HashMap<MessageId, BTreeMap<String, BTreeSet<UserId>>>,
    /// What messages said before they were changed.
    pub first: HashMap<MessageId, Envelope>,
}

fn key(user: UserId, conversation: Conversation) -> Key {
    match conversation {
        Conversation::With(peer) => (user.min(peer), Conversation::With(user.max(peer))),
        Conversation::Group(_) => (UserId::new(1).expect("an id"), conversation),
    }
}

/// A request to change a message.
pub struct Wish<'a> {
    pub user: UserId,
    pub conversation: Conversation,
    pub pos: u64,
    pub alteration: &'a Alteration,
    pub cid: Option<&'a str>,
    pub ts: Millis,
}

impl Changes {
    pub fn is_recalled(&self, mid: MessageId) -> bool {
        self.recalled.contains_key(&mid)
    }
}

impl Store {
    pub fn alter(&mut self, wish: &Wish<'_>) -> StoreResult {
        let key = key(wish.user, wish.conversation);
        let named = wish.cid.map(|cid| (wish.user, cid.to_owned()));
        if let Some((of, pos, alteration, chg)) = named.as_ref().and_then(|name| self.changes.asked.get(name))
        {
            let same = (*of, *pos, alteration) == (key, wish.pos, wish.alteration);
            return if same { Ok(reply(*chg, None)) } else { Err(Code::CidReused) };
        }
        let (all, joined) = self.sequence(wish.user, wish.conversation)?;
        let mid = wish.pos.checked_sub(1).and_then(|at| all.get(at as usize)).copied();
        let mid = mid.filter(|mid| wish.pos > joined && !self.is_recalled(*mid)).ok_or(Code::NoSuchUser)?;
        if self.messages[&mid].0.is_event() {
            return Err(Code::NoSuchUser);
        }
        self.may_alter(wish, mid)?;
        let last = self.last_change(wish.user, wish.conversation);
        let done = self.alter_message(wish, mid)?;
        let chg = last + u64::from(done.is_some());
        named.map(|name| self.changes.asked.insert(name, (key, wish.pos, wish.alteration.clone(), chg)));
        let Some(what) = done else { return Ok(reply(chg, None)) };
        let (by, ts, rev) = (wish.user, wish.ts, self.edits(mid));
        let changed = Changed { chg, pos: wish.pos, mid, by, ts, rev, what };
        let log = self.changes.log.entry(key).or_default();
        if changed.what == Done::Recalled {
            for earlier in log.iter_mut().filter(|earlier| earlier.mid == mid) {
                (earlier.by, earlier.ts, earlier.what) = (by, ts, Done::Recalled);
            }
        }
        log.push(changed.clone());
        Ok(reply(chg, Some(changed)))
    }

    fn may_alter(&self, wish: &Wish<'_>, mid: MessageId) -> Result<(), Code> {
        let said = &self.messages[&mid].0;
        let in_time = wish.ts.0 <= said.ts().0 + Limits::default().edit_ms;
        let own = said.sender() == wish.user && in_time;
        let refused = matches!(wish.conversation, Conversation::With(peer) if self.blocks(peer, wish.user));
        let (rules, muted) = match wish.conversation {
            Conversation::With(_) => (false, false),
            Conversation::Group(group) => {
                let group = self.group(group)?;
                let seat = &group.members[&wish.user];
                (seat.role.runs(), group.is_muted(seat, wish.ts))
            }
        };
        let may = match wish.alteration {
            Alteration::Edit { .. } => own && !refused,
            Alteration::Recall => own || rules,
            Alteration::React { .. } => !refused,
        };
        match (may, wish.alteration) {
            (false, _) => Err(Code::NotYours),
            (true, Alteration::Edit { .. } | Alteration::React { .. }) if muted => Err(Code::Muted),
            (true, _) => Ok(()),
        }
    }

    fn alter_message(&mut self, wish: &Wish<'_>, mid: MessageId) -> Result<Option<Done>, Code> {
        match wish.alteration {
            Alteration::Edit { msg } => {
                let Some(body) = edited(self.messages[&mid].0.body(), msg) else { return Ok(None) };
                self.rewrite(mid, &body);
                *self.changes.edits.entry(mid).or_default() += 1;
                Ok(Some(Done::Edited { msg: msg.clone() }))
            }
            Alteration::Recall => {
                self.rewrite(mid, b"");
                self.changes.recalled.insert(mid, (wish.user, wish.ts));
                self.changes.reactions.remove(&mid);
                for owed in self.owed.values_mut() {
                    owed.remove(&mid);
                }
                Ok(Some(Done::Recalled))
            }
            Alteration::React { emoji, on } => {
                let ways = self.changes.reactions.entry(mid).or_default();
                let is_new = *on && !ways.contains_key(&**emoji);
                if is_new && ways.len() >= Limits::default().emojis {
                    return Err(Code::TooMany);
                }
                let who = ways.entry(emoji.to_string()).or_default();
                let done = if *on { who.insert(wish.user) } else { who.remove(&wish.user) };
                let n = who.len() as u64;
                ways.retain(|_, who| !who.is_empty());
                Ok(done.then(|| Done::Reacted { emoji: emoji.clone(), on: *on, n }))
            }
        }
    }

    /// The message says something else from now on.
    fn rewrite(&mut self, mid: MessageId, body: &[u8]) {
        let (envelope, _) = self.messages.get_mut(&mid).expect("it is stored");
        let (sender, target, ts) = (envelope.sender(), envelope.target(), envelope.ts());
        let cid = envelope.cid().to_owned();
        let message = Message { sender, target, mid, ts, cid: &cid, durability: Durability::Always, body };
        let before = std::mem::replace(envelope, Envelope::message(message, &mut Vec::new()));
        self.changes.first.entry(mid).or_insert(before);
    }

    pub fn is_recalled(&self, mid: MessageId) -> bool {
        self.changes.is_recalled(mid)
    }

    pub fn edits(&self, mid: MessageId) -> u64 {
        self.changes.edits.get(&mid).copied().unwrap_or(0)
    }

    pub fn last_change(&self, user: UserId, conversation: Conversation) -> u64 {
        self.changes.log.get(&key(user, conversation)).map_or(0, |log| log.len() as u64)
    }

    /// The changes after `after`, of rows that are after place `joined`.
    pub fn changes_after(
        &self,
        user: UserId,
        conversation: Conversation,
        after: u64,
        joined: u64,
    ) -> Vec<Changed> {
        let log = self.changes.log.get(&key(user, conversation)).map_or(&[][..], Vec::as_slice);
        log.iter().filter(|changed| changed.chg > after && changed.pos > joined).cloned().collect()
    }

    /// A row as a user sees it; `None` if such a row is not wanted.
    pub fn row(&self, user: UserId, wanted: Wanted, pos: u64, mid: MessageId) -> Option<Placed> {
        let envelope = self.stored(mid);
        if envelope.is_event() && !wanted.events {
            return None;
        }
        if !wanted.changes {
            return (!self.is_recalled(mid)).then(|| Placed::as_said(envelope, pos));
        }
        if let Some(&(by, ts)) = self.changes.recalled.get(&mid) {
            return Some(Placed { envelope, pos, state: RowState::Recalled { by, ts } });
        }
        let reaction = |(emoji, who): (&String, &BTreeSet<UserId>)| Reaction {
            emoji: emoji.as_str().into(),
            n: who.len() as u64,
            mine: who.contains(&user),
        };
        let reactions: Vec<Reaction> =
            self.changes.reactions.get(&mid).into_iter().flatten().map(reaction).collect();
        let rev = self.edits(mid);
        let is_as_said = rev == 0 && reactions.is_empty();
        let state = if is_as_said { RowState::AsSaid } else { RowState::Changed { rev, reactions } };
        Some(Placed { envelope, pos, state })
    }
}

fn reply(chg: u64, changed: Option<Changed>) -> StoreReply {
    StoreReply::Altered(Box::new(Altered { chg, changed }))
}
