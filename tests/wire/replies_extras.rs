//! What a v2 client hears of messages that carry more than their text, and the seed dialect does not.

use super::replies_v2::{CID, MID, TS, is_online, sent, user, written};
use chatd::chat::model::change::RowState;
use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::extras::Extras;
use chatd::chat::model::history::Placed;
use chatd::chat::model::profile::Profile;
use chatd::chat::port::effect::Frame;
use chatd::chat::wire::lists::{self, ByteBudget};
use chatd::chat::wire::{push, reply};

/// A message that replies to another and carries an object.
fn carrying() -> Envelope {
    let mut body = Vec::new();
    reply::one_chat(&mut body, user(25), "amy", user(26), "h\"i", "t");
    let extras = Extras::new(Some("{\"a\":[{}],\"b\":\"},\\\"{\"}"), Some(7)).expect("both");
    body.splice(1..1, extras.fields().bytes());
    let (sender, target, durability) = (user(25), Target::User(user(26)), Durability::Always);
    let message = Message { sender, target, mid: MID, ts: TS, cid: CID, durability, body: &body };
    Envelope::message(message, &mut Vec::new())
}

/// What waits for a user of the seed dialect.
fn waiting_for_the_seed(waiting: &Envelope) -> Vec<u8> {
    let budget = ByteBudget { lists_bytes: 1_000, frame_bytes: 1_000 };
    let waiting = [waiting].into_iter();
    lists::logged_in(user(26), "ben", &Profile::default(), &is_online, waiting, budget).bytes
}

pub fn carriers() -> [(&'static str, Vec<u8>); 5] {
    let edited = RowState::Changed { rev: 2, reactions: Vec::new() };
    let edited = Placed { envelope: carrying(), pos: 9, state: edited };
    [
        ("push that carries", sent(&Frame::PushV2(carrying()))),
        ("push of one's own that carries", sent(&Frame::PushOwn(carrying()))),
        ("the same to the seed", sent(&Frame::Push(carrying()))),
        ("the same that waited for the seed", waiting_for_the_seed(&carrying())),
        ("row that carries", written(|out| push::row(out, &edited))),
    ]
}
