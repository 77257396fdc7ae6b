//! One request to the application: its body, its signature, and whether it was taken.

use super::{ROW_EVENTS, Row, Secret};
use ring::hmac;
use std::fmt::Write;
use std::time::Duration;

/// How long a request may take, from looking up the address to the end of the answer. The lease on the outbox is longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read: nothing in it matters, but a connection can be used again after it.
const ANSWER_BYTES: u64 = 4 << 10;

/// Posts to one address.
pub(super) struct Post {
    agent: ureq::Agent,
    url: String,
    key: hmac::Key,
}

/// A body, and the numbers of its events.
pub(super) struct Body {
    pub(super) text: String,
    pub(super) first: u64,
    pub(super) events: u64,
}

impl Body {
    /// `{"events":[…]}`, each with its number.
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut text = String::with_capacity(64 + rows.iter().map(|row| row.body.len() + 64).sum::<usize>());
        text.push_str("{\"events\":[");
        let mut events = 0;
        for row in rows {
            for (at, line) in (row.id * ROW_EVENTS..).zip(row.body.lines()) {
                let comma = if events > 0 { "," } else { "" };
                let _ = write!(text, "{comma}{{\"id\":{at},{line}}}");
                events += 1;
            }
        }
        text.push_str("]}");
        Self { text, first: rows.first().map_or(0, |row| row.id * ROW_EVENTS), events }
    }
}

/// What a request is signed with: `t=<seconds>,v1=<hex of HMAC-SHA256 of t, a dot and the body>`.
pub(super) fn signature(key: &hmac::Key, seconds: u64, body: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(seconds.to_string().as_bytes());
    context.update(b".");
    context.update(body.as_bytes());
    let mut text = format!("t={seconds},v1=");
    for byte in context.sign().as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Post {
    /// Knows whom it trusts, and connects to nobody yet.
    ///
    /// # Errors
    /// If nobody is trusted to show a certificate.
    pub(super) fn new(url: &str, secret: &Secret) -> Result<Self, String> {
        let agent = crate::http::agent(url, PATIENCE).map_err(|why| why.to_string())?;
        Ok(Self { agent, url: url.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, &secret.0) })
    }

    /// Posts it once.
    ///
    /// # Errors
    /// Why it was not taken, without the address: anything but an answer of 2xx in time.
    pub(super) fn send(&self, body: &Body, seconds: u64) -> Result<(), String> {
        let request = (self.agent.post(&self.url).config().http_status_as_error(false).build())
            .content_type("application/json")
            .header("X-Chatd-Signature", signature(&self.key, seconds, &body.text))
            .header("X-Chatd-Event-Id", body.first.to_string());
        let mut answer = request.send(body.text.as_str()).map_err(|error| match error {
            // It would name the address, which may have a secret in it.
            ureq::Error::BadUri(_) => "the address is none".to_owned(),
            other => other.to_string(),
        })?;
        // Whether the rest of the answer comes does not matter.
        drop(answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec());
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_number() {
        let row = |id, body: &str| Row { id, body: body.to_owned() };
        let body = Body::of(&[row(7, "\"type\":\"a\"\n\"type\":\"b\""), row(9, "\"type\":\"c\"")]);
        let text = r#"{"events":[{"id":7000,"type":"a"},{"id":7001,"type":"b"},{"id":9000,"type":"c"}]}"#;
        assert_eq!((body.text.as_str(), body.first, body.events), (text, 7_000, 3));
    }

    #[test]
    fn a_signature_is_what_openssl_says() {
        // printf '1700000000.{"events":[]}' | openssl dgst -sha256 -hmac 'a secret of the test'
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret of the test");
        let signed = signature(&key, 1_700_000_000, "{\"events\":[]}");
        assert_eq!(
            signed,
            "t=1700000000,v1=9f6e5dc21f5aa3bdb90da9bef31a03d2fe4080b665187a245292e876017256a9"
        );
    }
}
