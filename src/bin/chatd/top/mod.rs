//! `chatd top`: what a running chatd does.

use crate::options::Top;
use std::error::Error;
pub fn run(_wanted: Top) -> Result<(), Box<dyn Error>> {
    Ok(())
}
