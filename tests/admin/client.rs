//! Asks the admin address, as a scraper does.

use crate::common::DEADLINE;
use crate::common::chatd::{Chatd, Setup};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// What a scraper accepts that speaks OpenMetrics.
pub const OPENMETRICS: &str =
    "application/openmetrics-text; version=1.0.0, text/plain; version=0.0.4; q=0.5, */*; q=0.1";

/// A chatd with an admin address of its own.
pub fn start(cores: usize) -> (Chatd, Admin) {
    watched(Setup::new(cores))
}

/// The same of one that was set up already.
pub fn watched(setup: Setup) -> (Chatd, Admin) {
    let chatd = setup.admin("127.0.0.1:0").start();
    let line = chatd.stdout_lines().into_iter().find(|line| line.starts_with("  admin "));
    let line = line.expect("the start-up screen has a line on the admin address");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.and_then(|address| address.parse().ok()).expect("an address");
    (chatd, Admin(address))
}

/// Where to ask.
#[derive(Clone, Copy)]
pub struct Admin(pub SocketAddr);

/// An answer.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Page {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("an answer has a head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is ASCII");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|head| head.get(..3)?.parse().ok());
        Self { status: status.expect("a status"), head, body: bytes[end + 4..].to_vec() }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a page is UTF-8")
    }
}

impl Admin {
    pub fn connect(self) -> TcpStream {
        let stream = TcpStream::connect(self.0).expect("the admin address listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
        stream
    }

    /// Says these bytes, and hears until the end.
    pub fn say(self, bytes: &[u8]) -> Page {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("it is read");
        hear(stream)
    }

    pub fn get(self, path: &str) -> Page {
        self.say(
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: {OPENMETRICS}\r\n\r\n", self.0).as_bytes(),
        )
    }

    /// The page, which is there.
    pub fn body(self, path: &str) -> String {
        let page = self.get(path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        page.text().to_owned()
    }

    /// Asks again and again until the answer is as it should be.
    pub fn until(self, waited_for: &str, path: &str, is_so: impl Fn(&Page) -> bool) -> Page {
        let end = Instant::now() + DEADLINE;
        loop {
            let page = self.get(path);
            if is_so(&page) {
                return page;
            }
            assert!(Instant::now() < end, "waited for {waited_for} at {path}: {}", page.text());
        }
    }
}

/// What comes until the end.
pub fn hear(mut stream: TcpStream) -> Page {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer comes, and an end");
    Page::read(&bytes)
}
