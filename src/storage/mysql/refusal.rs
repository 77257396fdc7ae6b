//! Why a server cannot run with a MySQL: a sentence each, for whoever started it.

use super::url::MySqlUrl;
use crate::siblings::AnotherVersion;
use mysql_async::{DriverError, Error, IoError, TlsError};
use std::fmt;

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The URL cannot be understood; why, without repeating it.
    Url(String),
    /// Nobody answers there.
    Unreachable {
        /// Where.
        server: String,
        /// The system's own words.
        why: String,
    },
    /// It is not who it should be, or does not speak TLS.
    Tls {
        /// Where.
        server: String,
        /// What went wrong.
        why: String,
    },
    /// The server does not let this user in.
    Denied {
        /// Where.
        server: String,
        /// Who.
        user: String,
    },
    /// The server has no such database, or shows this user none.
    NoDatabase {
        /// Where.
        server: String,
        /// Who.
        user: String,
        /// Which.
        database: String,
    },
    /// The server is older than what is used of it.
    TooOld {
        /// Where.
        server: String,
        /// What it says it is.
        version: String,
    },
    /// The user may not do what has to be done.
    NoRight {
        /// Who.
        user: String,
        /// Where.
        database: String,
        /// The server's own words.
        why: String,
    },
    /// The database holds something else.
    NotOurs {
        /// Which.
        database: String,
    },
    /// A setting of the server makes it impossible.
    Setting {
        /// Where.
        server: String,
        /// Which, and what would do.
        what: String,
    },
    /// Another server brings the database up to date and does not finish.
    Migrating {
        /// Which.
        database: String,
    },
    /// A server that is of another version works on the database.
    AnotherVersion(AnotherVersion),
    /// Anything else, in the server's own words.
    Failed {
        /// Where.
        server: String,
        /// What it said.
        why: String,
    },
}

impl Refusal {
    /// What an error at connecting means.
    pub fn of(error: Error, url: &MySqlUrl) -> Self {
        let (server, user) = (url.server().to_owned(), url.user().to_owned());
        let database = url.database().to_owned();
        if let Some(why) = not_secure(&error, url.host()) {
            return Self::Tls { server, why };
        }
        match error {
            Error::Server(error) => match error.code {
                1045 | 1698 => Self::Denied { server, user },
                1044 | 1049 => Self::NoDatabase { server, user, database },
                1142 | 1143 | 1227 | 1370 => Self::NoRight { user, database, why: error.message },
                _ => Self::Failed { server, why: format!("{} (error {})", error.message, error.code) },
            },
            Error::Io(IoError::Io(error)) => Self::Unreachable { server, why: error.to_string() },
            other => Self::Failed { server, why: other.to_string() },
        }
    }
}

/// Why the connection is not as safe as it should be, if that is what is wrong.
fn not_secure(error: &Error, host: &str) -> Option<String> {
    match error {
        Error::Io(IoError::Tls(TlsError::Tls(error))) => Some(chatd_tls::explain::failure(error, host)),
        Error::Io(IoError::Tls(error)) => Some(error.to_string()),
        Error::Io(IoError::Io(error)) => chatd_tls::explain::io_failure(error, host),
        Error::Driver(DriverError::NoClientSslFlagFromServer) => Some(
            "it has no certificate (ssl_cert and ssl_key in its settings) and speaks in clear text"
                .to_owned(),
        ),
        _ => None,
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(
                f,
                "the MySQL URL cannot be understood: {why}; it looks like mysql://user:password@host:3306/database, \
                 with %40 for an @ in the password and the like"
            ),
            Self::Unreachable { server, why } => {
                write!(f, "no MySQL answers at {server}: {why}; start it, or correct the URL")
            }
            Self::Tls { server, why } => {
                write!(f, "no TLS with MySQL at {server}: {why} (--mysql-ca names who is trusted)")
            }
            Self::Denied { server, user } => write!(
                f,
                "MySQL at {server} does not let user {user} in: the password is wrong, or there is no such user for this host"
            ),
            Self::NoDatabase { server, user, database } => write!(
                f,
                "MySQL at {server} has no database {database} for user {user}; make it with: CREATE DATABASE `{database}` \
                 CHARACTER SET utf8mb4; GRANT ALL ON `{database}`.* TO '{user}'@'%';"
            ),
            Self::TooOld { server, version } => write!(
                f,
                "MySQL at {server} is {version}, which is too old: it takes MySQL 8.0.16 or MariaDB 10.5, or newer"
            ),
            Self::NoRight { user, database, why } => write!(
                f,
                "MySQL user {user} lacks rights on database {database} ({why}); give them with: \
                 GRANT ALL ON `{database}`.* TO '{user}'@'%';"
            ),
            Self::NotOurs { database } => write!(
                f,
                "the MySQL database {database} holds the tables of another program; choose another database"
            ),
            Self::Setting { server, what } => write!(f, "MySQL at {server} cannot be used like this: {what}"),
            Self::Migrating { database } => write!(
                f,
                "another chatd has been bringing the MySQL database {database} up to date for too long; try again when it is done"
            ),
            Self::AnotherVersion(other) => other.fmt(f),
            Self::Failed { server, why } => write!(f, "MySQL at {server}: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}
