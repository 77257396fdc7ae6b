//! A whole cluster in one thread: real hubs, and a simulated everything else.

pub mod bus;
pub mod client;
mod clocks;
mod consent;
mod course;
pub mod device;
mod ending;
pub mod faults;
pub mod heard;
pub mod modern;
pub mod oracle;
pub mod plan;
mod promises;
mod received;
mod remembered;
mod rest;
pub mod rng;
mod ruled;
mod searched;
mod sockets;
pub mod store;
pub mod synced;
pub mod tcp;
mod waiting;
mod ways;
mod witness;
pub mod world;
