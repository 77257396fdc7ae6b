//! The worker against a store that does what the test says, and against the real one.

use super::*;
use crate::health::{Condition, News};
use crate::password::Cost;
use crate::scratch::Scratch;
use crate::{Backend, Committed, StoreError};
use chatd_chat::model::ids::{MessageId, RequestId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::Who;
use chatd_chat::model::retention::Retention;
use chatd_chat::model::source::Source;
use chatd_chat::model::token::{Password, TokenId};
use chatd_chat::port::store::{Resumed, StoreReply, StoreRequest, StoreResult, StoreReturn, Verified};
use chatd_chat::wire::code::Code;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

pub(super) const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

pub(super) fn config(directory: &Path, cost: Cost) -> Config {
    let backend = Backend::Directory(directory.to_path_buf());
    Config {
        backend,
        cost,
        application: None,
        hook: None,
        limits: Limits::default(),
        retention: Retention::All,
        search: true,
        webhook: None,
    }
}

pub(super) fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

/// The cores' side of the queues: requests in the name of core 0.
pub(super) struct Cores {
    pub(super) calls: flume::Sender<StoreCall>,
    pub(super) replies: flume::Receiver<Vec<StoreReturn>>,
    /// Those of a batch that nobody has looked at yet.
    received: std::collections::VecDeque<StoreReturn>,
    asked: u32,
}

impl Cores {
    pub(super) fn new() -> (Self, flume::Receiver<StoreCall>, Vec<ReplyQueue>) {
        let (calls, theirs) = flume::bounded(16_384);
        let (answer, replies) = flume::unbounded();
        (Self { calls, replies, received: Default::default(), asked: 0 }, theirs, vec![answer])
    }

    pub(super) fn request(&mut self, request: StoreRequest) -> u32 {
        let id = RequestId { index: self.asked, generation: 7 };
        self.calls.send(StoreCall { core: 0, id, request }).unwrap();
        self.asked += 1;
        id.index
    }

    pub(super) fn answer(&mut self) -> (u32, StoreResult) {
        if self.received.is_empty() {
            self.received.extend(self.replies.recv().unwrap());
        }
        let answered = self.received.pop_front().unwrap();
        assert_eq!(answered.id.generation, 7);
        (answered.id.index, answered.result)
    }

    fn register(&mut self, name: &str, password: &str) -> u32 {
        self.request(StoreRequest::Register {
            name: name.to_owned(),
            password: Password(password.to_owned()),
            from: Source::Proxy,
        })
    }

    fn verify(&mut self, user: UserId, password: &str) -> u32 {
        self.request(StoreRequest::Verify {
            who: Who::Id(user),
            password: Password(password.to_owned()),
            from: Source::Proxy,
        })
    }
}

type Perform = dyn FnMut(&[Order], &mut Vec<Outcome>) -> Result<Committed, StoreError> + Send;

/// A store that performs as a test says, and has nothing else of its own.
pub(super) struct Fake {
    perform: Box<Perform>,
    probed: Arc<Mutex<Result<(), StoreError>>>,
    closed: Arc<Mutex<bool>>,
    has_deferred: bool,
}

impl Fake {
    pub(super) fn new(
        perform: impl FnMut(&[Order], &mut Vec<Outcome>) -> Result<Committed, StoreError> + Send + 'static,
    ) -> Self {
        let (probed, closed) = (Arc::new(Mutex::new(Ok(()))), Arc::default());
        Self { perform: Box::new(perform), probed, closed, has_deferred: false }
    }
}

impl Store for Fake {
    fn perform(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError> {
        let committed = (self.perform)(batch, outcomes);
        self.has_deferred = outcomes.contains(&Outcome::Deferred);
        committed
    }

    fn probe_write(&mut self) -> Result<(), StoreError> {
        self.probed.lock().unwrap().clone()
    }

    fn greatest_mid(&mut self) -> Result<MessageId, StoreError> {
        Ok(MessageId(0))
    }

    fn set_retention(&mut self, _retention: Retention) -> Result<(), StoreError> {
        Ok(())
    }

    fn wait(&mut self, work: Pin<&mut dyn Future<Output = ()>>) -> News {
        if std::mem::take(&mut self.has_deferred) {
            future::block_on(future::or(work, future::ready(())));
        } else {
            future::block_on(work);
        }
        News::None
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        *self.closed.lock().unwrap() = true;
        Ok(())
    }

    fn describe(&self) -> String {
        "a fake".to_owned()
    }
}

/// What a test holds of a store that tells it what it is to perform, and waits to be told what comes of that.
struct Strings {
    asked: flume::Receiver<Vec<Order>>,
    tell: flume::Sender<Result<Committed, StoreError>>,
    probed: Arc<Mutex<Result<(), StoreError>>>,
    closed: Arc<Mutex<bool>>,
}

fn puppet() -> (Box<Fake>, Strings) {
    let ((asked, was_asked), (tell, told)) = (flume::unbounded(), flume::unbounded());
    let fake = Fake::new(move |batch, outcomes| {
        asked.send(batch.to_vec()).unwrap();
        outcomes.extend(batch.iter().map(|_| Outcome::Reply(Ok(StoreReply::Done))));
        told.recv().unwrap()
    });
    let (probed, closed) = (fake.probed.clone(), fake.closed.clone());
    (Box::new(fake), Strings { asked: was_asked, tell, probed, closed })
}

fn started(store: Box<dyn Store>) -> (Cores, Running) {
    let (cores, calls, replies) = Cores::new();
    (cores, start(store, &config(Path::new("nowhere"), CHEAP), calls, replies).unwrap())
}

#[test]
fn answers_come_after_the_commit_and_in_order() {
    let (store, strings) = puppet();
    let (mut cores, running) = started(store);
    cores.request(StoreRequest::Friends { user: user(1) });
    assert_eq!(strings.asked.recv().unwrap().len(), 1);
    // While that one is being committed, more comes.
    for number in 1..=3 {
        cores.request(StoreRequest::CheckMembership {
            user: user(number),
            group: chatd_chat::model::ids::GroupId::new(1).unwrap(),
        });
    }
    assert!(cores.replies.is_empty(), "nothing is answered before it is committed");
    strings.tell.send(Ok(Committed::Nothing)).unwrap();
    assert_eq!(cores.answer(), (0, Ok(StoreReply::Done)));
    assert_eq!(strings.asked.recv().unwrap().len(), 3, "what came meanwhile is one batch");
    assert!(cores.replies.is_empty());
    strings.tell.send(Ok(Committed::Nothing)).unwrap();
    assert_eq!([0; 3].map(|_| cores.answer().0), [1, 2, 3]);
    drop(cores);
    running.join().unwrap();
    assert!(*strings.closed.lock().unwrap());
}

#[test]
fn what_was_asked_is_answered_before_the_end_however_much_it_is() {
    let (store, strings) = puppet();
    let (mut cores, running) = started(store);
    for _ in 0..2_000 {
        cores.request(StoreRequest::AddFriend { user: user(1), friend: user(2) });
    }
    let Cores { calls, replies, .. } = cores;
    drop(calls);
    for _ in 0..2_000 {
        strings.tell.send(Ok(Committed::Changes)).unwrap();
    }
    running.join().unwrap();
    assert!(strings.asked.iter().all(|batch| batch.len() <= BATCH_WEIGHT), "a batch has a bound");
    let ids: Vec<u32> = replies.iter().flatten().map(|answered| answered.id.index).collect();
    assert_eq!(ids, (0..2_000).collect::<Vec<_>>());
}

#[test]
fn a_store_that_is_down_makes_all_of_the_batch_busy_and_nothing_else() {
    let (store, strings) = puppet();
    let (mut cores, running) = started(store);
    cores.request(StoreRequest::Friends { user: user(1) });
    strings.asked.recv().unwrap();
    cores.request(StoreRequest::Friends { user: user(2) });
    cores.verify(user(3), "secret");
    strings.tell.send(Err(StoreError::Down("a test pulls the plug".to_owned()))).unwrap();
    strings.tell.send(Err(StoreError::Down("a test still does".to_owned()))).unwrap();
    for id in 0..3 {
        assert_eq!(cores.answer(), (id, Err(Code::Busy)));
    }
    cores.request(StoreRequest::Friends { user: user(4) });
    strings.tell.send(Ok(Committed::Changes)).unwrap();
    assert_eq!(cores.answer(), (3, Ok(StoreReply::Done)));
    drop(cores);
    running.join().unwrap();
}

#[test]
fn an_order_that_fails_every_batch_fails_alone() {
    let (store, strings) = puppet();
    let (mut cores, running) = started(store);
    cores.request(StoreRequest::Friends { user: user(1) });
    strings.asked.recv().unwrap();
    for number in 2..=4 {
        cores.request(StoreRequest::Friends { user: user(number) });
    }
    let odd = || Err(StoreError::Order("a test made it up".to_owned()));
    let fine = || Ok(Committed::Nothing);
    for told in [fine(), odd(), fine(), odd(), odd(), fine()] {
        strings.tell.send(told).unwrap();
    }
    let replies = [0; 4].map(|_| cores.answer());
    let done = || Ok(StoreReply::Done);
    assert_eq!(replies, [(0, done()), (1, done()), (2, Err(Code::InvalidField)), (3, done())]);
    assert_eq!(strings.asked.iter().take(5).map(|batch| batch.len()).collect::<Vec<_>>(), [3, 1, 2, 1, 1]);
    drop(cores);
    running.join().unwrap();
}

#[test]
fn the_one_bad_order_of_a_thousand_is_found_without_redoing_all() {
    let batches = Arc::new(Mutex::new(0));
    let (mut cores, calls, replies) = Cores::new();
    for number in 1..=1_000 {
        // Each weighs as little as may be, so that they are one batch.
        cores.request(match number {
            700 => StoreRequest::Friends { user: user(number) },
            _ => StoreRequest::Revoke { user: user(number), token: TokenId(1) },
        });
    }
    let counted = batches.clone();
    let is_bad = |order: &Order| matches!(order, Order::Request(StoreRequest::Friends { user: bad }) if bad.get() == 700);
    let store = Box::new(Fake::new(move |batch, outcomes| {
        *counted.lock().unwrap() += 1;
        if batch.iter().any(is_bad) {
            return Err(StoreError::Order("it is this one".to_owned()));
        }
        outcomes.extend(batch.iter().map(|_| Outcome::Reply(Ok(StoreReply::Done))));
        Ok(Committed::Nothing)
    }));
    let running = start(store, &config(Path::new("nowhere"), CHEAP), calls, replies).unwrap();
    let replies: Vec<(u32, StoreResult)> = (0..1_000).map(|_| cores.answer()).collect();
    drop(cores);
    running.join().unwrap();
    for (backend, (id, answer)) in replies.into_iter().enumerate() {
        let expected = if backend == 699 { Err(Code::InvalidField) } else { Ok(StoreReply::Done) };
        assert_eq!((id as usize, answer), (backend, expected));
    }
    let batches = *batches.lock().unwrap();
    assert!(batches <= 24, "{batches} batches");
}

#[test]
fn a_user_makes_so_many_groups_and_what_is_refused_does_not_count() {
    let (store, strings) = puppet();
    let (mut cores, calls, replies) = Cores::new();
    let mut config = config(Path::new("nowhere"), CHEAP);
    (config.limits.group_makes, config.limits.group_make_ms) = (2, 3_600_000);
    let running = start(store, &config, calls, replies).unwrap();
    let make = |cores: &mut Cores, number| {
        cores.request(StoreRequest::CreateGroup {
            user: user(number),
            name: "g".into(),
            desc: String::new(),
        });
    };
    let down = || Err(StoreError::Down("a test pulls the plug".to_owned()));
    for (number, told, answer) in [
        (1, Some(Ok(Committed::Changes)), Ok(StoreReply::Done)),
        (1, Some(down()), Err(Code::Busy)),
        (1, Some(Ok(Committed::Changes)), Ok(StoreReply::Done)),
        (1, None, Err(Code::TooFast)),
        (2, Some(Ok(Committed::Changes)), Ok(StoreReply::Done)),
    ] {
        if let Some(told) = told {
            strings.tell.send(told).unwrap();
        }
        make(&mut cores, number);
        assert_eq!(cores.answer().1, answer);
    }
    drop(cores);
    running.join().unwrap();
}

/// What it can do with one order is of no use if it can do nothing with any: the rest is not even tried.
#[test]
fn a_store_that_fails_at_one_order_and_proves_nothing_is_down() {
    let (store, strings) = puppet();
    let (mut cores, running) = started(store);
    let state = running.state();
    let odd = || Err(StoreError::Order("a test made it up".to_owned()));
    *strings.probed.lock().unwrap() = Err(StoreError::Down("it writes nothing".to_owned()));
    cores.request(StoreRequest::Friends { user: user(1) });
    strings.asked.recv().unwrap();
    for number in 2..=4 {
        cores.request(StoreRequest::Friends { user: user(number) });
    }
    for told in [odd(), odd(), odd()] {
        strings.tell.send(told).unwrap();
    }
    assert_eq!([0; 4].map(|_| cores.answer()), [0, 1, 2, 3].map(|id| (id, Err(Code::Busy))));
    assert_eq!((state.now(), state.unexpected()), (Condition::Down, 0));
    assert_eq!(strings.asked.iter().take(2).map(|batch| batch.len()).collect::<Vec<_>>(), [3, 1]);
    *strings.probed.lock().unwrap() = Ok(());
    cores.request(StoreRequest::Friends { user: user(5) });
    strings.tell.send(odd()).unwrap();
    assert_eq!(cores.answer(), (4, Err(Code::InvalidField)));
    assert_eq!(state.unexpected(), 1);
    drop(cores);
    running.join().unwrap();
}

#[test]
fn a_core_that_is_gone_needs_no_answer() {
    let (store, strings) = puppet();
    let (calls, theirs) = flume::unbounded();
    let running =
        start(store, &config(Path::new("nowhere"), CHEAP), theirs, vec![flume::unbounded().0]).unwrap();
    for core in [0, 1, usize::MAX] {
        let request = StoreRequest::Friends { user: user(1) };
        calls.send(StoreCall { core, id: RequestId { index: 0, generation: 0 }, request }).unwrap();
        strings.tell.send(Ok(Committed::Nothing)).unwrap();
    }
    drop(calls);
    running.join().unwrap();
}

#[test]
fn users_register_and_log_in() {
    let scratch = Scratch::new();
    let (mut cores, calls, replies) = Cores::new();
    let running = crate::open(config(scratch.path(), CHEAP)).unwrap().start(calls, replies).unwrap();
    cores.register("amy", "secret");
    assert_eq!(cores.answer(), (0, Ok(StoreReply::Registered(user(1)))));
    cores.register("amy", "other");
    assert_eq!(cores.answer(), (1, Err(Code::Refused)));
    cores.register("ben", "secret");
    assert_eq!(cores.answer(), (2, Ok(StoreReply::Registered(user(2)))));
    let verified = |number, name: &str| Ok((user(number), name.to_owned()));
    for (user, password, answer) in [
        (user(1), "secret", verified(1, "amy")),
        (user(2), "secret", verified(2, "ben")),
        (user(1), "other", Err(Code::Refused)),
        (user(1), "", Err(Code::Refused)),
        (user(3), "secret", Err(Code::Refused)),
        (user(3), "", Err(Code::Refused)),
    ] {
        let id = cores.verify(user, password);
        let (answered, found) = cores.answer();
        let found = found.map(|done| match done {
            StoreReply::Verified(Verified { user, name, .. }) => (user, name),
            other => panic!("{other:?}"),
        });
        assert_eq!((answered, found), (id, answer));
    }
    drop(cores);
    running.join().unwrap();
    let database = std::fs::read(scratch.path().join("chatd.db")).unwrap();
    let found = |text: &str| database.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(found("amy") && found("$argon2id$v=19$m=8,t=1,p=1$") && !found("secret"));
}

#[test]
fn a_password_is_changed_by_who_knows_it() {
    let scratch = Scratch::new();
    let (mut cores, calls, replies) = Cores::new();
    let running = crate::open(config(scratch.path(), CHEAP)).unwrap().start(calls, replies).unwrap();
    cores.register("amy", "secret");
    assert!(cores.answer().1.is_ok());
    let change = |cores: &mut Cores, number: u64, old: &str, new: &str| {
        let [old, new] = [old, new].map(|text| Password(text.to_owned()));
        cores.request(StoreRequest::ChangePassword { user: user(number), old, new, from: Source::Proxy });
        cores.answer().1
    };
    for (number, old) in [(1, "wrong"), (1, ""), (2, "secret")] {
        assert_eq!(change(&mut cores, number, old, "other"), Err(Code::Refused));
    }
    let changed = change(&mut cores, 1, "secret", "other");
    let Ok(StoreReply::Issued(token)) = changed else { panic!("{changed:?}") };
    for (password, right) in [("secret", false), ("other", true)] {
        cores.verify(user(1), password);
        assert_eq!(cores.answer().1.is_ok(), right);
    }
    cores.request(StoreRequest::Resume { secret: token.secret.clone(), device: None });
    assert!(matches!(cores.answer().1, Ok(StoreReply::Resumed(Resumed { token: id, .. })) if id == token.id));
    assert!(matches!(change(&mut cores, 1, "other", "third"), Ok(StoreReply::Issued(_))));
    cores.request(StoreRequest::Resume { secret: token.secret.clone(), device: None });
    assert_eq!(cores.answer().1, Err(Code::Refused));
    drop(cores);
    running.join().unwrap();
    let database = std::fs::read(scratch.path().join("chatd.db")).unwrap();
    let text = token.secret.0.as_bytes();
    assert!(!database.windows(text.len()).any(|window| window == text), "no token is stored");
}

#[test]
fn passwords_do_not_keep_anything_else_waiting() {
    let scratch = Scratch::new();
    let (mut cores, calls, replies) = Cores::new();
    let slow = Cost { memory_kib: 32 << 10, passes: 8, lanes: 1 };
    let running = crate::open(config(scratch.path(), slow)).unwrap().start(calls, replies).unwrap();
    let first = cores.register("amy", "secret");
    let second = cores.request(StoreRequest::Friends { user: user(1) });
    assert_eq!(cores.answer(), (second, Ok(StoreReply::Friends(vec![]))));
    assert_eq!(cores.answer(), (first, Ok(StoreReply::Registered(user(1)))));
    drop(cores);
    running.join().unwrap();
}

#[test]
fn too_many_passwords_are_turned_away_and_the_end_does_not_wait_for_them() {
    let scratch = Scratch::new();
    let (mut cores, calls, replies) = Cores::new();
    let mut config = config(scratch.path(), Cost { memory_kib: 32 << 10, passes: 8, lanes: 1 });
    config.limits.registration_queue = 10;
    let running = crate::open(config).unwrap().start(calls, replies).unwrap();
    for number in 0..100 {
        cores.register(&format!("user{number}"), "secret");
    }
    let Cores { calls, replies, .. } = cores;
    drop(calls);
    running.join().unwrap();
    let replies: Vec<StoreResult> = replies.iter().flatten().map(|answered| answered.result).collect();
    assert_eq!(replies.len(), 100, "everybody is answered");
    let registered = replies.iter().filter(|answer| matches!(answer, Ok(StoreReply::Registered(_)))).count();
    let busy = replies.iter().filter(|answer| **answer == Err(Code::Busy)).count();
    assert_eq!(registered + busy, 100);
    assert!(registered <= 12, "at most the queue and one a thread: {registered}");
}
