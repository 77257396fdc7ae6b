//! Envelopes on channels that they do not belong to: of another version, or forged. What the fuzzer has found.

use super::Hub;
use crate::model::envelope::{Envelope, Notice, Whereabouts};
use crate::model::ids::{CoreId, GroupId, MessageId, Millis, Monotonic, Now, UserId};
use crate::model::limits::Limits;
use crate::port::event::{Channel, Event};

/// It names no user, and was asked for one: `checked when sealed or opened`.
#[test]
fn what_cores_tell_each_other_is_nothing_on_the_channel_of_a_user_or_a_group() {
    let user = UserId::new(7).expect("an id");
    let notice = Notice { user, epoch: 1, whereabouts: Whereabouts::Here };
    let now = Now { monotonic: Monotonic(1), wall: Millis(1_700_000_000_000) };
    for envelope in [Envelope::presence(MessageId(9), &[notice]), Envelope::core_leaving(MessageId(9))] {
        for channel in [Channel::User(user), Channel::Group(GroupId::new(7).expect("an id"))] {
            let (mut hub, mut effects) = (Hub::new(CoreId(0), Limits::default()), Vec::new());
            let envelope = Envelope::open(envelope.bytes().clone()).expect("it is one");
            hub.handle(now, Event::Arrived { channel, envelope }, &mut effects);
            assert!(effects.is_empty() && hub.is_idle(), "{channel:?}: {effects:?}");
        }
    }
}
