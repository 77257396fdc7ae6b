//! One order that fails, and the others that must not suffer from it.
//!
//! Owns nothing: it is lent the store and its health for one batch. Finds the order that fails by halves, and tells a
//! store that can store nothing from an order that no store can carry out.

use crate::health::Health;
use crate::{Committed, Order, Outcome, Store, StoreError};
use chatd_chat::model::envelope::Envelope;
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;
use std::ops::ControlFlow;

/// A batch on its way through the store.
pub(super) struct Isolation<'a> {
    pub store: &'a mut dyn Store,
    pub health: &'a mut Health,
}

impl Isolation<'_> {
    /// Has the orders performed. Whatever happens, each has one outcome then. Tells whether something may have been
    /// written.
    pub fn perform(&mut self, orders: &[Order], outcomes: &mut Vec<Outcome>) -> Committed {
        match self.store.perform(orders, outcomes) {
            Ok(committed) => {
                self.health.report_ok(committed);
                return committed;
            }
            Err(StoreError::Order(why)) => {
                outcomes.clear();
                if let [order] = orders {
                    outcomes.push(self.resolve_failed(order, &why));
                } else {
                    // Whether it broke off or not, all have their outcomes.
                    let _ = self.perform_halves(orders, outcomes);
                }
            }
            Err(StoreError::Down(why)) => {
                self.health.report_error(why);
                outcomes.clear();
                outcomes.extend(orders.iter().map(|_| Outcome::Reply(Err(Code::Busy))));
            }
        }
        Committed::Changes
    }

    /// What an order comes to that has failed alone. A store that can store nothing is down, and the order may be
    /// asked again. If it can, asking again is of no use: the order is refused for good.
    fn resolve_failed(&mut self, order: &Order, why: &str) -> Outcome {
        if let Err(error) = self.store.probe_write() {
            self.health.report_error(error.to_string());
            return Outcome::Reply(Err(Code::Busy));
        }
        if let Order::Request(StoreRequest::AppendHistory { envelopes }) = order
            && envelopes.len() > 1
        {
            return self.append_one_by_one(envelopes);
        }
        self.health.report_unexpected(order.kind(), why);
        Outcome::Reply(Err(Code::InvalidField))
    }

    /// One message makes all fail that are to be appended with it: the others must not suffer from it.
    fn append_one_by_one(&mut self, envelopes: &[Envelope]) -> Outcome {
        let mut outcome = Outcome::Reply(Ok(StoreReply::Done));
        for envelope in envelopes {
            let order = Order::Request(StoreRequest::AppendHistory { envelopes: [envelope.clone()].into() });
            let mut outcomes = Vec::new();
            match self.store.perform(std::slice::from_ref(&order), &mut outcomes) {
                Ok(committed) => {
                    self.health.report_ok(committed);
                    // What is locked is performed again, and with it all: what is appended already stays as it is.
                    outcome = outcomes.pop().filter(|one| *one == Outcome::Deferred).unwrap_or(outcome);
                }
                Err(StoreError::Order(why)) => self.health.report_unexpected(order.kind(), &why),
                Err(StoreError::Down(why)) => {
                    self.health.report_error(why);
                    return Outcome::Reply(Err(Code::Busy));
                }
            }
        }
        outcome
    }

    /// One order makes every batch fail that it is in: the others must not suffer from it. Of each half that
    /// fails the halves are tried, so that a thousand are done in some twenty batches. Breaks off when the store can
    /// do nothing with any of them.
    fn perform_halves(&mut self, orders: &[Order], outcomes: &mut Vec<Outcome>) -> ControlFlow<()> {
        let before = outcomes.len();
        let (first, second) = orders.split_at(orders.len() / 2);
        for half in [first, second] {
            let done = outcomes.len();
            let mut go_on = ControlFlow::Continue(());
            match self.store.perform(half, outcomes) {
                Ok(committed) => self.health.report_ok(committed),
                Err(StoreError::Order(why)) => {
                    outcomes.truncate(done);
                    if let [order] = half {
                        outcomes.push(self.resolve_failed(order, &why));
                        if outcomes.last() == Some(&Outcome::Reply(Err(Code::Busy))) {
                            go_on = ControlFlow::Break(());
                        }
                    } else {
                        go_on = self.perform_halves(half, outcomes);
                    }
                }
                Err(StoreError::Down(why)) => {
                    self.health.report_error(why);
                    outcomes.truncate(done);
                    outcomes.extend(half.iter().map(|_| Outcome::Reply(Err(Code::Busy))));
                }
            }
            if go_on.is_break() {
                outcomes.resize(before + orders.len(), Outcome::Reply(Err(Code::Busy)));
                return go_on;
            }
            if outcomes[done..].contains(&Outcome::Deferred) {
                // What follows may have to come after it: the store knows, when it has both.
                outcomes.resize(before + orders.len(), Outcome::Deferred);
                break;
            }
        }
        ControlFlow::Continue(())
    }
}
