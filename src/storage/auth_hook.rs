//! Passwords that another application knows: it is asked, over HTTP, whom a name and a password let in.
//!
//! Owns the question and its answer, each signed with a secret that both have, so that neither can be made up, and an answer
//! not be given twice. Whatever is no answer lets nobody in. Knows no queue: the threads of the [`pool`](super::pool) wait.

use super::http;
use super::jwt::SUBJECT_BYTES;
use chatd_chat::model::profile::Who;
use chatd_chat::model::token::Password;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

/// How long the application may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nobody is asked of an application that nobody reaches: who waits for a login is told so, and not kept.
const REST: Duration = Duration::from_secs(1);
/// What it may answer, in bytes.
const ANSWER_BYTES: u64 = 16 << 10;
/// The least that a secret has, in bytes: as many as the hash.
const SECRET_BYTES: usize = 32;
/// The header that a question and an answer are signed in.
const SIGNATURE: &str = "X-Chatd-Signature";

/// Whom the application knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vouched {
    /// What it calls the user: 1 to 190 bytes.
    pub external: String,
    /// What the user is called, if it says so.
    pub name: Option<String>,
}

/// Why the application cannot be asked.
#[derive(Debug)]
pub enum NotAHook {
    /// It is no address of HTTP.
    Url,
    /// Passwords would go over the network as they are.
    ClearText,
    /// It has fewer bytes than that.
    ShortSecret,
    /// Nobody is trusted to show a certificate.
    Trust(chatd_tls::Refusal),
}

impl fmt::Display for NotAHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAHook::Url => {
                f.write_str("it takes an address: https://host/path, without a user or a password in it")
            }
            NotAHook::ClearText => {
                f.write_str("passwords go to this machine (127.0.0.1, ::1) or over https:// only")
            }
            NotAHook::ShortSecret => write!(f, "the secret has to have {SECRET_BYTES} bytes at least"),
            NotAHook::Trust(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NotAHook {}

/// Why there is no answer. Nobody is let in then, and nobody's password counts as wrong.
#[derive(Debug)]
pub enum Unanswered {
    /// It could not be asked, or took too long.
    Unreachable(String),
    /// It could not be reached just now, and is not asked for a moment.
    Resting,
    /// It answered with this status.
    Status(u16),
    /// The answer has no signature, or not that of this answer to this question.
    Unsigned,
    /// The answer says neither yes, and who, nor no.
    Malformed,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Unreachable(why) => f.write_str(why),
            Unanswered::Resting => f.write_str("it could not be reached just now"),
            Unanswered::Status(status) => write!(f, "status {status}"),
            Unanswered::Unsigned => f.write_str("the answer is not signed as it has to be"),
            Unanswered::Malformed => f.write_str("the answer is none"),
        }
    }
}

/// The application that is asked.
pub struct AuthHook {
    url: String,
    secret: hmac::Key,
    agent: ureq::Agent,
    random: SystemRandom,
    known: Mutex<Known>,
}

/// What is known of how it answers.
#[derive(Default)]
struct Known {
    /// Whether it worked when that was last said in the log.
    told: Option<bool>,
    /// When it last answered.
    answered: Option<Instant>,
    /// Until when it is not asked.
    rests: Option<Instant>,
}

impl Known {
    /// Somebody asked then, and heard that. Whether it is news that it works, or does not.
    fn note(&mut self, began: Instant, answer: &Result<Option<Vouched>, Unanswered>) -> bool {
        let now = Instant::now();
        match answer {
            Ok(_) => (self.answered, self.rests) = (Some(now), None),
            // Others were answered meanwhile: it is this one question.
            Err(Unanswered::Unreachable(_)) if self.answered.is_none_or(|answered| answered < began) => {
                self.rests = Some(now + REST);
            }
            Err(_) => {}
        }
        self.told.replace(answer.is_ok()) != Some(answer.is_ok())
    }
}

impl fmt::Debug for AuthHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthHook({})", self.url)
    }
}

impl AuthHook {
    /// `secret` is as a file has it: white space at its end does not count.
    ///
    /// # Errors
    /// If passwords cannot be sent there, or the secret is too short.
    pub fn new(url: &str, secret: &[u8]) -> Result<Self, NotAHook> {
        let uri: ureq::http::Uri = url.parse().map_err(|_| NotAHook::Url)?;
        uri.host().ok_or(NotAHook::Url)?;
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(NotAHook::Url);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if http::is_this_machine(url) => {}
            Some("http") => return Err(NotAHook::ClearText),
            _ => return Err(NotAHook::Url),
        }
        let secret = secret.trim_ascii_end();
        if secret.len() < SECRET_BYTES {
            return Err(NotAHook::ShortSecret);
        }
        let agent = http::agent(url, PATIENCE).map_err(NotAHook::Trust)?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let (random, known) = (SystemRandom::new(), Mutex::default());
        Ok(Self { url: url.to_owned(), secret, agent, random, known })
    }

    /// Asks; `None` means that nobody is let in with that. Says in the log when that begins or ceases to work.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn ask(&self, who: &Who, password: &Password) -> Result<Option<Vouched>, Unanswered> {
        let began = Instant::now();
        if self.known().rests.is_some_and(|rests| began < rests) {
            return Err(Unanswered::Resting);
        }
        let answer = self.question(who, password);
        if self.known().note(began, &answer) {
            match &answer {
                Ok(_) => info!("logins: {} answers", self.url),
                Err(why) => warn!("logins: {} lets nobody in: {why}", self.url),
            }
        }
        answer
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn question(&self, who: &Who, Password(password): &Password) -> Result<Option<Vouched>, Unanswered> {
        let unreachable = |why: &dyn fmt::Display| Unanswered::Unreachable(why.to_string());
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce).map_err(|_| unreachable(&"no random numbers"))?;
        let nonce = hex(&nonce);
        let question = match who {
            Who::Id(user) => json!({ "id": user.get(), "password": password, "nonce": nonce }),
            Who::Name(name) => json!({ "name": name, "password": password, "nonce": nonce }),
        };
        let body = question.to_string();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let signature = hex(hmac::sign(&self.secret, format!("{seconds}.{body}").as_bytes()).as_ref());
        let asked = self.agent.post(&self.url).config().http_status_as_error(false).build();
        let asked = asked.header("Content-Type", "application/json");
        let asked = asked.header(SIGNATURE, format!("t={seconds},v1={signature}"));
        let mut answer = asked.send(body).map_err(|why| unreachable(&why))?;
        if answer.status() != 200 {
            return Err(Unanswered::Status(answer.status().as_u16()));
        }
        let header = answer.headers().get(SIGNATURE).and_then(|header| header.to_str().ok());
        let signature = header.and_then(signature_in).ok_or(Unanswered::Unsigned)?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|why| match why {
            ureq::Error::BodyExceedsLimit(_) => Unanswered::Malformed,
            why => unreachable(&why),
        })?;
        let signed = [nonce.as_bytes(), b".", &body].concat();
        hmac::verify(&self.secret, &signed, &signature).map_err(|_| Unanswered::Unsigned)?;
        vouched(&body).ok_or(Unanswered::Malformed)
    }
}

/// What an answer says whose signature is good.
fn vouched(body: &[u8]) -> Option<Option<Vouched>> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    if !answer.get("ok")?.as_bool()? {
        return Some(None);
    }
    let external = answer.get("external")?.as_str()?;
    let name = match answer.get("name") {
        None | Some(Value::Null) => None,
        Some(name) => Some(name.as_str()?.to_owned()),
    };
    let fits = (1..=SUBJECT_BYTES).contains(&external.len());
    fits.then(|| Some(Vouched { external: external.to_owned(), name }))
}

/// The `v1` among the parts of a signature's header.
fn signature_in(header: &str) -> Option<Vec<u8>> {
    let hex = header.split(',').find_map(|part| part.trim().strip_prefix("v1="))?;
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let bytes = hex.as_bytes().chunks(2);
    bytes
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_yes_and_who_or_no_or_is_none() {
        let yes = |external: &str, name: Option<&str>| {
            Some(Some(Vouched { external: external.into(), name: name.map(Into::into) }))
        };
        let long = format!(r#"{{"ok":true,"external":"{}"}}"#, "x".repeat(SUBJECT_BYTES + 1));
        for (answer, said) in [
            (r#"{"ok":true,"external":"u-1","name":"Amy"}"#, yes("u-1", Some("Amy"))),
            (r#"{"ok":true,"external":"u-1","name":null,"more":1}"#, yes("u-1", None)),
            (r#"{"ok":false,"external":"u-1"}"#, Some(None)),
            (r#"{"ok":true}"#, None),
            (r#"{"ok":"true","external":"u-1"}"#, None),
            (r#"{"ok":true,"external":""}"#, None),
            (r#"{"ok":true,"external":"u-1","name":7}"#, None),
            (r#"{"external":"u-1"}"#, None),
            (&long, None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(vouched(answer.as_bytes()), said, "{answer}");
        }
    }

    #[test]
    fn a_signature_is_found_among_its_parts() {
        assert_eq!(signature_in("t=5,v1=00ff"), Some(vec![0, 255]));
        assert_eq!(signature_in(" v1=Ab"), Some(vec![0xab]));
        for none in ["", "00ff", "t=5", "v1=0", "v1=0g", "v2=00"] {
            assert_eq!(signature_in(none), None, "{none}");
        }
    }

    #[test]
    fn passwords_go_nowhere_in_clear_text() {
        let secret = [b'x'; SECRET_BYTES];
        let refused = |url: &str| AuthHook::new(url, &secret).err().map(|why| why.to_string());
        for good in ["http://127.0.0.1:80/login", "http://[::1]/", "http://localhost:8000/x"] {
            assert_eq!(refused(good), None, "{good}");
        }
        assert!(refused("http://app.example/login").is_some_and(|why| why.contains("https://")));
        for bad in ["", "/login", "ftp://127.0.0.1/", "http://amy:pw@127.0.0.1/", "127.0.0.1"] {
            assert!(refused(bad).is_some(), "{bad}");
        }
        let short = AuthHook::new("http://127.0.0.1/", b"too short\n").expect_err("it is short");
        assert!(short.to_string().contains("32 bytes"));
    }
}
