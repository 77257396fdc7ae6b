//! The relay as a process of its own.

use std::io;

use super::{Relay, Until};

/// The hidden `relay` command.
pub fn serve() -> Result<(), String> {
    let serve = || -> io::Result<()> {
        let mut relay = Relay::listen()?;
        println!("ready {}", relay.address()?);
        relay.run(Until::Killed)
    };
    serve().map_err(|error| format!("the relay failed: {error}"))
}
