//! What the bytes of a connection to Redis go through: nothing, or TLS.
//!
//! A connection begins by blocking calls ([`Wire`]), and goes on without any, fed with what the ring has received
//! ([`Secure`]).

use super::error::RedisError;
use chatd_tls::{Trust, explain, trust};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// How a connection is encrypted, and to whom.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    host: String,
}

impl Tls {
    /// With the server on this host, whose certificate one of those must have issued.
    pub(super) fn new(host: &str, trust: &Trust) -> Result<Self, RedisError> {
        let tls = trust.client().and_then(|config| Ok((config, trust::name_of(host)?)));
        let (config, name) = tls.map_err(RedisError::NoTls)?;
        Ok(Self { config, name, host: host.to_owned() })
    }

    /// Shakes hands: afterwards the other side is who it should be.
    fn begin(&self, mut stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let failed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut connection = ClientConnection::new(self.config.clone(), self.name.clone()).map_err(failed)?;
        // What is written is never more than the pipeline holds, which has bounds of its own.
        connection.set_buffer_limit(None);
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }

    /// What an error of the connection means, where TLS has something to do with it.
    pub(super) fn meant(&self, error: &io::Error) -> Option<String> {
        explain::io_failure(error, &self.host)
    }
}

/// A connection that is read and written by blocking calls.
pub(super) enum Wire {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub(super) fn new(stream: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        Ok(match tls {
            None => Self::Plain(stream),
            Some(tls) => Self::Secure(Box::new(tls.begin(stream)?)),
        })
    }

    /// The connection as it goes on; what was read of it before is appended to `heard`.
    pub(super) fn go_on(self, heard: &mut Vec<u8>) -> Result<(TcpStream, Option<Secure>), rustls::Error> {
        match self {
            Self::Plain(stream) => Ok((stream, None)),
            Self::Secure(both) => {
                let (connection, stream) = both.into_parts();
                let mut secure = Secure(Box::new(connection));
                secure.take_in(&[], heard)?;
                Ok((stream, Some(secure)))
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}

/// The encryption of a connection that is shaken hands with: bytes in, bytes out.
pub(crate) struct Secure(Box<ClientConnection>);

impl Secure {
    /// Appends to `read` what these received bytes say.
    pub(super) fn take_in(&mut self, mut received: &[u8], read: &mut Vec<u8>) -> Result<(), rustls::Error> {
        loop {
            let state = self.0.process_new_packets()?;
            let before = read.len();
            read.resize(before + state.plaintext_bytes_to_read(), 0);
            // As many as there are: it neither waits nor fails.
            let taken = self.0.reader().read(&mut read[before..]).unwrap_or(0);
            read.truncate(before + taken);
            if received.is_empty() {
                return Ok(());
            }
            if self.0.read_tls(&mut received).unwrap_or(0) == 0 {
                return Err(rustls::Error::General("more than a record came at once".to_owned()));
            }
        }
    }

    /// Encrypts all of `waiting`, and appends it to `submitted`.
    pub(super) fn encrypt(&mut self, waiting: &mut Vec<u8>, submitted: &mut Vec<u8>) {
        // Memory takes everything: nothing of this fails.
        let _ = self.0.writer().write_all(waiting);
        waiting.clear();
        while self.0.wants_write() && self.0.write_tls(submitted).is_ok() {}
    }

    /// Whether it has something to say of its own.
    pub(super) fn wants_write(&self) -> bool {
        self.0.wants_write()
    }
}
