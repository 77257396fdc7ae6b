//! A whole cluster in one thread: real hubs, and a simulated everything else.

pub mod bus;
pub mod client;
pub mod device;
pub mod faults;
pub mod heard;
pub mod modern;
pub mod oracle;
pub mod plan;
mod promises;
mod remembered;
pub mod rng;
pub mod store;
pub mod tcp;
pub mod world;
