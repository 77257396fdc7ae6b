//! A store on trial, and short ways to request things.

use crate::contract::Opener;
use crate::search::{Indexed, Question, Searcher};
use crate::token::password_print;
use crate::{Account, Order, Outcome, Store};
use chatd_chat::model::change::Wanted;
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::history::{Conversation, Placed, Span};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::Who;
use chatd_chat::model::retention::Retention;
use chatd_chat::model::token::Proof;
use chatd_chat::port::store::{
    BacklogMessage, BacklogPage, CursorUpdate, HistoryPage, Joined, StoreReply, StoreRequest, StoreResult,
    StoredMessage,
};

pub struct Trial {
    store: Box<dyn Store>,
    searcher: Option<Box<dyn Searcher>>,
    last_mid: u64,
}

/// One page, as tests look at it.
#[derive(Debug)]
pub struct Page {
    pub messages: Vec<BacklogMessage>,
    pub complete: bool,
    pub heads: Vec<(GroupId, u64)>,
}

/// What was told of a history.
#[derive(Debug)]
pub struct Told {
    pub messages: Vec<Placed>,
    pub complete: bool,
}

impl Told {
    pub fn mids(&self) -> Vec<u64> {
        self.messages.iter().map(|message| message.envelope.mid().0).collect()
    }
}

impl Page {
    pub fn mids(&self) -> Vec<u64> {
        self.messages.iter().map(|waiting| waiting.envelope.mid().0).collect()
    }

    /// (mid, pos) of each message.
    pub fn places(&self) -> Vec<(u64, Option<u64>)> {
        self.messages.iter().map(|waiting| (waiting.envelope.mid().0, waiting.pos)).collect()
    }

    pub fn head(&self, group: GroupId) -> Option<u64> {
        self.heads.iter().find(|(other, _)| *other == group).map(|(_, head)| *head)
    }
}

impl Trial {
    pub fn new(open: &mut Opener<'_>) -> Self {
        Self::with(open, &Limits::default())
    }

    pub fn with(open: &mut Opener<'_>, limits: &Limits) -> Self {
        Self { store: open(limits), searcher: None, last_mid: 1_000 }
    }

    /// The store itself.
    pub fn opened(&mut self) -> &mut dyn Store {
        &mut *self.store
    }

    /// One batch.
    pub fn batch(&mut self, orders: &[Order]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        self.store.perform(orders, &mut outcomes).expect("the store works");
        assert_eq!(outcomes.len(), orders.len(), "one outcome for each order");
        outcomes
    }

    /// One batch of requests.
    pub fn requests(&mut self, requests: Vec<StoreRequest>) -> Vec<StoreResult> {
        let orders: Vec<Order> = requests.into_iter().map(Order::Request).collect();
        let answer = |outcome| match outcome {
            Outcome::Reply(answer) => answer,
            Outcome::Found(_) | Outcome::Deferred => panic!("a request is answered"),
        };
        self.batch(&orders).into_iter().map(answer).collect()
    }

    /// A batch of one request.
    pub fn request(&mut self, request: StoreRequest) -> StoreResult {
        self.requests(vec![request]).remove(0)
    }

    pub fn enroll(&mut self, name: &str) -> StoreResult {
        let order = Order::Enroll { name: name.to_owned(), hash: format!("hash of {name}") };
        match self.batch(&[order]).remove(0) {
            Outcome::Reply(answer) => answer,
            Outcome::Found(_) | Outcome::Deferred => panic!("an enrolment is answered"),
        }
    }

    pub fn lookup(&mut self, user: UserId) -> Option<Account> {
        match self.batch(&[Order::Lookup { who: Who::Id(user) }]).remove(0) {
            Outcome::Found(account) => account,
            Outcome::Reply(_) | Outcome::Deferred => panic!("a lookup finds or does not"),
        }
    }

    /// What a login of a user is proven by, at present.
    pub fn proof(&mut self, user: UserId) -> Proof {
        let hash = self.lookup(user).map_or_else(String::new, |account| account.hash);
        Proof::Password(password_print(&hash))
    }

    pub fn user(&mut self, name: &str) -> UserId {
        match self.enroll(name) {
            Ok(StoreReply::Registered(user)) => user,
            other => panic!("{name} could not be made: {other:?}"),
        }
    }

    pub fn users<const N: usize>(&mut self, names: [&str; N]) -> [UserId; N] {
        names.map(|name| self.user(name))
    }

    /// A new group of a creator and members.
    pub fn group(&mut self, name: &str, creator: UserId, members: &[UserId]) -> GroupId {
        let request =
            StoreRequest::CreateGroup { user: creator, name: name.to_owned(), desc: format!("about {name}") };
        let group = match self.request(request) {
            Ok(StoreReply::Joined(Joined { group, head: 0, .. })) => group,
            other => panic!("{name} could not be made: {other:?}"),
        };
        for &user in members {
            self.join(user, group);
        }
        group
    }

    /// Joins and returns the head at that time.
    pub fn join(&mut self, user: UserId, group: GroupId) -> u64 {
        match self.request(StoreRequest::AddGroup { user, group, row: None }) {
            Ok(StoreReply::Joined(Joined { group: joined, head, .. })) if joined == group => head,
            other => panic!("{user} could not join {group}: {other:?}"),
        }
    }

    /// A message id greater than all before.
    pub fn mid(&mut self) -> MessageId {
        self.last_mid += 1;
        MessageId(self.last_mid)
    }

    /// A message with a new id.
    pub fn message(&mut self, sender: UserId, target: Target, cid: &str, text: &str) -> Envelope {
        let mid = self.mid();
        sealed(sender, target, mid, cid, &body(sender, target, text, "2026-01-01 00:00:00"))
    }

    /// Stores a new direct message and returns its id.
    pub fn tell(&mut self, sender: UserId, to: UserId, text: &str) -> MessageId {
        let envelope = self.message(sender, Target::User(to), "", text);
        self.store(&envelope).expect("a message to a user is stored");
        envelope.mid()
    }

    /// Stores a new group message and returns its id and place.
    pub fn post(&mut self, sender: UserId, group: GroupId, text: &str) -> (MessageId, u64) {
        let envelope = self.message(sender, Target::Group(group), "", text);
        match self.store(&envelope) {
            Ok(StoreReply::Stored(StoredMessage { mid, pos: Some(pos), .. })) if mid == envelope.mid() => {
                (mid, pos)
            }
            other => panic!("a member's message is stored, not {other:?}"),
        }
    }

    pub fn store(&mut self, envelope: &Envelope) -> StoreResult {
        self.request(StoreRequest::StoreMessage { envelope: envelope.clone() })
    }

    /// A page large enough for all.
    pub fn fetch(&mut self, user: UserId) -> Page {
        self.page(user, &[], usize::MAX, usize::MAX)
    }

    pub fn page(&mut self, user: UserId, have: &[(GroupId, u64)], messages: usize, bytes: usize) -> Page {
        match self.request(StoreRequest::FetchBacklog {
            user,
            after: MessageId(0),
            have: have.to_vec(),
            messages,
            bytes,
        }) {
            Ok(StoreReply::Backlog(BacklogPage { messages, complete, heads, .. })) => {
                Page { messages, complete, heads }
            }
            other => panic!("a page is always given, not {other:?}"),
        }
    }

    /// All of a conversation.
    pub fn history(&mut self, user: UserId, conversation: Conversation) -> Told {
        self.span(user, conversation, Span::Newest, usize::MAX, usize::MAX)
    }

    pub fn span(
        &mut self,
        user: UserId,
        conversation: Conversation,
        span: Span,
        messages: usize,
        bytes: usize,
    ) -> Told {
        let wanted = Wanted { changes: false, events: true };
        match self.request(StoreRequest::History { user, conversation, span, wanted, messages, bytes }) {
            Ok(StoreReply::History(HistoryPage { messages, complete, .. })) => Told { messages, complete },
            other => panic!("it was told, not {other:?}"),
        }
    }

    fn searcher(&mut self) -> &mut dyn Searcher {
        let store = &mut self.store;
        let searcher =
            || store.searcher().expect("the store works").expect("the store has somebody who searches");
        &mut **self.searcher.get_or_insert_with(searcher)
    }

    /// Has the index filled with all that there is.
    pub fn index(&mut self) {
        self.searcher();
        while self.store.index().expect("the store works") == Indexed::Partly {}
        while self.searcher().index().expect("the store works") == Indexed::Partly {}
    }

    /// What is found, with what was indexed.
    pub fn search(&mut self, question: &Question) -> StoreResult {
        self.searcher().search(question).expect("the store works")
    }

    pub fn greatest_mid(&mut self) -> MessageId {
        self.store.greatest_mid().expect("the store works")
    }

    /// As a server does when it starts.
    pub fn set_retention(&mut self, store: Retention) {
        self.store.set_retention(store).expect("the store works");
    }

    pub fn ack(&mut self, user: UserId, mids: &[MessageId], cursors: Vec<CursorUpdate>) {
        let answer = self.request(StoreRequest::AckDelivered { user, mids: mids.to_vec(), cursors });
        assert!(matches!(answer, Ok(StoreReply::Done | StoreReply::DeliveredAs(_))), "{answer:?}");
    }

    /// Acknowledges one group.
    pub fn ack_group(&mut self, user: UserId, group: GroupId, upto: u64, beyond: &[MessageId]) {
        self.ack(user, &[], vec![CursorUpdate { group, upto, beyond: beyond.to_vec() }]);
    }
}

pub fn sealed(sender: UserId, target: Target, mid: MessageId, cid: &str, body: &str) -> Envelope {
    let message = Message {
        sender,
        target,
        mid,
        ts: Millis(mid.0 + 7),
        cid,
        durability: Durability::IfUndelivered,
        body: body.as_bytes(),
    };
    Envelope::message(message, &mut Vec::new())
}

/// A seed frame around a text that is escaped already.
pub fn body(sender: UserId, target: Target, text: &str, time: &str) -> String {
    match target {
        Target::User(user) => {
            format!(r#"{{"id":{sender},"msg":"{text}","msgid":6,"name":"x","time":"{time}","toid":{user}}}"#)
        }
        Target::Group(group) => {
            format!(
                r#"{{"groupid":{group},"id":{sender},"msg":"{text}","msgid":10,"name":"x","time":"{time}"}}"#
            )
        }
    }
}
