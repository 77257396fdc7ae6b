//! Backlogs: what all rooms have a part in when a reader fetches, and what is done when something was stored for one.

use super::Hub;
use crate::backlog::{CatchUpOutcome, FetchAgain, PageOutcome, RetryOutcome};
use crate::connection::Connection;
use crate::direct::{StoreFirstOutcome, StoreOutcome};
use crate::group::Place;
use crate::model::ids::{ConnectionId, SessionEpoch, UserId};
use crate::port::in_flight::StoreRetry;
use crate::port::store::{BacklogPage, StoreResult};
use crate::wire::code::Code;

impl Hub {
    /// Somebody says that the user has something waiting.
    pub(super) fn fetch_for(&mut self, user: UserId) {
        for id in self.connections.sessions(user) {
            self.fetch_again(id);
        }
    }

    pub(super) fn fetch_again(&mut self, id: ConnectionId) {
        match self.backlog.fetch_again(id) {
            FetchAgain::No => return,
            FetchAgain::Continues => {}
            FetchAgain::Begins => {
                let start = self.groups.catch_up_start(&self.backlog, id);
                self.backlog.begin(&self.connections, id, start);
            }
        }
        self.continue_catch_up(id);
    }

    pub(super) fn continue_catch_up(&mut self, id: ConnectionId) {
        let Self { cx, connections, backlog, changes, devices, groups, .. } = self;
        match backlog.continue_catch_up(cx, connections, id) {
            CatchUpOutcome::Waits => {}
            CatchUpOutcome::Finished { upto } => {
                groups.finish_catch_up(connections, backlog, id, upto);
                let missed = changes.release(cx, connections, id);
                if backlog.take_missed_own(id) || missed {
                    devices.tell_heads(cx, connections, id);
                }
            }
        }
    }

    /// A session is not pushed something that its user has sent elsewhere, which no backlog has for it: it is told where its
    /// conversations stand, once it has its backlog.
    pub(super) fn miss_own(&mut self, id: ConnectionId) {
        let Self { cx, connections, backlog, devices, .. } = self;
        if !backlog.miss_own(id) {
            devices.tell_heads(cx, connections, id);
        }
    }

    pub(super) fn on_page(
        &mut self,
        id: ConnectionId,
        (epoch, moment): (SessionEpoch, u64),
        mut page: Result<BacklogPage, Code>,
    ) {
        let rules = page.as_mut().map(|page| std::mem::take(&mut page.rules)).unwrap_or_default();
        let Self { cx, connections, backlog, logins, social, .. } = self;
        match backlog.on_page(cx, connections, id, epoch, page) {
            PageOutcome::Nothing => {}
            PageOutcome::Stale => self.continue_catch_up(id),
            PageOutcome::RefuseLogin(code) => self.refuse_login(id, code),
            PageOutcome::Arrived { awaits_welcome, absent, new } => {
                if awaits_welcome {
                    logins.welcome(cx, connections, backlog, id, &|user| social.is_online_to(id, user));
                    self.tell_held(id);
                }
                absent.into_iter().for_each(|group| self.leave_group(id, group));
                for group in new {
                    let at = rules.iter().find(|rules| rules.group == group).map_or(0, |rules| rules.at);
                    self.join_group(id, group, 0, at);
                }
                self.learn_rules(id, &rules, moment);
                self.continue_catch_up(id);
            }
        }
    }

    pub(super) fn on_retried(&mut self, id: Option<ConnectionId>, retry: StoreRetry, result: StoreResult) {
        match self.backlog.on_retry_reply(&mut self.cx, id, retry, result) {
            RetryOutcome::Nothing => {}
            RetryOutcome::GroupStored { group, mid, pos } => self.tell_place(Place { group, mid, pos }),
            RetryOutcome::InBacklog { user } => self.notify_backlog(user),
            RetryOutcome::RefuseLogin { connection } => self.refuse_login(connection, Code::Busy),
        }
    }

    pub(super) fn after_store(&mut self, outcome: StoreOutcome) {
        match outcome {
            StoreOutcome::Nothing => {}
            StoreOutcome::NotifyReader(user) => self.notify_backlog(user),
            StoreOutcome::ShareSent(id, envelope) => {
                let Self { cx, connections, backlog, devices, .. } = self;
                devices.share_sent(cx, connections, backlog, id, &envelope);
            }
        }
    }

    pub(super) fn after_store_first(&mut self, outcome: StoreFirstOutcome) {
        match outcome {
            StoreFirstOutcome::Nothing => {}
            StoreFirstOutcome::ReaderIsHere(user) => {
                self.fetch_for(user);
                let Self { cx, connections, backlog, direct, .. } = self;
                direct.send_queued(cx, connections, backlog, user);
            }
        }
    }

    /// Sessions that were not let have something look whether the store took it. Where one is gone, whoever holds its user does.
    pub(super) fn fetch_declined(&mut self) {
        for (id, user) in self.backlog.take_declined(&self.cx) {
            match self.connections.get(id).is_some_and(Connection::is_logged_in) {
                true => self.fetch_again(id),
                false => self.notify_backlog(user),
            }
        }
    }

    /// Whoever holds the user is to fetch again.
    pub(super) fn notify_backlog(&mut self, user: UserId) {
        let here = self.connections.sessions(user);
        let is_all = here.iter().any(|&id| self.connections.get(id).is_some_and(|session| !session.multi));
        here.into_iter().for_each(|id| self.fetch_again(id));
        if !is_all || !self.connections.is_here(user) {
            self.backlog.publish_hint(&mut self.cx, user);
        }
    }
}
