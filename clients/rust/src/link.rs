//! One TCP connection: connects, cuts what comes into frames, tells how it ended.
//!
//! A frame ends with its terminator, or with the brace that closes it: the original server sends
//! bare objects.
//!
//! Lives on a thread of its own, because everything here blocks. Knows no dialect.

use super::address::Address;
use super::event::Lost;
use super::secure::{Reading, Security, Writing};
use chatd_chat::wire::frame::{self, Step};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long one try to connect may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A peer that is silent is asked after this long, so often, so far apart.
const KEEPALIVE: (Duration, u32, Duration) = (Duration::from_secs(10), 4, Duration::from_secs(5));
/// How long what was written may stay unacknowledged by the peer's TCP.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 16 << 10;

/// Connects to an address: to each number that its name has, until one answers.
///
/// # Errors
/// What the system says of the last one; or why the one that answered is not believed to be who it should be.
pub fn connect(address: &Address, security: &Security) -> io::Result<(Reading, Writing)> {
    security.begin(address, reach(address)?)
}

fn reach(address: &Address) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for socket in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, CONNECT) {
            Ok(stream) => {
                let (time, retries, interval) = KEEPALIVE;
                let keepalive =
                    TcpKeepalive::new().with_time(time).with_retries(retries).with_interval(interval);
                SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(UNACKNOWLEDGED))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads frames of at most `frame_bytes` until the connection ends, and hands each to `hear`, which
/// says whether to go on.
pub fn read(mut stream: impl Read, frame_bytes: usize, mut hear: impl FnMut(&[u8]) -> bool) -> Lost {
    let mut bytes: Vec<u8> = Vec::new();
    let (mut searched, mut object) = (0, Object::default());
    loop {
        let filled = bytes.len();
        bytes.resize(filled + READ_BYTES, 0);
        let count = match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Lost::Closed,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => return Lost::Io(error.to_string()),
        };
        bytes.truncate(filled + count);
        let mut from = 0;
        loop {
            match frame::next(&bytes, from, searched, frame_bytes) {
                Step::Frame { start, end, next, .. } => {
                    (from, searched) = (next, next);
                    if !hear(&bytes[start..end]) {
                        return Lost::Closed;
                    }
                }
                Step::Partial { start } => {
                    bytes.drain(..start);
                    if start > 0 {
                        object = Object::default();
                    }
                    while let Some(end) = object.end(&bytes) {
                        if !hear(&bytes[..end]) {
                            return Lost::Closed;
                        }
                        bytes.drain(..end);
                        object = Object::default();
                    }
                    searched = bytes.len();
                    break;
                }
                Step::TooLarge => return Lost::FrameTooLarge(frame_bytes),
            }
        }
    }
}

/// Looks for the brace that closes an object, and looks at each byte once.
#[derive(Clone, Copy, Debug, Default)]
struct Object {
    looked: usize,
    depth: usize,
    quoted: bool,
    escaped: bool,
}

impl Object {
    /// One past the end of the object that `bytes` begin with; they are those of the last call, and
    /// more.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.first() != Some(&b'{') {
            return None;
        }
        while self.looked < bytes.len() {
            let byte = bytes[self.looked];
            self.looked += 1;
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                b'{' if !self.quoted => self.depth += 1,
                b'}' if !self.quoted => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(self.looked);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Bounds the bytes that were read and not yet dealt with, so that a slow user slows the server
/// down and fills no memory.
#[derive(Clone, Default)]
pub struct Credit(Arc<(Mutex<usize>, Condvar)>);

/// Bytes that may be under way from the connection to the user.
const CREDIT_BYTES: usize = 1 << 20;

impl Credit {
    /// Waits until there is room, and takes `bytes` of it.
    pub fn take(&self, bytes: usize) {
        let (taken, changed) = &*self.0;
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = changed
            .wait_while(taken, |taken| *taken > 0 && *taken + bytes > CREDIT_BYTES)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += bytes;
    }

    /// Gives back what was taken.
    pub fn give(&self, bytes: usize) {
        let (taken, changed) = &*self.0;
        *taken.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
        changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes out a few at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn frames_come_out_whole_however_they_come_in() {
        let stream = b"{\"a\":1}\n\n{\"b\":2}\0{\"c\":3}\r\n{\"half\"";
        for step in 1..stream.len() {
            let mut frames = Vec::new();
            let lost = read(Trickle(stream, step), 64, |frame| {
                frames.push(frame.to_vec());
                true
            });
            assert_eq!(lost, Lost::Closed);
            assert_eq!(frames, [b"{\"a\":1}", b"{\"b\":2}", b"{\"c\":3}"]);
        }
    }

    #[test]
    fn bare_objects_are_frames_too() {
        let stream = br#"{"a":"}\"{"}{"b":{"c":[{}]}}{"d":1}[{}]"#;
        for step in 1..stream.len() {
            let mut frames = Vec::new();
            read(Trickle(stream, step), 64, |frame| {
                frames.push(frame.to_vec());
                true
            });
            assert_eq!(frames, [&br#"{"a":"}\"{"}"#[..], br#"{"b":{"c":[{}]}}"#, br#"{"d":1}"#], "{step}");
        }
    }

    #[test]
    fn a_frame_over_the_bound_ends_the_connection() {
        let stream = [b"ok\n".as_slice(), &[b'x'; 1_000]].concat();
        let mut heard = 0;
        let lost = read(Trickle(&stream, 7), 64, |_| {
            heard += 1;
            true
        });
        assert_eq!((lost, heard), (Lost::FrameTooLarge(64), 1));
    }
}
