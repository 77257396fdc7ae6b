//! The picture of the first conversation is a picture of this client.

/// The recorder, as `docs/record.sh` runs it.
#[allow(dead_code)]
#[path = "../../examples/record_conversation/main.rs"]
mod record_conversation;

use std::path::Path;

/// Times, which are those of the recording, are made equal.
fn without_times(svg: &str) -> String {
    let mut out: Vec<char> = svg.chars().collect();
    for at in 0..out.len().saturating_sub(6) {
        let [before, a, b, colon, c, d, after] = out[at..at + 7] else { unreachable!("seven of them") };
        if [before, colon, after] == ['>', ':', '<'] && [a, b, c, d].iter().all(char::is_ascii_digit) {
            out[at + 1..at + 6].copy_from_slice(&['0', '0', ':', '0', '0']);
        }
    }
    out.into_iter().collect()
}

#[test]
fn the_picture_of_the_first_conversation_is_what_happens() {
    let [chatd, chat] = ["chatd", "chat"].map(chatd_testing::program);
    let happened = record_conversation::record(&chatd, &chat).expect("the conversation happens");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-conversation.svg");
    let drawn = std::fs::read_to_string(file).expect("the picture is there");
    assert!(
        without_times(&happened) == without_times(&drawn),
        "the picture is of another client: run docs/record.sh, and look at it\n{happened}"
    );
}
