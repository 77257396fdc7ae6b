//! Why a store could not be opened.

use super::mysql::Refusal;
use std::fmt;
use std::path::PathBuf;

/// Why the store could not be opened: a sentence for whoever started the server.
#[derive(Debug)]
pub enum OpenError {
    /// The directory is missing and cannot be made, or is not a directory.
    NoDirectory(PathBuf, std::io::Error),
    /// A file in the directory cannot be written.
    NotWritable(PathBuf, std::io::Error),
    /// Another chatd works on the directory.
    InUse(PathBuf),
    /// The file is something else than a database.
    NotADatabase(PathBuf),
    /// The file is a database, but of another program.
    NotOurs(PathBuf),
    /// The database was written by a newer chatd.
    Newer {
        /// Which database.
        database: String,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The database says that it has a version, and its tables are not those of that version.
    FalseVersion {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What is not as it should be.
        why: String,
    },
    /// The database could not be brought to the next version; it has the one before.
    Migration {
        /// Which database.
        database: String,
        /// The version that it should have got.
        to: u32,
        /// In the store's own words.
        why: String,
    },
    /// There is no database, or an empty one, where something says that there was one: this file, beside it or itself.
    Vanished {
        /// Where the database should be.
        path: PathBuf,
        /// What says so, and how.
        trace: String,
    },
    /// MySQL cannot be used.
    MySql(Refusal),
    /// The operating system gives no thread.
    NoThread(std::io::Error),
    /// Anything else, in the store's own words.
    Failed(String, String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NoDirectory(path, why) => {
                write!(f, "cannot use {} as data directory: {why}; choose another one", path.display())
            }
            OpenError::NotWritable(path, why) => write!(
                f,
                "cannot write {}: {why}; give this user the data directory, or choose another one",
                path.display()
            ),
            OpenError::InUse(path) => write!(
                f,
                "the data directory {} is in use by another chatd; stop that one, or choose another directory",
                path.display()
            ),
            OpenError::NotADatabase(path) => write!(
                f,
                "{} is not a chatd database (or is damaged); move it away, or choose another data directory",
                path.display()
            ),
            OpenError::NotOurs(path) => write!(
                f,
                "{} is the database of another program; choose another data directory",
                path.display()
            ),
            OpenError::Newer { database, found, known } => write!(
                f,
                "{database} has schema version {found}, and this chatd knows versions up to {known}; \
                 run the newer chatd, or restore a backup that is older"
            ),
            OpenError::FalseVersion { path, found, why } => write!(
                f,
                "{} says that it has schema version {found}, but {why}: somebody else has changed it; restore a backup",
                path.display()
            ),
            OpenError::Migration { database, to, why } => write!(
                f,
                "{database} cannot be brought to schema version {to}: {why}; it is as it was, so mend that and start again"
            ),
            OpenError::Vanished { path, trace } => write!(
                f,
                "{} is gone: {trace}; restore a backup, or move what is left away if this is to be a new server",
                path.display()
            ),
            OpenError::MySql(refusal) => refusal.fmt(f),
            OpenError::NoThread(why) => write!(f, "cannot start the store's threads: {why}"),
            OpenError::Failed(what, why) => write!(f, "cannot open {what}: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        Self::MySql(refusal)
    }
}
