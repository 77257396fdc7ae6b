//! What a process of chatd says, what systemd is told of it, and what a panic ends. For all but the core, which says nothing.

#![deny(missing_docs)]
// Those who work on a crate read its pages with its private items.
#![allow(rustdoc::private_intra_doc_links)]

pub mod log;
pub mod panic_policy;
pub mod supervisor;
