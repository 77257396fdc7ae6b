//! The port: what the core and the world around it say to each other, and what is under way between them.
//!
//! - [`event`] comes in, [`effect`] goes out; [`store`] is what the store is requested and replies.
//! - [`in_flight`]: requests that are under way, and what is to be done with each reply.
//! - [`cx`]: what every room is lent: time, bounds, the clock of message ids, effects, requests in flight, counters.
//! - [`hearing`]: whether this core hears what others publish.
//! - [`lookups`]: what clients ask of the store for themselves, so many at one time.
//! - [`rename`]: a message whose id is taken is given another one.
//! - [`seal`]: a message is encoded, once.
//! - [`counters`]: plain numbers that decide nothing.
//!
//! Decides nothing. Knows the wire and the model only.

pub mod counters;
pub(crate) mod cx;
pub mod effect;
pub mod event;
pub(crate) mod hearing;
pub(crate) mod in_flight;
pub(crate) mod lookups;
pub(crate) mod rename;
pub(crate) mod seal;
pub mod store;
