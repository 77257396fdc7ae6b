//! The one suite that every [`Store`] passes.
//!
//! Owns the meaning of every [`StoreRequest`](chatd_chat::port::store::StoreRequest), as code. A case gets an [`Opener`] that
//! opens fresh, empty stores, so the suite runs on a file as well as on a database server. Knows
//! nothing of how a store works, and looks at no table.

mod account_acts;
mod accounts;
mod admissions;
mod backlog;
mod changed;
mod changes;
mod consent;
mod devices;
mod group_rules;
mod groups;
mod heads;
mod history;
mod markers;
mod messages;
mod outbox;
mod pages;
mod people;
mod places;
mod random;
pub mod search;
mod settings;
mod shut_out;
mod sync;
mod tokens;
mod trial;
mod untold;
mod upgrade;

pub use upgrade::{VERSION_1, VERSION_2, check_again, check_version_1, check_version_2};

use super::Store;
use chatd_chat::model::limits::Limits;

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
    [
        accounts::CASES,
        people::CASES,
        consent::CASES,
        settings::CASES,
        tokens::CASES,
        admissions::CASES,
        account_acts::CASES,
        devices::CASES,
        groups::CASES,
        group_rules::CASES,
        shut_out::CASES,
        messages::CASES,
        places::CASES,
        backlog::CASES,
        pages::CASES,
        history::CASES,
        markers::CASES,
        heads::CASES,
        sync::CASES,
        changes::CASES,
        changed::CASES,
        outbox::CASES,
        untold::CASES,
        search::CASES,
        random::CASES,
    ]
    .concat()
}
