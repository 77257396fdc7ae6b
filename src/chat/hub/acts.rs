//! Acts: what the server's API has done, in a user's name or in its own.
//!
//! In a user's name it is a request of a session without a socket: what the rooms say to a session they say to it. Only
//! what it sends is stored before it goes anywhere, so that one that is repeated goes nowhere twice.

use super::Hub;
use crate::model::act::{AccountAct, AccountRecord, Act};
use crate::model::envelope::Revoked;
use crate::model::ids::{ConnectionId, GroupId, Millis, UserId};
use crate::model::token::Token;
use crate::port::in_flight::StoreFlow;
use crate::port::store::{Reply, StoreReply, StoreRequest, StoreResult};
use crate::wire::acted;
use crate::wire::code::Code;
use crate::wire::reply::{self, Refusal};

impl Hub {
    /// The API wants something done.
    pub(super) fn on_act(&mut self, id: ConnectionId, act: Act) {
        let Self { cx, connections, .. } = self;
        match act {
            Act::As(actor) => drop(connections.begin_acting(cx, id, Some(actor))),
            Act::Announce(announcement) => {
                if connections.begin_acting(cx, id, None) {
                    let announced = self.social.on_announce(&mut self.cx, id, &announcement);
                    // It is not answered before the other cores have it.
                    announced.transpose().into_iter().for_each(|at| self.answer_announcement(id, at));
                }
            }
            Act::Account(act) => {
                if !connections.begin_acting(cx, id, None) {
                    return;
                }
                if cx.in_flight.len() >= cx.limits.requests_in_flight {
                    return self.refuse_act(id, Code::Busy);
                }
                cx.request(StoreRequest::Account(act.clone()), StoreFlow::Account { connection: id, act });
            }
        }
    }

    /// The store has done it, or not.
    pub(super) fn on_account_reply(&mut self, id: ConnectionId, act: &AccountAct, result: StoreResult) {
        let answer = match (act, result) {
            (_, Err(code)) => return self.refuse_act(id, code),
            (AccountAct::RevokeTokens(user) | AccountAct::Erase(user), Ok(_)) => {
                self.end_tokens(*user, Revoked::Everything);
                acted::done()
            }
            (AccountAct::Put { disabled: Some(true), .. }, Ok(StoreReply::Account(account))) => {
                self.end_tokens(account.user, Revoked::Everything);
                acted::account(&account)
            }
            (AccountAct::IssueToken { user, .. }, Ok(StoreReply::Reissued(token, before))) => {
                self.end_tokens(*user, Revoked::Token(before));
                acted::token(&token)
            }
            (AccountAct::IssueToken { .. }, Ok(reply)) => match Token::of(reply) {
                Some(token) => acted::token(&token),
                None => return self.refuse_act(id, Code::Busy),
            },
            (AccountAct::Groups { .. }, Ok(reply)) => match Vec::<GroupId>::of(reply) {
                Some(groups) => acted::groups(&groups),
                None => return self.refuse_act(id, Code::Busy),
            },
            (AccountAct::Put { .. } | AccountAct::Find(_), Ok(reply)) => match AccountRecord::of(reply) {
                Some(account) => acted::account(&account),
                None => return self.refuse_act(id, Code::Busy),
            },
        };
        self.connections.reply(&mut self.cx, id, answer);
    }

    /// Everybody is being told, or not.
    pub(super) fn answer_announcement(&mut self, id: ConnectionId, announced: Result<Millis, Code>) {
        match announced {
            Ok(ts) => self.connections.reply(&mut self.cx, id, acted::announced(ts)),
            Err(code) => self.refuse_act(id, code),
        }
    }

    /// Tokens of a user are worthless: their sessions end, here and elsewhere.
    fn end_tokens(&mut self, user: UserId, revoked: Revoked) {
        self.devices.publish_revoked(&mut self.cx, user, revoked);
        self.end_revoked(user, revoked);
    }

    fn refuse_act(&mut self, id: ConnectionId, code: Code) {
        let Self { cx, connections, .. } = self;
        cx.counters.error(code);
        let retry_after_ms = (code == Code::Busy).then_some(1_000);
        let refusal = Refusal { code, text: code.text(), re: None, cid: None, retry_after_ms };
        connections.reply(cx, id, reply::error(refusal));
    }
}
