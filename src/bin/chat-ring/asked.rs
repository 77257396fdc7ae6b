//! The upstream that is asked about, and the balancing that `chat::ring` makes of it.

use crate::conf::address::address;
use crate::conf::blocks;
use crate::conf::upstream::{self, Hash, Line, ServerLine, Upstream};
use crate::options::Options;
use chat_ring::{Balancing, Choice, Consistent, Plain, Server};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;

/// What is asked about.
pub struct Asked {
    /// As it stands in the configuration.
    pub upstream: Upstream,
    /// By what it chooses, or is to be taken to choose.
    pub hash: Hash,
}

/// An upstream as something that chooses.
pub struct Balanced {
    /// Who is chosen.
    pub balancing: Balancing,
    /// What the servers of `balancing` are called here.
    pub labels: Vec<String>,
    /// Those that are there only when none of the others is up.
    pub backups: Vec<String>,
    hash: Hash,
}

/// Reads the configuration and finds the upstream that is meant.
///
/// # Errors
/// A sentence.
pub fn asked(conf: &Path, options: &Options) -> Result<Asked, String> {
    let directives = blocks::read(conf).map_err(|error| error.to_string())?;
    let all = upstream::all(&directives).map_err(|error| error.to_string())?;
    // nginx starts with all of a configuration or with nothing.
    let elsewhere: Vec<String> = all.iter().flat_map(refusals).collect();
    let upstream =
        meant(all, options.upstream.as_deref()).map_err(|why| format!("{}: {why}", conf.display()))?;
    let hash = match (&options.hash, upstream.hash()) {
        (Some(text), _) => typed_hash(text)?,
        (None, Some(hash)) => hash.clone(),
        (None, None) => {
            return Err(format!(
                "{}: upstream {} has no `hash`: no key decides who is chosen. \
                 --hash '$remote_addr consistent' reckons as if it had",
                upstream.place, upstream.name
            ));
        }
    };
    let own = refusals(&upstream);
    for note in upstream.notes.iter().chain(elsewhere.iter().filter(|note| !own.contains(note))) {
        eprintln!("chat-ring: {note}");
    }
    Ok(Asked { upstream, hash })
}

/// What nginx refuses of an upstream, the one that is asked about or another.
fn refusals(upstream: &Upstream) -> Vec<String> {
    let mut found: Vec<String> = upstream.notes.clone();
    found.retain(|note| note.contains(": nginx refuses "));
    if upstream.servers().all(|server| server.backup) {
        let (place, name) = (&upstream.place, &upstream.name);
        found.push(format!(
            "{place}: nginx refuses upstream {name}: it has no server, backup servers not counted"
        ));
    }
    found
}

fn meant(all: Vec<Upstream>, name: Option<&str>) -> Result<Upstream, String> {
    let full = |upstream: &Upstream| format!("{}/{}", upstream.module, upstream.name);
    let names = all.iter().map(full).collect::<Vec<_>>().join(", ");
    if all.is_empty() {
        return Err("there is no upstream".to_owned());
    }
    let mut found: Vec<Upstream> = match name {
        Some(name) => all.into_iter().filter(|one| one.name == name || full(one) == name).collect(),
        None if all.len() == 1 => all,
        None => all.into_iter().filter(|one| one.hash().is_some()).collect(),
    };
    match (found.len(), name) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(name)) => Err(format!("there is no upstream {name}; there are {names}")),
        (0, None) => Err(format!("no upstream has `hash`: which one, with --upstream? There are {names}")),
        _ => Err(format!("which upstream, with --upstream? There are {names}")),
    }
}

/// `KEY` or `KEY consistent`.
fn typed_hash(text: &str) -> Result<Hash, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [key] => Ok(Hash { key: key.to_owned(), consistent: false }),
        [key, "consistent"] => Ok(Hash { key: key.to_owned(), consistent: true }),
        _ => Err(format!("--hash '{text}': it is written KEY or KEY consistent")),
    }
}

impl Balanced {
    /// What chooses in this upstream.
    ///
    /// # Errors
    /// A sentence: nginx would refuse it, or a name has no address.
    pub fn new(upstream: &Upstream, hash: &Hash) -> Result<Self, String> {
        let refused = |what: String| format!("{}: upstream {}: {what}", upstream.place, upstream.name);
        let (backups, primaries): (Vec<_>, Vec<_>) = upstream.servers().partition(|server| server.backup);
        let backups = backups.into_iter().filter(|server| !server.down).map(|server| server.name.clone());
        let backups = backups.collect();
        let mut labels = Vec::new();
        let mut servers = Vec::new();
        for line in primaries {
            let labelled =
                if hash.consistent { vec![line.name.clone()] } else { addresses(line).map_err(refused)? };
            for label in labelled {
                labels.push(label);
                servers.push(Server { name: line.name.clone(), weight: line.weight, down: line.down });
            }
        }
        let balancing = match hash.consistent {
            true => Consistent::new(servers).map(Balancing::Consistent),
            false => Plain::new(servers).map(Balancing::Plain),
        };
        let balancing = balancing.map_err(|error| refused(error.to_string()))?;
        Ok(Self { balancing, labels, backups, hash: hash.clone() })
    }

    /// What a choice is called.
    pub fn label(&self, choice: Choice) -> &str {
        match choice {
            Choice::Server(server) => &self.labels[server],
            Choice::RoundRobin if self.balancing.servers().iter().any(|server| !server.down) => "round robin",
            Choice::RoundRobin if !self.backups.is_empty() => "backup, round robin",
            Choice::RoundRobin => "nobody",
        }
    }

    /// The bytes that are hashed for a key as it is typed.
    ///
    /// # Errors
    /// A sentence, if the key cannot be one of this upstream's.
    pub fn key(&self, typed: &[u8]) -> Result<Vec<u8>, String> {
        if !matches!(&*self.hash.key, "$binary_remote_addr" | "${binary_remote_addr}") {
            return Ok(typed.to_vec());
        }
        let text = String::from_utf8_lossy(typed);
        match text.parse() {
            Ok(IpAddr::V4(address)) => Ok(address.octets().to_vec()),
            Ok(IpAddr::V6(address)) => Ok(address.octets().to_vec()),
            Err(_) => Err(format!("{}: {} takes an address", crate::show::visible(&text), self.hash.key)),
        }
    }
}

/// The addresses of a server, in the order in which nginx finds them: what they are called here.
fn addresses(line: &ServerLine) -> Result<Vec<String>, String> {
    let name = &line.name;
    let read = address(name).map_err(|what| format!("nginx refuses {name}: {what}"))?;
    if read.is_socket {
        return Ok(vec![name.clone()]);
    }
    let (bare, port) = (read.host, read.port.unwrap_or(80));
    let mut found: Vec<SocketAddr> = match (bare, port).to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(error) => return Err(format!("{name} has no address, and nginx needs one to start: {error}")),
    };
    if bare.parse::<IpAddr>().is_err() && found.iter().any(SocketAddr::is_ipv4) && !has_ipv6() {
        found.retain(SocketAddr::is_ipv4);
    }
    if found.len() == 1 {
        return Ok(vec![name.clone()]);
    }
    Ok(found.iter().map(|address| format!("{name} ({address})")).collect())
}

/// Whether this machine has an address of IPv6 other than ::1: else nginx, which asks with
/// AI_ADDRCONFIG, is told of none of a name's.
fn has_ipv6() -> bool {
    let addresses = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    addresses.lines().any(|line| !line.starts_with("00000000000000000000000000000001 "))
}

/// The upstream's block.
pub fn written(upstream: &Upstream, hash: &Hash) -> String {
    let mut out = format!("upstream {} {{\n", crate::conf::words::written(&upstream.name));
    let mut has_hash = false;
    for line in &upstream.lines {
        match line {
            // The last one counts, and is the one that is asked about.
            Line::Hash(_) if has_hash => {}
            Line::Hash(_) => {
                out.push_str(&format!("    {hash};\n"));
                has_hash = true;
            }
            Line::Server(server) => out.push_str(&format!("    {};\n", server_line(server))),
            Line::Other(directive) => {
                let words: Vec<String> =
                    directive.words.iter().map(|word| crate::conf::words::written(word)).collect();
                out.push_str(&format!("    {};\n", words.join(" ")));
            }
        }
    }
    if !has_hash {
        let after_name = out.find('\n').map_or(0, |end| end + 1);
        out.insert_str(after_name, &format!("    {hash};\n"));
    }
    out.push_str("}\n");
    out
}

fn server_line(server: &ServerLine) -> String {
    let mut words = vec!["server".to_owned(), crate::conf::words::written(&server.name)];
    if server.weight != 1 {
        words.push(format!("weight={}", server.weight));
    }
    words.extend(server.others.iter().map(|other| crate::conf::words::written(other)));
    words.extend(server.down.then(|| "down".to_owned()));
    words.extend(server.backup.then(|| "backup".to_owned()));
    words.join(" ")
}
