//! The connections while nothing goes wrong with them, and when something does: they are asked whether
//! the server is there, let go, and made again.

use super::fault::Fault;
use super::{Link, StoreSession, connection_pool};
use crate::StoreError;
use crate::health::News;
use futures_lite::future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Connections that nothing is asked of are asked whether the server is there.
pub(super) const IDLE: Duration = Duration::from_millis(500);
/// Reasons why it cannot be connected again that wait to be told.
const REASONS: usize = 4;
/// While other connections are busy, one that is not is asked that after so long: well before the
/// server cuts it (`wait_timeout`).
const QUIET: Duration = Duration::from_secs(3);
/// How soon it is tried to connect again, at first and at last.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_MOST: Duration = Duration::from_millis(400);

impl StoreSession {
    /// Lets the connections go, begins to make new ones, and says why.
    pub(super) fn lose(&mut self, why: String) -> String {
        if let Link::Down { why, .. } = &self.link {
            return why.clone();
        }
        let why = format!("{}: {why}", self.url);
        let url = self.url.clone();
        let (tell, reasons) = flume::bounded(REASONS);
        let again = tokio::spawn(async move {
            let (mut pause, mut last) = (AGAIN, String::new());
            loop {
                match connection_pool::reopen(&url).await {
                    Ok(pool) => return pool,
                    Err(error) => {
                        let why = error.to_string();
                        if why != last && tell.try_send(why.clone()).is_ok() {
                            last = why;
                        }
                    }
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(AGAIN_MOST);
            }
        });
        self.link = Link::Down { why: why.clone(), again, reasons };
        why
    }

    /// Why it cannot be connected again, if that has become another reason.
    fn new_reason(&mut self) -> Option<String> {
        let Link::Down { why, reasons, .. } = &mut self.link else { return None };
        let last = reasons.try_iter().last()?;
        (*why != last).then(|| {
            last.clone_into(why);
            last
        })
    }

    /// The server cuts connections that say nothing for long, and while people only log in for a
    /// minute nothing is written, as nothing is read while they only talk.
    pub(super) async fn stay_connected(&mut self) -> Result<(), StoreError> {
        let Link::Up(pool, _) = &mut self.link else { return Ok(()) };
        let pinged = pool.ping(QUIET).await;
        pinged.map_err(|fault| StoreError::Down(self.lose(fault.why())))
    }

    /// Takes new connections into service, if there are any.
    pub(super) async fn replace(&mut self) {
        match &mut self.link {
            Link::Down { again, .. } => {
                // Whatever can go on without waiting goes on.
                tokio::task::yield_now().await;
                if again.is_finished()
                    && let Ok(pool) = again.await
                {
                    self.link = Link::Up(Box::new(pool), None);
                    self.cache.forget();
                    self.locked_rows.forget();
                    self.heard = Instant::now();
                }
            }
            Link::Up(pool, another) if pool.readers.len() < connection_pool::READERS => match another {
                Some(task) if task.is_finished() => {
                    pool.readers.extend(task.await.ok().flatten());
                    *another = None;
                }
                Some(_) => {}
                None => {
                    let url = self.url.clone();
                    *another = Some(tokio::spawn(async move { connection_pool::reader(&url).await.ok() }));
                }
            },
            Link::Up(..) => {}
        }
    }

    /// Whether a server can store, by a write that is taken back.
    pub(super) async fn probe_write(&mut self) -> Result<(), StoreError> {
        let pool = match &mut self.link {
            Link::Up(pool, _) => pool,
            Link::Down { why, .. } => return Err(StoreError::Down(why.clone())),
        };
        self.unprobed = true;
        match connection_pool::probe_write(&mut pool.writer).await {
            Ok(()) => {
                self.unprobed = false;
                Ok(())
            }
            Err(Fault::Lost(why)) => Err(StoreError::Down(self.lose(why))),
            Err(fault) => {
                self.roll_back().await?;
                Err(StoreError::Down(format!("{}: {}", self.url, fault.why())))
            }
        }
    }

    /// Waits for work, and meanwhile sees to it that the connections are good.
    pub(super) async fn wait(&mut self, mut work: Pin<&mut dyn Future<Output = ()>>) -> News {
        loop {
            let ready = async {
                work.as_mut().await;
                true
            };
            let is_up = matches!(self.link, Link::Up(..));
            let pause = if is_up && !self.retry_deferred { IDLE } else { AGAIN };
            let idle = async {
                tokio::time::sleep_until((self.heard + pause).into()).await;
                false
            };
            if future::or(ready, idle).await {
                return News::None;
            }
            if std::mem::take(&mut self.retry_deferred) {
                return News::None;
            }
            self.heard = Instant::now();
            self.replace().await;
            // What is begun is finished: a connection that stops in the middle of something is lost.
            if let Link::Up(pool, _) = &mut self.link {
                return match pool.ping(Duration::ZERO).await {
                    Ok(()) if self.unprobed => match self.probe_write().await {
                        Ok(()) => News::Well,
                        Err(error) => News::Lost(error.to_string()),
                    },
                    Ok(()) => News::Well,
                    Err(fault) => News::Lost(self.lose(fault.why())),
                };
            }
            if let Some(why) = self.new_reason() {
                return News::Lost(why);
            }
        }
    }
}
