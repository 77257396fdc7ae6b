//! What travels inside every message text: whose it is, which one it is, and when it was meant to leave.
//!
//! Fixed width, so that a frame is encoded once and only its stamp is rewritten for each message. Hexadecimal,
//! so that JSON never escapes it.

/// `@`, 5 digits of talk, 8 of sequence number, 12 of nanoseconds (78 hours).
pub const STAMP_BYTES: usize = 1 + TALK_DIGITS + SEQUENCE_DIGITS + TIME_DIGITS;

const TALK_DIGITS: usize = 5;
const SEQUENCE_DIGITS: usize = 8;
const TIME_DIGITS: usize = 12;

/// How a stamp begins in a message's text, whatever order the server gives its keys.
const IN_TEXT: &[u8] = b"\"msg\":\"@";
/// How it begins in the `cid` of an acknowledgement.
const IN_CID: &[u8] = b"\"cid\":\"@";
/// How it begins anywhere, in a frame inside a string of a frame too.
const ANYWHERE: &[u8] = b"\"@";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub talk: u32,
    pub sequence: u32,
    /// On the generator's clock: the intended send time in an open loop, the actual one in a closed loop.
    pub time_ns: u64,
}

impl Stamp {
    /// Writes the stamp over the first `STAMP_BYTES` of `place`.
    pub fn write(self, place: &mut [u8]) {
        place[0] = b'@';
        let (talk, rest) = place[1..STAMP_BYTES].split_at_mut(TALK_DIGITS);
        let (sequence, time) = rest.split_at_mut(SEQUENCE_DIGITS);
        write_hex(u64::from(self.talk), talk);
        write_hex(u64::from(self.sequence), sequence);
        write_hex(self.time_ns, time);
    }

    /// Finds the stamp in a delivered frame; `None` for every other frame.
    pub fn find(frame: &[u8]) -> Option<Stamp> {
        Stamp::after(frame, IN_TEXT)
    }

    /// Finds the stamp that an acknowledgement or a refusal answers.
    pub fn find_cid(frame: &[u8]) -> Option<Stamp> {
        Stamp::after(frame, IN_CID)
    }

    /// Every stamp in a frame, those of messages inside a list of messages too.
    pub fn find_all(frame: &[u8]) -> impl Iterator<Item = Stamp> {
        memchr::memmem::find_iter(frame, ANYWHERE).filter_map(|at| Stamp::read(&frame[at + ANYWHERE.len()..]))
    }

    fn after(frame: &[u8], lead: &[u8]) -> Option<Stamp> {
        Stamp::read(&frame[memchr::memmem::find(frame, lead)? + lead.len()..])
    }

    fn read(text: &[u8]) -> Option<Stamp> {
        let (talk, rest) = text.get(..STAMP_BYTES - 1)?.split_at(TALK_DIGITS);
        let (sequence, time) = rest.split_at(SEQUENCE_DIGITS);
        Some(Stamp {
            talk: read_hex(talk)? as u32,
            sequence: read_hex(sequence)? as u32,
            time_ns: read_hex(time)?,
        })
    }
}

fn write_hex(mut value: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn read_hex(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    for &digit in digits {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(nibble);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found() {
        for stamp in [
            Stamp { talk: 0, sequence: 0, time_ns: 0 },
            Stamp { talk: 0xf_ffff, sequence: u32::MAX, time_ns: (1 << 48) - 1 },
            Stamp { talk: 77, sequence: 1_000_001, time_ns: 123_456_789_012 },
        ] {
            let mut frame = br#"{"time":"x","msg":""#.to_vec();
            let start = frame.len();
            frame.resize(start + STAMP_BYTES, b'?');
            stamp.write(&mut frame[start..]);
            frame.extend_from_slice(br#" and more","id":3}"#);
            assert_eq!(Stamp::find(&frame), Some(stamp));
        }
    }

    #[test]
    fn acknowledgements_and_lists_of_messages_hold_stamps_too() {
        let stamp = |sequence| Stamp { talk: 3, sequence, time_ns: 9 };
        let text = |sequence| {
            let mut bytes = [0; STAMP_BYTES];
            stamp(sequence).write(&mut bytes);
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let ack = format!(r#"{{"cid":"{}","errno":0,"msgid":20}}"#, text(4));
        assert_eq!(Stamp::find_cid(ack.as_bytes()), Some(stamp(4)));
        assert_eq!(Stamp::find(ack.as_bytes()), None);
        let messages = [1, 2].map(|number| format!(r#""{{\"msg\":\"{}xx\",\"msgid\":6}}""#, text(number)));
        let login = format!(r#"{{"msgid":2,"offlinemsg":[{}]}}"#, messages.join(","));
        assert_eq!(Stamp::find_all(login.as_bytes()).collect::<Vec<_>>(), [stamp(1), stamp(2)]);
    }

    #[test]
    fn other_frames_have_none() {
        let long = br#"{"msg":"@0000z000000000000000000000000000","id":1}"#;
        let others: [&[u8]; 4] = [b"", br#"{"msgid":21,"errno":103}"#, br#"{"msg":"@0001"}"#, long];
        for other in others {
            assert_eq!(Stamp::find(other), None);
        }
    }
}
