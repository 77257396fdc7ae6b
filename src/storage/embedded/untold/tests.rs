//! What is told of groups, also if somebody dies meanwhile.

use super::super::Embedded;
use super::super::tests::{amy, count, open, perform, store_message};
use crate::outbox::{Kinds, Page, Step};
use crate::scratch::Scratch;
use crate::{Order, Store};
use chatd_chat::model::envelope::Target;
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use chatd_chat::port::store::StoreRequest;
use std::time::Duration;

/// The first user says something in a group of so many others.
fn crowd(store: &mut Embedded, size: u64) {
    let enroll = |at| Order::Enroll { name: format!("user{at}"), hash: String::new() };
    let mut orders: Vec<Order> = (0..=size).map(enroll).collect();
    let request = StoreRequest::CreateGroup { user: amy(), name: "crowd".into(), desc: String::new() };
    orders.push(Order::Request(request));
    let group = GroupId::new(1).expect("an id");
    let join = |id| StoreRequest::AddGroup { user: UserId::new(id).expect("an id"), group, row: None };
    orders.extend((2..=size + 1).map(|id| Order::Request(join(id))));
    orders.push(store_message(Target::Group(group), 1_000));
    perform(store, &orders);
}

fn look(store: &mut Embedded, posted: Vec<u64>) -> Page {
    let (now, undelivered_before) = (Millis(5_000), Some(Millis(2_000)));
    let step = Step {
        holder: 1,
        now,
        renew: true,
        posted,
        tell: None,
        trim: None,
        undelivered_before,
        wanted: true,
    };
    store.outbox(&step).expect("the store works")
}

#[test]
fn members_are_told_of_once_whatever_dies_between_their_pages() {
    let scratch = Scratch::new();
    let (mut told, mut steps, mut posted) = (Vec::new(), 0, Vec::new());
    loop {
        let mut store = open(scratch.path()).expect("what was there before is dead");
        store.set_outbox(Kinds::named(["undelivered"]).expect("it is one"), Duration::ZERO);
        if steps == 0 {
            crowd(&mut store, 1_100);
        }
        let page = look(&mut store, std::mem::take(&mut posted));
        steps += 1;
        assert!(steps <= 3, "it comes to an end");
        for row in &page.rows {
            let event: serde_json::Value =
                serde_json::from_str(&format!("{{{}}}", row.body)).expect("an event is an object");
            let users = event["users"].as_array().expect("users");
            told.extend(users.iter().map(|user| user["user"].as_u64().expect("a number")));
            posted.push(row.id);
        }
        if !page.more {
            break;
        }
    }
    assert_eq!((steps, told), (3, (2..=1_101).collect::<Vec<u64>>()));
    assert_eq!(count(scratch.path(), "untold"), 0, "nothing is left to be told");
}

#[test]
fn a_group_in_which_much_is_said_has_one_row() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path()).expect("it is new");
    store.set_outbox(Kinds::named(["message"]).expect("it is one"), Duration::ZERO);
    crowd(&mut store, 2);
    assert_eq!(count(scratch.path(), "untold"), 0, "nobody is to be told of that");
    store.set_outbox(Kinds::ALL, Duration::ZERO);
    let group = Target::Group(GroupId::new(1).expect("an id"));
    for mid in 0..10 {
        perform(&mut store, &[store_message(group, 2_000 + 2 * mid), store_message(group, 2_001 + 2 * mid)]);
    }
    assert_eq!(count(scratch.path(), "untold"), 1);
}
