//! Replies: what is done with what was waited for.

use super::Hub;
use crate::connection::{About, Connection, Connections, Pause};
use crate::group::ends_membership;
use crate::login::LoginOutcome;
use crate::model::change::Altered;
use crate::model::device::{Device, Marker};
use crate::model::group_rule::{Asking, Ruled};
use crate::model::history::{HeadsPage, SearchPage, SyncPage};
use crate::model::ids::{ConnectionId, GroupId, MessageId, UserId};
use crate::model::profile::Profile;
use crate::model::token::Proof;
use crate::port::event::BusDown;
use crate::port::in_flight::{
    BacklogFlow, DevicesFlow, DirectFlow, GroupFlow, JoinFlow, LoginFlow, PublishFlow, QueryFlow, SocialFlow,
    StoreFlow, StoreRetry,
};
use crate::port::store::{
    Acquaintances, Admitted, BacklogPage, HistoryPage, Reply, Resumed, StoreReply, StoreRequest, StoreResult,
    StoredMessage, Verified,
};
use crate::wire::code::{self, Code};
use crate::wire::msgid;
use crate::wire::request::Dialect;

impl Hub {
    pub(super) fn on_store_reply(&mut self, flow: StoreFlow, result: StoreResult) {
        if result == Ok(StoreReply::IdTaken) {
            return self.store_renamed(flow);
        }
        // Who is shown it may answer, and is to get a greater id.
        if let Some(seen) = result.as_ref().ok().and_then(StoreReply::greatest_mid) {
            self.cx.observe(seen);
        }
        let is_look_up = flow.looks_up_for().is_some();
        match flow {
            StoreFlow::Login(flow) => self.on_login_reply(flow, result),
            StoreFlow::Backlog(flow) => self.on_backlog_reply(flow, result),
            StoreFlow::Direct(flow) => self.on_direct_reply(flow, result),
            StoreFlow::Group(flow) => self.on_group_reply(flow, result),
            StoreFlow::Social(flow) => self.on_social_reply(flow, result),
            StoreFlow::Devices(flow) => self.on_devices_reply(flow, result),
            StoreFlow::Changes(flow) => {
                let Self { cx, connections, backlog, changes, groups, .. } = self;
                let members = groups.members_in(flow.conversation);
                let altered = Box::<Altered>::from_result(result);
                changes.on_altered(cx, connections, backlog, flow, &members, altered);
            }
            StoreFlow::Account { connection, act } => self.on_account_reply(connection, &act, result),
            StoreFlow::Remember => {}
            StoreFlow::Mutation(mutation) => self.on_mutated(*mutation, result),
        }
        if is_look_up {
            let Self { cx, connections, .. } = self;
            cx.end_look_up(|flow| is_awaited(connections, flow));
        }
    }

    /// The id of the message that `flow` has the store keep is taken: it is stored under another one.
    fn store_renamed(&mut self, mut flow: StoreFlow) {
        let (sender, envelope) = match &mut flow {
            StoreFlow::Direct(DirectFlow::Store { connection, envelope }) => (Some(*connection), envelope),
            StoreFlow::Group(GroupFlow::Store { connection, envelope, .. }) => (Some(*connection), envelope),
            StoreFlow::Direct(DirectFlow::StoreFirst { envelope, .. }) => (None, envelope),
            StoreFlow::Backlog(BacklogFlow::Retry {
                retry: StoreRetry::StoreMessage { envelope }, ..
            }) => (None, envelope),
            StoreFlow::Direct(DirectFlow::HistoryBatch { .. } | DirectFlow::Confirm { .. })
            | StoreFlow::Backlog(_) => return,
            StoreFlow::Group(_) | StoreFlow::Login(_) | StoreFlow::Social(_) | StoreFlow::Devices(_) => {
                return;
            }
            StoreFlow::Mutation(_) | StoreFlow::Changes(_) | StoreFlow::Remember => return,
            StoreFlow::Account { .. } => return,
        };
        let renamed = self.cx.rename(envelope);
        let connection = sender.and_then(|id| self.connections.get_mut(id));
        if let Some(dedup) = connection.and_then(|connection| connection.dedup.as_deref_mut()) {
            dedup.rename(envelope.mid(), renamed.mid());
        }
        *envelope = renamed.clone();
        self.cx.request(StoreRequest::StoreMessage { envelope: renamed }, flow);
    }

    fn on_login_reply(&mut self, flow: LoginFlow, result: StoreResult) {
        let Self { cx, connections, logins, .. } = self;
        match flow {
            LoginFlow::Register { connection } => {
                logins.on_registered(cx, connections, connection, UserId::from_result(result));
            }
            LoginFlow::Verify { connection, demand, device } => {
                let verified = Verified::from_result(result);
                match logins.on_verified(cx, connections, connection, (demand, device), verified) {
                    Ok(let_in) => self.claim(connection, let_in),
                    Err(outcome) => self.after_login(outcome),
                }
            }
            LoginFlow::Admit { connection, demand, device } => {
                let admitted = Admitted::from_result(result);
                match logins.on_admitted(cx, connections, connection, (demand, device), admitted) {
                    Ok(let_in) => self.claim(connection, let_in),
                    Err(outcome) => self.after_login(outcome),
                }
            }
            LoginFlow::Renew { connection, user, cid } => {
                let about = About { connection, re: msgid::LOGIN, cid: cid.as_deref() };
                logins.on_renewed(cx, connections, about, user, Admitted::from_result(result));
            }
            LoginFlow::Resume { connection, secret } => {
                match logins.on_resumed(connections, connection, secret, Resumed::from_result(result)) {
                    Ok(let_in) => self.claim(connection, let_in),
                    Err(outcome) => self.after_login(outcome),
                }
            }
            LoginFlow::Revoke { connection, user, revoking } => {
                self.on_token_revoked(connection, user, revoking, result.map(drop));
            }
            LoginFlow::Standing { user, proofs } => {
                let good = Vec::<Proof>::from_result(result);
                for id in logins.on_standing(connections, (user, &proofs), good) {
                    self.replace(id, code::REVOKED);
                }
            }
            LoginFlow::LoadProfile { connection, epoch } => {
                if logins.is_under_way(connection, epoch) {
                    match Box::<Profile>::from_result(result) {
                        Ok(profile) => self.on_profile(connection, epoch, *profile),
                        Err(Code::Refused) => {
                            let outcome = logins.unproven(cx, connections, connection);
                            self.after_login(outcome);
                        }
                        Err(code) => self.refuse_login(connection, code),
                    }
                }
            }
        }
    }

    fn on_backlog_reply(&mut self, flow: BacklogFlow, result: StoreResult) {
        match flow {
            BacklogFlow::Page { connection, epoch, moment } => {
                self.on_page(connection, (epoch, moment), BacklogPage::from_result(result))
            }
            BacklogFlow::Retry { connection, retry } => self.on_retried(connection, retry, result),
        }
    }

    fn on_direct_reply(&mut self, flow: DirectFlow, result: StoreResult) {
        let Self { cx, connections, backlog, direct, .. } = self;
        match flow {
            DirectFlow::Store { connection, envelope } => {
                let stored = StoredMessage::from_result(result);
                let outcome = direct.on_stored(cx, connections, backlog, (connection, envelope), stored);
                self.after_store(outcome);
            }
            DirectFlow::StoreFirst { connection, envelope } => {
                let stored = StoredMessage::from_result(result);
                let outcome =
                    direct.on_stored_first(cx, connections, backlog, (connection, envelope), stored);
                self.after_store_first(outcome);
            }
            DirectFlow::HistoryBatch { senders, envelopes } => {
                direct.on_history_appended(cx, connections, backlog, (&senders, envelopes), &result);
            }
            DirectFlow::Confirm { mutation, rest } => self.on_confirmed(mutation, rest, result),
        }
    }

    fn on_group_reply(&mut self, flow: GroupFlow, result: StoreResult) {
        match flow {
            GroupFlow::Store { connection, envelope, pushed } => {
                let stored = StoredMessage::from_result(result);
                let sender = self.connections.get(connection).and_then(Connection::user);
                if sender == Some(envelope.sender()) && stored.is_err_and(ends_membership) {
                    self.leave_group(connection, envelope.group());
                }
                let Self { cx, connections, backlog, groups, .. } = self;
                if let Some(place) =
                    groups.on_stored(cx, connections, backlog, (connection, envelope, pushed), stored)
                {
                    self.tell_place(place);
                }
            }
            GroupFlow::CheckMembership { connection, group, cid } => {
                self.on_membership_checked(connection, group, cid.as_deref(), result);
            }
            GroupFlow::Rule(request) => self.on_ruled(*request, Ruled::from_result(result)),
            GroupFlow::JoinRequests { connection, group, cid } => {
                let about = About { connection, re: msgid::JOINS, cid: cid.as_deref() };
                self.on_asking(about, group, Vec::<Asking>::from_result(result));
            }
            GroupFlow::Cursors { connection, epoch, upto } => {
                self.groups.on_cursors_written(&self.connections, (connection, epoch), &upto, &result);
            }
        }
    }

    /// A member after all means that the store knows more than this core did: the client is to try again.
    fn on_membership_checked(
        &mut self,
        id: ConnectionId,
        group: GroupId,
        cid: Option<&str>,
        result: StoreResult,
    ) {
        let code = result.err().unwrap_or_else(|| {
            self.join_group(id, group, 0, 0);
            Code::Busy
        });
        let Self { cx, connections, groups, .. } = self;
        groups.refuse_chat(cx, connections, id, cid, code);
    }

    fn on_social_reply(&mut self, flow: SocialFlow, result: StoreResult) {
        let Self { cx, connections, backlog, social, .. } = self;
        match flow {
            SocialFlow::Hidden { connection, user } => {
                let hidden = result
                    .map(|reply| if let StoreReply::Hidden(users) = reply { users } else { Vec::new() });
                social.on_hidden(cx, connections, backlog, (connection, user), hidden);
            }
            SocialFlow::Doubted { connection, epoch, named } => {
                let known = Box::<Acquaintances>::from_result(result);
                social.on_doubted(cx, connections, (connection, epoch), named, known);
            }
            SocialFlow::Settings { user } => self.repeat_settings(user, result),
            SocialFlow::Approached(approached) => self.on_approached(*approached, result),
            SocialFlow::Directory(query) => social.on_directory_reply(cx, connections, *query, result),
            SocialFlow::History { connection, asked, cid } => {
                let page = HistoryPage::from_result(result);
                social.on_history_page(cx, connections, connection, asked, cid.as_deref(), page);
            }
            SocialFlow::Search { connection, cid } => {
                let page = SearchPage::from_result(result);
                social.on_search_page(cx, connections, (connection, cid.as_deref()), page);
            }
        }
    }

    fn on_devices_reply(&mut self, flow: DevicesFlow, result: StoreResult) {
        let Self { cx, connections, backlog, devices, logins, .. } = self;
        match flow {
            DevicesFlow::List { connection, cid } => {
                let user = connections.get(connection).and_then(Connection::user);
                let beside = user.map(|user| connections.sessions(user)).unwrap_or_default();
                let (here, online) = (logins.token(connection), logins.tokens(&beside));
                let list = Vec::<Device>::from_result(result);
                devices.on_list(cx, connections, (connection, cid), (here, online), list);
            }
            DevicesFlow::Heads { connection, user, cid, asked } => {
                let page = HeadsPage::from_result(result);
                devices.on_heads_page(cx, connections, (connection, user), (cid.as_deref(), asked), page);
            }
            DevicesFlow::Sync(query) => {
                devices.on_synced(cx, connections, query, SyncPage::from_result(result));
            }
            DevicesFlow::Marker(moved) => {
                devices.on_marker(cx, connections, backlog, *moved, Marker::from_result(result));
            }
            DevicesFlow::Places { pushes } => {
                let places = Vec::<(MessageId, u64)>::from_result(result);
                devices.on_places(cx, connections, pushes, places);
            }
        }
    }

    pub(super) fn on_published(&mut self, flow: PublishFlow, receivers: Result<u32, BusDown>) {
        let Self { cx, connections, backlog, devices, direct, groups, logins, social, .. } = self;
        match flow {
            PublishFlow::Claim { connection, epoch } => {
                let outcome = logins.on_claim_published(cx, connections, connection, epoch, receivers);
                self.after_login(outcome);
            }
            PublishFlow::Direct { connection, envelope } => {
                direct.on_direct_published(cx, connections, connection, envelope, receivers);
            }
            PublishFlow::Receipt { reader, mids } => {
                direct.on_receipt_published(cx, backlog, (reader, mids), receivers);
            }
            PublishFlow::StoreFirstHint { user } => {
                direct.on_store_first_hint(cx, connections, backlog, user, receivers);
            }
            PublishFlow::BacklogHint { user } => backlog.on_hint_published(user, receivers),
            PublishFlow::TokenRevoked { user, revoked } => {
                devices.on_revoked_published(user, revoked, receivers)
            }
            PublishFlow::DevicesAsked { number } => {
                devices.on_asked_published(cx, connections, number, receivers);
            }
            PublishFlow::Friendship { envelope } => social.on_friendship_published(cx, envelope, receivers),
            PublishFlow::GroupRule { number } => {
                groups.on_rule_published(cx, connections, number, receivers);
            }
            PublishFlow::Announcement { connection, envelope } => {
                let announced = social.on_announcement_published(cx, &envelope, receivers);
                self.answer_announcement(connection, announced);
            }
            PublishFlow::HidingHint { user } => social.on_hiding_hint_published(user, receivers),
            PublishFlow::GroupOffsets { group, last } => {
                groups.on_offsets_published(cx, group, last, receivers)
            }
            PublishFlow::PresenceUpdates { updates } => {
                social.on_updates_published(cx, connections, updates, receivers)
            }
        }
    }

    pub(super) fn on_joined(&mut self, flow: JoinFlow, result: Result<(), BusDown>) {
        match flow {
            JoinFlow::User { user, epoch } => {
                let Self { cx, connections, logins, .. } = self;
                let outcomes = logins.on_channel_joined(cx, connections, user, epoch, result);
                outcomes.into_iter().for_each(|outcome| self.after_login(outcome));
            }
            JoinFlow::Group { group, number } => self.on_group_joined(group, number, result),
        }
    }

    pub(super) fn on_presence_result(&mut self, flow: QueryFlow, online: Result<Vec<bool>, BusDown>) {
        let Self { cx, connections, backlog, logins, social, .. } = self;
        match flow {
            QueryFlow::Login { connection, epoch, users, begun } => {
                let is_v2 = connections.get(connection).is_some_and(|c| c.dialect == Dialect::V2);
                // One of v1 has looked for users who are watched and known, too, and may have met one who will be back.
                if let (Ok(online), true) = (&online, is_v2) {
                    social.apply_probe(cx, connections, backlog, &users, begun, online);
                }
                if !logins.is_under_way(connection, epoch) {
                    return;
                }
                let Ok(online) = online else {
                    return self.after_login(LoginOutcome::Refuse { connection, code: Code::Busy });
                };
                let there = users.into_iter().zip(online).filter(|&(_, online)| online).map(|(user, _)| user);
                logins.note_online(connection, there.collect());
                self.start_if_ready(connection);
            }
            QueryFlow::Unverified { users, begun } => {
                social.on_unverified(cx, connections, backlog, (users, begun), online);
            }
            QueryFlow::Lost(lost) => social.on_lost_looked_for(cx, connections, backlog, lost, online),
            QueryFlow::Directory(reply) => {
                social.on_directory_presence(cx, connections, backlog, *reply, online);
            }
        }
    }

    /// Requests of a connection are handed over again.
    pub(super) fn resume(&mut self, id: ConnectionId) {
        self.connections.resume(&mut self.cx, id, Pause::AwaitingReply);
    }
}

/// Whether a look-up that waits is still to be made: an answer whose client is gone need not be found, but what it has
/// confirmed counts.
fn is_awaited(connections: &Connections, flow: &StoreFlow) -> bool {
    let is_confirmed = matches!(flow, StoreFlow::Direct(DirectFlow::Confirm { .. }));
    is_confirmed || flow.looks_up_for().is_some_and(|id| connections.get(id).is_some())
}
