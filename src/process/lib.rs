//! What a process of chatd says, what systemd is told of it, which of its threads goes first, and what a panic ends. For all
//! but the core of the house, which says nothing.

#![deny(missing_docs)]
// Those who work on a crate read its pages with its private items.
#![allow(rustdoc::private_intra_doc_links)]

pub mod log;
pub mod panic_policy;
pub mod precedence;
pub mod supervisor;
