//! A pseudo-terminal with chat in it, and what a terminal shows of it.

use crate::common::DEADLINE;
use crate::common::scratch::Scratch;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Lines that are remembered once they have left the screen.
const SCROLLED_OFF: usize = 20_000;

pub const ENTER: &str = "\r";
pub const TAB: &str = "\t";
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";

/// Waits until another server can listen on this port: the kernel takes down the sockets of one that
/// was killed a little after it is gone.
pub fn until_free(port: u16) {
    let end = Instant::now() + DEADLINE;
    while TcpListener::bind(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "waited for port {port} to be free");
        std::thread::yield_now();
    }
}

/// A chat, or another program, that is to be started in a terminal.
pub struct Setup {
    command: CommandBuilder,
    size: PtySize,
    state: Option<Scratch>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Setup {
    pub fn new() -> Self {
        Self::of(chatd_testing::program("chat"))
    }

    pub fn of(program: impl AsRef<std::ffi::OsStr>) -> Self {
        let mut command = CommandBuilder::new(program);
        for name in ["NO_COLOR", "CHAT_SERVER"] {
            command.env_remove(name);
        }
        let state = Scratch::new();
        command.env("TERM", "xterm-256color");
        command.env("XDG_STATE_HOME", state.path());
        Self { command, size: size(80, 40), state: Some(state) }
    }

    pub fn argument(mut self, argument: impl ToString) -> Self {
        self.command.arg(argument.to_string());
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = size(columns, rows);
        self
    }

    /// With the history of another run.
    pub fn state(mut self, path: &Path) -> Self {
        self.command.env("XDG_STATE_HOME", path);
        self.state = None;
        self
    }

    pub fn start(self) -> Screen {
        let pair = native_pty_system().openpty(self.size).expect("a pseudo-terminal can be had");
        let child = pair.slave.spawn_command(self.command).expect("chat can be started");
        drop(pair.slave);
        let seen = Arc::new(Seen {
            inner: Mutex::new(Inner {
                parser: vt100::Parser::new(rows(self.size.rows), rows(self.size.cols), SCROLLED_OFF),
                raw: Vec::new(),
                over: false,
            }),
            changed: Condvar::new(),
        });
        let mut reader = pair.master.try_clone_reader().expect("it can be read");
        let watching = seen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            loop {
                let count = reader.read(&mut bytes).unwrap_or(0);
                let mut inner = watching.lock();
                inner.parser.process(&bytes[..count]);
                inner.raw.extend_from_slice(&bytes[..count]);
                inner.over = count == 0;
                watching.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().expect("it can be written to");
        Screen { master: pair.master, writer, child, seen, _state: self.state }
    }
}

fn rows(count: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(count).expect("a window has a size")
}

struct Inner {
    parser: vt100::Parser,
    raw: Vec<u8>,
    over: bool,
}

struct Seen {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Seen {
    /// A test that fails while it looks leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, end: Instant) -> MutexGuard<'a, Inner> {
        let left = end.saturating_duration_since(Instant::now());
        self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A running chat, as its user sees it.
pub struct Screen {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Seen>,
    _state: Option<Scratch>,
}

impl Screen {
    /// A chat that has connected to nobody but this server.
    pub fn open(address: SocketAddr) -> Self {
        Setup::new().argument(address).start()
    }

    /// A chat in which this user is logged in.
    pub fn enter(address: SocketAddr, id: u64, password: &str) -> Self {
        let mut screen = Self::open(address);
        screen.login(id, password);
        screen
    }

    pub fn login(&mut self, id: u64, password: &str) {
        self.answer("choice:", "1");
        self.answer("userid or name:", &id.to_string());
        self.answer("userpassword:", password);
        self.until("a welcome and a prompt", |rows| {
            rows.iter().any(|row| row.starts_with("welcome, ")) && rows.last().is_some_and(|row| row == ">")
        });
    }

    /// Waits for a prompt in the last line, and answers it.
    pub fn answer(&mut self, prompt: &str, line: &str) {
        self.until(prompt, |rows| rows.last().is_some_and(|row| row == prompt));
        self.type_text(line);
        self.type_text(ENTER);
    }

    /// Types a line at a prompt that is there.
    pub fn line(&mut self, line: &str) {
        self.type_text(line);
        self.type_text(ENTER);
    }

    pub fn type_text(&mut self, text: &str) {
        self.type_bytes(text.as_bytes());
    }

    /// Types what need not be text.
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("chat reads");
        self.writer.flush().expect("chat reads");
    }

    pub fn signal(&self, signal_number: i32) {
        let pid = self.child.process_id().expect("it runs");
        // SAFETY: plain numbers.
        assert_eq!(unsafe { libc::kill(pid as i32, signal_number) }, 0);
    }

    /// Waits until the screen is as it should be. It is given as its lines down to the cursor's or
    /// the last that is not empty, without the spaces at their ends; wrapped ones are in pieces.
    pub fn until(&self, waited_for: &str, is_so: impl Fn(&[String]) -> bool) {
        self.until_raw(waited_for, |inner| is_so(&shown(&inner.parser)));
    }

    /// Waits until this is on the screen, wherever.
    pub fn see(&self, text: &str) {
        self.until_raw(text, |inner| inner.parser.screen().contents().contains(text));
    }

    /// Waits until this has been written to the terminal, in whatever colours and wherever it has gone since.
    pub fn see_go_by(&self, text: &str) {
        self.until_raw(text, |inner| without_escapes(&inner.raw).contains(text));
    }

    /// Waits until the last line is this.
    pub fn see_last(&self, line: &str) {
        self.until(line, |rows| rows.last().is_some_and(|row| row == line));
    }

    fn until_raw(&self, waited_for: &str, is_so: impl Fn(&Inner) -> bool) {
        let end = Instant::now() + DEADLINE;
        let mut inner = self.seen.lock();
        while !is_so(&inner) {
            let late = Instant::now() >= end;
            assert!(!late && !inner.over, "waited for {waited_for:?}; chat has ended: {}", inner.over);
            inner = self.seen.wait(inner, end);
        }
    }

    /// The lines of the screen.
    pub fn rows(&self) -> Vec<String> {
        shown(&self.seen.lock().parser)
    }

    /// The lines of the screen, and before them those that have left it.
    pub fn all_rows(&self) -> Vec<String> {
        let mut inner = self.seen.lock();
        let screen = inner.parser.screen_mut();
        let (height, width) = screen.size();
        let (height, mut all) = (usize::from(height.get()), Vec::new());
        let mut above = screen.scrollback_len();
        while above > 0 {
            screen.set_scrollback(above);
            let rows = screen.rows(0, width.get()).take(above.min(height));
            all.extend(rows.map(|row| row.trim_end().to_owned()));
            above = above.saturating_sub(height);
        }
        screen.set_scrollback(0);
        all.extend(shown(&inner.parser));
        all
    }

    /// Row and column of the cursor.
    pub fn cursor(&self) -> (u16, u16) {
        self.seen.lock().parser.screen().cursor_position()
    }

    /// Everything that was ever written to the terminal.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().raw).into_owned()
    }

    /// Waits until what is typed would not be shown by the kernel.
    pub fn until_silent(&self) {
        let end = Instant::now() + DEADLINE;
        while self.echoes() {
            assert!(Instant::now() < end, "waited for echo to be off");
            std::thread::yield_now();
        }
    }

    /// Whether what is typed would be shown by the kernel.
    pub fn echoes(&self) -> bool {
        let modes = self.master.get_termios().expect("a terminal has modes");
        let flags = format!("{:?}", modes.local_flags);
        flags.split(|c: char| !c.is_ascii_alphanumeric()).any(|flag| flag == "ECHO")
    }

    pub fn resize(&self, columns: u16, rows_: u16) {
        self.seen.lock().parser.set_size(rows(rows_), rows(columns));
        self.master.resize(size(columns, rows_)).expect("a window can be resized");
    }

    /// Waits until chat ends; its exit status.
    pub fn end(&mut self) -> u32 {
        let end = Instant::now() + DEADLINE;
        let mut inner = self.seen.lock();
        while !inner.over {
            assert!(Instant::now() < end, "waited for the end");
            inner = self.seen.wait(inner, end);
        }
        drop(inner);
        self.child.wait().expect("a child can be waited for").exit_code()
    }
}

/// The lines down to the cursor's, or to the last that is not empty.
fn shown(parser: &vt100::Parser) -> Vec<String> {
    let screen = parser.screen();
    let columns = screen.size().1.get();
    let mut rows: Vec<String> = screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    let cursor = usize::from(screen.cursor_position().0);
    while rows.len() > cursor + 1 && rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

impl Drop for Screen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the screen was:\n{}", self.rows().join("\n"));
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was written, without what tells a terminal how.
fn without_escapes(raw: &[u8]) -> String {
    let (raw, mut text) = (String::from_utf8_lossy(raw), String::new());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            text.push(character);
        } else if characters.next() == Some('[') {
            // Its parameters, up to the letter that ends it.
            characters.by_ref().find(|character| ('@'..='~').contains(character));
        }
    }
    text
}
