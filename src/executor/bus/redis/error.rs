//! Why a Redis cannot be used, in a sentence for whoever runs the server.

use std::fmt;
use std::io;

/// What a user of ours must be allowed, in the words of ACL SETUSER.
const RIGHTS: &str = "+publish +subscribe +unsubscribe +pubsub|numsub +ping +hello +select +info +client|id \
    +client|setname +client|list +client|kill";

/// Why Redis cannot be used.
#[derive(Debug)]
pub enum RedisError {
    /// The URL is none, or of a kind that is not supported.
    Url(String),
    /// The names of channels cannot begin with this.
    Prefix(String),
    /// TLS with it cannot begin.
    NoTls(chatd_tls::Refusal),
    /// It is not who it should be, or does not speak TLS; the server's name is in the sentence.
    Untrusted(String, String),
    /// The server cannot be reached.
    Unreachable(String, io::Error),
    /// It does not let this user in.
    Denied(String, String),
    /// This user may not do what has to be done; what it may not in Redis's own words, and the prefix
    /// of the channels.
    NoRight {
        /// Where.
        at: String,
        /// Who.
        user: String,
        /// In its own words.
        why: String,
        /// What the channels begin with.
        prefix: String,
    },
    /// It refuses what is needed.
    Refused(Refused),
    /// A command that is needed is disabled there, or has another name.
    Disabled {
        /// Where.
        at: String,
        /// Which.
        command: String,
    },
    /// It is a replica: what is published on it is not heard by those who use its master.
    Replica(String),
    /// It does not speak RESP3.
    TooOld(String),
    /// It has every number for a core in use.
    NoNumber,
}

/// A command that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Where.
    pub(super) at: String,
    /// Which: a name, never an argument.
    pub(super) command: String,
    /// In Redis's own words.
    pub(super) why: String,
}

impl Refused {
    /// Whether there is no such command.
    pub(super) fn is_unknown(&self) -> bool {
        self.why.contains("unknown command") || self.why.contains("NOPROTO")
    }

    /// What that means for `user`, whose channels begin with `prefix`.
    pub(super) fn meant(self, user: String, prefix: &str) -> RedisError {
        let says = |word: &str| self.why.contains(word);
        if says("NOPROTO") {
            return RedisError::TooOld(self.at);
        }
        if self.is_unknown() {
            return RedisError::Disabled { at: self.at, command: self.command };
        }
        if ["WRONGPASS", "NOAUTH", "invalid password"].into_iter().any(says) {
            return RedisError::Denied(self.at, user);
        }
        if says("NOPERM") {
            return RedisError::NoRight { at: self.at, user, why: self.why, prefix: prefix.to_owned() };
        }
        RedisError::Refused(self)
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedisError::Url(why) => {
                write!(
                    f,
                    "the Redis URL cannot be used: {why} (it looks like redis://[user:password@]host:port/db, or rediss:// with TLS)"
                )
            }
            RedisError::Prefix(prefix) => {
                write!(
                    f,
                    "channels cannot begin with {prefix:?}: a prefix has letters, digits and signs, and no space"
                )
            }
            RedisError::NoTls(why) => write!(f, "no TLS with Redis: {why}"),
            RedisError::Untrusted(at, why) => {
                write!(f, "no TLS with Redis at {at}: {why} (--redis-ca names who is trusted)")
            }
            RedisError::Unreachable(at, why) => {
                write!(f, "no Redis answers at {at}: {why}; start it, or correct the URL")
            }
            RedisError::Denied(at, user) => write!(
                f,
                "Redis at {at} does not let user {user} in: the password is wrong or missing, or there is no such user"
            ),
            RedisError::NoRight { at, user, why, prefix } => write!(
                f,
                "Redis user {user} lacks rights at {at} ({why}); give them with: ACL SETUSER {user} &{prefix}* {RIGHTS}"
            ),
            RedisError::Refused(Refused { at, command, why }) => {
                write!(f, "Redis at {at} refuses {command}: {why}")
            }
            RedisError::Disabled { at, command } => write!(
                f,
                "chatd may not use {command} at {at}: the command is disabled or renamed there (rename-command); chatd needs it"
            ),
            RedisError::Replica(at) => write!(
                f,
                "Redis at {at} is a replica: what is published there is not heard at its master; name the master"
            ),
            RedisError::TooOld(at) => write!(
                f,
                "Redis at {at} does not know HELLO: it is too old (chatd needs RESP3, which is Redis 6 or newer), \
                 or has that command disabled"
            ),
            RedisError::NoNumber => {
                f.write_str("Redis has a core for every number there is: too many servers")
            }
        }
    }
}

impl std::error::Error for RedisError {}
