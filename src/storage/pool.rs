//! The threads that hash passwords: few, unhurried, and off the cores.
//!
//! Owns the passwords that wait, in two queues of which each is bounded and shared out
//! ([`shares`](super::shares)): logins by where they come from, or behind a proxy by account, and
//! registrations. Of four turns registrations get one while there are logins, and of four logins those get one who have
//! guessed wrong lately ([`suspects`](super::suspects)): whoever has its password does not wait behind all who guess. How often one account may be
//! tried is for [`guesses`](super::guesses) to say. The threads work it all off at low priority. Never
//! touches the store: a hash goes back to the [`worker`](super::worker), and so does a password that was
//! right, to be looked at once more; a refusal goes straight to the core that asked.

mod line;

use super::auth_hook::AuthHook;
use super::guesses::AccountKey;
use super::password::{Cost, Hasher, Verdict};
use super::replies::{Replies, Requester};
use super::{Account, OpenError, Order};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::Who;
use chatd_chat::model::source::Source;
use chatd_chat::model::token::Password;
use chatd_chat::wire::code::Code;
use chatd_process::precedence::Beside;
use line::{Line, Refused};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::error;

mod ask;

/// More threads would answer logins sooner and messages later.
const THREADS_MAX: usize = 2;
/// As many questions may be with an application at one time.
const ASKING_THREADS: usize = 8;
/// How long an idle thread keeps its memory (19 MiB by default).
const KEEP_MEMORY: Duration = Duration::from_secs(2);

/// A password that waits for its turn.
#[derive(Debug)]
pub struct Job {
    /// Who asked for it.
    pub requester: Requester,
    /// Where the connection is from that it was said on.
    pub from: Source,
    /// What is to be done with it.
    pub task: Task,
}

/// What is to be done with a password.
#[derive(Debug)]
pub enum Task {
    /// Hash it, for a new user.
    Hash {
        /// The new user's name.
        name: String,
        /// Its password.
        password: Password,
    },
    /// Compare it and tell the core that asked.
    Verify {
        /// As whom somebody wants in.
        who: Who,
        /// The user, if there is one.
        account: Option<Account>,
        /// What was typed.
        password: Password,
    },
    /// Compare the old one and hash the new one.
    Change {
        /// Whose it is.
        who: Who,
        /// The user, if there is one.
        account: Option<Account>,
        /// What was typed as the old one.
        old: Password,
        /// The new one.
        new: Password,
    },
}

/// What is to be done about a password, now that it is hashed or compared.
#[derive(Debug)]
pub struct Hashed {
    /// Who asked for it.
    pub requester: Requester,
    /// What the store has to do.
    pub order: Order,
}

/// The queues, and whoever waits for something to be in them.
struct Shared {
    line: Mutex<Line>,
    work: Condvar,
    replies: Replies,
    began: Instant,
}

/// The threads and their queue.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// How many passwords wait: for whoever watches. It does not keep the pool alive.
#[derive(Clone)]
pub struct Queue(Weak<Shared>);

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queue({})", self.waiting())
    }
}

impl Queue {
    /// As many now.
    pub fn waiting(&self) -> usize {
        self.0.upgrade().map_or(0, |shared| shared.line().waiting())
    }
}

impl Pool {
    /// What waits.
    pub fn queue(&self) -> Queue {
        Queue(Arc::downgrade(&self.shared))
    }

    /// Starts the threads. What they hash goes into `done`, until the pool was stopped and the last of them has ended.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        hook: Option<Arc<AuthHook>>,
        cost: Cost,
        limits: &Limits,
        replies: &Replies,
        done: &flume::Sender<Hashed>,
    ) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared {
            line: Mutex::new(Line::new(limits)),
            work: Condvar::new(),
            replies: replies.clone(),
            began: Instant::now(),
        });
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        // Who asks an application waits for it, and computes nothing.
        let threads = if hook.is_some() { ASKING_THREADS } else { cpus.clamp(1, THREADS_MAX) };
        let threads = (0..threads)
            .map(|number| {
                let (hasher, hook) = (Hasher::new(cost), hook.clone());
                let thread = Thread { hasher, hook, shared: shared.clone(), done: done.clone() };
                std::thread::Builder::new().name(format!("password-{number}")).spawn(move || thread.run())
            })
            .collect::<std::io::Result<_>>()
            .map_err(OpenError::NoThread)?;
        Ok(Self { shared, threads })
    }

    /// Puts a password into its queue, or answers why not.
    pub fn offer(&self, job: Job) {
        let now = self.shared.now();
        let refused = self.shared.line().offer(job, now);
        self.shared.work.notify_one();
        self.shared.refuse(refused);
    }

    /// Lets the threads finish the password under way, answer Busy to those that wait, and end.
    pub fn stop(mut self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.threads)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let left = self.shared.line().stop();
        self.shared.refuse(left);
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        // What is in it is whole after every step, also where a thread has panicked.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn refuse(&self, refused: Vec<Refused>) {
        for (requester, code) in refused {
            self.replies.send(requester, Err(code));
        }
    }
}

struct Thread {
    hasher: Hasher,
    /// Who knows the passwords of logins, if it is not the store.
    hook: Option<Arc<AuthHook>>,
    shared: Arc<Shared>,
    done: flume::Sender<Hashed>,
}

impl Thread {
    fn run(mut self) {
        Beside::Passwords.stand_back();
        while let Some((key, job)) = self.next() {
            self.work(key, job);
        }
    }

    /// Waits for a password. `None` once the pool stops.
    fn next(&mut self) -> Option<(Option<AccountKey>, Job)> {
        let shared = self.shared.clone();
        let mut line = shared.line();
        let mut rested = false;
        loop {
            if line.stopping {
                return None;
            }
            if let Some(next) = line.next() {
                return Some(next);
            }
            if rested {
                line = shared.work.wait(line).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = shared.work.wait_timeout(line, KEEP_MEMORY).unwrap_or_else(PoisonError::into_inner);
            line = waited.0;
            if waited.1.timed_out() {
                self.hasher.rest();
                rested = true;
            }
        }
    }

    fn work(&mut self, key: Option<AccountKey>, job: Job) {
        let Job { requester, from, task } = job;
        match task {
            Task::Hash { name, password } => {
                self.hash(requester, &password, |hash| Order::Enroll { name, hash });
            }
            Task::Verify { who, password, .. } if self.hook.is_some() => {
                self.ask((requester, key, from), &who, &password);
            }
            Task::Verify { account, password, .. } => match self.verify(key, from, account, &password) {
                // It may have been replaced since it was looked up: the store looks again.
                Some(account) => self.hand_back(requester, Order::Confirm { account }),
                None => self.shared.replies.send(requester, Err(Code::Refused)),
            },
            Task::Change { account, old, new, .. } => match self.verify(key, from, account, &old) {
                Some(Account { user, hash: old, .. }) => {
                    self.hash(requester, &new, |new| Order::Replace { user, old, new });
                }
                None => self.shared.replies.send(requester, Err(Code::Refused)),
            },
        }
    }

    fn hash(&mut self, requester: Requester, password: &Password, order: impl FnOnce(String) -> Order) {
        match self.hasher.hash(&password.0) {
            Ok(hash) => self.hand_back(requester, order(hash)),
            Err(why) => {
                error!("a password could not be hashed: {why}");
                self.shared.replies.send(requester, Err(Code::Busy));
            }
        }
    }

    fn hand_back(&self, requester: Requester, order: Order) {
        // Nobody takes it only if the worker is gone, and then nobody waits either.
        drop(self.done.send(Hashed { requester, order }));
    }

    /// The account, if this is its password. An unknown user and a wrong password: the same time, the
    /// same answer.
    fn verify(
        &mut self,
        key: Option<AccountKey>,
        from: Source,
        account: Option<Account>,
        password: &Password,
    ) -> Option<Account> {
        let verdict = match &account {
            Some(account) => self.hasher.verify(&password.0, &account.hash),
            None => {
                self.hasher.verify_stranger(&password.0);
                Verdict::Wrong
            }
        };
        self.judge(key, from, Some(verdict));
        account.filter(|_| verdict == Verdict::Right)
    }
}

#[cfg(test)]
mod tests;
