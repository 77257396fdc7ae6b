//! The server's API: what an application's own servers have done, over HTTP/1.1 with JSON.
//!
//! One plain thread, never a core: it turns a bounded number of connections with `poll`, hands each act to the core that
//! serves the user whom it is about, and writes down what that core answers. Its connections come from the admin address,
//! by whoever asks there for a path under `/v1/` ([`Door`]), and from a Unix socket of its own.
//!
//! - [`server`] turns the connections, [`connection`] is one of them, [`http`] what is said on it.
//! - [`who`] knows who may ask.
//! - [`acts`] is what may be asked for, [`body`] how it is said, [`work`] what is done for it step by step: of several steps
//!   are those with [`groups`], and those with [`everything`] of a user.
//! - [`names`] knows for a while who is who.

mod acts;
mod body;
#[cfg(test)]
mod bounds_tests;
mod connection;
mod everything;
mod groups;
mod http;
mod names;
mod server;
mod who;
mod work;

use crate::acts::ActLines;
use crate::bell::Bell;
use flume::Sender;
use server::Server;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tracing::error;
pub use who::{NoTokens, Tokens};

/// Connections that wait for the thread; more are closed.
const HANDED: usize = 64;

/// Who may ask, and where.
#[derive(Debug, Default)]
pub struct Access {
    /// Whoever has one of these, on the admin address.
    pub tokens: Tokens,
    /// Whoever may open this socket.
    pub socket: Option<Socket>,
}

/// A Unix socket that this process alone answers.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens there, for this user alone (0600). What a server has left there that is gone is replaced.
    ///
    /// # Errors
    /// If somebody listens there, or it cannot be made.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if is_socket && UnixStream::connect(path).is_err() {
            fs::remove_file(path)?;
        }
        // From its first moment on nobody else may open it.
        let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
        let listener = UnixListener::bind(path);
        rustix::process::umask(before);
        let listener = listener?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned() })
    }
}

/// Where the admin address hands over whoever asks for the API.
#[derive(Clone, Debug)]
pub(super) struct Door {
    handed: Sender<Handed>,
    bell: Arc<Bell>,
}

/// A connection, with what was read of it.
struct Handed {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Door {
    /// Hands over a connection. One for which there is no room is closed.
    pub(super) fn hand(&self, stream: TcpStream, bytes: Vec<u8>) {
        if self.handed.try_send(Handed { stream, bytes }).is_ok() {
            self.bell.ring();
        }
    }
}

/// The thread of the API at work.
#[derive(Debug)]
pub struct Api {
    /// `None` while it ends.
    door: Option<Door>,
    bell: Arc<Bell>,
    socket: Option<PathBuf>,
    thread: JoinHandle<()>,
}

/// Starts the thread.
///
/// # Errors
/// If the system gives none.
pub fn start(access: Access, lines: ActLines) -> io::Result<Api> {
    let Access { tokens, socket } = access;
    let (handed, hands) = flume::bounded(HANDED);
    let bell = lines.bell.clone();
    let (listener, path) = socket.map(|socket| (socket.listener, socket.path)).unzip();
    let server = Server::new(tokens, listener, lines, hands);
    let thread = std::thread::Builder::new().name("api".to_owned()).spawn(move || server.run())?;
    Ok(Api { door: Some(Door { handed, bell: bell.clone() }), bell, socket: path, thread })
}

impl Api {
    pub(super) fn door(&self) -> Option<Door> {
        self.door.clone()
    }

    /// Ends the thread, once nobody else has its door; what is being answered is cut off.
    pub fn stop(mut self) {
        drop(self.door.take());
        self.bell.ring();
        if self.thread.join().is_err() {
            error!("the thread of the API has failed");
        }
        if let Some(path) = self.socket {
            // Another server may have its own there by now, and whoever starts next replaces what is left.
            let _ = fs::remove_file(path);
        }
    }
}
