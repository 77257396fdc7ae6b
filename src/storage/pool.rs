//! The threads that hash passwords: few, unhurried, and off the cores.
//!
//! Owns the queue of passwords that wait (bounded: [`Limits::password_queue`], beyond it Busy) and
//! the threads that work it off at low priority. Never touches the store: a hash goes
//! back to the [`worker`](super::worker), and so does a password that was right, to be looked at once
//! more; a refusal goes straight to the core that asked.
//!
//! [`Limits::password_queue`]: crate::chat::limits::Limits::password_queue

use super::answers::{Answers, Asker};
use super::password::{Cost, Hasher, Verdict};
use super::{Account, OpenError, Order};
use crate::chat::ask::Password;
use crate::chat::wire::code::Code;
use crate::log;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// More threads would answer logins sooner and messages later.
const THREADS_MAX: usize = 2;
/// 0 is everybody's, 19 the most patient. At 10 a thread gets about a tenth of a CPU that a core
/// keeps busy, and all of one that is idle.
const NICENESS: i32 = 10;
/// How long an idle thread keeps its memory (19 MiB by default).
const KEEP_MEMORY: Duration = Duration::from_secs(2);

/// A password that waits for its turn.
#[derive(Debug)]
pub enum Job {
    /// Hash it, for a new user.
    Hash {
        /// Who asked for it.
        asker: Asker,
        /// The new user's name.
        name: String,
        /// Its password.
        password: Password,
    },
    /// Compare it and tell the core that asked.
    Verify {
        /// Who asked for it.
        asker: Asker,
        /// The user, if there is one.
        account: Option<Account>,
        /// What was typed.
        password: Password,
    },
    /// Compare the old one and hash the new one.
    Change {
        /// Who asked for it.
        asker: Asker,
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
    pub asker: Asker,
    /// What the store has to do.
    pub order: Order,
}

/// The threads and their queue.
pub struct Pool {
    jobs: flume::Sender<Job>,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// How many passwords wait: for whoever watches. It does not keep the pool alive.
#[derive(Clone, Debug)]
pub struct Queue(flume::WeakSender<Job>);

impl Queue {
    /// As many now.
    pub fn waiting(&self) -> usize {
        self.0.upgrade().map_or(0, |jobs| jobs.len())
    }
}

impl Pool {
    /// What waits.
    pub fn queue(&self) -> Queue {
        Queue(self.jobs.downgrade())
    }

    /// Starts the threads. What they hash comes out of the receiver, which ends when the pool was
    /// stopped and the last of them is done.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        cost: Cost,
        queue: usize,
        answers: &Answers,
    ) -> Result<(Self, flume::Receiver<Hashed>), OpenError> {
        let (jobs, todo) = flume::bounded(queue.max(1));
        let (done, hashed) = flume::unbounded();
        let stopping = Arc::new(AtomicBool::new(false));
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..cpus.clamp(1, THREADS_MAX))
            .map(|number| {
                let thread = Thread {
                    hasher: Hasher::new(cost),
                    todo: todo.clone(),
                    done: done.clone(),
                    answers: answers.clone(),
                    stopping: stopping.clone(),
                };
                std::thread::Builder::new().name(format!("password-{number}")).spawn(move || thread.run())
            })
            .collect::<std::io::Result<_>>()
            .map_err(OpenError::NoThread)?;
        Ok((Self { jobs, stopping, threads }, hashed))
    }

    /// Puts a password into the queue. False if that is full.
    pub fn offer(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// Lets the threads finish the password under way, answer Busy to those that wait, and end.
    pub fn stop(self) -> Vec<JoinHandle<()>> {
        self.stopping.store(true, Ordering::Relaxed);
        self.threads
    }
}

struct Thread {
    hasher: Hasher,
    todo: flume::Receiver<Job>,
    done: flume::Sender<Hashed>,
    answers: Answers,
    stopping: Arc<AtomicBool>,
}

impl Thread {
    fn run(mut self) {
        // On Linux this is the priority of the calling thread. Without it all works, only less
        // smoothly, so a refusal is no reason to stop.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        loop {
            match self.todo.recv_timeout(KEEP_MEMORY) {
                Ok(job) if self.stopping.load(Ordering::Relaxed) => self.turn_away(&job),
                Ok(job) => self.work(job),
                Err(flume::RecvTimeoutError::Timeout) => {
                    self.hasher.rest();
                    match self.todo.recv() {
                        Ok(job) if self.stopping.load(Ordering::Relaxed) => self.turn_away(&job),
                        Ok(job) => self.work(job),
                        Err(flume::RecvError::Disconnected) => return,
                    }
                }
                Err(flume::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Hash { asker, name, password } => {
                self.hash(asker, &password, |hash| Order::Enroll { name, hash });
            }
            Job::Verify { asker, account, password } => {
                match self.verify(account, &password) {
                    // It may have been replaced since it was looked up: the store looks again.
                    Some(account) => self.hand_back(asker, Order::Confirm { account }),
                    None => self.answers.send(asker, Err(Code::Refused)),
                }
            }
            Job::Change { asker, account, old, new } => match self.verify(account, &old) {
                Some(Account { user, hash: old, .. }) => {
                    self.hash(asker, &new, |new| Order::Replace { user, old, new });
                }
                None => self.answers.send(asker, Err(Code::Refused)),
            },
        }
    }

    fn hash(&mut self, asker: Asker, password: &Password, order: impl FnOnce(String) -> Order) {
        match self.hasher.hash(&password.0) {
            Ok(hash) => self.hand_back(asker, order(hash)),
            Err(why) => {
                log::line(format_args!("a password could not be hashed: {why}"));
                self.answers.send(asker, Err(Code::Busy));
            }
        }
    }

    fn hand_back(&self, asker: Asker, order: Order) {
        // Nobody takes it only if the worker is gone, and then nobody waits either.
        drop(self.done.send(Hashed { asker, order }));
    }

    /// The account, if this is its password. An unknown user and a wrong password: the same time, the
    /// same answer.
    fn verify(&mut self, account: Option<Account>, password: &Password) -> Option<Account> {
        let Some(account) = account else {
            self.hasher.verify_stranger(&password.0);
            return None;
        };
        match self.hasher.verify(&password.0, &account.hash) {
            Verdict::Right => Some(account),
            Verdict::Wrong => None,
        }
    }

    fn turn_away(&self, job: &Job) {
        let (Job::Hash { asker, .. } | Job::Verify { asker, .. } | Job::Change { asker, .. }) = job;
        self.answers.send(*asker, Err(Code::Busy));
    }
}
