//! A message as v2 frames it: the seed's frame, encoded once where the message was sent, marked in
//! front with what its envelope says of it.

use super::text::{escape, escaped_len, number, number_len, string};
use crate::model::change::{Reaction, RowState};
use crate::model::envelope::Envelope;
use crate::model::history::Placed;
use crate::model::ids::{Millis, UserId};

const CID: &[u8] = b"{\"cid\":\"";
const MID: &[u8] = b"\",\"mid\":\"";
const POS: &[u8] = b"\",\"pos\":";
const OWN: &[u8] = b"\",\"own\":true";
const TS: &[u8] = b",\"ts\":";
/// What a message is called whose sender gave it no name: the same wherever it is pushed.
const NAMELESS: &[u8] = b"mid:";

/// Appends the push of a message.
pub fn v2(out: &mut Vec<u8>, envelope: &Envelope) {
    names(out, envelope);
    if let Some(pos) = envelope.pos() {
        out.extend_from_slice(POS);
        number(out, pos);
        return rest(out, envelope);
    }
    out.push(b'"');
    rest(out, envelope);
}

/// How many bytes [`v2`] appends.
pub fn v2_len(envelope: &Envelope) -> usize {
    let mid_len = number_len(envelope.mid().0);
    let cid_len = match envelope.cid() {
        "" => NAMELESS.len() + mid_len,
        cid => escaped_len(cid.as_bytes()),
    };
    let names_len = CID.len() + cid_len + MID.len() + mid_len + 1;
    let pos_len = envelope.pos().map_or(0, |pos| POS.len() - 1 + number_len(pos));
    names_len + pos_len + TS.len() + number_len(envelope.ts().0) + 1 + seed_fields(envelope).len()
}

/// Appends the push of a message that another session of its reader has sent. An event names who did it anyway.
pub fn own(out: &mut Vec<u8>, envelope: &Envelope) {
    if envelope.is_event() {
        return v2(out, envelope);
    }
    names(out, envelope);
    if let Some(pos) = envelope.pos() {
        out.extend_from_slice(POS);
        number(out, pos);
        out.extend_from_slice(&OWN[1..]);
    } else {
        out.extend_from_slice(OWN);
    }
    rest(out, envelope);
}

/// How many bytes [`own`] appends.
pub fn own_len(envelope: &Envelope) -> usize {
    if envelope.is_event() { v2_len(envelope) } else { v2_len(envelope) + OWN.len() - 1 }
}

/// Appends a row of history: a message as a push, its place in its conversation, and what became of it.
pub fn row(out: &mut Vec<u8>, row: &Placed) {
    let Placed { envelope, pos, state } = row;
    if let RowState::Recalled { by, ts } = state {
        return recalled(out, envelope, *pos, (*by, *ts));
    }
    names(out, envelope);
    out.extend_from_slice(POS);
    number(out, *pos);
    if let RowState::Changed { rev, reactions } = state {
        changed(out, *rev, reactions);
    }
    rest(out, envelope);
}

/// How many bytes [`row`] appends.
pub fn row_len(placed: &Placed) -> usize {
    match placed.state {
        RowState::AsSaid => {
            let known = placed.envelope.pos().is_some();
            let pos_len = if known { 0 } else { POS.len() - 1 + number_len(placed.pos) };
            v2_len(&placed.envelope) + pos_len
        }
        RowState::Changed { .. } | RowState::Recalled { .. } => {
            let mut out = Vec::new();
            row(&mut out, placed);
            out.len()
        }
    }
}

fn changed(out: &mut Vec<u8>, rev: u64, reactions: &[Reaction]) {
    for (at, Reaction { emoji, n, mine }) in reactions.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b",\"reactions\":[{\"emoji\":" } else { b",{\"emoji\":" });
        string(out, emoji);
        out.extend_from_slice(if *mine { b",\"mine\":true,\"n\":" } else { b",\"mine\":false,\"n\":" });
        number(out, *n);
        out.push(b'}');
    }
    if !reactions.is_empty() {
        out.push(b']');
    }
    if rev > 0 {
        out.extend_from_slice(b",\"rev\":");
        number(out, rev);
    }
}

fn recalled(out: &mut Vec<u8>, envelope: &Envelope, pos: u64, (by, ts): (UserId, Millis)) {
    out.extend_from_slice(b"{\"by\":");
    number(out, by.get().into());
    out.extend_from_slice(b",\"mid\":\"");
    number(out, envelope.mid().0);
    out.extend_from_slice(POS);
    number(out, pos);
    out.extend_from_slice(b",\"recalled\":true,\"ts\":");
    number(out, ts.0);
    out.push(b'}');
}

fn names(out: &mut Vec<u8>, envelope: &Envelope) {
    out.extend_from_slice(CID);
    match envelope.cid() {
        "" => {
            out.extend_from_slice(NAMELESS);
            number(out, envelope.mid().0);
        }
        cid => escape(out, cid.as_bytes()),
    }
    out.extend_from_slice(MID);
    number(out, envelope.mid().0);
}

fn rest(out: &mut Vec<u8>, envelope: &Envelope) {
    out.extend_from_slice(TS);
    number(out, envelope.ts().0);
    out.push(b',');
    out.extend_from_slice(seed_fields(envelope));
}

/// The seed's frame without its opening brace. A body that is no frame can only come from a server
/// that is broken; it is passed on as it is to both dialects.
fn seed_fields(envelope: &Envelope) -> &[u8] {
    envelope.body().get(1..).unwrap_or(b"}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::{Durability, Message, Target};
    use crate::model::ids::MessageId;

    /// Found by the fuzzer: the place was counted and not written.
    #[test]
    fn a_push_of_ones_own_has_as_many_bytes_as_it_says_with_a_place_and_without() {
        let (sender, target) = (UserId::new(1).unwrap(), Target::User(UserId::new(2).unwrap()));
        let message = Message {
            sender,
            target,
            mid: MessageId(9),
            ts: Millis(5),
            cid: "c",
            durability: Durability::Always,
            body: br#"{"id":1,"msg":"x","msgid":6}"#,
        };
        let plain = Envelope::message(message, &mut Vec::new());
        for (envelope, place) in [(plain.placed(12), r#","pos":12"#), (plain, "")] {
            let mut out = Vec::new();
            own(&mut out, &envelope);
            assert_eq!(out.len(), own_len(&envelope));
            let expected =
                format!(r#"{{"cid":"c","mid":"9"{place},"own":true,"ts":5,"id":1,"msg":"x","msgid":6}}"#);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
