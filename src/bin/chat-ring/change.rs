//! Changes of an upstream, as they are typed: `--add`, `--del`, `--weight`, `--down`, `--up`.

use crate::conf::address;
use crate::conf::upstream::{Line, ServerLine, Upstream, weight};
use crate::options::Changes;

/// The upstream with the changes, which are made in the order del, weight, down, up, add.
///
/// # Errors
/// A sentence, if a change makes no sense.
pub fn changed(upstream: &Upstream, changes: &Changes) -> Result<Upstream, String> {
    let mut upstream = upstream.clone();
    for name in &changes.del {
        let before = upstream.lines.len();
        upstream.lines.retain(|line| !matches!(line, Line::Server(server) if server.name == *name));
        if upstream.lines.len() == before {
            return Err(unknown(&upstream, name));
        }
    }
    for text in &changes.weight {
        let (name, Some(new)) = name_and_weight(text)? else {
            return Err(format!("--weight {text}: it is written HOST:PORT:WEIGHT"));
        };
        named(&mut upstream, name)?.for_each(|server| server.weight = new);
    }
    for name in &changes.down {
        named(&mut upstream, name)?.for_each(|server| server.down = true);
    }
    for name in &changes.up {
        named(&mut upstream, name)?.for_each(|server| server.down = false);
    }
    for text in &changes.add {
        let (name, new) = name_and_weight(text)?;
        add(&mut upstream, name, new.unwrap_or(1))?;
    }
    Ok(upstream)
}

fn named<'a>(
    upstream: &'a mut Upstream,
    name: &str,
) -> Result<impl Iterator<Item = &'a mut ServerLine>, String> {
    if !upstream.servers().any(|server| server.name == name) {
        return Err(unknown(upstream, name));
    }
    let name = name.to_owned();
    Ok(upstream.lines.iter_mut().filter_map(move |line| match line {
        Line::Server(server) if server.name == name => Some(server),
        _ => None,
    }))
}

/// After the last server, with what all others say beside their weights.
fn add(upstream: &mut Upstream, name: &str, weight: u32) -> Result<(), String> {
    if upstream.servers().any(|server| server.name == name) {
        return Err(format!("{name} is there already: --weight {name}:N changes it"));
    }
    if let Some(what) = address::refusal(name, upstream.module) {
        let why = if what.ends_with("it has no port") { String::new() } else { format!("; {what}") };
        return Err(format!("--add {name}: it is written HOST:PORT or HOST:PORT:WEIGHT{why}"));
    }
    let all: Vec<&Vec<String>> =
        upstream.servers().filter(|server| !server.backup).map(|server| &server.others).collect();
    let others = match all[..] {
        [first, ref rest @ ..] if rest.iter().all(|others| *others == first) => first.clone(),
        _ => Vec::new(),
    };
    let server = ServerLine { name: name.to_owned(), weight, down: false, backup: false, others };
    let last = upstream.lines.iter().rposition(|line| matches!(line, Line::Server(server) if !server.backup));
    let at = last.map_or(upstream.lines.len(), |last| last + 1);
    upstream.lines.insert(at, Line::Server(server));
    Ok(())
}

/// `HOST:PORT`, `HOST:PORT:WEIGHT`, or any name and `=WEIGHT`.
fn name_and_weight(text: &str) -> Result<(&str, Option<u32>), String> {
    if let Some((name, number)) = text.rsplit_once('=') {
        return Ok((name, Some(weight(number)?)));
    }
    let after_host = text.rfind(']').map_or(0, |bracket| bracket + 1);
    if address::is_bare_ipv6(text) {
        return Err(format!("{text}: an IPv6 address stands in brackets: [::1]:6000, [::1]:6000:2"));
    }
    let is_socket = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:"));
    match text.rsplit_once(':') {
        Some((name, number)) if !is_socket && text[after_host..].matches(':').count() >= 2 => {
            Ok((name, Some(weight(number)?)))
        }
        _ => Ok((text, None)),
    }
}

fn unknown(upstream: &Upstream, name: &str) -> String {
    let names: Vec<&str> = upstream.servers().map(|server| server.name.as_str()).collect();
    format!("upstream {} has no server {name}; it has {}", upstream.name, names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_may_follow_every_kind_of_name() {
        for (text, name, weight) in [
            ("127.0.0.1:6000", "127.0.0.1:6000", None),
            ("127.0.0.1:6000:3", "127.0.0.1:6000", Some(3)),
            ("[::1]:6000", "[::1]:6000", None),
            ("[::1]:6000:3", "[::1]:6000", Some(3)),
            ("unix:/a:b", "unix:/a:b", None),
            ("unix:/a:b=3", "unix:/a:b", Some(3)),
            ("backend=2", "backend", Some(2)),
            ("backend", "backend", None),
        ] {
            assert_eq!(name_and_weight(text), Ok((name, weight)), "{text}");
        }
        for text in [
            "a:1:0",
            "a:1:x",
            "a:1:",
            "a=-1",
            "a=+1",
            "::1:6004",
            "::1",
            "fe80::1:6004:2",
            "1:2:3:4:5:6:7:8:9",
        ] {
            assert!(name_and_weight(text).is_err(), "{text}");
        }
    }
}
