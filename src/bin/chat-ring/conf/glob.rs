//! The paths that a pattern of `include` means: `*`, `?` and `[a-z]`, as in a shell, sorted.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// What is there and matches. A name that begins with a dot does so only if the pattern does.
pub fn paths(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        let name = name.to_string_lossy();
        if !name.contains(['*', '?', '[']) {
            found.iter_mut().for_each(|path| path.push(&*name));
            continue;
        }
        found = found.iter().flat_map(|path| within(path, &name)).collect();
    }
    found.retain(|path| path.exists());
    found.sort();
    found
}

fn within(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = fs::read_dir(here) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pattern: Vec<char> = pattern.chars().collect();
    let is_meant = |name: &String| {
        let hidden = name.starts_with('.') && pattern.first() != Some(&'.');
        !hidden && matches(&pattern, &name.chars().collect::<Vec<_>>())
    };
    names.filter(is_meant).map(|name| directory.join(name)).collect()
}

/// Goes back to the last `*` only, which is enough, and never slow.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(after) = one(pattern, p, name[n]) {
            (p, n) = (after, n + 1);
        } else if let Some((at, from)) = star {
            (p, n) = (at + 1, from + 1);
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Where the pattern goes on if it matches this character here.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => Some(at + 1),
        '[' => match set(&pattern[at + 1..], c) {
            Some((is_in, length)) => is_in.then_some(at + 1 + length),
            None => (c == '[').then_some(at + 1),
        },
        own => (own == c).then_some(at + 1),
    }
}

/// Whether the set that begins here has the character, and how long it is; nothing if it never ends.
fn set(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let is_other = matches!(pattern.first(), Some('!' | '^'));
    let from = usize::from(is_other);
    // A `]` that comes first is one of the set.
    let end = from + 1 + pattern.get(from + 1..)?.iter().position(|&c| c == ']')?;
    let mut at = from;
    let mut is_in = false;
    while at < end {
        if at + 2 < end && pattern[at + 1] == '-' {
            is_in |= (pattern[at]..=pattern[at + 2]).contains(&c);
            at += 3;
        } else {
            is_in |= pattern[at] == c;
            at += 1;
        }
    }
    Some((is_in != is_other, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let is = |pattern: &str, name: &str| {
            matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
        };
        for (pattern, name) in [
            ("*.conf", "a.conf"),
            ("*.conf", ".conf"),
            ("a*b*c", "aXbYbZc"),
            ("?.c", "x.c"),
            ("[0-9][!a]*", "5b"),
            ("[]x]", "]"),
            ("[ab", "[ab"),
            ("**", ""),
            ("ä?", "äö"),
        ] {
            assert!(is(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.conf", "a.conf~"), ("?", ""), ("[0-9]", "a"), ("[!a]", "a"), ("a*b", "ac"), ("", "a")]
        {
            assert!(!is(pattern, name), "{pattern} {name}");
        }
    }
}
