//! The bus: how cores hear of each other.
//!
//! The contract, which both siblings keep:
//!
//! - `join` → `Joined`: what is published on the channel from then on arrives.
//! - `publish` → `Counted`, if a ticket was given: how many cores have joined the channel. First
//!   in, first out for one publisher on one channel.
//! - `look` → `Present`: for each user, whether any core has joined its channel.
//! - `leave`: nothing follows; what is under way may still arrive.
//! - At most once: what is lost is lost, and `Counted` is then 0 or an error.
//!
//! [`local`] delivers within the process.

pub mod local;
mod way;

use crate::chat::event::{BusDown, Event};
use crate::chat::ids::Ticket;

/// A consequence that is due at once, because it needed no other core.
pub(super) type Consequences = std::collections::VecDeque<Event<'static>>;

/// The bus has no room: as if nobody had heard.
pub(super) fn unheard(ticket: Ticket) -> Event<'static> {
    Event::Counted { ticket, heard: Err(BusDown) }
}
