//! The thread that looks at tokens of other applications: off the cores, beside the one of the store.
//!
//! Owns the tokens that wait, in one bounded queue. Whoever is believed goes on to the store as an [`Order::Admit`];
//! whoever is not hears it from here.

use super::source::{Known, NoKeys, Source};
use super::{Doubt, LEEWAY_S, Policy, verify};
use crate::admission::Admission;
use crate::pool::Hashed;
use crate::replies::{Replies, Requester};
use crate::{OpenError, Order};
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::{Secret, TokenId};
use chatd_chat::wire::code::Code;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::debug;

/// An application whose word is taken for who its users are.
#[derive(Clone, Debug)]
pub struct Application {
    policy: Policy,
    known: Arc<Known>,
}

impl Application {
    /// Reads its keys, if they are in a file.
    ///
    /// # Errors
    /// If there are none in it.
    pub fn new(policy: Policy, source: Source) -> Result<Self, NoKeys> {
        Ok(Self { policy, known: Arc::new(Known::open(source)?) })
    }

    /// How many keys are known, or that an address is asked for them.
    pub fn keys(&self) -> String {
        self.known.told()
    }

    /// Reads its keys once more.
    ///
    /// # Errors
    /// If there are none in the file: those of before stay.
    pub fn reload(&self) -> Result<(), NoKeys> {
        self.known.reload()
    }
}

/// A token that waits to be looked at.
pub struct Job {
    /// Who asked.
    pub requester: Requester,
    /// What the application has signed.
    pub jwt: Secret,
    /// Whose session goes on with it.
    pub renews: Option<(UserId, Option<TokenId>)>,
}

/// The thread and its queue.
pub struct Gate {
    line: flume::Sender<Job>,
    replies: Replies,
    threads: Vec<JoinHandle<()>>,
    known: Arc<Known>,
}

impl Gate {
    /// Starts the threads: one that looks at tokens, and one that fetches keys where they are not in a file. Who is let in
    /// comes out of `done`.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        application: Application,
        limits: &Limits,
        replies: &Replies,
        done: flume::Sender<Hashed>,
    ) -> Result<Self, OpenError> {
        let (line, jobs) = flume::bounded(limits.jwt_queue);
        let (known, fetched, told) = (application.known.clone(), application.known.clone(), replies.clone());
        let thread = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::NoThread)
        };
        let gate = thread("jwt", Box::new(move || work(&application, &jobs, &told, &done)))?;
        let keys = thread("jwt-keys", Box::new(move || fetched.keep_fresh()))?;
        Ok(Self { line, replies: replies.clone(), threads: vec![gate, keys], known })
    }

    /// Puts a token into the queue, or answers that there is no room.
    pub fn offer(&self, job: Job) {
        if let Err(flume::TrySendError::Full(job) | flume::TrySendError::Disconnected(job)) =
            self.line.try_send(job)
        {
            self.replies.send(job.requester, Err(Code::Busy));
        }
    }

    /// Lets the threads end once they have looked at what waits.
    pub fn stop(self) -> Vec<JoinHandle<()>> {
        drop(self.line);
        self.known.stop();
        self.threads
    }
}

fn work(
    application: &Application,
    jobs: &flume::Receiver<Job>,
    replies: &Replies,
    done: &flume::Sender<Hashed>,
) {
    for Job { requester, jwt, renews } in jobs {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match verify(&application.known.now(), &application.policy, &jwt.0, now) {
            Ok(claims) => {
                // Whose clock is right is not known: who is let in behind time has some of it.
                let over = claims.expires <= now;
                let expires = claims.expires + if over { LEEWAY_S } else { 0 };
                let expires = Millis(expires.saturating_mul(1_000));
                let admission =
                    Admission { external: claims.subject, name: claims.name, expires: Some(expires), renews };
                drop(done.send(Hashed { requester, order: Order::Admit { admission } }));
            }
            Err(doubt) => {
                debug!("a jwt is not believed: {doubt:?}");
                if doubt == Doubt::NoKey {
                    application.known.ask();
                }
                replies.send(requester, Err(doubt.code()));
            }
        }
    }
}
