//! What a hub can want done. The shard performs it and decides nothing.

use super::event::Channel;
use super::store::StoreRequest;
use crate::model::envelope::Envelope;
use crate::model::extras::{extras, without_extras};
use crate::model::ids::{ConnectionId, RequestId, UserId};
use crate::wire::code::Code;
use crate::wire::push;

/// So many readers a message is given room for once it has two.
const CROWD: usize = 16;

/// How a message is framed for a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framed {
    /// As v1 frames it.
    V1,
    /// As v2 frames it.
    V2,
    /// As v2 frames it, marked as the reader's own.
    Own,
}

impl Framed {
    /// How many bytes that has, without the terminator.
    pub(crate) fn len(self, envelope: &Envelope) -> usize {
        match self {
            Framed::V1 => envelope.body().len() - extras(envelope.body()).len(),
            Framed::V2 => push::v2_len(envelope),
            Framed::Own => push::own_len(envelope),
        }
    }

    fn frame(self, envelope: Envelope) -> Frame {
        match self {
            Framed::V1 => Frame::Push(envelope),
            Framed::V2 => Frame::PushV2(envelope),
            Framed::Own => Frame::PushOwn(envelope),
        }
    }
}

/// A frame for a client, without its terminator. None is empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A message, as v1 frames it: the envelope's body, without what only v2 has.
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
            Frame::Push(envelope) => Framed::V1.len(envelope),
            Frame::PushV2(envelope) => Framed::V2.len(envelope),
            Frame::PushOwn(envelope) => Framed::Own.len(envelope),
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

    /// Whether it pushes this very envelope, framed so. Its bytes are not looked at.
    fn is(&self, framed: Framed, envelope: &Envelope) -> bool {
        match (self, framed) {
            (Frame::Push(message), Framed::V1)
            | (Frame::PushV2(message), Framed::V2)
            | (Frame::PushOwn(message), Framed::Own) => message.shares(envelope),
            _ => false,
        }
    }
}

/// Something to be done, in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Append a frame, with what tells it apart from the next one, to a connection's outbox.
    Send {
        /// The connection that it goes to.
        connection: ConnectionId,
        /// The frame, without its terminator or header.
        frame: Frame,
    },
    /// The same for several connections, one after the other: a message to a crowd is counted and encoded once.
    SendAll {
        /// The connections that it goes to: two at least.
        connections: Vec<ConnectionId>,
        /// The frame of a message, without its terminator or header.
        frame: Frame,
    },
    /// Flush what the outbox holds, as far as the socket takes it at once, and close.
    Close {
        /// The connection. `Closed` follows as an event.
        connection: ConnectionId,
        /// The errno that goes with it, if one does.
        why: Option<Code>,
    },
    /// Hand over no further request of this session until `Resume`.
    Pause {
        /// The connection that is not read from.
        connection: ConnectionId,
    },
    /// Go on with the session's requests.
    Resume {
        /// The connection that is read from again.
        connection: ConnectionId,
    },
    /// Find out what the peer's TCP has acknowledged; `Acked` follows as an event.
    Probe {
        /// The connection of that peer.
        connection: ConnectionId,
    },
    /// Join a channel; `Joined` follows. Joins and leaves of one channel take turns.
    Join {
        /// The id that `Joined` will have.
        id: RequestId,
        /// The channel to be joined: a user's or a group's.
        channel: Channel,
    },
    /// Leave a channel, also after a join that failed. What is under way may still arrive.
    Leave {
        /// The channel to be left.
        channel: Channel,
    },
    /// Publish on a channel. First in, first out with this core's other publishes on it.
    Publish {
        /// The id that `Published` will have; `None` if nobody wants to know who heard it.
        id: Option<RequestId>,
        /// The channel that it is published on.
        channel: Channel,
        /// What is published: counted bytes, which are not copied.
        envelope: Envelope,
    },
    /// Find out who is online anywhere; `PresenceResult` follows.
    QueryPresence {
        /// The id that `PresenceResult` will have.
        id: RequestId,
        /// The users asked about; the answer is in this order.
        users: Vec<UserId>,
    },
    /// Request something of the store; `Answered` follows.
    Store {
        /// The id that `Answered` will have.
        id: RequestId,
        /// What is requested; its doc says which replies it may get.
        request: StoreRequest,
    },
}

impl Effect {
    /// Pushes a message.
    pub(super) fn push(connection: ConnectionId, framed: Framed, envelope: &Envelope) -> Self {
        Effect::Send { connection, frame: framed.frame(envelope.clone()) }
    }

    /// Has what this pushes pushed to one more connection, if that is to be sent the same. Whether it is.
    pub(super) fn push_also(
        &mut self,
        connection: ConnectionId,
        framed: Framed,
        envelope: &Envelope,
    ) -> bool {
        if let Effect::SendAll { connections, frame } = self
            && frame.is(framed, envelope)
        {
            connections.push(connection);
        } else if let Effect::Send { connection: first, frame } = self
            && frame.is(framed, envelope)
        {
            let mut connections = Vec::with_capacity(CROWD);
            connections.extend([*first, connection]);
            *self = Effect::SendAll { connections, frame: frame.clone() };
        } else {
            return false;
        }
        true
    }

    /// The same, as effects of which each sends to one connection: for whoever has no use for a crowd.
    pub fn singly(self) -> Vec<Self> {
        let Effect::SendAll { connections, frame } = self else { return vec![self] };
        let send = |connection| Effect::Send { connection, frame: frame.clone() };
        connections.into_iter().map(send).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::{Durability, Message, Target};
    use crate::model::ids::{CoreId, GroupId, MessageId, Millis};
    use crate::model::limits::Limits;
    use crate::port::cx::Cx;

    fn message() -> Envelope {
        let message = Message {
            sender: UserId::new(1).unwrap(),
            target: Target::Group(GroupId::new(5).unwrap()),
            mid: MessageId(9),
            ts: Millis(5),
            cid: "",
            durability: Durability::Always,
            body: br#"{"groupid":5,"id":1,"msg":"x","msgid":10}"#,
        };
        Envelope::message(message, &mut Vec::new())
    }

    fn pushed(pushes: &[(u32, Framed, &Envelope)]) -> Vec<Effect> {
        let mut cx = Cx::new(CoreId(0), Limits::default());
        for &(index, framed, envelope) in pushes {
            cx.push(ConnectionId { index, generation: 0 }, framed, envelope);
        }
        cx.effects
    }

    #[test]
    fn a_message_to_a_crowd_is_one_effect_and_says_what_many_would() {
        let (message, same) = (message(), message());
        assert_eq!(message, same);
        let pushes = [
            (0, Framed::V1, &message),
            (1, Framed::V1, &message),
            (2, Framed::V1, &message),
            (3, Framed::V2, &message),
            (4, Framed::V2, &message),
            (5, Framed::Own, &message),
            (6, Framed::V1, &message),
            (7, Framed::V1, &same),
        ];
        let effects = pushed(&pushes);
        let sizes = effects.iter().map(|effect| match effect {
            Effect::SendAll { connections, .. } => connections.len(),
            _ => 1,
        });
        // Bytes that lie elsewhere are not compared.
        assert_eq!(sizes.collect::<Vec<_>>(), [3, 2, 1, 1, 1]);
        let alone = |&(index, framed, envelope): &(u32, Framed, &Envelope)| {
            Effect::push(ConnectionId { index, generation: 0 }, framed, envelope)
        };
        let singly: Vec<Effect> = effects.into_iter().flat_map(Effect::singly).collect();
        assert_eq!(singly, pushes.iter().map(alone).collect::<Vec<_>>());
    }

    #[test]
    fn what_happens_between_two_readers_stays_between_them() {
        let message = message();
        let mut cx = Cx::new(CoreId(0), Limits::default());
        let connection = |index| ConnectionId { index, generation: 0 };
        cx.push(connection(0), Framed::V1, &message);
        cx.emit(Effect::Probe { connection: connection(0) });
        cx.push(connection(1), Framed::V1, &message);
        let [Effect::Send { .. }, Effect::Probe { .. }, Effect::Send { .. }] = &cx.effects[..] else {
            panic!("{:?}", cx.effects)
        };
    }
}
