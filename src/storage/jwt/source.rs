//! Where keys come from: a file, read once more when the server is told to, or an address that is asked now and then.
//!
//! An address is asked by a thread of its own, never by the one that looks at tokens: who comes with a key that is known
//! does not wait for it. What cannot be read changes nothing: the keys that are known stay.

use super::key::{BadKeys, Keys};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use std::{fmt, fs};
use tracing::{info, warn};

/// How old keys of an address may become.
const FRESH_FOR: Duration = Duration::from_secs(600);
/// How soon it is asked again: tokens with keys that nobody knows are not to make us ask.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What it may answer.
const ANSWER_BYTES: u64 = 256 << 10;

/// Where keys are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Public keys: PEM, a JWK or a JWK set.
    File(PathBuf),
    /// A secret for HS256.
    Secret(PathBuf),
    /// A JWK set at an address, `https://` or `http://`.
    Url(String),
}

/// Why there are no keys.
#[derive(Debug)]
pub enum NoKeys {
    /// The file cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// There is none in it.
    Bad(PathBuf, BadKeys),
    /// The address gives none.
    Unanswered(String, String),
    /// Nobody is trusted to show a certificate.
    Trust(chatd_tls::Refusal),
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoKeys::Unreadable(path, error) => write!(f, "keys for jwt: {}: {error}", path.display()),
            NoKeys::Bad(path, why) => write!(f, "keys for jwt: {}: {why}", path.display()),
            NoKeys::Unanswered(url, why) => write!(f, "keys for jwt: {url}: {why}"),
            NoKeys::Trust(why) => write!(f, "keys for jwt: {why}"),
        }
    }
}

impl std::error::Error for NoKeys {}

/// The keys that are believed now, and where newer ones come from.
pub struct Known {
    source: Source,
    keys: RwLock<Arc<Keys>>,
    /// Asks the thread that asks the address.
    ask: flume::Sender<()>,
    asked: flume::Receiver<()>,
    stopped: AtomicBool,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys of {:?}", self.now().len(), self.source)
    }
}

impl Known {
    /// The keys in a file; those of an address are still to come.
    ///
    /// # Errors
    /// If the file has none.
    pub fn open(source: Source) -> Result<Self, NoKeys> {
        let keys = read(&source)?.unwrap_or_default();
        let (ask, asked) = flume::bounded(1);
        Ok(Self { source, keys: RwLock::new(Arc::new(keys)), ask, asked, stopped: AtomicBool::new(false) })
    }

    /// Those that are believed now.
    pub fn now(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Reads the file once more; the address is asked soon.
    ///
    /// # Errors
    /// If there are none in the file: those of before stay.
    pub fn reload(&self) -> Result<(), NoKeys> {
        if let Some(keys) = read(&self.source)? {
            self.set(keys);
        }
        self.ask();
        Ok(())
    }

    /// What there is to tell of them: no secret.
    pub(super) fn told(&self) -> String {
        match &self.source {
            Source::File(path) | Source::Secret(path) => {
                format!("{} in {}", self.now().len(), path.display())
            }
            Source::Url(url) => format!("{url} is asked soon"),
        }
    }

    /// Somebody came with a key that nobody knows: the address may know it.
    pub fn ask(&self) {
        // Who is asked already need not be asked twice.
        let _ = self.ask.try_send(());
    }

    /// The address is asked no more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ask();
    }

    /// Asks the address now and then, and when it is asked to, until it is told to stop. A file needs nobody.
    pub(super) fn keep_fresh(&self) {
        let Source::Url(url) = &self.source else { return };
        let mut works = None;
        while !self.stopped.load(Ordering::Acquire) {
            let began = Instant::now();
            let told = fetch(url).map(|(keys, left_out)| {
                self.set(keys);
                left_out
            });
            if works != Some(told.is_ok()) {
                works = Some(told.is_ok());
                match told {
                    Ok(left_out) => match left_out.first() {
                        None => info!("keys for jwt: {} of {url}", self.now().len()),
                        Some(why) => warn!(
                            "keys for jwt: {} of {url}, and {} that are of no use: {why}",
                            self.now().len(),
                            left_out.len()
                        ),
                    },
                    Err(why) => warn!("{why}; {} keys are known", self.now().len()),
                }
            }
            let pause = if works == Some(true) { FRESH_FOR } else { ASK_AGAIN_AFTER };
            if self.asked.recv_timeout(pause).is_ok() {
                self.wait_until(began + ASK_AGAIN_AFTER);
            }
        }
    }

    /// However often it is asked to, the address is not asked before `due`.
    fn wait_until(&self, due: Instant) {
        while !self.stopped.load(Ordering::Acquire) {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || self.asked.recv_timeout(left).is_err() {
                return;
            }
        }
    }
}

/// The keys in a file; `None` where they are not in one.
fn read(source: &Source) -> Result<Option<Keys>, NoKeys> {
    let (path, keys) = match source {
        Source::Url(_) => return Ok(None),
        Source::File(path) => (path, text(path).map(|text| Keys::read(&text))?),
        Source::Secret(path) => (path, bytes(path).map(|bytes| Keys::secret(&bytes))?),
    };
    keys.map(Some).map_err(|why| NoKeys::Bad(path.clone(), why))
}

fn text(path: &PathBuf) -> Result<String, NoKeys> {
    fs::read_to_string(path).map_err(|error| NoKeys::Unreadable(path.clone(), error))
}

fn bytes(path: &PathBuf) -> Result<Vec<u8>, NoKeys> {
    fs::read(path).map_err(|error| NoKeys::Unreadable(path.clone(), error))
}

/// Asks an address for a JWK set.
fn fetch(url: &str) -> Result<(Keys, Vec<BadKeys>), NoKeys> {
    let agent = crate::http::agent(url, PATIENCE).map_err(NoKeys::Trust)?;
    let unanswered = |why: String| NoKeys::Unanswered(url.to_owned(), why);
    let mut answer = agent.get(url).call().map_err(|error| unanswered(error.to_string()))?;
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
    let body = body.map_err(|error| unanswered(error.to_string()))?;
    Keys::read_published(&body).map_err(|why| unanswered(why.to_string()))
}
