//! `moves`: how many keys move when the servers change, and which.

use crate::asked::{Asked, Balanced};
use crate::change::changed;
use crate::draw::letters::{self, Of};
use crate::draw::svg::{self, Entry, Page};
use crate::draw::{Slice, colours};
use crate::keys;
use crate::options;
use crate::share::{self, SAMPLES, Shares};
use crate::show::{Set, count, counted, has_colours, percent, print, table, written};
use crate::sides::{Flows, Sides};
use chat_ring::Balancing;
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

/// Lines of a table of moves, at most.
const FLOWS: usize = 40;

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
        flow_table(&whole),
    ));
    if let Some(file) = &moves.file {
        let (lines, keys) = sides.of_file(file)?;
        out.push_str(&format!(
            "\nof {} in {}, {}; of its {}, {}\n{}",
            counted(keys.all(), "different key"),
            file.display(),
            told(&keys),
            counted(lines.all(), "line"),
            told(&lines),
            flow_table(&keys),
        ));
    }
    let Some(slices) = sides.slices() else {
        print(&out)?;
        return moves.svg.as_ref().map_or(Ok(()), |_| Err(share::NO_RING.to_owned()));
    };
    out.push_str(&format!(
        "\n{}\n{}\n",
        letters::ring(&slices, Of::Moves, has_colours()),
        letters_told(&sides, &whole)
    ));
    if let Some(path) = &moves.svg {
        share::draw(path, &svg::page(&picture(asked, &sides, &whole, &slices)))?;
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

/// What moves, a line from whom to whom.
fn flow_table(flows: &Flows) -> String {
    let (all, largest) = (flows.all(), flows.largest());
    let row = |((from, to), amount): &(&(String, String), u64)| {
        vec![String::new(), from.clone(), "→".to_owned(), to.clone(), percent(*amount, all)]
    };
    let rows: Vec<Vec<String>> = largest.iter().take(FLOWS).map(row).collect();
    let mut out = table(&[Set::Left, Set::Left, Set::Left, Set::Left, Set::Right], &rows);
    if largest.len() > FLOWS {
        out.push_str(&format!("  and {} more\n", count((largest.len() - FLOWS) as u64)));
    }
    out
}

fn told(flows: &Flows) -> String {
    let moved = flows.moved();
    let verb = if moved == 1 { "moves" } else { "move" };
    format!("{} {verb} ({})", count(moved), percent(moved, flows.all()))
}

/// What the letters of the picture mean.
fn letters_told(sides: &Sides, whole: &Flows) -> String {
    let receivers: HashSet<&String> = whole.largest().into_iter().map(|((_, to), _)| to).collect();
    let mut line = String::from("· stays");
    let lettered = sides.names.iter().enumerate().take(colours::LETTERS);
    for (server, name) in lettered.filter(|(_, name)| receivers.contains(name)) {
        line.push_str(&format!("   {} goes to {name}", colours::letter(Some(server))));
    }
    if sides.names.len() > colours::LETTERS {
        line.push_str(&format!("   {} to others", colours::letter(Some(colours::LETTERS))));
    }
    line
}

fn picture<'a>(asked: &Asked, sides: &Sides, whole: &Flows, slices: &'a [Slice]) -> Page<'a> {
    let all = whole.all();
    let (before, after) = (Shares::of(&sides.before), Shares::of(&sides.after));
    let part = |side: &Balanced, shares: &Shares, name: &String| {
        let at = side.labels.iter().position(|label| label == name);
        (at.map_or(0, |at| shares.parts[at]), shares.whole)
    };
    let of_one = |(part, whole): (u64, u64)| part as f64 / whole as f64;
    let servers = sides.names.iter().enumerate().map(|(server, name)| {
        let (before, after) = (part(&sides.before, &before, name), part(&sides.after, &after, name));
        Entry {
            server,
            name: name.clone(),
            figures: format!("{} → {}", percent(before.0, before.1), percent(after.0, after.1)),
            parts: (of_one(before), of_one(after)),
        }
    });
    let mut servers: Vec<Entry> = servers.collect();
    if servers.len() > svg::SERVERS {
        // Where not all fit, those first that gain or lose most.
        let change = |entry: &Entry| (entry.parts.0 - entry.parts.1).abs();
        servers.sort_by(|one, other| change(other).total_cmp(&change(one)));
    }
    let heading = format!("{} of all keys move; {} have to", percent(whole.moved(), all), sides.due());
    let mut remarks = vec![(heading, String::new())];
    let flow =
        |((from, to), amount): (&(String, String), u64)| (format!("{from} → {to}"), percent(amount, all));
    remarks.extend(whole.largest().into_iter().map(flow));
    Page {
        title: format!("upstream {}: {}", asked.upstream.name, sides.changes.join(", ")),
        figure: (percent(whole.moved(), all), "of all keys move".to_owned()),
        slices,
        servers,
        remarks,
    }
}
