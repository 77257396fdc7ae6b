//! The data directory: made if missing, for this user alone, and locked against a second chatd.
//!
//! The lock is the operating system's, on an open file: it dies with the process, however that
//! dies, and nothing has to be cleaned up. Never opens the database: what is in one is for others.

use crate::OpenError;
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A data directory that is this process's for as long as the value lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be, and locks it.
    ///
    /// # Errors
    /// If it cannot be made or written, or another chatd has it.
    pub fn claim(path: &Path) -> Result<Self, OpenError> {
        make(path).map_err(|error| OpenError::NoDirectory(path.to_path_buf(), error))?;
        let file = path.join("chatd.lock");
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&file)
            .map_err(|error| OpenError::NotWritable(file.clone(), error))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(OpenError::InUse(path.to_path_buf())),
            Err(errno) => return Err(OpenError::NotWritable(file, errno.into())),
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.path.join("chatd.db")
    }

    /// The database that a first start makes, until it is whole.
    fn unfinished(&self) -> PathBuf {
        self.path.join("chatd.db.new")
    }

    /// Sees to it that there is a database file which can be written. One that was never there is made by `fill` under
    /// another name, so that no crash leaves half of it, and nobody takes what is left of a database for a new one.
    ///
    /// # Errors
    /// If it cannot be written, or a database was there and is gone.
    pub fn provide(&self, fill: impl FnOnce(&Path) -> Result<(), OpenError>) -> Result<(), OpenError> {
        let path = self.database();
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => match file.metadata() {
                Ok(found) if found.is_file() && found.len() == 0 => {
                    let trace =
                        self.trace().unwrap_or_else(|| "it is empty, which no chatd leaves it".to_owned());
                    Err(OpenError::Vanished { path, trace })
                }
                Ok(_) => Ok(()),
                Err(error) => Err(OpenError::NotWritable(path, error)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => match self.trace() {
                Some(trace) => Err(OpenError::Vanished { path, trace }),
                None => self.make_database(fill),
            },
            Err(error) => Err(OpenError::NotWritable(path, error)),
        }
    }

    /// What lies beside the database while it is used, if something does: how much of it there is.
    fn trace(&self) -> Option<String> {
        ["chatd.db-wal", "chatd.db-journal", "chatd.db-shm"].iter().find_map(|name| {
            let found = self.path.join(name).metadata().ok()?;
            Some(format!("there is {name} beside it, of {} bytes", found.len()))
        })
    }

    fn make_database(&self, fill: impl FnOnce(&Path) -> Result<(), OpenError>) -> Result<(), OpenError> {
        let new = self.unfinished();
        let not_writable = |error| OpenError::NotWritable(new.clone(), error);
        // What a first start before this one did not finish was never used.
        for suffix in ["", "-journal", "-wal", "-shm"] {
            match std::fs::remove_file(self.path.join(format!("chatd.db.new{suffix}"))) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(not_writable(error)),
                _ => {}
            }
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new);
        let file = file.map_err(not_writable)?;
        fill(&new)?;
        file.sync_all().map_err(not_writable)?;
        std::fs::rename(&new, self.database()).map_err(not_writable)?;
        File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(not_writable)
    }
}

fn make(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // What is stored in a new directory is durable only once the directory itself is. Where that
    // cannot be asked for, the file system sees to it in its own time.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    drop(File::open(parent).and_then(|parent| parent.sync_all()));
    Ok(())
}
