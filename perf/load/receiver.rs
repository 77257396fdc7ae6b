//! Somebody who is told what happens: the receiving end of a webhook, on a thread of its own.
//!
//! Takes every request, counts the events of messages in it, and keeps nothing. It ends with this process.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a request at most: twice what a server says at once.
const BODY_BYTES: usize = 4 << 20;
const EVENT: &[u8] = b"\"type\":\"message\"";

/// The application's address.
pub struct Receiver {
    pub address: SocketAddr,
    told: Arc<AtomicU64>,
}

impl Receiver {
    /// Listens. `begin` is what the thread does first.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start(begin: impl FnOnce() + Send + 'static) -> io::Result<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let receiver = Receiver { address: listener.local_addr()?, told: Arc::default() };
        let told = receiver.told.clone();
        std::thread::spawn(move || {
            begin();
            for stream in listener.incoming().flatten() {
                // Whoever has said something that is no request begins again on another connection.
                let _ = serve(&stream, &told);
            }
        });
        Ok(receiver)
    }

    /// How many events of messages it was told.
    pub fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }
}

fn serve(stream: &TcpStream, told: &AtomicU64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.by_ref().take(8 << 10).read_line(&mut line)? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.split_once(':') else {
                if line == "\r\n" { break } else { continue }
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(usize::MAX);
            }
        }
        if length > BODY_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        told.fetch_add(memchr::memmem::find_iter(&body, EVENT).count() as u64, Ordering::Relaxed);
        let mut out = stream;
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_counted_however_requests_are_cut() {
        let receiver = Receiver::start(|| ()).unwrap();
        let body =
            r#"{"events":[{"id":1,"type":"message"},{"id":2,"type":"read"},{"id":3,"type":"message"}]}"#;
        let request = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        for connection in 0..2 {
            let mut stream = TcpStream::connect(receiver.address).unwrap();
            stream.set_nodelay(true).unwrap();
            for cut in [10, request.len() - 5] {
                stream.write_all(&request.as_bytes()[..cut]).unwrap();
                stream.write_all(&request.as_bytes()[cut..]).unwrap();
                let mut answer = [0; 38];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(&answer[..15], b"HTTP/1.1 200 OK");
            }
            assert_eq!(receiver.told(), 4 * (connection + 1));
        }
    }
}
