//! A real conversation: every message is kept, acknowledged, and settled once its reader has it.

use crate::through::Through;
use crate::{Cid, Kind, Writer, cpu, report};
use chatd::chat::model::envelope::Envelope;
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::storage::Backend;
use std::time::{Duration, Instant};

/// Whether readers say that they have their messages.
#[derive(Clone, Copy, PartialEq)]
pub enum Readers {
    /// They are away: everything stays owed.
    Away,
    /// Each message is settled by itself, right after it was kept.
    There,
}

/// So many messages, as fast as it goes with so many of them under way.
pub fn flat_out(
    what: &str,
    backend: Backend,
    messages: usize,
    under_way: usize,
    kind: Kind,
    readers: Readers,
) {
    let mut through = Through::new(backend);
    let mut writer = Writer::new();
    let envelopes: Vec<Envelope> = (0..messages).map(|_| writer.message(kind, Cid::Timed)).collect();
    let mut of: Vec<Option<usize>> = Vec::with_capacity(messages * 2);
    let (start, before) = (Instant::now(), cpu());
    let (mut next, mut kept, mut each) = (0, 0, Vec::with_capacity(messages));
    while kept < messages {
        while next < messages && next - kept < under_way {
            through.ask(StoreRequest::StoreMessage { envelope: envelopes[next].clone() });
            of.push(Some(next));
            next += 1;
        }
        let (number, answer) = through.hear(None).expect("answered");
        let Some(message) = of[number] else { continue };
        assert!(matches!(answer, Ok(StoreReply::Stored(_))), "{answer:?}");
        kept += 1;
        each.push(through.waited[number].expect("it was heard"));
        settle(&mut through, &mut of, &envelopes[message], readers);
    }
    through.hear_all();
    report(&format!("{what}, {under_way} under way"), messages, start.elapsed(), each, cpu() - before);
    through.close();
}

/// So many messages a second, each due at its time, whatever the store does.
pub fn paced(what: &str, backend: Backend, messages: usize, a_second: usize, kind: Kind, readers: Readers) {
    let mut through = Through::new(backend);
    let mut writer = Writer::new();
    let envelopes: Vec<Envelope> = (0..messages).map(|_| writer.message(kind, Cid::Timed)).collect();
    let mut of: Vec<Option<usize>> = Vec::with_capacity(messages * 2);
    let (start, before) = (Instant::now(), cpu());
    let due = |number: usize| start + Duration::from_secs_f64(number as f64 / a_second as f64);
    let (mut next, mut kept, mut each) = (0, 0, Vec::with_capacity(messages));
    while kept < messages {
        let now = Instant::now();
        while next < messages && due(next) <= now {
            through.ask_at(due(next), StoreRequest::StoreMessage { envelope: envelopes[next].clone() });
            of.push(Some(next));
            next += 1;
        }
        let Some((number, answer)) = through.hear((next < messages).then(|| due(next))) else { continue };
        let Some(message) = of[number] else { continue };
        assert!(matches!(answer, Ok(StoreReply::Stored(_))), "{answer:?}");
        kept += 1;
        each.push(through.waited[number].expect("it was heard"));
        settle(&mut through, &mut of, &envelopes[message], readers);
    }
    through.hear_all();
    report(&format!("{what}, {a_second}/s"), messages, start.elapsed(), each, cpu() - before);
    through.close();
}

fn settle(through: &mut Through, of: &mut Vec<Option<usize>>, message: &Envelope, readers: Readers) {
    if readers == Readers::There {
        through.ask(StoreRequest::AckDelivered {
            user: message.user(),
            mids: vec![message.mid()],
            cursors: vec![],
        });
        of.push(None);
    }
}
