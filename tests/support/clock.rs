//! The clocks of a chatd that a test may set while it runs: a shim under its clocks, in C, put before
//! libc by LD_PRELOAD. The test compiles it. SQLite, which chatd contains, needs a C compiler as well, so
//! that there is one wherever chatd is built.

use super::chatd::Setup;
use super::scratch::Scratch;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// Bytes of the file that says how far the clocks are shifted: two numbers in nanoseconds.
const FILE_BYTES: u64 = 16;

/// The clocks of those servers that were started [under](Clocks::under) it.
pub struct Clocks {
    scratch: Scratch,
    file: File,
    wall_ms: AtomicI64,
    monotonic_ms: AtomicI64,
}

impl Clocks {
    /// Those of this machine, until they are set.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let file = File::options().create_new(true).read(true).write(true).open(path(&scratch));
        let file = file.expect("a file can be made");
        file.set_len(FILE_BYTES).expect("it is small");
        Self { scratch, file, wall_ms: AtomicI64::new(0), monotonic_ms: AtomicI64::new(0) }
    }

    /// A server with these clocks.
    pub fn under(&self, setup: Setup) -> Setup {
        let library = library().to_str().expect("a path of this project");
        let file = path(&self.scratch);
        let file = file.to_str().expect("a path of a test");
        setup.environment("LD_PRELOAD", library).environment("CHATD_TEST_CLOCK", file)
    }

    /// Somebody sets the wall clock, so far back or forward.
    pub fn set_wall_by(&self, ms: i64) {
        Self::shift(&self.file, 0, &self.wall_ms, ms);
    }

    /// Time passes, on both clocks.
    pub fn pass(&self, ms: i64) {
        Self::shift(&self.file, 8, &self.monotonic_ms, ms);
        self.set_wall_by(ms);
    }

    fn shift(file: &File, at: u64, sum_ms: &AtomicI64, ms: i64) {
        let ns = (sum_ms.fetch_add(ms, Ordering::Relaxed) + ms) * 1_000_000;
        file.write_all_at(&ns.to_ne_bytes(), at).expect("a file of ours");
    }
}

fn path(scratch: &Scratch) -> PathBuf {
    scratch.path().join("clocks")
}

/// The shim, compiled once for all tests of this process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clock_shim.c");
        let folder = crate::program("chatd").with_file_name("tmp");
        std::fs::create_dir_all(&folder).expect("a folder beside the programs");
        let folder = folder.as_path();
        std::fs::create_dir_all(folder).expect("cargo's own folder");
        let library = folder.join(format!("clock_shim-{}.so", std::process::id()));
        let mut command = Command::new("cc");
        command.args(["-std=gnu11", "-O1", "-fPIC", "-shared", "-Wall", "-Werror", "-o"]);
        let compiled = command.arg(&library).arg(&source).output();
        let compiled = compiled.expect("the C compiler, cc, can be started: install one");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        library
    })
}
