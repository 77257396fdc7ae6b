//! Scenario files: a few lines of `key = value`, a subset of TOML, compiled in or read from a path.
//!
//! What is typed on the command line takes the place of what the file says. What the keys mean is `settings`' business.

use std::collections::BTreeMap;
use std::fs;

/// The scenarios that come with the harness.
const BUILT_IN: [(&str, &str); 12] = [
    ("direct", include_str!("direct.toml")),
    ("cores", include_str!("cores.toml")),
    ("groups-10", include_str!("groups-10.toml")),
    ("groups-100", include_str!("groups-100.toml")),
    ("groups-1000", include_str!("groups-1000.toml")),
    ("backlog", include_str!("backlog.toml")),
    ("logins", include_str!("logins.toml")),
    ("idle", include_str!("idle.toml")),
    ("day", include_str!("day.toml")),
    ("servers", include_str!("servers.toml")),
    ("nginx", include_str!("nginx.toml")),
    ("resume", include_str!("resume.toml")),
];

/// What has a command of its own.
pub const ELSEWHERE: [&str; 6] = ["store", "flood", "api", "jwt", "webhook", "soak"];

/// Keys and values, all still text.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    values: BTreeMap<String, String>,
}

impl Scenario {
    /// One that comes with the harness, or a file: anything with a dot or a slash is a path.
    pub fn open(name: &str) -> Result<Scenario, String> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Scenario::parse(name, text);
        }
        if ELSEWHERE.contains(&name) {
            return Err(format!("{name} is no scenario but a command: chat-perf {name}"));
        }
        if !name.contains(['.', '/']) {
            let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(format!("there is no scenario {name}: take one of {}, or a file", known.join(", ")));
        }
        let text = fs::read_to_string(name).map_err(|error| format!("cannot read {name}: {error}"))?;
        let stem = std::path::Path::new(name).file_stem().unwrap_or_default();
        Scenario::parse(&stem.to_string_lossy(), &text)
    }

    pub fn all() -> impl Iterator<Item = Scenario> {
        BUILT_IN.iter().map(|(name, text)| Scenario::parse(name, text).expect("the tests have parsed it"))
    }

    fn parse(name: &str, text: &str) -> Result<Scenario, String> {
        let mut scenario = Scenario { name: name.to_owned(), values: BTreeMap::new() };
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                scenario
                    .set(line)
                    .map_err(|reason| format!("scenario {name}, line {}: {reason}", number + 1))?;
            }
        }
        Ok(scenario)
    }

    /// `key = value`; quotes around the value are dropped.
    pub fn set(&mut self, line: &str) -> Result<(), String> {
        let (key, value) = line.split_once('=').ok_or_else(|| format!("`{line}` is not KEY=VALUE"))?;
        self.put(key.trim(), value.trim().trim_matches('"'));
        Ok(())
    }

    pub fn put(&mut self, key: &str, value: impl ToString) {
        self.values.insert(key.to_owned(), value.to_string());
    }

    pub fn put_if<T: ToString>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Takes a value out; what nobody takes is an error of whoever wrote it.
    pub fn take<T: std::str::FromStr>(&mut self, key: &str, default: T) -> Result<T, String> {
        Ok(self.take_if(key)?.unwrap_or(default))
    }

    pub fn take_if<T: std::str::FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let Some(value) = self.values.remove(key) else { return Ok(None) };
        let parsed = value.parse().map_err(|_| format!("scenario {}: {key} cannot be {value}", self.name));
        parsed.map(Some)
    }

    /// Fails if anything was not taken.
    pub fn end(self) -> Result<(), String> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("scenario {} has no use for {key}", self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_read_and_says_what_it_is() {
        for scenario in Scenario::all() {
            assert!(scenario.get("kind").is_some() && scenario.get("what").is_some(), "{}", scenario.name);
        }
        assert!(Scenario::open("nonsense").unwrap_err().contains("direct, cores"));
        assert!(Scenario::open("./nonsense.toml").is_err());
        assert!(Scenario::open("webhook").unwrap_err().ends_with(": chat-perf webhook"));
    }

    #[test]
    fn what_is_typed_takes_the_place_of_the_file() {
        let mut scenario = Scenario::parse("x", "# a comment\n\n rate = 5 \nwhat = \"a b\"").unwrap();
        scenario.put_if("rate", Some(7));
        scenario.set("size=40").unwrap();
        assert_eq!(scenario.take("rate", 0), Ok(7));
        assert_eq!(scenario.take("none", 3), Ok(3));
        assert_eq!(scenario.get("what"), Some("a b"));
        assert!(scenario.clone().take::<u32>("what", 0).is_err());
        assert!(scenario.end().unwrap_err().contains("no use for size"));
        assert!(Scenario::parse("x", "nonsense").unwrap_err().contains("line 1"));
    }
}
