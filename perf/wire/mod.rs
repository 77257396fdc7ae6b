//! The bytes that the harness says and hears, as pure functions.
//!
//! The harness has a wire of its own on purpose: code shared with the server would share its mistakes. Nothing
//! here touches a socket.

mod answer;
mod api;
mod frames;
mod jwt;
mod request;
mod stamp;
mod websocket;

pub use answer::{Answer, msgid};
pub use api::{SendAct, ask_for_the_document, http_answer};
pub use frames::Frames;
pub use jwt::Application;
pub use request::{
    Acks, ChatFrame, Confirmation, Dialect, Speaker, To, add_group, create_group, login, login_with_jwt,
    pong, register, resume,
};
pub use stamp::{STAMP_BYTES, Stamp};
pub use websocket::Framing;
