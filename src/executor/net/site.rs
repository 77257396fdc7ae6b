//! What HTTP gives here: the way to a WebSocket, whether the server lives, and the page.

use super::assets::{ASSETS, Asset};
use super::sockets::TEXT;
use chatd_chat::wire::http::answer::{self, Status};
use chatd_chat::wire::http::{self, Ask};
use std::hash::{Hash, Hasher};

/// Where a WebSocket begins.
const WEBSOCKET: &str = "/ws";
/// Where one asks whether the server lives.
const HEALTH: &str = "/healthz";

/// What a core's port gives to who speaks HTTP.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Whether the page is there.
    pub page: bool,
    /// Whose pages may connect, besides the server's own.
    pub origins: Origins,
}

/// Whose pages may connect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origins {
    /// The server's own, and these.
    Listed(Vec<String>),
    /// Everybody's.
    All,
}

impl Default for Origins {
    fn default() -> Self {
        Origins::Listed(Vec::new())
    }
}

/// How a request is met.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Met {
    /// With a WebSocket, and this for its key.
    Upgrade(String),
    /// With an answer.
    Answer(Vec<u8>, &'static [u8]),
}

impl Site {
    /// Meets a request.
    pub(super) fn meet(&self, head: &[u8]) -> Met {
        let ask = match http::read(head) {
            Ok(ask) => ask,
            Err(status) => return refused(status),
        };
        match self.find(&ask) {
            Met::Answer(head, _) if ask.head_only => Met::Answer(head, b""),
            met => met,
        }
    }

    fn find(&self, ask: &Ask<'_>) -> Met {
        match ask.path {
            WEBSOCKET => match self.upgrade(ask) {
                Ok(accept) => Met::Upgrade(accept),
                Err(status) => refused(status),
            },
            HEALTH => refused(Status::Done),
            path => match ASSETS.iter().find(|asset| self.page && asset.path == path) {
                Some(asset) => give(asset, ask.etags),
                None => refused(Status::NotFound),
            },
        }
    }

    fn upgrade(&self, ask: &Ask<'_>) -> Result<String, Status> {
        let upgrade = ask.upgrade.filter(|_| !ask.head_only).ok_or(Status::UpgradeRequired)?;
        let accept = upgrade.accept()?;
        match ask.origin {
            Some(origin) if !self.welcomes(origin, ask.host) => Err(Status::Forbidden),
            _ => Ok(accept),
        }
    }

    /// Whether pages of an origin may connect.
    fn welcomes(&self, origin: &str, host: &str) -> bool {
        match &self.origins {
            Origins::All => true,
            Origins::Listed(listed) => {
                http::is_same_host(origin, host)
                    || listed.iter().any(|listed| listed.eq_ignore_ascii_case(origin))
            }
        }
    }
}

/// The answer to who may not ask like this, and why.
pub(super) fn forbidden(why: &'static str) -> (Vec<u8>, &'static str) {
    (answer::head(Status::Forbidden, TEXT, why.len(), None), why)
}

/// The answer that is its own explanation.
pub(super) fn refused(status: Status) -> Met {
    let text = status.text();
    Met::Answer(answer::head(status, TEXT, text.len(), None), text.as_bytes())
}

fn give(asset: &Asset, known: Option<&str>) -> Met {
    let etag = etag(asset.body);
    if known.is_some_and(|known| http::lists_copy(known, &etag)) {
        return Met::Answer(answer::head(Status::NotModified, asset.kind, 0, Some(&etag)), b"");
    }
    Met::Answer(answer::head(Status::Done, asset.kind, asset.body.len(), Some(&etag)), asset.body)
}

/// A name for what a file is now.
fn etag(body: &[u8]) -> String {
    let mut hasher = rustc_hash::FxHasher::default();
    body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(origins: &[&str]) -> Site {
        let origins = Origins::Listed(origins.iter().map(|&origin| origin.to_owned()).collect());
        Site { page: true, origins }
    }

    /// The status that a request is met with.
    fn status(site: &Site, path: &str, fields: &str) -> u16 {
        let head = format!("GET {path} HTTP/1.1\r\nHost: chat.example.org\r\n{fields}\r\n");
        match site.meet(head.as_bytes()) {
            Met::Upgrade(_) => 101,
            Met::Answer(head, _) => std::str::from_utf8(&head[9..12]).unwrap().parse().unwrap(),
        }
    }

    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[test]
    fn pages_of_others_connect_only_where_they_are_listed() {
        let from = |site: &Site, origin: &str| status(site, "/ws", &format!("{UPGRADE}Origin: {origin}\r\n"));
        let own = site(&[]);
        assert_eq!(status(&own, "/ws", UPGRADE), 101, "no browser");
        assert_eq!(from(&own, "https://chat.example.org"), 101);
        for origin in ["https://evil.example", "null", "https://chat.example.org.evil.example", ""] {
            assert_eq!(from(&own, origin), 403, "{origin}");
        }
        let listed = site(&["https://www.example.org"]);
        assert_eq!(from(&listed, "https://WWW.example.org"), 101);
        assert_eq!(from(&listed, "http://www.example.org"), 403);
        assert_eq!(from(&Site { page: true, origins: Origins::All }, "null"), 101);
    }

    #[test]
    fn everything_has_its_status() {
        let page = site(&[]);
        for (path, wanted) in
            [("/", 200), ("/healthz", 200), ("/ws", 426), ("/ws/", 404), ("/../ws", 404), ("/%77s", 404)]
        {
            assert_eq!(status(&page, path, ""), wanted, "{path}");
        }
        let hidden = Site { page: false, ..site(&[]) };
        assert_eq!(
            [status(&hidden, "/", ""), status(&hidden, "/healthz", ""), status(&hidden, "/ws", UPGRADE)],
            [404, 200, 101]
        );
    }

    #[test]
    fn every_asset_is_given_and_not_twice_to_who_has_it() {
        for asset in ASSETS {
            let ask = |fields: &str| {
                let head = format!("GET {} HTTP/1.1\r\nHost: a\r\n{fields}\r\n", asset.path);
                let Met::Answer(head, body) = site(&[]).meet(head.as_bytes()) else { panic!("no WebSocket") };
                (String::from_utf8(head).unwrap(), body)
            };
            let (head, body) = ask("");
            assert!(
                head.contains(&format!("Content-Length: {}\r\n", body.len())) && body == asset.body,
                "{head}"
            );
            let (_, etag) = head.split_once("ETag: ").expect("a name");
            let (etag, _) = etag.split_once("\r\n").unwrap();
            let weak = format!("If-None-Match: W/{etag}\r\n");
            let among = format!("If-None-Match: \"a\", W/\"b\", {etag}\r\nIf-None-Match: \"c\"\r\n");
            for known in [format!("If-None-Match: {etag}\r\n"), weak, among, "If-None-Match: *\r\n".into()] {
                let (head, body) = ask(&known);
                assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{known}: {head}");
            }
            for other in ["\"a\"", "W/\"a\", \"b\"", "", "W/", "\"*\""] {
                assert!(
                    ask(&format!("If-None-Match: {other}\r\n")).0.starts_with("HTTP/1.1 200 "),
                    "{other}"
                );
            }
        }
    }

    #[test]
    fn head_is_get_without_a_body() {
        let Met::Answer(head, body) = site(&[]).meet(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n") else {
            panic!("no WebSocket")
        };
        let length = format!("Content-Length: {}\r\n", ASSETS[0].body.len());
        assert!(body.is_empty() && String::from_utf8(head).unwrap().contains(&length));
    }
}
