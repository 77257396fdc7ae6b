//! What the worker does with orders that a store sets aside.

use super::tests::{Cores, config, user};
use super::*;
use crate::health::News;
use crate::password::Cost;
use crate::{Committed, Config};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::StoreReply;
use std::collections::HashSet;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// Somebody else holds users: what these ask is set aside.
#[derive(Clone, Default)]
struct Held {
    users: Arc<Mutex<HashSet<UserId>>>,
    carried_out: Arc<Mutex<Vec<(UserId, UserId)>>>,
    asked_again: bool,
}

impl Store for Held {
    fn perform(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError> {
        let held = self.users.lock().unwrap().clone();
        for order in batch {
            let Order::Request(StoreRequest::AddFriend { user, friend }) = order else { panic!("{order:?}") };
            if held.contains(user) {
                outcomes.push(Outcome::Later);
            } else {
                self.carried_out.lock().unwrap().push((*user, *friend));
                outcomes.push(Outcome::Reply(Ok(StoreReply::Done)));
            }
        }
        self.asked_again = outcomes.contains(&Outcome::Later);
        Ok(Committed::Nothing)
    }

    fn prove(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn greatest_mid(&mut self) -> Result<chatd_chat::model::ids::MessageId, StoreError> {
        Ok(chatd_chat::model::ids::MessageId(0))
    }

    fn will_keep(&mut self, _keep: Retention) -> Result<(), StoreError> {
        Ok(())
    }

    fn wait(&mut self, work: Pin<&mut dyn Future<Output = ()>>) -> News {
        if std::mem::take(&mut self.asked_again) {
            future::block_on(future::or(work, future::ready(())));
        } else {
            future::block_on(work);
        }
        News::None
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }

    fn describe(&self) -> String {
        "a store of which somebody holds some".to_owned()
    }
}

fn started(held: &Held, patience: Duration) -> (Cores, Running) {
    let (cores, questions, answers) = Cores::new();
    let config: Config = config(Path::new("nowhere"), Cost { memory_kib: 8, passes: 1, lanes: 1 });
    (cores, start_with(Box::new(held.clone()), &config, questions, answers, patience).unwrap())
}

#[test]
fn what_is_set_aside_is_asked_again_in_its_order_and_holds_up_nobody() {
    let held = Held::default();
    held.users.lock().unwrap().insert(user(1));
    let (mut cores, running) = started(&held, Duration::MAX);
    for (asker, friend) in [(1, 2), (3, 4), (1, 5)] {
        cores.ask(StoreRequest::AddFriend { user: user(asker), friend: user(friend) });
    }
    assert_eq!(cores.answer(), (1, Ok(StoreReply::Done)));
    held.users.lock().unwrap().clear();
    cores.ask(StoreRequest::AddFriend { user: user(1), friend: user(6) });
    let answers = [0; 3].map(|_| cores.answer());
    assert_eq!(answers, [0, 2, 3].map(|ticket| (ticket, Ok(StoreReply::Done))));
    let carried_out = held.carried_out.lock().unwrap().clone();
    assert_eq!(carried_out, [(3, 4), (1, 2), (1, 5), (1, 6)].map(|(one, other)| (user(one), user(other))));
    drop(cores);
    running.join().unwrap();
}

#[test]
fn what_is_held_for_long_is_refused_and_the_end_waits_for_nobody() {
    let held = Held::default();
    held.users.lock().unwrap().insert(user(1));
    let (mut cores, running) = started(&held, Duration::from_millis(20));
    cores.ask(StoreRequest::AddFriend { user: user(1), friend: user(2) });
    assert_eq!(cores.answer(), (0, Err(Code::Busy)));
    assert_eq!(running.state().now(), crate::health::Condition::Up, "one waits, the store works");
    cores.ask(StoreRequest::AddFriend { user: user(1), friend: user(2) });
    cores.ask(StoreRequest::AddFriend { user: user(3), friend: user(4) });
    assert_eq!(cores.answer(), (2, Ok(StoreReply::Done)));
    drop(cores);
    running.join().unwrap();
}
