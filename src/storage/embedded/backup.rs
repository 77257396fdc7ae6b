//! Copies of the embedded database: made while its server runs, verified, and put in the place of a lost one.
//!
//! A copy is what a moment's crash would have left, whole: everything that was acknowledged before it was begun is in it.
//! Never changes the database that it copies.

use super::directory::Directory;
use crate::{OpenError, migrate};
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is in a copy that is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contents {
    /// The version of its schema.
    pub version: u32,
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Messages.
    pub messages: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why a copy was not made, is not whole, or was not put back.
#[derive(Debug)]
pub enum BackupError {
    /// There is no such database.
    Missing(PathBuf),
    /// Something has that name already, and is not overwritten.
    Exists(PathBuf),
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// It cannot be opened, or the directory cannot be used.
    Open(OpenError),
    /// It is damaged: the first thing that is wrong with it.
    Damaged(PathBuf, String),
    /// In the database's own words.
    Failed(PathBuf, rusqlite::Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Missing(path) => write!(f, "there is no {}", path.display()),
            BackupError::Exists(path) => {
                write!(
                    f,
                    "{} is there already, and is not overwritten; move it away, or choose another place",
                    path.display()
                )
            }
            BackupError::File(path, why) => write!(f, "cannot use {}: {why}", path.display()),
            BackupError::Open(why) => why.fmt(f),
            BackupError::Damaged(path, why) => write!(f, "{} is damaged: {why}", path.display()),
            BackupError::Failed(path, why) => write!(f, "cannot read {}: {why}", path.display()),
        }
    }
}

impl std::error::Error for BackupError {}

impl From<OpenError> for BackupError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// Copies the database in `directory`, whether its server runs or not, to the file `to`, and verifies the copy. While it
/// copies, the server's log of changes grows by what is written meanwhile.
///
/// # Errors
/// If there is no database, something is at `to`, or the copy is not whole; then nothing is left there.
pub fn save(directory: &Path, to: &Path) -> Result<Contents, BackupError> {
    let from = directory.join("chatd.db");
    if !from.is_file() {
        return Err(BackupError::Missing(from));
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let unfinished = unfinished(to);
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
    let file = new.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(unfinished.clone()),
        _ => BackupError::File(unfinished.clone(), error),
    })?;
    let made = copy(&from, &unfinished).and_then(|()| verify(&unfinished)).and_then(|contents| {
        let finished =
            file.sync_all().and_then(|()| fs::rename(&unfinished, to)).and_then(|()| sync_folder(to));
        finished.map(|()| contents).map_err(|error| BackupError::File(to.to_owned(), error))
    });
    if made.is_err() {
        // What is not whole helps nobody; if it cannot be removed, its name says what it is.
        let _ = fs::remove_file(&unfinished);
    }
    made
}

/// Looks at a copy, changing nothing: that it is a database of chatd, of a version that this program knows, with the tables of
/// that version, every page of it in order, and no row that names what is not there.
///
/// # Errors
/// If it is not whole.
pub fn verify(file: &Path) -> Result<Contents, BackupError> {
    let bytes = fs::metadata(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BackupError::Missing(file.to_owned()),
        _ => BackupError::File(file.to_owned(), error),
    })?;
    let failed = |error| BackupError::Failed(file.to_owned(), error);
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| migrate::explain(&error, file))?;
    let version = migrate::check(&db, file, migrate::SQLITE)?;
    if version == 0 {
        return Err(BackupError::Damaged(file.to_owned(), "it is empty".to_owned()));
    }
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        return Err(BackupError::Damaged(file.to_owned(), found));
    }
    let orphan = db.query_row("PRAGMA foreign_key_check", [], |row| {
        Ok(format!(
            "a row of {} names a row of {} that is not there",
            row.get::<_, String>(0)?,
            row.get::<_, String>(2)?
        ))
    });
    match orphan {
        Err(rusqlite::Error::QueryReturnedNoRows) => {}
        Ok(orphan) => return Err(BackupError::Damaged(file.to_owned(), orphan)),
        Err(error) => return Err(failed(error)),
    }
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    Ok(Contents {
        version,
        users: count("SELECT count(*) FROM user")?.unsigned_abs(),
        groups: count("SELECT count(*) FROM allgroup WHERE groupname IS NOT NULL")?.unsigned_abs(),
        messages: count("SELECT count(*) FROM message")?.unsigned_abs(),
        bytes: bytes.len(),
    })
}

/// Puts a copy, which is verified before and after, into a data directory that has no database; the next server that starts
/// there goes on from it.
///
/// # Errors
/// If the copy is not whole, a server has the directory, or a database is there. Then the directory is as it was.
pub fn restore(file: &Path, directory: &Path) -> Result<Contents, BackupError> {
    let contents = verify(file)?;
    let directory = Directory::claim(directory)?;
    let database = directory.database();
    if fs::symlink_metadata(&database).is_ok() {
        return Err(BackupError::Exists(database));
    }
    let mut copied = contents;
    let mut wrong = None;
    let provided = directory.provide(|new| {
        let copy = fs::copy(file, new).map_err(|error| BackupError::File(new.to_owned(), error));
        match copy.and_then(|_| verify(new)) {
            Ok(found) => {
                copied = found;
                // Whoever may read the backup has no say in who may read what is made of it.
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                fs::set_permissions(new, mode).map_err(|error| OpenError::NotWritable(new.to_owned(), error))
            }
            Err(error) => {
                let why = error.to_string();
                wrong = Some(error);
                Err(OpenError::Failed(new.display().to_string(), why))
            }
        }
    });
    match (wrong, provided) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => Ok(copied),
    }
}

/// The name that a copy has until it is whole.
fn unfinished(to: &Path) -> PathBuf {
    let mut name: OsString = to.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

/// Writes what the database is in one moment into an empty file.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |error| BackupError::Failed(from.to_owned(), error);
    // Not read-only: whoever reads a log of changes marks in shared memory how far.
    let db = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| migrate::explain(&error, from))?;
    db.busy_timeout(super::PATIENCE).map_err(failed)?;
    migrate::check(&db, from, migrate::SQLITE)?;
    let to = to.to_str().ok_or_else(|| {
        BackupError::File(
            to.to_owned(),
            io::Error::new(io::ErrorKind::InvalidInput, "its name is not Unicode"),
        )
    })?;
    db.execute("VACUUM INTO ?1", [to]).map_err(failed)?;
    Ok(())
}

fn sync_folder(of: &Path) -> io::Result<()> {
    let parent = of.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
