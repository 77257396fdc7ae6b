//! The server and the two terminals. Everything is killed and cleaned up when it is dropped.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The size of each terminal.
const COLUMNS: u16 = 54;
const ROWS: u16 = 26;
/// Longer than any answer takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A chatd with a directory of its own.
pub struct Server {
    child: std::process::Child,
    directory: PathBuf,
    address: String,
}

impl Server {
    pub fn start(binary: &Path) -> Result<Self, Box<dyn Error>> {
        let directory = std::env::temp_dir().join(format!("chatd-recording-{}", std::process::id()));
        let mut child = Command::new(binary)
            .args(["--cores", "1", "--port", "0", "--password-cost", "m=8,t=1,p=1", "--data"])
            .arg(&directory)
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("its output is piped")?).lines();
        let mut server = Self { child, directory, address: String::new() };
        for line in lines {
            if let Some(address) = line?.strip_prefix("ready ") {
                server.address = address.to_owned();
                return Ok(server);
            }
        }
        Err("chatd ended before it was ready".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or it is killed; either is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

type Seen = Arc<(Mutex<vt100::Parser>, Condvar)>;

/// A chat on a terminal of its own.
pub struct Chat {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    seen: Seen,
    // The terminal is there for as long as this is.
    _master: Box<dyn MasterPty + Send>,
}

impl Chat {
    pub fn start(binary: &Path, server: &Server) -> Result<Self, Box<dyn Error>> {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let terminal = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(binary);
        command.arg(&server.address);
        command.env("TERM", "xterm-256color");
        command.env("XDG_STATE_HOME", &server.directory);
        command.env_remove("NO_COLOR");
        let child = terminal.slave.spawn_command(command)?;
        let (rows, columns) = (ROWS.try_into()?, COLUMNS.try_into()?);
        let seen: Seen = Arc::new((Mutex::new(vt100::Parser::new(rows, columns, 0)), Condvar::new()));
        let (mut reader, watching) = (terminal.master.try_clone_reader()?, seen.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let mut parser = watching.0.lock().unwrap_or_else(PoisonError::into_inner);
                parser.process(&bytes[..count]);
                watching.1.notify_all();
            }
        });
        Ok(Self { child, writer: terminal.master.take_writer()?, seen, _master: terminal.master })
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        self.writer.write_all(format!("{line}\r").as_bytes())?;
        Ok(self.writer.flush()?)
    }

    /// Waits until the screen ends with these lines.
    pub fn until(&self, end: &str) -> Result<(), Box<dyn Error>> {
        let parser = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let not_yet = |parser: &mut vt100::Parser| !text(parser.screen()).ends_with(end);
        let (parser, wait) =
            self.seen.1.wait_timeout_while(parser, PATIENCE, not_yet).unwrap_or_else(PoisonError::into_inner);
        match wait.timed_out() {
            false => Ok(()),
            true => Err(format!("waited for {end:?}, and saw:\n{}", text(parser.screen())).into()),
        }
    }

    pub fn screen(&self) -> vt100::Screen {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).screen().clone()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines down to the cursor, without the spaces at their ends.
fn text(screen: &vt100::Screen) -> String {
    let rows = screen.rows(0, COLUMNS).take(usize::from(screen.cursor_position().0) + 1);
    rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
