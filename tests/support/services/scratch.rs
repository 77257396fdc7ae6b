//! A directory that is gone when whoever made it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("chatd-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory can be made");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Has the directory removed when this process ends, however that happens: for what lives in a
    /// `static` and is never dropped.
    pub fn outlives_nobody(&self) {
        let mut command = Command::new("sh");
        // Ends when this process does, which has the other end of its stdin. What still ends meanwhile may
        // write once more.
        command.args(["-c", "cat; until rm -rf \"$0\"; do sleep 1; done"]).arg(&self.0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("there is a shell");
        std::mem::forget(child);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
