//! What is written into an envelope comes out of it, and what is none is refused.

use super::*;

fn user(n: u64) -> UserId {
    UserId::new(n).unwrap()
}

fn sample() -> Envelope {
    let message = Message {
        sender: user(25),
        target: Target::User(user(26)),
        mid: MessageId(77),
        ts: Millis(1_234),
        cid: "c-1",
        durability: Durability::Always,
        body: "{\"msg\":\"héllo\"}".as_bytes(),
    };
    Envelope::message(message, &mut Vec::new())
}

#[test]
fn a_message_survives_the_trip_in_every_field() {
    let opened = Envelope::open(sample().bytes().clone()).unwrap();
    assert_eq!(
        (opened.kind(), opened.sender(), opened.target()),
        (Kind::Direct, user(25), Target::User(user(26)))
    );
    assert_eq!((opened.mid(), opened.ts(), opened.cid()), (MessageId(77), Millis(1_234), "c-1"));
    assert_eq!(opened.durability(), Durability::Always);
    assert_eq!(opened.body(), "{\"msg\":\"héllo\"}".as_bytes());
}

#[test]
fn a_row_that_somebody_else_wrote_is_a_message() {
    let long = "c".repeat(256);
    for (cid, body, read) in [
        (&b"c-1"[..], &b"{\"msg\":\"x\"}"[..], ("c-1", "{\"msg\":\"x\"}")),
        (&long.as_bytes()[1..], b"", (&long[1..], "")),
        (long.as_bytes(), b"{}", ("", "{}")),
        (b"\xff", b"{\"msg\":\"\xff\"}", ("", "{\"msg\":\"\u{fffd}\"}")),
    ] {
        let (sender, target) = (user(1), Target::User(user(2)));
        let row = Row { sender, target, mid: MessageId(3), ts: Millis(4), cid, body };
        let sealed = Envelope::of_row(row, &mut Vec::new());
        let opened = Envelope::open(sealed.bytes().clone()).unwrap();
        assert_eq!((opened.cid(), opened.body()), (read.0, read.1.as_bytes()));
    }
}

#[test]
fn no_cut_or_damage_of_the_header_panics_later() {
    let notices = [Notice { user: user(1), epoch: 2, whereabouts: Whereabouts::Here }; 3];
    for bytes in [sample().bytes().to_vec(), Envelope::presence(MessageId(7), &notices).bytes().to_vec()] {
        for len in 0..bytes.len() {
            check(&bytes[..len]);
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 24, 0x7f, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                check(&damaged);
            }
        }
    }
}

fn check(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::open(Arc::from(bytes)) {
        let _ = (envelope.kind(), envelope.mid(), envelope.cid().len(), envelope.body().len());
        let _ = (envelope.offsets().count(), envelope.notices().count(), envelope.demand(), envelope.mids());
        if matches!(envelope.kind(), Kind::Direct | Kind::Group) {
            let _ = (envelope.sender(), envelope.target());
        }
    }
}
