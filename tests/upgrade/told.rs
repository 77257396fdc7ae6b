//! What a store tells of what was in its database before it was brought up to date.

use super::rows::Size;
use chatd::chat::model::change::Wanted;
use chatd::chat::model::history::Span;
use chatd::chat::model::ids::UserId;
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::storage::{Order, Outcome, Store};
use std::time::Duration;

fn ask(store: &mut dyn Store, request: StoreRequest) -> StoreReply {
    let mut outcomes = Vec::new();
    store.perform(&[Order::Request(request)], &mut outcomes).expect("the store works");
    match outcomes.remove(0) {
        Outcome::Reply(Ok(reply)) => reply,
        other => panic!("{other:?}"),
    }
}

/// Some users' conversations are listed and told to their last messages, whose places follow each other.
pub fn check(store: &mut dyn Store, size: &Size) {
    for number in [1, 2, size.users / 2, size.users] {
        let user = UserId::new(number).expect("an id");
        let StoreReply::Heads(page) = ask(store, StoreRequest::Heads { user, before: None, heads: 50 })
        else {
            panic!("heads are told")
        };
        assert!(page.heads.len() > 3, "user {number}: {:?}", page.heads);
        for head in page.heads {
            let (conversation, span, wanted) = (head.conversation, Span::Newest, Wanted::default());
            let request =
                StoreRequest::History { user, conversation, span, wanted, messages: 9, bytes: 1 << 20 };
            let StoreReply::History(page) = ask(store, request) else { panic!("history is told") };
            let told: Vec<u64> = page.messages.iter().map(|message| message.pos).collect();
            let from = head.head - head.head.min(9) + 1;
            assert_eq!(told, (from..=head.head).collect::<Vec<_>>(), "user {number}, {conversation:?}");
        }
    }
}

pub fn report(store: &str, version: usize, size: &Size, took: Duration) {
    let rate = size.messages as f64 / took.as_secs_f64();
    println!(
        "{store}, {} messages from version {version}: {:.2} s, {rate:.0} messages/s",
        size.messages,
        took.as_secs_f64()
    );
}
