//! The data directory: made if missing, for this user alone, and locked against a second chatd.
//!
//! The lock is the operating system's, on an open file: it dies with the process, however that
//! dies, and nothing has to be cleaned up. Never opens the database.

use crate::storage::OpenError;
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File, OpenOptions};
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
        let directory = Self { path: path.to_path_buf(), _lock: lock };
        directory.check_database()?;
        Ok(directory)
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.path.join("chatd.db")
    }

    /// Makes the database file, readable for nobody else, or finds out that it cannot be written.
    fn check_database(&self) -> Result<(), OpenError> {
        let path = self.database();
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map(drop)
            .map_err(|error| OpenError::NotWritable(path, error))
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
