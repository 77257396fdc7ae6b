//! The relay as a process of its own.

use std::io;

use super::{Ground, Relay, RingRelay, Until};

/// The hidden `relay` command.
pub fn serve(ground: Ground) -> Result<(), String> {
    let serve = || -> io::Result<()> {
        match ground {
            Ground::Epoll => {
                let mut relay = Relay::listen()?;
                println!("ready {}", relay.address()?);
                relay.run(Until::Killed)
            }
            Ground::Ring(mode) => {
                let (mut relay, _) = RingRelay::listen(mode)?;
                println!("ready {}", relay.address()?);
                relay.run(Until::Killed)
            }
        }
    };
    serve().map_err(|error| format!("the relay failed: {error}"))
}
