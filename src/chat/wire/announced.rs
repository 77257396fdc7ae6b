//! What everybody is told who is online: what whoever runs the servers has announced.

use super::text::{number, string};
use crate::model::ids::UserId;

/// Who says it, to those who have no other word for it than a message.
const NAME: &str = "announcement";

/// For v2: ERROR without an error, about no request.
pub fn notice(text: &str) -> Vec<u8> {
    let mut out = b"{\"errmsg\":".to_vec();
    string(&mut out, text);
    out.extend_from_slice(b",\"errno\":0,\"msgid\":21}");
    out
}

/// For v1: the push of a message from 0, which is nobody's id. Nobody is answered there, and it is nowhere
/// afterwards.
pub fn push(text: &str, time: &str, reader: UserId) -> Vec<u8> {
    let mut out = b"{\"id\":0,\"msg\":".to_vec();
    string(&mut out, text);
    out.extend_from_slice(b",\"msgid\":6,\"name\":");
    string(&mut out, NAME);
    out.extend_from_slice(b",\"time\":");
    string(&mut out, time);
    out.extend_from_slice(b",\"toid\":");
    number(&mut out, reader.get().into());
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::Limits;
    use crate::wire::text::escaped_len;

    #[test]
    fn each_dialect_has_a_frame_of_its_own_for_it() {
        assert_eq!(notice("Down at \"ten\""), br#"{"errmsg":"Down at \"ten\"","errno":0,"msgid":21}"#);
        let reader = UserId::new(7).expect("an id");
        let pushed = push("Down", "2026-11-30 20:00:00", reader);
        let wanted =
            br#"{"id":0,"msg":"Down","msgid":6,"name":"announcement","time":"2026-11-30 20:00:00","toid":7}"#;
        assert_eq!(pushed, wanted);
    }

    /// It ends over a longer one.
    #[test]
    fn the_longest_one_is_a_frame_that_the_original_client_reads() {
        let longest = "\"".repeat(Limits::default().announcement_bytes / 2);
        assert_eq!(escaped_len(longest.as_bytes()), Limits::default().announcement_bytes);
        let reader = UserId::new(0x7fff_ffff).expect("an id");
        assert!(push(&longest, "2026-11-30 20:00:00", reader).len() < 1_000);
    }
}
