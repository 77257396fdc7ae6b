//! What the simulated store knows of the second dialect: tokens, who blocks whom, and what is read
//! page by page.

use super::store::{Store, print};
use chatd::chat::model::change::Wanted;
use chatd::chat::model::history::{Conversation, Placed, Span};
use chatd::chat::model::ids::{GroupId, MessageId, UserId};
use chatd::chat::model::profile::Member;
use chatd::chat::model::token::{Proof, Secret, Token, TokenId};
use chatd::chat::port::store::{HistoryPage, MembersPage, StoreReply, StoreResult};
use chatd::chat::wire::code::Code;
use std::collections::{BTreeSet, HashMap};

#[derive(Default)]
pub struct Remembered {
    /// By number: the higher, the later it was made or used.
    tokens: HashMap<String, (TokenId, UserId, u64)>,
    /// What devices call themselves.
    names: HashMap<TokenId, String>,
    made: u64,
    used: u64,
    /// Who refuses whom.
    pub blocked: BTreeSet<(UserId, UserId)>,
    pub ever_blocked: BTreeSet<(UserId, UserId)>,
    /// Tokens that the API has made worthless.
    pub revoked: BTreeSet<String>,
    /// Tokens that went for newer ones.
    pub displaced: BTreeSet<String>,
    /// Who is shut out.
    pub shut_out: BTreeSet<UserId>,
}

pub const MOST_TOKENS: usize = 3;

impl Remembered {
    pub fn issue(&mut self, user: UserId, device: Option<&str>) -> Token {
        let mine = || self.tokens.iter().filter(|(_, (_, of, _))| *of == user);
        if mine().count() == MOST_TOKENS {
            let oldest = mine().min_by_key(|(_, (.., used))| *used).map(|(text, _)| text.clone());
            let oldest = oldest.expect("there are so many");
            self.tokens.remove(&oldest);
            self.displaced.insert(oldest);
        }
        self.made += 1;
        self.used += 1;
        let (id, text) = (TokenId(self.made), format!("token {} of {user}", self.made));
        self.tokens.insert(text.clone(), (id, user, self.used));
        device.map(|device| self.names.insert(id, device.to_owned()));
        Token { id, secret: Secret(text.into()) }
    }

    pub fn resume(&mut self, secret: &Secret, device: Option<&str>) -> Option<(UserId, TokenId)> {
        let (id, user, used) = self.tokens.get_mut(&*secret.0)?;
        device.map(|device| self.names.insert(*id, device.to_owned()));
        self.used += 1;
        *used = self.used;
        Some((*user, *id))
    }

    pub fn revoke(&mut self, user: UserId, token: TokenId) {
        self.tokens.retain(|_, (id, of, _)| (*id, *of) != (token, user));
    }

    /// Which token has this text.
    pub fn id_of(&self, text: &str) -> Option<TokenId> {
        self.tokens.get(text).map(|(id, ..)| *id)
    }

    pub fn has(&self, user: UserId, token: TokenId) -> bool {
        self.tokens.values().any(|(id, of, _)| (*id, *of) == (token, user))
    }

    /// Of a user, the one used last first.
    pub fn devices(&self, user: UserId) -> Vec<(TokenId, String)> {
        let mut mine: Vec<_> = self.tokens.values().filter(|(_, of, _)| *of == user).collect();
        mine.sort_by_key(|(.., used)| std::cmp::Reverse(*used));
        mine.into_iter().map(|(id, ..)| (*id, self.names.get(id).cloned().unwrap_or_default())).collect()
    }

    /// The API makes all tokens of a user worthless.
    pub fn revoke_for_good(&mut self, user: UserId) {
        let mine = self.tokens.iter().filter(|(_, (_, of, _))| *of == user);
        self.revoked.extend(mine.map(|(text, _)| text.clone()));
        self.revoke_all(user);
    }

    pub fn revoke_all(&mut self, user: UserId) {
        self.tokens.retain(|_, (_, of, _)| *of != user);
    }
}

impl Store {
    /// Whether what let a session in is good.
    pub fn holds(&self, user: UserId, proof: Proof) -> bool {
        let proven = match proof {
            Proof::Password(compared) => print(&self.users[user.get() as usize - 1].1) == compared,
            Proof::Token(token) => self.remembered.has(user, token),
            Proof::Application(_) => false,
        };
        proven && !self.remembered.shut_out.contains(&user)
    }

    pub fn members(&self, user: UserId, group: GroupId, after: Option<UserId>, most: usize) -> StoreResult {
        let all = &self.group(group)?.members;
        all.get(&user).ok_or(Code::NotAMember)?;
        let mut later = all.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
        let member = |(&id, seat): (_, &super::ruled::Seat)| Member {
            person: self.seen_by(user, id),
            role: seat.role,
            muted: seat.muted,
        };
        let members = later.by_ref().take(most).map(member).collect();
        Ok(StoreReply::Members(MembersPage { members, complete: later.next().is_none() }))
    }

    /// Of what has no row, nobody knows whether it is missing.
    pub fn history(
        &self,
        user: UserId,
        (conversation, span): (Conversation, Span),
        wanted: Wanted,
        most: usize,
        bytes: usize,
    ) -> StoreResult {
        let (all, first): (&[MessageId], u64) = match conversation {
            Conversation::With(other) => {
                self.person(other).ok_or(Code::NoSuchUser)?;
                (self.direct.get(&(user.min(other), user.max(other))).map_or(&[], Vec::as_slice), 0)
            }
            Conversation::Group(group) => {
                let group = self.group(group)?;
                (&group.messages, group.members.get(&user).ok_or(Code::NotAMember)?.joined)
            }
        };
        let places = (1..).zip(all).filter(|(pos, _)| *pos > first);
        let placed = |(pos, mid): (u64, &MessageId)| self.row(user, wanted, pos, *mid);
        let mut room = bytes;
        let mut fits = |message: &Placed, given: usize| {
            let size = message.bytes();
            let fits = given == 0 || (given < most && size <= room);
            room = room.saturating_sub(size);
            fits
        };
        let mut candidates: Vec<Placed> = match span {
            Span::Newest => places.filter_map(placed).collect(),
            Span::Before(end) => places.filter(|(pos, _)| *pos < end).filter_map(placed).collect(),
            Span::After(start) => places.filter(|(pos, _)| *pos > start).filter_map(placed).collect(),
        };
        if !matches!(span, Span::After(_)) {
            candidates.reverse();
        }
        let mut messages: Vec<Placed> = Vec::new();
        for message in candidates {
            if !fits(&message, messages.len()) {
                break;
            }
            messages.push(message);
        }
        messages.sort_by_key(|message| message.pos);
        let complete = !(self.spares_rows && matches!(conversation, Conversation::With(_)));
        let chg = if wanted.changes { self.last_change(user, conversation) } else { 0 };
        Ok(StoreReply::History(HistoryPage { messages, chg, complete }))
    }
}
