//! TLS on a connection: one thread reads and another writes, and neither waits for the other.
//!
//! The state of the encryption is behind a lock that is held while bytes are ciphered and never while the socket
//! is waited for. Only the writing half takes ciphertext out, so records leave in the order they were made in;
//! what the other side makes us say (an update of keys) leaves with what is written next.

use super::address::Address;
use chatd_tls::{Trust, explain, trust};
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a last word may wait for a server that does not read.
const LAST_WORD: Duration = Duration::from_millis(100);
const READ_BYTES: usize = 16 << 10;

/// Whom the connections of a client trust, found out when the first of them needs it.
#[derive(Debug, Default)]
pub struct Security {
    trust: Trust,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Security {
    /// Nothing is read yet.
    pub fn new(trust: Trust) -> Self {
        Self { trust, config: OnceLock::new() }
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        let config = self.config.get_or_init(|| self.trust.client().map_err(|why| why.to_string()));
        config.clone().map_err(io::Error::other)
    }

    /// Makes two halves of a connection, and encrypts it if the address says so.
    ///
    /// # Errors
    /// What the system says, or why the server is not believed to be who it should be.
    pub fn begin(&self, address: &Address, stream: TcpStream) -> io::Result<(Reading, Writing)> {
        let cipher =
            if address.tls { Some(Arc::new(Mutex::new(self.shake_hands(address, &stream)?))) } else { None };
        let ours = stream.try_clone()?;
        let reading = Reading {
            stream,
            cipher: cipher.clone(),
            host: address.host.clone(),
            received: Vec::new(),
            at: 0,
        };
        Ok((reading, Writing { stream: ours, cipher }))
    }

    fn shake_hands(&self, address: &Address, mut stream: &TcpStream) -> io::Result<ClientConnection> {
        let refused = |why: chatd_tls::Refusal| io::Error::other(why.to_string());
        let name = trust::name_of(&address.host).map_err(refused)?;
        let mut connection = ClientConnection::new(self.config()?, name).map_err(io::Error::other)?;
        // What is written is ciphered and taken out in one go.
        connection.set_buffer_limit(None);
        let deadline = Instant::now() + HANDSHAKE;
        while connection.is_handshaking() {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = left.max(Duration::from_millis(1));
            stream.set_read_timeout(Some(wait))?;
            let went = step(&mut connection, &mut stream);
            let late = if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(()) };
            went.and(late).map_err(|error| meant(&error, &address.host))?;
        }
        // What the handshake says last.
        while connection.wants_write() {
            connection.write_tls(&mut stream)?;
        }
        stream.set_read_timeout(None)?;
        Ok(connection)
    }
}

/// Goes on with a handshake by one word each.
fn step(connection: &mut ClientConnection, stream: &mut &TcpStream) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(stream)?;
    }
    if connection.wants_read() && connection.read_tls(stream)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    match connection.process_new_packets() {
        Ok(_) => Ok(()),
        Err(error) => {
            // The server is told why, if it listens.
            let _ = connection.write_tls(stream);
            Err(io::Error::new(ErrorKind::InvalidData, error))
        }
    }
}

/// What it means that a handshake failed.
fn meant(error: &io::Error, host: &str) -> io::Error {
    let silent = matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::WouldBlock | ErrorKind::TimedOut
    );
    io::Error::other(match explain::io_failure(error, host) {
        Some(why) => why,
        None if silent => format!("{host} does not answer in TLS: does it speak TLS on that port?"),
        None => error.to_string(),
    })
}

type Cipher = Arc<Mutex<ClientConnection>>;

fn lock(cipher: &Cipher) -> MutexGuard<'_, ClientConnection> {
    cipher.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The half that hears.
#[derive(Debug)]
pub struct Reading {
    stream: TcpStream,
    cipher: Option<Cipher>,
    host: String,
    /// Ciphertext that was received, and how much of it is deciphered.
    received: Vec<u8>,
    at: usize,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { stream, cipher: Some(cipher), host, received, at } = self else {
            return self.stream.read(buffer);
        };
        loop {
            {
                let mut connection = lock(cipher);
                match connection.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // Without a last word: each frame has an end, so nothing half is taken for whole.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                    done => return done,
                }
                if *at < received.len() {
                    let mut rest = &received[*at..];
                    *at += connection.read_tls(&mut rest)?;
                    let done = connection.process_new_packets();
                    done.map_err(|error| io::Error::other(explain::failure(&error, host)))?;
                    continue;
                }
            }
            received.resize(READ_BYTES, 0);
            let count = stream.read(received)?;
            received.truncate(count);
            *at = 0;
            if count == 0 {
                lock(cipher).read_tls(&mut io::empty())?;
                lock(cipher).process_new_packets().map_err(io::Error::other)?;
            }
        }
    }
}

/// The half that says.
#[derive(Debug)]
pub struct Writing {
    stream: TcpStream,
    cipher: Option<Cipher>,
}

impl Writing {
    /// Writes all of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(cipher) = &self.cipher else { return self.stream.write_all(bytes) };
        let mut records = Vec::with_capacity(bytes.len() + 64);
        {
            let mut connection = lock(cipher);
            connection.writer().write_all(bytes)?;
            while connection.wants_write() {
                connection.write_tls(&mut records)?;
            }
        }
        self.stream.write_all(&records)
    }

    /// Ends the connection; the server is told that this is the end.
    pub fn end(&self) {
        if let Some(cipher) = &self.cipher {
            let mut last = Vec::new();
            {
                let mut connection = lock(cipher);
                connection.send_close_notify();
                while connection.wants_write() && connection.write_tls(&mut last).is_ok() {}
            }
            // It may have ended by itself; that is what was wanted.
            let _ = self.stream.set_write_timeout(Some(LAST_WORD));
            let _ = (&self.stream).write_all(&last);
        }
        // As above.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests;
