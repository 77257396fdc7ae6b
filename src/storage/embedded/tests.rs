//! What only the embedded store promises: its directory, its file, its versions.

use super::Embedded;
use crate::chat::limits::Limits;
use crate::storage::scratch::Scratch;
use crate::storage::{Store, contract};

#[test]
fn the_contract_is_kept() {
    let scratch = Scratch::new();
    let mut count = 0;
    contract::run(&mut |limits: &Limits| {
        count += 1;
        let directory = scratch.path().join(count.to_string());
        Box::new(Embedded::open(&directory, limits).unwrap()) as Box<dyn Store>
    });
}
