//! `share`: what part of all keys each server has.

use crate::asked::{Asked, Balanced};
use crate::change::changed;
use crate::draw::letters::{self, Of};
use crate::draw::svg::{self, Entry, Page};
use crate::draw::{Slice, colours, server};
use crate::options;
use crate::show::{Set, count, counted, has_colours, percent, print, table};
use chat_ring::{Balancing, Choice, Consistent, POINTS_PER_WEIGHT, Server, sample_key};
use std::fs;
use std::path::Path;

/// Keys to count with, where there is no ring to measure.
pub const SAMPLES: u32 = 1 << 20;

/// Why there is no picture.
pub const NO_RING: &str = "there is no ring to draw: this upstream has `hash` without `consistent`";

/// Shows it.
///
/// # Errors
/// A sentence.
pub fn run(asked: &Asked, share: &options::Share) -> Result<(), String> {
    let upstream = changed(&asked.upstream, &share.changes)?;
    let balanced = Balanced::new(&upstream, &asked.hash)?;
    let shares = Shares::of(&balanced);
    let mut out = format!("{}\n\n{}", headline(asked, &balanced), shares.table(&balanced));
    for line in remarks(&balanced, &shares) {
        out.push_str(&format!("{line}\n"));
    }
    let Balancing::Consistent(ring) = &balanced.balancing else {
        print(&out)?;
        return share.svg.as_ref().map_or(Ok(()), |_| Err(NO_RING.to_owned()));
    };
    let slices = slices(ring);
    out.push_str(&format!("\n{}", letters::ring(&slices, Of::Shares, has_colours())));
    if let Some(path) = &share.svg {
        draw(path, &svg::page(&picture(asked, &balanced, &shares, &slices)))?;
    }
    print(&out)
}

/// How much each has, of all there is.
pub struct Shares {
    /// In the order of the servers; what goes round robin comes last.
    pub parts: Vec<u64>,
    /// All there is.
    pub whole: u64,
}

impl Shares {
    /// Measured on the ring, or counted with sample keys where there is none.
    pub fn of(balanced: &Balanced) -> Self {
        match &balanced.balancing {
            Balancing::Consistent(ring) => Self { parts: ring.shares(), whole: 1 << 32 },
            Balancing::Plain(plain) => {
                let mut parts = vec![0; plain.servers().len() + 1];
                for key in (0..SAMPLES).map(sample_key) {
                    match plain.choose(key.as_bytes()) {
                        Choice::Server(server) => parts[server] += 1,
                        Choice::RoundRobin => parts[plain.servers().len()] += 1,
                    }
                }
                Self { parts, whole: SAMPLES.into() }
            }
        }
    }

    fn table(&self, balanced: &Balanced) -> String {
        let head = ["", "server", "weight", "points", "share", "of its due", ""].map(str::to_owned).to_vec();
        let mut rows = vec![head];
        let servers = balanced.balancing.servers();
        let up: u64 =
            servers.iter().filter(|server| !server.down).map(|server| u64::from(server.weight)).sum();
        let most = self.parts.iter().copied().max().unwrap_or(1).max(1);
        for (at, server) in servers.iter().enumerate() {
            let made = match balanced.balancing {
                Balancing::Consistent(_) => count(points(server)),
                Balancing::Plain(_) => "–".to_owned(),
            };
            let due = self.whole as f64 * f64::from(server.weight) / up as f64;
            rows.push(vec![
                colours::letter(Some(at)).to_string(),
                format!("{}{}", balanced.labels[at], if server.down { " (down)" } else { "" }),
                server.weight.to_string(),
                made,
                percent(self.parts[at], self.whole),
                if server.down {
                    "–".to_owned()
                } else {
                    format!("{:.0} %", self.parts[at] as f64 * 100.0 / due)
                },
                "█".repeat((self.parts[at] * 30 / most) as usize),
            ]);
        }
        table(&[Set::Left, Set::Left, Set::Right, Set::Right, Set::Right, Set::Right, Set::Left], &rows)
    }
}

/// `upstream chatd in stream: hash $remote_addr consistent, 2 servers, 320 points`.
pub fn headline(asked: &Asked, balanced: &Balanced) -> String {
    let upstream = &asked.upstream;
    let mut line = format!("upstream {} in {}: {}", upstream.name, upstream.module, asked.hash);
    line.push_str(&format!(", {}", counted(balanced.labels.len() as u64, "server")));
    if let Balancing::Consistent(ring) = &balanced.balancing {
        line.push_str(&format!(", {}", counted(ring.points().len() as u64, "point")));
    }
    line
}

fn remarks(balanced: &Balanced, shares: &Shares) -> Vec<String> {
    let mut lines = Vec::new();
    let round_robin = shares.parts.last().copied().unwrap_or(0);
    if round_robin > 0 {
        let part = percent(round_robin, shares.whole);
        lines.push(format!(
            "?  {part} goes to {}: 20 tries find no server that is up",
            balanced.label(Choice::RoundRobin)
        ));
    }
    if !balanced.backups.is_empty() {
        lines.push(format!("backup, when no other server is up: {}", balanced.backups.join(", ")));
    }
    if matches!(balanced.balancing, Balancing::Plain(_)) {
        lines.push(format!(
            "counted with {} addresses, since there is no ring to measure",
            count(SAMPLES.into())
        ));
    }
    lines
}

/// The ring as it is, for a picture.
fn slices(ring: &Consistent) -> Vec<Slice> {
    let slice = |arc: chat_ring::Arc| {
        let has = server(arc.choice);
        Slice { first: arc.first, last: arc.last, before: has, after: has }
    };
    ring.arcs().map(slice).collect()
}

fn picture<'a>(asked: &Asked, balanced: &Balanced, shares: &Shares, slices: &'a [Slice]) -> Page<'a> {
    let servers = balanced.balancing.servers().iter().zip(&balanced.labels).zip(&shares.parts);
    let points: u64 = balanced.balancing.servers().iter().map(points).sum();
    let mut remarks = vec![
        (asked.hash.to_string(), String::new()),
        (format!("{} points, {POINTS_PER_WEIGHT} for each unit of weight", count(points)), String::new()),
    ];
    remarks.extend(self::remarks(balanced, shares).into_iter().map(|remark| (remark, String::new())));
    let entry = |(at, ((server, label), &part)): (usize, ((&Server, &String), &u64))| {
        let down = if server.down { ", down" } else { "" };
        let of_one = part as f64 / shares.whole as f64;
        Entry {
            server: at,
            name: label.clone(),
            figures: format!("weight {}{down} · {}", server.weight, percent(part, shares.whole)),
            parts: (of_one, of_one),
        }
    };
    Page {
        title: format!("upstream {}: who has which part of the ring", asked.upstream.name),
        figure: (balanced.labels.len().to_string(), "servers".to_owned()),
        slices,
        servers: servers.enumerate().map(entry).collect(),
        remarks,
    }
}

/// How many points nginx makes for a server.
fn points(server: &Server) -> u64 {
    u64::from(server.weight) * u64::from(POINTS_PER_WEIGHT)
}

/// Writes a picture.
///
/// # Errors
/// A sentence.
pub fn draw(path: &Path, page: &str) -> Result<(), String> {
    fs::write(path, page).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
