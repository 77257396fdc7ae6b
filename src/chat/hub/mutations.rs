//! Mutations: a request that changed what the store knows of a user, and what its session makes of that.
//!
//! While such a request is being answered the session's later ones wait: whoever adds itself to a group and writes to
//! it in one breath is understood.

use super::Hub;
use crate::connection::{About, Connection};
use crate::model::consent::SavedSettings;
use crate::model::envelope::{Acquaintance, Revoked};
use crate::model::history::Placed;
use crate::model::ids::{ConnectionId, GroupId, MessageId, UserId};
use crate::model::token::Token;
use crate::port::in_flight::{Change, Mutation};
use crate::port::store::{Joined, Left, Reply, StoreReply, StoreResult};
use crate::social::Hides;
use crate::wire::code::Code;
use crate::wire::reply::{self, Outcome, Refusal};

impl Hub {
    /// The store has changed it, or not: ACK, or ERROR.
    pub(super) fn on_mutated(&mut self, mutation: Mutation, result: StoreResult) {
        let Mutation { connection, user, re, cid, change } = mutation;
        self.tell_whom_it_is_about((connection, user), change, &result);
        let revoked = self.revoked_by((connection, user), change, &result);
        if let Some(revoked) = revoked {
            self.devices.publish_revoked(&mut self.cx, user, revoked);
        }
        if self.connections.get(connection).is_none()
            && let Ok(reply) = &result
        {
            if let Some(revoked) = revoked {
                return self.end_revoked(user, revoked);
            }
            if let Some(saved) = SavedSettings::of(reply.clone()) {
                self.share_settings(connection, user, saved);
            }
            if let (Change::Leave { group }, StoreReply::Left(Left { dissolved: true, .. })) = (change, reply)
            {
                self.dissolve_group(group);
            }
            if let Some((group, row)) = row_of(reply) {
                self.tell_event(group, &row, true, None);
            }
            self.share_change(connection, user, (change, matches!(reply, StoreReply::Hidden(_))));
            // Wherever the user is now, it may have looked before this was done.
            return self.notify_backlog(user);
        }
        let reply = match result {
            Ok(reply) => reply,
            Err(code) => {
                self.reconcile(connection, change, code);
                if code == Code::Busy && matches!(change, Change::Join { .. } | Change::Leave { .. }) {
                    // It may have been done all the same: the next page names all groups.
                    self.fetch_again(connection);
                }
                self.refuse_mutation(About { connection, re, cid: cid.as_deref() }, change, code);
                self.resume(connection);
                return revoked.into_iter().for_each(|revoked| self.end_revoked(user, revoked));
            }
        };
        if let (Change::Join { group: Some(group) }, StoreReply::Done) = (change, &reply) {
            self.ask_to_join(connection, user, group);
            self.refuse_mutation(About { connection, re, cid: cid.as_deref() }, change, Code::Pending);
            return self.resume(connection);
        }
        let (token, row) = (Token::of(reply.clone()), row_of(&reply));
        let saved = SavedSettings::of(reply.clone());
        let hides = matches!(reply, StoreReply::Hidden(_));
        let group = self.apply(connection, change, reply);
        if let Some((group, row)) = &row {
            self.tell_event(*group, row, true, Some(connection));
        }
        if let Some(saved) = saved {
            self.share_settings(connection, user, saved);
        }
        if let Some(cid) = cid {
            let token = token.as_ref().map(|token| &token.secret);
            let settings = saved.map(|saved| saved.settings);
            let ack = reply::ack(&cid, re, Outcome { group, settings, token, ..Outcome::default() });
            self.connections.reply(&mut self.cx, connection, ack);
        }
        self.resume(connection);
        if let Some(revoked) = revoked {
            self.end_revoked(user, revoked);
        }
        self.share_change(connection, user, (change, hides));
        if let (Change::Join { .. }, Some((_, row))) = (change, row)
            && self.connections.is_multi(connection)
        {
            self.tell_user(user, &row.envelope, Some(connection));
        }
    }

    /// Whom a change is about hears of it, whether the session that asked is still there or not.
    fn tell_whom_it_is_about(
        &mut self,
        (connection, user): (ConnectionId, UserId),
        change: Change,
        result: &StoreResult,
    ) {
        if let Change::Block { user } | Change::Unblock { user } = change
            && matches!(result, Ok(_) | Err(Code::Busy))
        {
            // Also if that is not known: whoever looks finds what is so.
            self.social.publish_hiding_hint(&mut self.cx, user);
        }
        if let (Change::Unfriend { friend }, Ok(StoreReply::Parted)) = (change, result) {
            let identity = self.connections.get(connection).and_then(Connection::identity);
            let name = identity.map(|identity| identity.name.to_string()).unwrap_or_default();
            let Self { cx, connections, backlog, social, .. } = self;
            social.tell_parted(cx, connections, backlog, (user, name), friend);
        }
    }

    /// One of a user's sessions has changed something: the others follow.
    fn share_change(&mut self, connection: ConnectionId, user: UserId, (change, hides): (Change, bool)) {
        match change {
            // The user's other sessions find it when they fetch: each page names all groups.
            Change::Join { .. } | Change::Leave { .. } if self.connections.is_multi(connection) => {
                self.notify_backlog(user);
            }
            Change::Befriend { friend } => {
                self.share_acquaintance(connection, user, Acquaintance::Friend(friend, Some(hides)));
            }
            Change::Unfriend { friend } => {
                self.share_acquaintance(connection, user, Acquaintance::Stranger(friend));
            }
            Change::Block { user: whom } => {
                self.share_acquaintance(connection, user, Acquaintance::Blocked(whom));
            }
            Change::Unblock { user: whom } => {
                self.share_acquaintance(connection, user, Acquaintance::Unblocked(whom));
            }
            Change::Join { .. } | Change::Leave { .. } => {}
            Change::Token | Change::Confirm | Change::DropDevice { .. } | Change::Settings => {}
            Change::PushToken => {}
        }
    }

    /// The tokens that a change has made worthless, whose sessions end.
    fn revoked_by(
        &self,
        (id, user): (ConnectionId, UserId),
        change: Change,
        result: &StoreResult,
    ) -> Option<Revoked> {
        if let (Change::DropDevice { token }, Err(Code::NoSuchUser)) = (change, result) {
            // It may have been dropped before, and the word of it lost with a server.
            return Some(Revoked::Token(token));
        }
        let reply = result.as_ref().ok()?;
        match change {
            Change::DropDevice { token } => Some(Revoked::Token(token)),
            // Of a user with one session, that is the one that has the new token, unless it has gone meanwhile.
            Change::Token if !self.stands_alone(id, user) => {
                Token::of(reply.clone()).map(|token| Revoked::AllBut(token.id))
            }
            Change::Token | Change::Confirm | Change::Join { .. } | Change::Leave { .. } => None,
            Change::Befriend { .. } | Change::Unfriend { .. } => None,
            Change::Block { .. } | Change::Unblock { .. } | Change::Settings | Change::PushToken => None,
        }
    }

    /// The store has taken out a piece of what a session confirmed and does not know: the next one, or ACK, or ERROR.
    pub(super) fn on_confirmed(
        &mut self,
        mutation: Box<Mutation>,
        rest: Vec<MessageId>,
        result: StoreResult,
    ) {
        let Ok(reply) = result else { return self.on_mutated(*mutation, result) };
        if rest.is_empty() {
            return self.on_mutated(*mutation, Ok(reply));
        }
        self.apply(mutation.connection, mutation.change, reply);
        self.direct.confirm_piece(&mut self.cx, mutation, rest);
    }

    /// ERROR, with the time after which it makes sense to try again.
    fn refuse_mutation(&mut self, about: About<'_>, change: Change, code: Code) {
        let Self { cx, connections, logins, .. } = self;
        if let (Change::DropDevice { .. } | Change::PushToken, Code::NoSuchUser) = (change, code) {
            return connections.refuse_with(cx, about, code, "no such device");
        }
        if code != Code::TooFast {
            return connections.refuse(cx, about, code);
        }
        if matches!(change, Change::Token) {
            let retry_after_ms = logins.turned_away(cx, connections, about.connection);
            return logins.refuse_change_yet(cx, connections, about, retry_after_ms);
        }
        let text = "too many groups made, try again later";
        let retry_after_ms = Some(cx.limits.group_make_ms);
        let refusal = Refusal { code, text, re: Some(about.re), cid: about.cid, retry_after_ms };
        cx.counters.error(code);
        connections.reply(cx, about.connection, reply::error(refusal));
    }

    /// A refusal tells what the store knows and this session does not: an earlier request was done although its
    /// answer was lost.
    fn reconcile(&mut self, id: ConnectionId, change: Change, code: Code) {
        let Self { cx, connections, logins, social, .. } = self;
        match change {
            Change::Join { group: Some(group) } if code == Code::Exists => self.join_group(id, group, 0, 0),
            Change::Leave { group } if crate::group::ends_membership(code) => self.leave_group(id, group),
            Change::Befriend { friend } if code == Code::Exists => {
                social.befriend(cx, connections, id, (friend, Hides::Perhaps));
            }
            Change::Unfriend { friend } if code == Code::NoSuchUser => {
                social.unfriend(connections, id, friend);
            }
            // It may be so since another session has done it, or done all the same.
            Change::Block { .. } if code == Code::Exists => social.doubt(id),
            Change::Unblock { .. } if code == Code::NoSuchUser => social.doubt(id),
            Change::Befriend { .. } | Change::Unfriend { .. } | Change::Settings if code == Code::Busy => {
                social.doubt(id);
            }
            Change::Block { .. } | Change::Unblock { .. } if code == Code::Busy => social.doubt(id),
            Change::Token if code == Code::Refused => logins.guessed_wrong(cx, connections, id),
            Change::Join { .. }
            | Change::Leave { .. }
            | Change::Befriend { .. }
            | Change::Unfriend { .. } => {}
            Change::Token | Change::Block { .. } | Change::Unblock { .. } | Change::Confirm => {}
            Change::DropDevice { .. } | Change::Settings | Change::PushToken => {}
        }
    }

    /// Does in the session what was done in the store; gives back the group that it was about.
    fn apply(&mut self, id: ConnectionId, change: Change, reply: StoreReply) -> Option<GroupId> {
        let Self { cx, connections, logins, social, .. } = self;
        match change {
            Change::Join { .. } => {
                let Joined { group, head, muted, all, .. } = Joined::of(reply)?;
                // A group that was made just now has no row.
                self.join_group(id, group, head, head.max(1));
                self.groups.learn_joined(id, group, head, muted);
                self.groups.learn_all(group, all);
                return Some(group);
            }
            Change::Leave { group } => {
                let Left { dissolved, .. } = Left::of(reply)?;
                match dissolved {
                    true => self.dissolve_group(group),
                    false => self.leave_group(id, group),
                }
                return Some(group);
            }
            Change::Befriend { friend } => {
                let hides = if matches!(reply, StoreReply::Hidden(_)) { Hides::Yes } else { Hides::No };
                social.befriend(cx, connections, id, (friend, hides));
            }
            Change::Unfriend { friend } => social.unfriend(connections, id, friend),
            // Its session ends when this is answered.
            Change::DropDevice { .. } | Change::PushToken => {}
            Change::Block { user } => {
                connections.get_mut(id)?.block(user);
                social.note_refusals(id);
            }
            Change::Unblock { user } => {
                connections.get_mut(id)?.unblock(user);
                social.note_refusals(id);
            }
            Change::Settings => self.note_settings(id, SavedSettings::of(reply)?),
            Change::Token => {
                logins.guessed_right(connections, id);
                logins.set_token(id, Token::of(reply)?.id);
            }
            Change::Confirm => {
                if let StoreReply::DeliveredAs(mids) = reply {
                    let Self { cx, connections, backlog, direct, .. } = self;
                    direct.take_confirmed(cx, connections, backlog, id, mids);
                }
            }
        }
        None
    }
}

/// The row that tells that somebody came or went, and in which group.
fn row_of(reply: &StoreReply) -> Option<(GroupId, Placed)> {
    let row = if let StoreReply::Joined(joined) = reply {
        joined.row.clone()
    } else if let StoreReply::Left(left) = reply {
        left.row.clone()
    } else {
        None
    };
    row.map(|row| (row.envelope.group(), row))
}
