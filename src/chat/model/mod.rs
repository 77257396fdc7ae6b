//! What everybody talks about: plain values, and the bounds of all of them.
//!
//! - [`ids`]: newtypes for ids, and the clock that makes message ids.
//! - [`envelope`]: a message or a notice as it travels between cores and into the store.
//! - [`profile`], [`token`], [`history`]: people and groups, secrets, pages of conversations.
//! - [`act`]: what the server's API does.
//! - [`capabilities`], [`device`]: what a client understands; a user's devices and how far they have read.
//! - [`change`]: what is done to messages after they were said; [`extras`]: what one carries besides its text.
//! - [`group_rule`]: how groups are run, and what members may do.
//! - [`consent`]: who may write to whom, friendships that are asked for, settings.
//! - [`dedup`]: what a user said lately, and how that was answered.
//! - [`limits`]: every bound, its default, and what happens at it.
//! - [`registration`]: who may register, as whoever runs the server chose.
//! - [`rate`]: how often something may be done, and what of that is used up.
//! - [`retention`]: which messages are stored, as whoever runs the server chose.
//! - [`source`]: where a connection comes from, as far as shares go.
//! - `name`: what may be a name. `local_time`: the server's time as text. `seldom`: what few have at a time.
//!
//! Owns no state of the core and knows no other room.

pub mod act;
pub mod capabilities;
pub mod change;
pub mod consent;
pub mod dedup;
pub mod device;
pub mod envelope;
pub mod extras;
pub mod group_rule;
pub mod history;
pub mod ids;
pub mod limits;
pub(crate) mod local_time;
pub mod name;
pub mod profile;
pub mod rate;
pub mod registration;
pub mod retention;
pub(crate) mod seldom;
pub mod source;
pub mod token;
