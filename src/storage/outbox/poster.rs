//! The thread that posts what is in the outbox: off the cores and off the storage thread.
//!
//! Of all servers of a database one posts at a time: whoever holds the lease in the store. One request is under way at a
//! time, and the next one has what follows, so the order of the outbox is the order of the requests. What was not taken
//! waits, longer each time, and is posted again with what has come since: at least once. Bounded by one page of the outbox.

use super::line::{OutboxLine, Silence};
use super::pending::now;
use super::post::{Body, Post};
use super::{Page, Step, Webhook};
use crate::OpenError;
use chatd_chat::model::ids::Millis;
use rustix::rand::{GetRandomFlags, getrandom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// How long after the last look an empty outbox is looked at again, and by whom does not post.
const IDLE: Duration = Duration::from_millis(200);
const ASIDE: Duration = Duration::from_secs(2);
/// How often bounds and backlogs are looked at, also while nothing can be posted.
const EVERY: Duration = Duration::from_secs(1);
/// How long after a look that left members of groups to be looked at they are: batches go first.
const MORE: Duration = Duration::from_millis(20);
/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(2);
/// How long the store may take for a step.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first pause after a request that was not taken, and the longest: each is twice the one before, less up to a half.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(300);

/// What is known of the outbox: a handle, for those who show that.
#[derive(Clone, Debug, Default)]
pub struct Figures(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    posts: AtomicBool,
    waiting: AtomicU64,
    oldest: AtomicU64,
    posted: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Figures {
    /// Whether this server is the one that posts.
    pub fn posts(&self) -> bool {
        self.0.posts.load(Ordering::Relaxed)
    }

    /// Rows that wait, if this server posts.
    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// How old the oldest of them is, in milliseconds; 0 if there is none.
    pub fn lag_ms(&self) -> u64 {
        match self.0.oldest.load(Ordering::Relaxed) {
            0 => 0,
            oldest => now().0.saturating_sub(oldest),
        }
    }

    /// Events that were taken, since the start.
    pub fn posted(&self) -> u64 {
        self.0.posted.load(Ordering::Relaxed)
    }

    /// Requests that were not, since the start.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Events that were deleted because they were over the bounds, since the start.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    fn see(&self, page: &Page) {
        self.0.posts.store(page.posts, Ordering::Relaxed);
        self.0.waiting.store(page.waiting, Ordering::Relaxed);
        self.0.oldest.store(page.oldest.map_or(0, |oldest| oldest.0), Ordering::Relaxed);
        self.0.dropped.fetch_add(page.dropped, Ordering::Relaxed);
    }
}

/// Starts the thread. It ends when nobody holds the other end of `stopped`, or the storage thread has ended; a request
/// that is under way then is not waited for.
///
/// # Errors
/// If the operating system gives no thread.
pub(crate) fn start(
    webhook: Webhook,
    line: OutboxLine,
    figures: Figures,
    stopped: flume::Receiver<()>,
) -> Result<(), OpenError> {
    let run = move || match Post::new(&webhook.url, &webhook.secret) {
        Ok(post) => Poster::new(webhook, post, line, figures, stopped).run(),
        Err(why) => error!("webhook: nothing is posted: {why}"),
    };
    let thread = std::thread::Builder::new().name("webhook".to_owned()).spawn(run);
    thread.map(drop).map_err(OpenError::NoThread)
}

struct Poster {
    webhook: Webhook,
    post: Post,
    line: OutboxLine,
    figures: Figures,
    stopped: flume::Receiver<()>,
    holder: u64,
    /// Rows that were posted, and of which the store does not know that yet.
    posted: Vec<u64>,
    /// What is told at the start, until it is written.
    hello: Option<String>,
    /// When bounds and backlogs are looked at again.
    look: Instant,
    /// What the last look was for, if it left members of groups to be looked at.
    left: Option<Millis>,
    /// When the lease is renewed.
    renew: Instant,
    /// The pause after the next request that is not taken.
    pause: Duration,
    /// Whether the last request was taken, if there was one; whether the store answers.
    works: Option<bool>,
    store_works: bool,
}

/// How long to wait for what.
enum Next {
    /// More is there.
    Now,
    After(Duration),
    /// The receiver takes nothing: try again after that.
    Again(Duration),
    End,
}

impl Poster {
    fn new(
        webhook: Webhook,
        post: Post,
        line: OutboxLine,
        figures: Figures,
        stopped: flume::Receiver<()>,
    ) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let hello = format!("\"type\":\"hello\",\"ts\":{},\"version\":\"{version}\"", now().0);
        Self {
            webhook,
            post,
            line,
            figures,
            stopped,
            holder: random() >> 1,
            posted: Vec::new(),
            hello: Some(hello),
            look: Instant::now(),
            left: None,
            renew: Instant::now(),
            pause: PAUSE,
            works: None,
            store_works: true,
        }
    }

    fn run(mut self) {
        loop {
            let pause = match self.turn() {
                Next::Now => continue,
                Next::After(pause) => pause,
                Next::Again(pause) => {
                    if self.keep_lease(pause) {
                        return;
                    }
                    continue;
                }
                Next::End => return,
            };
            if self.is_stopped_within(pause) {
                return;
            }
        }
    }

    /// Whether nobody waits for this any more.
    fn is_stopped_within(&self, pause: Duration) -> bool {
        !matches!(self.stopped.recv_timeout(pause), Err(flume::RecvTimeoutError::Timeout))
    }

    /// One request, if there is something to be posted.
    fn turn(&mut self) -> Next {
        let page = match self.step(true) {
            Ok(page) => page,
            Err(next) => return next,
        };
        if !page.posts {
            return Next::After(ASIDE);
        }
        if page.rows.is_empty() {
            return Next::After(if page.more { MORE } else { IDLE });
        }
        let body = Body::of(&page.rows);
        match self.post.send(&body, now().0 / 1_000) {
            Ok(()) => {
                self.figures.0.posted.fetch_add(body.events, Ordering::Relaxed);
                self.posted.extend(page.rows.iter().map(|row| row.id));
                self.pause = PAUSE;
                if self.works == Some(false) {
                    info!("webhook: it takes events again");
                }
                self.works = Some(true);
                Next::Now
            }
            Err(why) => {
                self.figures.0.failed.fetch_add(1, Ordering::Relaxed);
                if self.works != Some(false) {
                    warn!("webhook: events wait, {} rows: {why}", page.waiting);
                }
                self.works = Some(false);
                let pause = self.pause;
                self.pause = (pause * 2).min(PAUSE_MOST);
                let half = pause.as_millis() as u64 / 2;
                Next::Again(Duration::from_millis(half + random() % half.max(1)))
            }
        }
    }

    /// Waits, and keeps the lease and the bounds meanwhile; whether that is the end.
    fn keep_lease(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.is_stopped_within(left.min(EVERY)) {
                return true;
            }
            if left <= EVERY {
                return false;
            }
            if let Err(Next::End) = self.step(false) {
                return true;
            }
        }
    }

    /// When a message was sent, at the latest, that is undelivered by now.
    fn due_before(&self) -> Millis {
        let push_after = self.webhook.push_after.as_millis() as u64;
        Millis(now().0.saturating_sub(push_after))
    }

    /// Asks the store. What was posted and what is to be told is asked again until it is done.
    fn step(&mut self, wanted: bool) -> Result<Page, Next> {
        let looks = Instant::now() >= self.look;
        // What a look has left is looked at with the same time: a group has one pass a second, however much is said in it.
        let before = if looks { Some(self.due_before()) } else { self.left };
        let before = before.filter(|_| self.webhook.kinds.undelivered);
        let renews = Instant::now() >= self.renew;
        let step = Step {
            holder: self.holder,
            now: now(),
            renew: renews,
            posted: self.posted.clone(),
            tell: self.hello.clone(),
            trim: looks.then_some(self.webhook.bounds),
            undelivered_before: before,
            wanted,
        };
        match self.line.ask(step, PATIENCE) {
            Ok(page) => {
                if looks {
                    self.look = Instant::now() + EVERY;
                }
                self.left = before.filter(|_| page.more);
                if renews {
                    self.renew = Instant::now() + RENEW;
                }
                if page.dropped > 0 {
                    error!("webhook: {} events were dropped: too many wait", page.dropped);
                }
                self.posted.clear();
                self.hello = None;
                self.store_works = true;
                self.figures.see(&page);
                Ok(page)
            }
            Err(Silence::Ended) => Err(Next::End),
            Err(Silence::Now(why)) => {
                if std::mem::replace(&mut self.store_works, false) {
                    warn!("webhook: the outbox cannot be read: {why}");
                }
                Err(Next::After(EVERY))
            }
        }
    }
}

/// A number by chance.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // Where the system has none, the clock is chance enough for a name and a pause.
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(8) => u64::from_ne_bytes(bytes),
        _ => now().0 ^ u64::from(std::process::id()) << 32,
    }
}
