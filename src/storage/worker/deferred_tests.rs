//! What the worker does with orders that a store defers.

use super::tests::{Cores, Fake, config, user};
use super::*;
use crate::password::Cost;
use crate::{Committed, StoreError};
use chatd_chat::model::ids::UserId;
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Somebody else has locked users: what these request is deferred.
#[derive(Clone, Default)]
struct Locking {
    users: Arc<Mutex<HashSet<UserId>>>,
    carried_out: Arc<Mutex<Vec<(UserId, UserId)>>>,
}

impl Locking {
    fn perform(&self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError> {
        let locked = self.users.lock().unwrap().clone();
        for order in batch {
            let Order::Request(StoreRequest::AddFriend { user, friend }) = order else { panic!("{order:?}") };
            if locked.contains(user) {
                outcomes.push(Outcome::Deferred);
            } else {
                self.carried_out.lock().unwrap().push((*user, *friend));
                outcomes.push(Outcome::Reply(Ok(StoreReply::Done)));
            }
        }
        Ok(Committed::Nothing)
    }
}

fn started(locking: &Locking, patience: Duration) -> (Cores, Running) {
    let (cores, calls, replies) = Cores::new();
    let performing = locking.clone();
    let store = Fake::new(move |batch, outcomes| performing.perform(batch, outcomes));
    let config: Config = config(Path::new("nowhere"), Cost { memory_kib: 8, passes: 1, lanes: 1 });
    (cores, start_with(Box::new(store), &config, calls, replies, patience).unwrap())
}

#[test]
fn what_is_deferred_is_performed_again_in_its_order_and_holds_up_nobody() {
    let locking = Locking::default();
    locking.users.lock().unwrap().insert(user(1));
    let (mut cores, running) = started(&locking, Duration::MAX);
    for (requester, friend) in [(1, 2), (3, 4), (1, 5)] {
        cores.request(StoreRequest::AddFriend { user: user(requester), friend: user(friend) });
    }
    assert_eq!(cores.answer(), (1, Ok(StoreReply::Done)));
    locking.users.lock().unwrap().clear();
    cores.request(StoreRequest::AddFriend { user: user(1), friend: user(6) });
    let replies = [0; 3].map(|_| cores.answer());
    assert_eq!(replies, [0, 2, 3].map(|id| (id, Ok(StoreReply::Done))));
    let carried_out = locking.carried_out.lock().unwrap().clone();
    assert_eq!(carried_out, [(3, 4), (1, 2), (1, 5), (1, 6)].map(|(one, other)| (user(one), user(other))));
    drop(cores);
    running.join().unwrap();
}

#[test]
fn what_is_locked_for_long_is_refused_and_the_end_waits_for_nobody() {
    let locking = Locking::default();
    locking.users.lock().unwrap().insert(user(1));
    let (mut cores, running) = started(&locking, Duration::from_millis(20));
    cores.request(StoreRequest::AddFriend { user: user(1), friend: user(2) });
    assert_eq!(cores.answer(), (0, Err(Code::Busy)));
    assert_eq!(running.state().now(), crate::health::Condition::Up, "one waits, the store works");
    cores.request(StoreRequest::AddFriend { user: user(1), friend: user(2) });
    cores.request(StoreRequest::AddFriend { user: user(3), friend: user(4) });
    assert_eq!(cores.answer(), (2, Ok(StoreReply::Done)));
    drop(cores);
    running.join().unwrap();
}
