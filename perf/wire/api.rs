//! What is said to the server's API, over HTTP/1.1 with JSON, and what it answers: pure.

use std::net::SocketAddr;

use super::stamp::{STAMP_BYTES, Stamp};

/// `messages.send` from one user to another, written once: only the stamp changes from act to act, in the text and in the
/// `cid`.
pub struct SendAct {
    bytes: Vec<u8>,
    stamps_at: [usize; 2],
}

impl SendAct {
    pub fn new(api: SocketAddr, token: &str, from: i64, to: i64) -> SendAct {
        let stamp = "@".repeat(STAMP_BYTES);
        let body = format!(
            "{{\"from\":{{\"id\":{from}}},\"with\":{{\"id\":{to}}},\"msg\":\"{stamp}\",\"cid\":\"{stamp}\"}}"
        );
        let length = body.len();
        let head = format!(
            "POST /v1/messages.send HTTP/1.1\r\nHost: {api}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let bytes = [head, body].concat().into_bytes();
        let mut found = memchr::memmem::find_iter(&bytes, b"\":\"@").map(|at| at + b"\":\"".len());
        let stamps_at = [(); 2].map(|()| found.next().expect("there are two stamps"));
        SendAct { bytes, stamps_at }
    }

    /// The whole request, with this stamp.
    pub fn request(&mut self, stamp: Stamp) -> &[u8] {
        self.stamps_at.iter().for_each(|&at| stamp.write(&mut self.bytes[at..]));
        &self.bytes
    }
}

/// A request that changes nothing: what the API can.
pub fn ask_for_the_document(api: SocketAddr, token: &str) -> Vec<u8> {
    format!("GET /v1/openapi.json HTTP/1.1\r\nHost: {api}\r\nAuthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// The first answer in these bytes: its status, its body, and where it ends. `None` while it has not come whole.
pub fn http_answer(bytes: &[u8]) -> Option<(u16, &[u8], usize)> {
    let head_bytes = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_bytes]);
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    };
    let end = head_bytes + head.lines().find_map(length).unwrap_or(0);
    Some((status, bytes.get(head_bytes..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_has_its_stamp_in_text_and_cid_and_its_length_in_front() {
        let mut act = SendAct::new("127.0.0.1:6060".parse().unwrap(), "secret", 7, 8);
        for sequence in [1, 2] {
            let said = act.request(Stamp { talk: 3, sequence, time_ns: 9 });
            let (head, body) = std::str::from_utf8(said).unwrap().split_once("\r\n\r\n").unwrap();
            assert!(head.contains("Authorization: Bearer secret\r\n"), "{head}");
            assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let stamp = format!("@00003{sequence:08x}000000000009");
            let expected =
                serde_json::json!({ "from": { "id": 7 }, "with": { "id": 8 }, "msg": stamp, "cid": stamp });
            assert_eq!(body, expected);
        }
    }

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let both = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\ncontent-length: 11\r\n\r\n{\"errno\":0}HTTP/1.1 503 Busy\r\n\r\n";
        let end = both.len() - b"HTTP/1.1 503 Busy\r\n\r\n".len();
        for cut in 0..end {
            assert_eq!(http_answer(&both[..cut]), None, "cut at {cut}");
        }
        assert_eq!(http_answer(both), Some((200, b"{\"errno\":0}".as_slice(), end)));
        assert_eq!(http_answer(&both[end..]), Some((503, b"".as_slice(), both.len() - end)));
    }
}
