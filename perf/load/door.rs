//! Where connections go and where they come from: the servers' addresses and this machine's source addresses.
//!
//! Opens sockets and says nothing on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::secrecy::Secrecy;
use super::stream::Stream;
use crate::wire::Framing;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// The way to the servers of one target.
#[derive(Clone, Debug)]
pub struct Door {
    /// One or more; users are dealt out to them in turn.
    pub addresses: Vec<SocketAddr>,
    /// How many source addresses, from 127.0.0.1 on, users are dealt out to. 0: the kernel chooses.
    pub sources: u32,
    /// How what is said there is told apart.
    pub framing: Framing,
    /// How it is encrypted.
    pub secrecy: Secrecy,
}

/// More than a `/8` network holds are not to be had.
pub const SOURCES_MAX: u32 = (1 << 24) - 2;

impl Door {
    /// Connects user number `user`, waiting.
    pub fn connect(&self, user: usize, patience: Duration) -> Result<Stream, String> {
        let address = self.address(user);
        let connect = || {
            let socket = self.socket(user)?;
            socket.connect_timeout(&SockAddr::from(address), patience)?;
            let socket = TcpStream::from(socket);
            socket.set_read_timeout(Some(patience))?;
            socket.set_write_timeout(Some(patience))?;
            self.stream(user, socket)
        };
        connect().map_err(|error| format!("cannot connect to {address}: {error}"))
    }

    /// Begins to connect user number `user`; the socket becomes writable when that is done.
    pub fn begin_to_connect(&self, user: usize) -> io::Result<Stream> {
        let socket = self.socket(user)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&SockAddr::from(self.address(user))) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                Err(error)
            }
            _ => self.stream(user, TcpStream::from(socket)),
        }
    }

    fn stream(&self, user: usize, socket: TcpStream) -> io::Result<Stream> {
        let session = self.secrecy.begin(self.address(user)).map_err(io::Error::other)?;
        Ok(Stream::new(socket, session))
    }

    fn address(&self, user: usize) -> SocketAddr {
        self.addresses[user % self.addresses.len()]
    }

    fn socket(&self, user: usize) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(self.address(user)), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        if self.sources > 0 {
            // The kernel takes a port at once, so one source has some 28,000 connections at most.
            socket.bind(&SockAddr::from(SocketAddr::from((source(user, self.sources), 0))))?;
        }
        Ok(socket)
    }
}

fn source(user: usize, sources: u32) -> Ipv4Addr {
    const FIRST: u32 = 0x7f00_0001;
    Ipv4Addr::from(FIRST + (user as u64 % u64::from(sources)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_from_all_sources_in_turn() {
        let sources: Vec<String> = (0..4).map(|user| source(user, 3).to_string()).collect();
        assert_eq!(sources, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"]);
        assert_eq!(source(SOURCES_MAX as usize - 1, SOURCES_MAX).to_string(), "127.255.255.254");
    }

    #[test]
    fn a_server_sees_the_source() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (addresses, framing) = (vec![listener.local_addr().unwrap()], Framing::Lines);
        let door = Door { addresses, sources: 200, framing, secrecy: Secrecy::Clear };
        let _socket = door.connect(99, Duration::from_secs(5)).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.100");
    }
}
