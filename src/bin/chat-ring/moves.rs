//! `moves`: how many keys move when the servers change, and which.

use crate::asked::{Asked, Balanced};
use crate::change::changed;
use crate::conf::upstream::Upstream;
use crate::draw::letters::{self, Of};
use crate::draw::svg::{self, Entry, Page};
use crate::draw::{Slice, colours};
use crate::keys;
use crate::options;
use crate::share::{self, SAMPLES, Shares};
use crate::show::{Set, count, counted, has_colours, percent, print, table, written};
use chatd::chat::ring::{self, Balancing, Between, Choice, sample_key};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufWriter, Write};

/// Shows it.
///
/// # Errors
/// A sentence.
pub fn run(asked: &Asked, moves: &options::Moves) -> Result<(), String> {
    let after = changed(&asked.upstream, &moves.changes)?;
    let sides = Sides::new(asked, &after)?;
    if moves.list {
        return list(&sides, moves);
    }
    let whole = sides.whole();
    let mut out = format!("{}\n", share::headline(asked, &sides.before));
    for change in &sides.changes {
        out.push_str(&format!("  {change}\n"));
    }
    let space = match sides.before.balancing {
        Balancing::Consistent(_) => "the whole ring".to_owned(),
        Balancing::Plain(_) => format!("{} addresses", count(SAMPLES.into())),
    };
    out.push_str(&format!(
        "\nof {space}, {} moves; {} has to, for everybody to get their due\n{}",
        percent(whole.moved(), whole.all()),
        sides.due(),
        sides.table(&whole),
    ));
    if let Some(file) = &moves.file {
        let (lines, keys) = sides.of_file(file)?;
        out.push_str(&format!(
            "\nof {} in {}, {}; of its {}, {}\n{}",
            counted(keys.all(), "different key"),
            file.display(),
            keys.told(),
            counted(lines.all(), "line"),
            lines.told(),
            sides.table(&keys),
        ));
    }
    let Some(slices) = sides.slices() else {
        print(&out)?;
        return moves.svg.as_ref().map_or(Ok(()), |_| Err(share::NO_RING.to_owned()));
    };
    out.push_str(&format!(
        "\n{}\n{}\n",
        letters::ring(&slices, Of::Moves, has_colours()),
        sides.letters(&whole)
    ));
    if let Some(path) = &moves.svg {
        share::draw(path, &svg::page(&sides.picture(asked, &whole, &slices)))?;
    }
    print(&out)
}

/// Each key that moves, once.
fn list(sides: &Sides, moves: &options::Moves) -> Result<(), String> {
    let Some(file) = &moves.file else { return Err("--list lists the keys of --keys FILE".to_owned()) };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut told: HashSet<Vec<u8>> = HashSet::new();
    keys::read(file, |key| {
        let (from, to) = sides.between(key)?;
        if from != to && told.insert(key.to_vec()) {
            let line = [key, b"\t", from.as_bytes(), b"\t", to.as_bytes(), b"\n"].concat();
            written(out.write_all(&line))?;
        }
        Ok(())
    })?;
    written(out.flush())
}

/// The upstream before and after.
struct Sides {
    before: Balanced,
    after: Balanced,
    /// All names, those of before first: the servers of the picture.
    names: Vec<String>,
    /// What is different, in lines.
    changes: Vec<String>,
}

/// How much goes from whom to whom, by name.
#[derive(Default)]
struct Flows(BTreeMap<(String, String), u64>);

impl Flows {
    fn all(&self) -> u64 {
        self.0.values().sum()
    }

    fn moved(&self) -> u64 {
        self.0.iter().filter(|((from, to), _)| from != to).map(|(_, amount)| amount).sum()
    }

    /// What moves, the most first.
    fn largest(&self) -> Vec<(&(String, String), u64)> {
        let moved = self.0.iter().filter(|((from, to), _)| from != to);
        let mut moved: Vec<_> = moved.map(|(between, &amount)| (between, amount)).collect();
        moved.sort_by_key(|&(_, amount)| std::cmp::Reverse(amount));
        moved
    }

    fn told(&self) -> String {
        let moved = self.moved();
        let verb = if moved == 1 { "moves" } else { "move" };
        format!("{} {verb} ({})", count(moved), percent(moved, self.all()))
    }
}

impl Sides {
    fn new(asked: &Asked, after: &Upstream) -> Result<Self, String> {
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

    fn between(&self, typed: &[u8]) -> Result<(String, String), String> {
        let key = self.before.key(typed)?;
        Ok(self.named((self.before.balancing.choose(&key), self.after.balancing.choose(&key))))
    }

    /// What moves of all there is.
    fn whole(&self) -> Flows {
        let moves = match (&self.before.balancing, &self.after.balancing) {
            (Balancing::Consistent(before), Balancing::Consistent(after)) => {
                ring::Moves::of_rings(before, after)
            }
            (before, after) => {
                let keys: Vec<String> = (0..SAMPLES).map(sample_key).collect();
                ring::Moves::of_keys(before, after, keys.iter().map(String::as_bytes))
            }
        };
        self.flows(&moves)
    }

    fn flows(&self, moves: &ring::Moves) -> Flows {
        let mut flows = Flows::default();
        for (between, amount) in moves.amounts() {
            *flows.0.entry(self.named(between)).or_default() += amount;
        }
        flows
    }

    /// What moves of a file: of its lines, and of its different keys.
    fn of_file(&self, file: &std::path::Path) -> Result<(Flows, Flows), String> {
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
    fn due(&self) -> String {
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

    fn table(&self, flows: &Flows) -> String {
        let all = flows.all();
        let row = |((from, to), amount): (&(String, String), u64)| {
            vec![String::new(), from.clone(), "→".to_owned(), to.clone(), percent(amount, all)]
        };
        let rows: Vec<Vec<String>> = flows.largest().into_iter().map(row).collect();
        table(&[Set::Left, Set::Left, Set::Left, Set::Left, Set::Right], &rows)
    }

    /// The two rings side by side, if they are rings.
    fn slices(&self) -> Option<Vec<Slice>> {
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
        ring::pairs(before, after, |(from, to), first, last| {
            slices.push(Slice {
                first,
                last,
                before: number(&self.before, from),
                after: number(&self.after, to),
            });
        });
        Some(slices)
    }

    /// What the letters of the picture mean.
    fn letters(&self, whole: &Flows) -> String {
        let receives = |name: &String| whole.largest().iter().any(|((_, to), _)| to == name);
        let mut line = String::from("· stays");
        for (server, name) in self.names.iter().enumerate().filter(|(_, name)| receives(name)) {
            line.push_str(&format!("   {} goes to {name}", colours::letter(Some(server))));
        }
        line
    }

    fn picture<'a>(&self, asked: &Asked, whole: &Flows, slices: &'a [Slice]) -> Page<'a> {
        let all = whole.all();
        let (before, after) = (Shares::of(&self.before), Shares::of(&self.after));
        let part = |side: &Balanced, shares: &Shares, name: &String| {
            let at = side.labels.iter().position(|label| label == name);
            (at.map_or(0, |at| shares.parts[at]), shares.whole)
        };
        let of_one = |(part, whole): (u64, u64)| part as f64 / whole as f64;
        let servers = self.names.iter().map(|name| {
            let (before, after) = (part(&self.before, &before, name), part(&self.after, &after, name));
            Entry {
                name: name.clone(),
                figures: format!("{} → {}", percent(before.0, before.1), percent(after.0, after.1)),
                parts: (of_one(before), of_one(after)),
            }
        });
        let heading = format!("{} of all keys move; {} have to", percent(whole.moved(), all), self.due());
        let mut remarks = vec![(heading, String::new())];
        let flow =
            |((from, to), amount): (&(String, String), u64)| (format!("{from} → {to}"), percent(amount, all));
        remarks.extend(whole.largest().into_iter().map(flow));
        Page {
            title: format!("upstream {}: {}", asked.upstream.name, self.changes.join(", ")),
            figure: (percent(whole.moved(), all), "of all keys move".to_owned()),
            slices,
            servers: servers.collect(),
            remarks,
        }
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
