//! Lets a client that speaks in clear text speak TLS: what it says goes through a tunnel of this process.

use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User};
use crate::common::services::certificates::{Authority, Issued};
use chatd_client::secure::Security;
use chatd_client::{Address, Trust};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// A server that speaks TLS.
pub fn setup(issued: &Issued) -> Setup {
    Setup::new(2)
        .environment("CHATD_TLS_CERT", issued.certificate())
        .environment("CHATD_TLS_KEY", issued.key())
}

/// One in front of a server, until the process ends.
pub struct Tunnel {
    pub address: SocketAddr,
}

impl Tunnel {
    pub fn start(server: SocketAddr, authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let security = Arc::new(Security::new(Trust::File(authority.file())));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let security = security.clone();
                std::thread::spawn(move || carry(client, server, &security));
            }
        });
        Self { address }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn enter(&self, user: &User) -> Client {
        let mut client = self.connect();
        client.login(user);
        client
    }
}

fn carry(mut client: TcpStream, server: SocketAddr, security: &Security) -> io::Result<()> {
    client.set_nodelay(true)?;
    let there = Address { host: "localhost".to_owned(), port: server.port(), tls: true };
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let (mut reading, mut writing) = security.begin(&there, stream)?;
    let mut said = client.try_clone()?;
    std::thread::spawn(move || {
        let mut bytes = vec![0; 16 << 10];
        while let Ok(count @ 1..) = said.read(&mut bytes) {
            if writing.write(&bytes[..count]).is_err() {
                break;
            }
        }
        writing.end();
    });
    let mut bytes = vec![0; 16 << 10];
    while let Ok(count @ 1..) = reading.read(&mut bytes) {
        client.write_all(&bytes[..count])?;
    }
    client.shutdown(Shutdown::Both)
}

/// A server, who issued its certificate, and the way to it.
pub fn start() -> (Chatd, Authority, Tunnel) {
    let authority = Authority::new();
    let chatd = setup(&authority.issue(&["localhost"])).start();
    let tunnel = Tunnel::start(chatd.address, &authority);
    (chatd, authority, tunnel)
}
