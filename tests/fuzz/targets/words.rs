//! What a text is searched by: folding never fails, and a message is found by each of its own words.

use crate::Target;
use chatd_chat::model::ids::UserId;
use chatd_chat::wire::reply;
use chatd_storage::names;
use chatd_storage::search::words::{Words, fold_body};

/// `TARGET` reads a byte that says what follows: the frame of a message, or its text.
pub const TARGET: Target = Target {
    name: "words",
    run,
    dictionary: &[
        b"{\"msg\":\"",
        b"\\u0041",
        b"\\\\",
        b"\\\"",
        b"\\u",
        b"\\",
        "stra\u{df}e".as_bytes(),
        "e\u{301}".as_bytes(),
        "\u{ac00}".as_bytes(),
        "\u{1100}\u{1161}".as_bytes(),
        "\u{ff76}\u{ff9e}".as_bytes(),
        "\u{ad}".as_bytes(),
        "\u{fdfa}".as_bytes(),
        "\u{130}".as_bytes(),
        "\u{3a3}".as_bytes(),
        "\u{0e44}\u{0e17}\u{0e22}".as_bytes(),
        "\u{200d}".as_bytes(),
        "\u{1f600}".as_bytes(),
        "\u{915}\u{94d}".as_bytes(),
    ],
    bytes: 512,
};

fn run(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let mut folded = String::new();
    if kind & 1 == 0 {
        return fold_body(bytes, &mut folded);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let user = UserId::new(1).expect("an id");
    let mut body = Vec::new();
    reply::one_chat(&mut body, user, "amy", user, text, "t");
    fold_body(&body, &mut folded);
    if let Some(words) = Words::of(text) {
        assert!(words.are_in(folded.as_bytes()), "{text:?} is found by itself: {folded:?}");
    }
    let name = names::fold_letters(text);
    assert_eq!(names::fold_letters(&name), name, "what is folded stays as it is: {text:?}");
}
