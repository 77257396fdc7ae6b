//! The way to a server: a socket, encrypted or not.
//!
//! Reads and writes as a socket does, blocking or not. Encrypted, it does what a handshake needs beside that.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use rustls::ClientConnection;

/// Ciphertext that is read at once.
const READ_BYTES: usize = 64 * 1024;

thread_local!(static CIPHERTEXT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]));

pub struct Stream {
    socket: TcpStream,
    session: Option<Box<ClientConnection>>,
    /// What was deciphered and found no room.
    spilled: Vec<u8>,
    /// Whether the last read of the socket left room: then it was empty.
    is_drained: bool,
}

impl Stream {
    pub fn new(socket: TcpStream, session: Option<ClientConnection>) -> Stream {
        Stream { socket, session: session.map(Box::new), spilled: Vec::new(), is_drained: false }
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether the last read has emptied the socket, and everything that came was handed out.
    pub fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// Whether something was deciphered that is not handed out.
    pub fn has_spilled(&self) -> bool {
        !self.spilled.is_empty()
    }

    /// Whether something was taken that the socket has not.
    pub fn has_unsent(&self) -> bool {
        self.session.as_deref().is_some_and(|session| session.wants_write())
    }

    /// Reads the socket once, or until something was said, and deciphers all of it: the library would keep some
    /// kilobytes and refuse the rest.
    fn read_secret(&mut self, session: &mut ClientConnection, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.spilled.is_empty() {
            let bytes = self.spilled.len().min(buffer.len());
            buffer[..bytes].copy_from_slice(&self.spilled[..bytes]);
            self.spilled.drain(..bytes);
            self.is_drained &= self.spilled.is_empty();
            return Ok(bytes);
        }
        CIPHERTEXT.with_borrow_mut(|ciphertext| {
            loop {
                let bytes = (&self.socket).read(ciphertext)?;
                let (mut rest, mut filled, mut has_ended) = (&ciphertext[..bytes], 0, bytes == 0);
                while !rest.is_empty() && !has_ended {
                    session.read_tls(&mut rest)?;
                    let done = session.process_new_packets().map_err(io::Error::other);
                    // The server is told of an error, too.
                    flush(session, &self.socket)?;
                    done?;
                    match session.reader().read(&mut buffer[filled..]) {
                        Ok(0) => has_ended = filled < buffer.len(),
                        Ok(bytes) => filled += bytes,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                    }
                    // Gives all that there is, and then says that there is no more for now.
                    let _ = session.reader().read_to_end(&mut self.spilled);
                }
                self.is_drained = bytes < ciphertext.len() && self.spilled.is_empty();
                if filled > 0 || has_ended {
                    return Ok(filled);
                }
            }
        })
    }
}

/// Writes ciphertext until all has left or the socket is full, which is no error.
fn flush(session: &mut ClientConnection, mut socket: &TcpStream) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(&mut socket) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut session) = self.session.take() else {
            let bytes = self.socket.read(buffer)?;
            self.is_drained = bytes < buffer.len();
            return Ok(bytes);
        };
        let result = self.read_secret(&mut session, buffer);
        self.session = Some(session);
        result
    }
}

impl Write for Stream {
    /// Encrypted, it takes all, or nothing if the socket has not taken what it was given before.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = self.session.as_deref_mut() else { return self.socket.write(bytes) };
        flush(session, &self.socket)?;
        if session.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = session.writer().write(bytes)?;
        flush(session, &self.socket)?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(session) = self.session.as_deref_mut() else { return Ok(()) };
        flush(session, &self.socket)?;
        if session.wants_write() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
