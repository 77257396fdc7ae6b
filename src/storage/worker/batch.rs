//! The batch in the making, and what becomes of its outcomes.
//!
//! Owns what a request weighs, which requests are answered without the store, and the orders that are deferred. Each
//! order has its step: what its outcome is turned into.

use super::Worker;
use super::isolation::Isolation;
use crate::jwt::gate;
use crate::pool::{Hashed, Job, Task};
use crate::rates::Rates;
use crate::replies::Requester;
use crate::{Committed, Order, Outcome, Store};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::profile::Who;
use chatd_chat::model::source::Source;
use chatd_chat::model::token::Password;
use chatd_chat::port::store::{StoreCall, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;
use std::time::Instant;

/// What becomes of an outcome.
pub(super) enum Step {
    /// It is the reply.
    Reply(Requester),
    /// It is the reply, with what this user said lately.
    Profile(Requester, UserId),
    /// It is the reply to whoever did something that one does only so often.
    Rated(Requester, UserId, Rated),
    /// It says what this password must match.
    Verify { requester: Requester, from: Source, who: Who, password: Password },
    /// It says what the first of these must match, to be replaced by the second.
    ChangePassword { requester: Requester, from: Source, who: Who, old: Password, new: Password },
}

/// What one does only so often.
#[derive(Clone, Copy)]
pub(super) enum Rated {
    /// Making a group.
    Group,
    /// Asking for a friendship.
    Ask,
}

impl Worker {
    fn rates(&mut self, of: Rated) -> &mut Rates<UserId> {
        match of {
            Rated::Group => &mut self.group_makes,
            Rated::Ask => &mut self.ask_makes,
        }
    }

    /// Puts a request into the batch, unless its user made too many of its kind.
    fn take_rated(&mut self, requester: Requester, user: UserId, request: StoreRequest, of: Rated) -> usize {
        let now = self.began.elapsed().as_millis() as u64;
        if !self.rates(of).take(user, now) {
            self.replies.send(requester, Err(Code::TooFast));
            return 0;
        }
        self.orders.push(Order::Request(request));
        self.steps.push(Step::Rated(requester, user, of));
        1
    }

    /// Puts what is deferred at the beginning of the next batch.
    pub(super) fn requeue_deferred(&mut self) {
        for (order, step, since) in self.deferred.drain(..) {
            self.orders.push(order);
            self.steps.push(step);
            self.since.push(since);
        }
    }

    /// Puts a request into the batch and returns its weight.
    pub(super) fn take(&mut self, call: StoreCall) -> usize {
        let requester = Requester { core: call.core, id: call.id };
        match call.request {
            StoreRequest::Register { name, password, from } => {
                self.offer(Job { requester, from, task: Task::Hash { name, password } });
                0
            }
            StoreRequest::Verify { who, password, from } => {
                self.orders.push(Order::Lookup { who: who.clone() });
                self.steps.push(Step::Verify { requester, from, who, password });
                1
            }
            StoreRequest::Admit { jwt, renews } => {
                match &self.gate {
                    Some(gate) => gate.offer(gate::Job { requester, jwt, renews }),
                    // No application's word is taken here.
                    None => self.replies.send(requester, Err(Code::Refused)),
                }
                0
            }
            StoreRequest::ChangePassword { user, old, new, from } => {
                let who = Who::Id(user);
                self.orders.push(Order::Lookup { who: who.clone() });
                self.steps.push(Step::ChangePassword { requester, from, who, old, new });
                1
            }
            StoreRequest::Remember { user, window } => {
                self.windows.put(user, window);
                self.replies.send(requester, Ok(StoreReply::Done));
                0
            }
            request @ StoreRequest::Search { .. } => {
                self.ask_search(requester, request);
                0
            }
            StoreRequest::LoadProfile { user, .. } => {
                let weight = weight(&*self.store, &call.request);
                self.orders.push(Order::Request(call.request));
                self.steps.push(Step::Profile(requester, user));
                weight
            }
            request @ StoreRequest::CreateGroup { user, .. } => {
                self.take_rated(requester, user, request, Rated::Group)
            }
            request @ StoreRequest::AskFriend { user, .. } => {
                self.take_rated(requester, user, request, Rated::Ask)
            }
            request => {
                let weight = weight(&*self.store, &request);
                self.orders.push(Order::Request(request));
                self.steps.push(Step::Reply(requester));
                weight
            }
        }
    }

    fn offer(&self, job: Job) {
        match &self.pool {
            Some(pool) => pool.offer(job),
            None => self.replies.send(job.requester, Err(Code::Busy)),
        }
    }

    pub(super) fn store(&mut self, hashed: Hashed) -> usize {
        self.orders.push(hashed.order);
        self.steps.push(Step::Reply(hashed.requester));
        1
    }

    /// Has the batch performed, and replies to everybody whose outcome it has.
    pub(super) fn perform(&mut self) {
        if self.orders.is_empty() {
            // All that came was answered without the store.
            return;
        }
        self.pace.begin(Instant::now(), self.orders.len());
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let mut isolation = Isolation { store: &mut *self.store, health: &mut self.health };
        if isolation.perform(&self.orders, &mut outcomes) == Committed::Changes {
            self.search.stored();
        }
        self.resolve(outcomes);
    }

    /// Turns each outcome into what its step says.
    fn resolve(&mut self, mut outcomes: Vec<Outcome>) {
        assert_eq!(outcomes.len(), self.steps.len(), "a store has one outcome for each order");
        let (mut orders, mut steps) = (std::mem::take(&mut self.orders), std::mem::take(&mut self.steps));
        let mut since = std::mem::take(&mut self.since).into_iter();
        for ((order, step), outcome) in orders.drain(..).zip(steps.drain(..)).zip(outcomes.drain(..)) {
            let since = since.next();
            match (step, outcome) {
                (step, Outcome::Deferred) => self.defer(order, step, since.unwrap_or_else(Instant::now)),
                (Step::Rated(requester, user, of), Outcome::Reply(answer)) => {
                    if answer.is_err() {
                        self.rates(of).give_back(&user);
                    }
                    self.batch_replies.add(requester, answer);
                }
                (
                    Step::Reply(requester)
                    | Step::Verify { requester, .. }
                    | Step::ChangePassword { requester, .. },
                    Outcome::Reply(answer),
                ) => self.batch_replies.add(requester, answer),
                (Step::Profile(requester, user), Outcome::Reply(mut answer)) => {
                    if let Ok(StoreReply::Profile(profile)) = &mut answer {
                        profile.dedup = self.windows.take(user);
                    }
                    self.batch_replies.add(requester, answer);
                }
                (Step::Verify { requester, from, who, password }, Outcome::Found(account)) => {
                    self.offer(Job { requester, from, task: Task::Verify { who, account, password } });
                }
                (Step::ChangePassword { requester, from, who, old, new }, Outcome::Found(account)) => {
                    self.offer(Job { requester, from, task: Task::Change { who, account, old, new } });
                }
                (Step::Reply(_) | Step::Profile(..) | Step::Rated(..), Outcome::Found(_)) => {
                    unreachable!("only lookups find accounts")
                }
            }
        }
        (self.orders, self.steps, self.outcomes) = (orders, steps, outcomes);
        self.batch_replies.send();
    }

    /// Has an order performed again, unless it has waited long enough.
    fn defer(&mut self, order: Order, step: Step, since: Instant) {
        if since.elapsed() < self.patience {
            return self.deferred.push((order, step, since));
        }
        let requester = match step {
            Step::Rated(requester, user, of) => {
                self.rates(of).give_back(&user);
                requester
            }
            Step::Reply(requester)
            | Step::Profile(requester, _)
            | Step::Verify { requester, .. }
            | Step::ChangePassword { requester, .. } => requester,
        };
        self.batch_replies.add(requester, Err(Code::Busy));
    }
}

/// How much of a batch a request takes up, so that those who wait for a small one are not kept by
/// hundreds of large ones. Measured: a profile or a page of backlog takes 20 to 50 stored messages.
fn weight(store: &dyn Store, request: &StoreRequest) -> usize {
    match request {
        StoreRequest::LoadProfile { heads, .. } => 16 + heads / 4,
        StoreRequest::Heads { heads, .. } => 1 + heads / 4,
        StoreRequest::Sync { since, .. } => 16 + since.len() / 4,
        StoreRequest::FindPlaces { mids } => 1 + mids.len() / 16,
        StoreRequest::FetchBacklog { .. } | StoreRequest::History { .. } | StoreRequest::Members { .. } => 16,
        StoreRequest::Devices { .. } => 2,
        StoreRequest::Friends { .. } | StoreRequest::Acquaintances { .. } | StoreRequest::DelGroup { .. } => {
            8
        }
        StoreRequest::AppendHistory { envelopes } => store.history_weight(envelopes.len()).max(1),
        StoreRequest::AckDelivered { mids, cursors, .. } => 1 + (mids.len() + cursors.len()) / 4,
        _ => 1,
    }
}
