//! The one suite that every [`Store`] passes.
//!
//! Owns the meaning of every [`Ask`](crate::chat::ask::Ask), as code. A case gets an [`Opener`] that
//! opens fresh, empty stores, so the suite runs on a file as well as on a database server. Knows
//! nothing of how a store works, and looks at no table.

mod accounts;
mod backlog;
mod groups;
mod messages;
mod pages;
mod random;
mod trial;

use super::Store;
use crate::chat::limits::Limits;

/// Opens an empty store with these bounds. Each call makes another one.
pub type Opener<'a> = dyn FnMut(&Limits) -> Box<dyn Store> + 'a;

/// One thing that holds for every store.
#[derive(Clone, Copy)]
pub struct Case {
    /// In a few words.
    pub name: &'static str,
    /// Panics if it does not hold.
    pub run: fn(&mut Opener<'_>),
}

/// Runs every case, and names the one that failed.
///
/// # Panics
/// If the store does not keep the contract.
pub fn run(open: &mut Opener<'_>) {
    for case in cases() {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(open)));
        if outcome.is_err() {
            panic!("the store does not keep the contract: {}", case.name);
        }
    }
}

/// All cases.
pub fn cases() -> Vec<Case> {
    [accounts::CASES, groups::CASES, messages::CASES, backlog::CASES, pages::CASES, random::CASES].concat()
}
