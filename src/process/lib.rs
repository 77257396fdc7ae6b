//! What a process of chatd says, and what a panic ends. For all but the core, which says nothing.

#![deny(missing_docs)]

pub mod log;
pub mod panic_policy;
