//! What can happen to a core, as seen by its hub.

use super::store::StoreResult;
use crate::model::act::Act;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, CoreId, GroupId, RequestId, UserId};
use crate::model::source::Source;
use crate::wire::frame::Terminator;
use crate::wire::request::{Fault, Request};

/// A channel of the bus: cores join a user's while they hold its session, a group's while they
/// hold a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Channel {
    /// A user's.
    User(UserId),
    /// A group's.
    Group(GroupId),
    /// The one that every core hears, always: nobody joins or leaves it.
    Cores,
}

/// The bus could not do it: it is down, or its queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusDown;

/// Something that happened. Borrowed requests live as long as the bytes that were read.
#[derive(Debug)]
pub enum Event<'a> {
    /// A connection was accepted.
    Opened {
        /// Names the connection from now on, until its `Closed`.
        connection: ConnectionId,
        /// Where it comes from, as far as shares of logins go.
        from: Source,
    },
    /// It is known now where a connection comes from that a proxy made. It has said nothing yet.
    Located {
        /// The connection that the proxy made.
        connection: ConnectionId,
        /// Where its client comes from.
        from: Source,
    },
    /// A client said something that a client may say.
    Request {
        /// The connection that it came on.
        connection: ConnectionId,
        /// The byte that ended its frame.
        terminator: Terminator,
        /// What the client asks for: each field valid by itself, texts borrowed from the frame.
        request: Request<'a>,
    },
    /// A connection speaks WebSocket from now on: each of its frames is a message, with a header before it.
    Upgraded {
        /// The connection. Nothing was sent to it before.
        connection: ConnectionId,
    },
    /// A client said something that nobody may say.
    BadFrame {
        /// The connection that it came on.
        connection: ConnectionId,
        /// What is wrong with it, and whether the connection lives on.
        fault: Fault,
    },
    /// A frame of a client's has been under way for longer than `frame_ms`.
    FrameTimeout {
        /// The connection that it comes on.
        connection: ConnectionId,
    },
    /// Too much of this core's memory is unfinished frames, and this client's is one of the largest.
    Shed {
        /// The connection of that client.
        connection: ConnectionId,
    },
    /// The peer's TCP has acknowledged this many bytes of all that was ever sent to it.
    Acked {
        /// The connection of that peer.
        connection: ConnectionId,
        /// Bytes of frames, with what tells them apart, since the connection was opened. Never less than before.
        bytes: u64,
    },
    /// The client will say nothing more, and everything it said has been handed over. It may
    /// still listen.
    HalfClosed {
        /// The connection of that client.
        connection: ConnectionId,
    },
    /// A connection is gone, from whichever side.
    Closed {
        /// The connection; its name is free from now on.
        connection: ConnectionId,
        /// Bytes that its peer's TCP had acknowledged, as in `Acked`.
        acked: u64,
    },
    /// The channel is joined: whatever is published on it from now on will arrive.
    Joined {
        /// The id of the `Join`.
        id: RequestId,
        /// That it is joined, or that the bus could not.
        result: Result<(), BusDown>,
    },
    /// A publish was counted.
    Published {
        /// The id of the `Publish`.
        id: RequestId,
        /// How many cores heard it, the publisher included if it has joined the channel; or that nobody knows.
        receivers: Result<u32, BusDown>,
    },
    /// Something was published on a channel that this core has joined, perhaps by itself.
    Arrived {
        /// The channel that it was published on.
        channel: Channel,
        /// What was published: whole, but perhaps a forgery or of a kind that has no business there.
        envelope: Envelope,
    },
    /// Who of those asked about is online anywhere.
    PresenceResult {
        /// The id of the `QueryPresence`.
        id: RequestId,
        /// For each user asked about, in that order: whether any core has joined its channel.
        online: Result<Vec<bool>, BusDown>,
    },
    /// The bus was lost, or it is not one with that of all servers any more: what others say does not arrive.
    BusLost,
    /// Nothing of this core's own has come back over the bus for so long that others may take it for dead.
    BusSilent,
    /// It has come back, after all that was said before.
    BusHeard,
    /// The bus was lost and is back, with every channel joined again. What was published meanwhile
    /// has not arrived.
    Rejoined {
        /// The number that this core goes by from now on.
        core: CoreId,
    },
    /// Another core is dead, or hangs and was cut off from the bus: it holds nobody any more.
    CoreGone {
        /// The number that the dead core went by.
        core: CoreId,
    },
    /// The server's API wants something done. The answer is sent to this acting session, which then is `Closed`.
    Acted {
        /// The session without a socket, new but for its number.
        connection: ConnectionId,
        /// What is to be done, or in whose name the request that follows is.
        act: Act,
    },
    /// The store has answered.
    Answered {
        /// The id of the `Store`.
        id: RequestId,
        /// The reply, or the errno by which the store refuses.
        result: StoreResult,
    },
    /// Time has passed. Comes several times a second.
    Tick {
        /// Seconds to add to UTC for the server's local time, for messages that bring no time.
        utc_offset_s: i32,
    },
    /// The server is stopping: finish with every session, one after the other. Said again: with all at once.
    Drain,
}
