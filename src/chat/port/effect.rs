//! What a hub can want done. The shard performs it and decides nothing.

use super::event::Channel;
use super::store::StoreRequest;
use crate::model::envelope::Envelope;
use crate::model::extras::{extras, without_extras};
use crate::model::ids::{ConnectionId, RequestId, UserId};
use crate::wire::code::Code;
use crate::wire::push;

/// A frame for a client, without its terminator. None is empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A message, as the seed dialect frames it: the envelope's body, without what only v2 has.
    Push(Envelope),
    /// A message, as v2 frames it: the same, marked with what the envelope says of it.
    PushV2(Envelope),
    /// A message that another session of the reader has sent, marked so.
    PushOwn(Envelope),
    /// Anything else.
    Reply(Vec<u8>),
}

impl Frame {
    /// How many bytes it has, without the terminator.
    #[allow(clippy::len_without_is_empty, reason = "no frame is empty")]
    pub fn len(&self) -> usize {
        match self {
            Frame::Push(envelope) => envelope.body().len() - extras(envelope.body()).len(),
            Frame::PushV2(envelope) => push::v2_len(envelope),
            Frame::PushOwn(envelope) => push::own_len(envelope),
            Frame::Reply(bytes) => bytes.len(),
        }
    }

    /// Appends its bytes, without the terminator: `len` of them.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Push(envelope) => {
                without_extras(envelope.body()).into_iter().for_each(|part| out.extend_from_slice(part));
            }
            Frame::PushV2(envelope) => push::v2(out, envelope),
            Frame::PushOwn(envelope) => push::own(out, envelope),
            Frame::Reply(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The message that it pushes, if it does.
    pub fn message(&self) -> Option<&Envelope> {
        match self {
            Frame::Push(envelope) | Frame::PushV2(envelope) | Frame::PushOwn(envelope) => Some(envelope),
            Frame::Reply(_) => None,
        }
    }
}

/// Something to be done, in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Append a frame, with what tells it apart from the next one, to a connection's outbox.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// What.
        frame: Frame,
    },
    /// Flush what the outbox holds, as far as the socket takes it at once, and close.
    Close {
        /// Which connection. `Closed` follows as an event.
        connection: ConnectionId,
        /// The errno that goes with it, if one does.
        why: Option<Code>,
    },
    /// Hand over no further request of this session until `Resume`.
    Pause {
        /// Whose.
        connection: ConnectionId,
    },
    /// Go on with the session's requests.
    Resume {
        /// Whose.
        connection: ConnectionId,
    },
    /// Find out what the peer's TCP has acknowledged; `Acked` follows as an event.
    Probe {
        /// Whose peer.
        connection: ConnectionId,
    },
    /// Join a channel; `Joined` follows. Joins and leaves of one channel take turns.
    Join {
        /// For the event that follows.
        id: RequestId,
        /// Which.
        channel: Channel,
    },
    /// Leave a channel, also after a join that failed. What is under way may still arrive.
    Leave {
        /// Which.
        channel: Channel,
    },
    /// Publish on a channel. First in, first out with this core's other publishes on it.
    Publish {
        /// If somebody wants to know who heard it, for the `Published` that follows.
        id: Option<RequestId>,
        /// Where.
        channel: Channel,
        /// What.
        envelope: Envelope,
    },
    /// Find out who is online anywhere; `PresenceResult` follows.
    QueryPresence {
        /// For the event that follows.
        id: RequestId,
        /// About whom.
        users: Vec<UserId>,
    },
    /// Request something of the store; `Answered` follows.
    Store {
        /// For the event that follows.
        id: RequestId,
        /// What.
        request: StoreRequest,
    },
}
