//! The client's half of chatd, for any Rust program: connection, dialect, reconnection.
//!
//! A [`Client`] says [`Request`]s, and [`Events`] tells what came of them and what others say. The
//! connection is its problem, not yours: it tries several [`Address`]es in turn, waits between
//! rounds ([`backoff`]), comes back with the token that the server gave, and says again under the
//! same `cid` what the server has not acknowledged, so that the server stores it once. What others
//! say is told once, and confirmed when it has arrived ([`Confirming`]).
//! A [`Device`] may live beside others of its user, and is told what it missed by place.
//!
//! ```no_run
//! use chatd_chat::model::ids::UserId;
//! use chatd_client::{Client, Config, Event};
//!
//! let (client, events) = Client::connect(Config::new(vec!["127.0.0.1:6000".parse()?]));
//! let me = UserId::new(7).ok_or("ids begin at 1")?;
//! client.login(me, "my password");
//! for event in events {
//!     if let Event::Message(message) = event {
//!         client.say(message.conversation, message.text.to_uppercase());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! How it is made:
//!
//! - [`dialect`] is the only place that knows msgids and fields: v2's, and those of its sibling, the
//!   seed's dialect. With a server that speaks only the latter the former falls back by itself.
//! - [`session`] is a plain value that is fed inputs and a time, and says what is to be done. It
//!   knows no socket and no clock, so its rules are tested without either.
//! - [`link`] is one TCP connection: a thread that connects, cuts frames and tells how it ended. [`secure`] is what its bytes
//!   go through where an address begins with `tls://`: then the server is who its certificate says, or there is no connection.
//! - [`Client`] puts the three together on a thread of its own.
//!
//! Of the rest of the crate it uses `chat::wire` and `chat::ids` only.

pub mod address;
pub mod backoff;
pub mod change;
pub mod clock;
pub mod device;
pub mod dialect;
pub mod event;
pub mod friend;
pub mod group;
mod handle;
pub mod link;
pub mod message;
pub mod refusal;
pub mod request;
pub mod roster;
pub mod row;
pub mod secret;
pub mod secure;
pub mod session;

pub use address::Address;
pub use change::{Change, Changed, Reaction, Recalled};
/// Whose certificates are believed, where an address begins with `tls://`.
pub use chatd_tls::Trust;
pub use clock::local_time;
pub use device::{Cap, Device, DeviceId, Head, Heads, KnownDevice, Since, Synced};
pub use event::{Answer, Event, RequestId};
pub use friend::{Asking, FriendChange, FriendEvent, OwnDeed, Settings, WhoWrites};
pub use group::{GroupChange, GroupEvent, Joining, Muted, Somebody, Until};
pub use handle::{Client, Config, Confirming, Events};
pub use message::{Conversation, Data, Extras, Mark, Message};
pub use refusal::{Ending, Failure, Refusal};
pub use request::{Named, Request, Span, Takeover};
pub use roster::{Group, Member, Person, Role, Spoken, Welcome};
pub use row::Row;
pub use secret::Secret;
