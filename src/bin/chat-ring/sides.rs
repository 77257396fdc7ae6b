//! An upstream before a change and after it, side by side, and what goes from whom to whom.
//!
//! Servers are the same when they are called the same.

use crate::asked::{Asked, Balanced};
use crate::conf::upstream::Upstream;
use crate::draw::Slice;
use crate::keys;
use crate::share::SAMPLES;
use chat_ring::{Balancing, Between, Choice, sample_key};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The upstream before and after.
pub struct Sides {
    /// As it stands in the configuration.
    pub before: Balanced,
    /// With the changes.
    pub after: Balanced,
    /// All names, those of before first: the servers of the picture.
    pub names: Vec<String>,
    /// What is different, in lines.
    pub changes: Vec<String>,
}

/// How much goes from whom to whom, by name.
#[derive(Default)]
pub struct Flows(BTreeMap<(String, String), u64>);

impl Flows {
    /// All there is.
    pub fn all(&self) -> u64 {
        self.0.values().sum()
    }

    /// What goes from one to another.
    pub fn moved(&self) -> u64 {
        self.0.iter().filter(|((from, to), _)| from != to).map(|(_, amount)| amount).sum()
    }

    /// What moves, the most first.
    pub fn largest(&self) -> Vec<(&(String, String), u64)> {
        let moved = self.0.iter().filter(|((from, to), _)| from != to);
        let mut moved: Vec<_> = moved.map(|(between, &amount)| (between, amount)).collect();
        moved.sort_by_key(|&(_, amount)| std::cmp::Reverse(amount));
        moved
    }
}

impl Sides {
    /// The upstream as it stands, and as it is to be.
    ///
    /// # Errors
    /// A sentence: if nothing changes, or nginx would refuse one of them.
    pub fn new(asked: &Asked, after: &Upstream) -> Result<Self, String> {
        let changes = differences(&asked.upstream, after);
        if changes.is_empty() {
            return Err("nothing changes: say what, with --add, --del, --weight, --down or --up".to_owned());
        }
        let before = Balanced::new(&asked.upstream, &asked.hash)?;
        let after = Balanced::new(after, &asked.hash)?;
        let mut names: Vec<String> = Vec::new();
        for label in before.labels.iter().chain(&after.labels) {
            if !names.contains(label) {
                names.push(label.clone());
            }
        }
        Ok(Self { before, after, names, changes })
    }

    fn named(&self, (from, to): Between) -> (String, String) {
        (self.before.label(from).to_owned(), self.after.label(to).to_owned())
    }

    /// From whom to whom a key goes that was typed.
    ///
    /// # Errors
    /// A sentence, if it can be no key.
    pub fn between(&self, typed: &[u8]) -> Result<(String, String), String> {
        let key = self.before.key(typed)?;
        Ok(self.named((self.before.balancing.choose(&key), self.after.balancing.choose(&key))))
    }

    /// What moves of all there is.
    pub fn whole(&self) -> Flows {
        let moves = match (&self.before.balancing, &self.after.balancing) {
            (Balancing::Consistent(before), Balancing::Consistent(after)) => {
                chat_ring::Moves::of_rings(before, after)
            }
            (before, after) => {
                let keys: Vec<String> = (0..SAMPLES).map(sample_key).collect();
                chat_ring::Moves::of_keys(before, after, keys.iter().map(String::as_bytes))
            }
        };
        self.flows(&moves)
    }

    fn flows(&self, moves: &chat_ring::Moves) -> Flows {
        let mut flows = Flows::default();
        for (between, amount) in moves.amounts() {
            *flows.0.entry(self.named(between)).or_default() += amount;
        }
        flows
    }

    /// What moves of a file: of its lines, and of its different keys.
    ///
    /// # Errors
    /// A sentence, if it cannot be read.
    pub fn of_file(&self, file: &Path) -> Result<(Flows, Flows), String> {
        let mut seen: HashMap<Vec<u8>, u64> = HashMap::new();
        keys::read(file, |key| {
            let key = self.before.key(key)?;
            match seen.get_mut(&key) {
                Some(times) => *times += 1,
                None => {
                    seen.insert(key, 1);
                }
            }
            Ok(())
        })?;
        let (mut lines, mut keys) = (HashMap::<Between, u64>::new(), HashMap::<Between, u64>::new());
        for (key, times) in &seen {
            let between = (self.before.balancing.choose(key), self.after.balancing.choose(key));
            *lines.entry(between).or_default() += times;
            *keys.entry(between).or_default() += 1;
        }
        let named = |amounts: HashMap<Between, u64>| {
            let mut flows = Flows::default();
            for (between, amount) in amounts {
                *flows.0.entry(self.named(between)).or_default() += amount;
            }
            flows
        };
        Ok((named(lines), named(keys)))
    }

    /// The least that has to move so that everybody has what their weight makes due.
    pub fn due(&self) -> String {
        let weights = |balanced: &Balanced| {
            let mut weights: HashMap<String, f64> = HashMap::new();
            let up = || {
                balanced.balancing.servers().iter().zip(&balanced.labels).filter(|(server, _)| !server.down)
            };
            let all: f64 = up().map(|(server, _)| f64::from(server.weight)).sum();
            for (server, label) in up() {
                *weights.entry(label.clone()).or_default() += f64::from(server.weight) / all;
            }
            weights
        };
        let (before, after) = (weights(&self.before), weights(&self.after));
        let more = after.iter().map(|(name, part)| (part - before.get(name).unwrap_or(&0.0)).max(0.0));
        format!("{:.1} %", more.sum::<f64>() * 100.0)
    }

    /// The two rings side by side, if they are rings.
    pub fn slices(&self) -> Option<Vec<Slice>> {
        let (Balancing::Consistent(before), Balancing::Consistent(after)) =
            (&self.before.balancing, &self.after.balancing)
        else {
            return None;
        };
        let numbers: HashMap<&str, usize> = self.names.iter().map(String::as_str).zip(0..).collect();
        let number = |side: &Balanced, choice| match choice {
            Choice::Server(server) => numbers.get(side.labels[server].as_str()).copied(),
            Choice::RoundRobin => None,
        };
        let mut slices = Vec::new();
        chat_ring::pairs(before, after, |(from, to), first, last| {
            slices.push(Slice {
                first,
                last,
                before: number(&self.before, from),
                after: number(&self.after, to),
            });
        });
        Some(slices)
    }
}

/// What is different, a line a server.
fn differences(before: &Upstream, after: &Upstream) -> Vec<String> {
    let mut lines = Vec::new();
    for old in before.servers() {
        match after.servers().find(|new| new.name == old.name) {
            None => lines.push(format!("− {}", old.name)),
            Some(new) if new.weight != old.weight => {
                lines.push(format!("{} weight {} → {}", old.name, old.weight, new.weight));
            }
            Some(new) if new.down != old.down => {
                lines.push(format!("{} {}", old.name, if new.down { "down" } else { "up" }));
            }
            Some(_) => {}
        }
    }
    for new in after.servers().filter(|new| before.servers().all(|old| old.name != new.name)) {
        let weight = if new.weight == 1 { String::new() } else { format!(" weight {}", new.weight) };
        lines.push(format!("+ {}{weight}", new.name));
    }
    lines
}
