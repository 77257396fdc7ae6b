//! Envelopes of other cores and servers: what is opened can be read in all its fields, and nothing else is opened.

use crate::Target;
use chatd_chat::model::envelope::said::{said, text_range};
use chatd_chat::model::envelope::{Durability, Envelope, Kind};
use chatd_chat::model::ids::MessageId;
use chatd_chat::port::effect::Frame;
use chatd_chat::wire::edited::edited;
use std::sync::Arc;

/// `TARGET` reads the bytes of an envelope.
pub const TARGET: Target = Target {
    name: "envelopes",
    run,
    dictionary: &[
        b"\x01\x01",
        b"\x01\x02",
        b"\x01\x10",
        b"\x01\x16",
        b"\x01\x18",
        b"\x01\x1a",
        b"\x01\x1d",
        b"\x01\x1e",
        b"\x01\x21",
        b"\x01\x22",
        b"\x01\x24",
        b"\x01\x25",
        b"\x01\x28",
        b"\x01\x2a",
        b"\x01\x2b",
        b"\x01\x2e",
        b"\x01\x2f",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\x7f",
        b"{\"id\":1,\"msg\":\"x\"}",
        b"{\"by\":",
        b"\xff",
        b"\0\0\0\0\0\0\0\0",
    ],
    bytes: 512,
};

fn run(bytes: &[u8]) {
    let Ok(envelope) = Envelope::open(Arc::from(bytes)) else { return };
    assert_eq!(Envelope::open(envelope.bytes().clone()).as_ref(), Ok(&envelope));
    let _ = format!("{envelope:?}");
    let _ = (envelope.ts(), envelope.read_us(), envelope.cid(), envelope.durability());
    notice(&envelope);
    let renamed = envelope.renamed(MessageId(7));
    assert_eq!(
        (renamed.mid(), renamed.body(), renamed.pos()),
        (MessageId(7), envelope.body(), envelope.pos())
    );
    if matches!(envelope.kind(), Kind::Direct | Kind::Group) {
        message(&envelope);
    }
}

/// Reads what each kind has.
fn notice(envelope: &Envelope) {
    match envelope.kind() {
        Kind::Direct | Kind::Group => {}
        Kind::Claim | Kind::Reclaim => drop((envelope.user(), envelope.demand())),
        Kind::ClaimDenied
        | Kind::ClaimConceded
        | Kind::BacklogHint
        | Kind::HidingHint
        | Kind::DevicesAsked => {
            let _ = envelope.user();
        }
        Kind::ClaimJoined => drop((envelope.user(), envelope.sessions())),
        Kind::GroupOffsets => drop((envelope.group(), envelope.offsets().count())),
        Kind::Dissolved => drop(envelope.group()),
        Kind::Presence => drop(envelope.notices().count()),
        Kind::CoreLeaving => {}
        Kind::Announcement => drop((envelope.cid(), envelope.ts())),
        Kind::Confirmed | Kind::Unconfirmed | Kind::ConfirmedHere => {
            drop((envelope.sender(), envelope.mids()))
        }
        Kind::Read => drop((envelope.sender(), envelope.read())),
        Kind::Typing => drop((envelope.typing(), envelope.typing_is_kept_from())),
        Kind::TokenRevoked => drop((envelope.user(), envelope.revoked())),
        Kind::Acquaintance => drop((envelope.user(), envelope.acquainted())),
        Kind::DevicesHere => drop((envelope.user(), envelope.tokens())),
        Kind::Friendship => drop((envelope.user(), envelope.sender(), envelope.friend_notice())),
        Kind::Settings => drop((envelope.user(), envelope.settings())),
        Kind::Changed => drop((envelope.sender(), envelope.changed())),
        Kind::GroupRule => drop((envelope.sender(), envelope.group(), envelope.ruled())),
        Kind::GroupKnown => drop(envelope.user()),
        Kind::GroupTold | Kind::GroupAsked => {
            let who = envelope.of_who_runs();
            assert!(who.is_of_who_runs() && who.kind() == envelope.kind());
        }
    }
}

/// A message is pushed in every dialect, in as many bytes as it says.
fn message(envelope: &Envelope) {
    let (_, _) = (envelope.sender(), envelope.target());
    assert!(envelope.cid().is_empty() || envelope.repeats(envelope));
    for frame in
        [Frame::Push(envelope.clone()), Frame::PushV2(envelope.clone()), Frame::PushOwn(envelope.clone())]
    {
        let mut out = Vec::new();
        frame.write(&mut out);
        assert_eq!(out.len(), frame.len(), "{frame:?}");
    }
    let placed = envelope.placed(9);
    assert_eq!((placed.pos(), placed.body(), placed.cid()), (Some(9), envelope.body(), envelope.cid()));
    assert!(matches!(
        envelope.durability(),
        Durability::IfUndelivered | Durability::IfUnacked | Durability::Always
    ));
    let body = envelope.body();
    assert!(said(body).len() <= body.len());
    if let Some(range) = text_range(body) {
        assert!(range.start <= range.end && range.end <= body.len());
        let text = std::str::from_utf8(&body[range]).expect("the body is text, and cut at quotes");
        if let Some(other) = edited(body, "x\"y") {
            assert_eq!(said(&other), br#"x\"y"#, "in the place of {text:?}");
        }
    }
}
