//! What nginx refuses of an upstream, line by line, given those before.
//!
//! Knows the directives of nginx's own. What another module or its commercial edition brings is noted too: whoever has
//! them knows better.

use super::address;
use super::blocks::Directive;
use super::upstream::{Line, Module, ServerLine};

/// How an upstream balances, as far as that decides what a server may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Method {
    /// Also least_conn and least_time: a server may be a backup.
    #[default]
    RoundRobin,
    /// hash, ip_hash, random.
    WithoutBackups(&'static str),
}

/// Goes through the lines of one upstream.
#[derive(Debug)]
pub struct Reader {
    module: Module,
    method: Method,
    has_keepalive: bool,
}

impl Reader {
    pub fn new(module: Module) -> Self {
        Self { module, method: Method::default(), has_keepalive: false }
    }

    /// Why nginx refuses this line, after those before it.
    pub fn refusals(&mut self, line: &Line, directive: &Directive) -> Vec<String> {
        let mut found = Vec::new();
        let is_lua = directive.name().ends_with("_by_lua_block");
        if directive.block.is_some() && !is_lua {
            found.push(format!("nginx refuses a block after {}", directive.name()));
        }
        match line {
            Line::Server(server) => found.extend(self.server(server)),
            Line::Hash(_) => self.method = Method::WithoutBackups("hash"),
            Line::Other(_) => found.extend(self.other(directive)),
        }
        found
    }

    fn server(&self, server: &ServerLine) -> Vec<String> {
        let mut found: Vec<String> = address::refusal(&server.name, self.module).into_iter().collect();
        if let (true, Method::WithoutBackups(method)) = (server.backup, self.method) {
            found.push(format!("nginx refuses `backup` after `{method}`"));
        }
        found.extend(server.others.iter().filter_map(|parameter| {
            let value = parameter.strip_prefix("fail_timeout=")?;
            (!is_time(value)).then(|| format!("nginx refuses {parameter}: that is no time"))
        }));
        found
    }

    fn other(&mut self, directive: &Directive) -> Option<String> {
        let (name, arguments) = (directive.name(), directive.arguments());
        let words = || directive.words.join(" ");
        let is_http = self.module == Module::Http;
        let is_taken = match name {
            "ip_hash" if is_http => {
                self.method = Method::WithoutBackups("ip_hash");
                arguments.is_empty()
            }
            "least_conn" => {
                self.method = Method::RoundRobin;
                arguments.is_empty()
            }
            "random" => {
                self.method = Method::WithoutBackups("random");
                match arguments {
                    [] => true,
                    [two] => two == "two",
                    [two, by] => two == "two" && (by == "least_conn" || by.starts_with("least_time")),
                    _ => false,
                }
            }
            "zone" => match arguments {
                [zone] => !zone.is_empty(),
                [zone, size] => !zone.is_empty() && size_bytes(size).is_some_and(|bytes| bytes >= 32 << 10),
                _ => false,
            },
            "keepalive" if is_http => {
                let is_first = !std::mem::replace(&mut self.has_keepalive, true);
                is_first
                    && matches!(arguments, [count] if is_number(count) && !count.trim_matches('0').is_empty())
            }
            "keepalive_requests" if is_http => matches!(arguments, [count] if is_number(count)),
            "keepalive_time" | "keepalive_timeout" if is_http => {
                matches!(arguments, [time] if is_time(time.strip_suffix("ms").unwrap_or(time)))
            }
            _ => {
                return Some(format!(
                    "nginx refuses {name} in an upstream of {}: no such directive, unless a module brings it",
                    self.module
                ));
            }
        };
        (!is_taken).then(|| format!("nginx refuses this: {}", words()))
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `10`, `10s`, `1m30s`: units from the largest to the smallest.
fn is_time(text: &str) -> bool {
    const UNITS: &str = "yMwdhms";
    let (mut from, mut digits, mut any) = (0, 0, false);
    for c in text.chars() {
        match UNITS[from..].find(c) {
            _ if c.is_ascii_digit() => digits += 1,
            Some(at) if digits > 0 => (from, digits) = (from + at + 1, 0),
            _ => return false,
        }
        any = true;
    }
    any
}

/// `64k`, `1m`, `65536`.
fn size_bytes(text: &str) -> Option<u64> {
    let (number, shift) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        _ => (text, 0),
    };
    number.parse::<u64>().ok().filter(|_| is_number(number))?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_nginxs() {
        for text in ["10", "10s", "1m30s", "1m 30s".replace(' ', "").as_str(), "1d2h", "0"] {
            assert!(is_time(text), "{text}");
        }
        for text in ["", "s", "10x", "1s1m", "10ms", "-1"] {
            assert!(!is_time(text), "{text}");
        }
        assert_eq!(
            (size_bytes("32k"), size_bytes("1M"), size_bytes("k")),
            (Some(32 << 10), Some(1 << 20), None)
        );
    }
}
