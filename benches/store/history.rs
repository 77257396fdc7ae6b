//! Messages that are stored for the history only, in batches as the hub makes them: CPU over all threads.

use crate::through::Through;
use crate::{Writer, cpu, populated, report};
use chatd::chat::model::envelope::Envelope;
use chatd::chat::port::store::StoreRequest;
use chatd::storage::Backend;
use std::time::Instant;

/// How many messages a batch of the hub has at most.
const BATCH: usize = 256;
/// Batches that the store has and has not answered, as a core has them under load.
const BATCHES_UNDER_WAY: usize = 4;

/// Few conversations and many, with many messages in a batch and with few.
pub fn flat_out(messages: usize) {
    for (conversations, burst) in [(100, 16), (100, 1), (5_000, 16), (5_000, 1)] {
        let (backend, path) = populated("history");
        append(backend, messages, conversations, burst);
        drop(std::fs::remove_dir_all(path));
    }
}

/// So many messages in so many conversations, of which each has `burst` messages in a batch, between those of others.
fn append(backend: Backend, messages: usize, conversations: u32, burst: usize) {
    let mut through = Through::new(backend);
    let mut writer = Writer::new();
    let a_batch = (BATCH / burst) as u32;
    let batch = |first: u32, writer: &mut Writer| -> Vec<Envelope> {
        let speakers = (0..BATCH as u32).map(|number| first + number % a_batch);
        speakers.map(|speaker| writer.between(speaker % conversations)).collect()
    };
    let mut next = 0;
    let mut batches = Vec::new();
    for _ in 0..messages.div_ceil(BATCH) {
        batches.push(batch(next, &mut writer));
        next += a_batch;
    }
    let count = batches.len() * BATCH;
    let (start, before) = (Instant::now(), cpu());
    for envelopes in batches {
        through.ask(StoreRequest::AppendHistory { envelopes: envelopes.into() });
        while through.under_way >= BATCHES_UNDER_WAY {
            through.hear(None);
        }
    }
    through.hear_all();
    let (took, used) = (start.elapsed(), cpu() - before);
    let each = through.waited.iter().flatten().copied().collect();
    report(&format!("history, {conversations} conversations, {burst} each"), count, took, each, used);
    through.close();
}
