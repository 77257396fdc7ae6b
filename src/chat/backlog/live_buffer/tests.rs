//! What joins the live buffer from a page stands where its sender said it.

use super::*;
use crate::model::envelope::{Durability, Message, Target};
use crate::model::ids::{MessageId, Millis, UserId};

fn said(sender: u64, mid: u64) -> Envelope {
    let user = |number| UserId::new(number).expect("a user");
    let (sender, target, durability) = (user(sender), Target::User(user(9)), Durability::Always);
    let message =
        Message { sender, target, mid: MessageId(mid), ts: Millis(1), cid: "", durability, body: b"{}" };
    Envelope::message(message, &mut Vec::new())
}

#[test]
fn what_joins_the_buffer_stands_between_what_its_sender_said_before_and_after() {
    let mut buffer = LiveBuffer::default();
    for (sender, mid) in [(1, 10), (2, 15), (1, 30), (2, 40)] {
        let spilled = buffer.push(said(sender, mid), StoredAs::Unstored, usize::MAX);
        assert!(spilled.is_empty());
    }
    let of_page = |sender, mid| BacklogMessage { envelope: said(sender, mid), pos: None };
    assert!(buffer.takes(&of_page(1, 20)), "it must not overtake 10");
    assert!(!buffer.takes(&of_page(1, 5)), "nothing of its sender's is before it");
    assert!(!buffer.takes(&of_page(3, 50)), "nor is anything of this one's");
    assert!(buffer.takes(&of_page(2, 50)), "it must not overtake 15 and 40");
    assert!(buffer.takes(&of_page(1, 30)), "it is here");
    let order: Vec<u64> = buffer.iter().map(|buffered| buffered.envelope.mid().0).collect();
    assert_eq!(order, [10, 15, 20, 30, 40, 50]);
}
