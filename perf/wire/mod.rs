//! The bytes that the harness says and hears, as pure functions.
//!
//! The harness has a wire of its own on purpose: code shared with the server would share its mistakes. Nothing
//! here touches a socket.

mod answer;
mod frames;
mod request;
mod stamp;
mod websocket;

pub use answer::{Answer, msgid};
pub use frames::Frames;
pub use request::{
    Acks, ChatFrame, Confirmation, Dialect, Speaker, To, add_group, create_group, login, pong, register,
    resume,
};
pub use stamp::{STAMP_BYTES, Stamp};
pub use websocket::Framing;
