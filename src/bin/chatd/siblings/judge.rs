//! Whether the servers that live are those that are heard: a plain value, told what there is.
//!
//! Silence is counted in heartbeats of a core's own that came back to it, so that a machine that stood
//! still takes nobody for split off. A server that dies falls silent in the database sooner than it is
//! missed on the bus, so that its death is no split.

use chatd::chat::model::envelope::BUS_VERSION;
use chatd::executor::bus::{Heard, Unity};
use chatd::storage::siblings::{AnotherVersion, DEAD, Entry, Hearing, Sibling};
use std::collections::{HashMap, HashSet};

/// Heartbeats of its own that a core hears while it hears nothing of another one's: at least eight seconds.
const MISSED: u64 = 5;
/// As many where both say that they are on different buses, so that this is not a moment between two of
/// them: at least four seconds.
const MISSED_ELSEWHERE: u64 = 3;
/// Rounds that must find all well before a split is over: a database that was away makes everybody look
/// dead.
const WELL: u32 = 2;

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// Whether the buses of all servers are one.
    pub unity: Unity,
    /// Why not.
    pub why: Option<String>,
    /// Whether this server hears everybody itself.
    pub hearing: Hearing,
    /// Who speaks another version of the bus.
    pub another: Option<AnotherVersion>,
}

/// What is remembered from one round to the next.
pub struct Judge {
    server: u64,
    cores: u16,
    /// Heartbeats of each core when it was first told of a server.
    since: HashMap<(usize, u64), u64>,
    /// The reason why all is not one, and how many rounds have found none since.
    split: Option<(String, u32)>,
}

/// Whether a server speaks another version of the bus than this one.
fn of_another_version(entry: &Entry) -> Option<AnotherVersion> {
    let (theirs, ours) = (entry.bus_version, BUS_VERSION);
    (theirs != ours).then(|| AnotherVersion { place: entry.place.clone(), theirs, ours })
}

/// A server that is to be heard.
struct Expected<'a> {
    server: u64,
    place: &'a str,
    cores: u16,
    bus: &'a str,
}

impl Judge {
    /// For a server of so many cores.
    pub fn new(server: u64, cores: u16) -> Self {
        Self { server, cores, since: HashMap::new(), split: None }
    }

    /// Compares whom the cores hear with who lives.
    pub fn judge(&mut self, cores: &[Heard], siblings: &[Sibling]) -> Judgement {
        let live: Vec<&Sibling> = siblings.iter().filter(|sibling| sibling.silent <= DEAD).collect();
        let mut expected: Vec<Expected<'_>> = live
            .iter()
            .map(|sibling| &sibling.entry)
            .map(|entry| Expected {
                server: entry.server,
                place: &entry.place,
                cores: entry.cores,
                bus: &entry.bus,
            })
            .collect();
        expected.push(Expected { server: self.server, place: "itself", cores: self.cores, bus: "" });
        let known: HashSet<u64> = expected.iter().map(|expected| expected.server).collect();
        self.since.retain(|(_, server), _| known.contains(server));
        // What a core without its bus does not hear is no news.
        let own = cores.iter().filter(|core| core.bus.is_some());
        let unheard = own.flat_map(|core| expected.iter().map(move |expected| (core, expected)));
        let unheard: Vec<&str> = unheard
            .filter(|(core, expected)| self.misses(core, expected))
            .map(|(_, expected)| expected.place)
            .collect();
        let hearing = if unheard.is_empty() { Hearing::All } else { Hearing::NotAll };
        let another = live.iter().find_map(|sibling| of_another_version(&sibling.entry));
        let deaf = live.iter().find(|sibling| sibling.entry.hearing == Hearing::NotAll);
        let why = match (&another, unheard.first(), deaf) {
            (Some(another), ..) => Some(another.to_string()),
            (None, Some(place), _) => {
                Some(format!("this server does not hear {place}, which uses the same database"))
            }
            (None, None, Some(deaf)) => Some(format!("{} does not hear all others", deaf.entry.place)),
            (None, None, None) => None,
        };
        self.split = match (why, self.split.take()) {
            (Some(why), _) => Some((why, 0)),
            (None, Some((why, well))) if well + 1 < WELL => Some((why, well + 1)),
            (None, _) => None,
        };
        let why = self.split.as_ref().map(|(why, _)| why.clone());
        let unity = if why.is_some() { Unity::Split } else { Unity::Whole };
        Judgement { unity, why, hearing, another }
    }

    /// Whether a core should hear all cores of a server, and has not for too long.
    fn misses(&mut self, core: &Heard, expected: &Expected<'_>) -> bool {
        let since = *self.since.entry((core.core, expected.server)).or_insert(core.beats);
        let bus = core.bus.as_deref().unwrap_or_default();
        let elsewhere = !bus.is_empty() && !expected.bus.is_empty() && bus != expected.bus;
        (0..expected.cores).any(|number| {
            let last = core.cores.get(&(expected.server, number));
            let silent = core.beats.saturating_sub(last.map_or(since, |last| since.max(*last)));
            match (elsewhere, last) {
                (true, None) => true,
                (true, Some(_)) => silent >= MISSED_ELSEWHERE,
                (false, _) => silent >= MISSED,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ME: u64 = 1;

    fn sibling(server: u64, bus: &str) -> Sibling {
        let (place, bus) = (format!("server {server}"), bus.to_owned());
        Sibling {
            entry: Entry { server, place, cores: 1, bus, hearing: Hearing::All, bus_version: BUS_VERSION },
            silent: Duration::ZERO,
        }
    }

    /// What the only core of this server hears: itself, and others at these times.
    fn hears(beats: u64, others: &[(u64, u64)]) -> [Heard; 1] {
        let all = others.iter().copied().chain([(ME, beats)]);
        let cores = all.map(|(server, at)| ((server, 0), at)).collect();
        [Heard { core: 0, bus: Some("one".to_owned()), beats, cores }]
    }

    fn unity(judge: &mut Judge, cores: &[Heard], siblings: &[Sibling]) -> Unity {
        judge.judge(cores, siblings).unity
    }

    #[test]
    fn who_lives_and_is_not_heard_for_long_is_split_off() {
        let (mut judge, other) = (Judge::new(ME, 1), [sibling(2, "one")]);
        for beats in 0..10 {
            assert_eq!(unity(&mut judge, &hears(beats, &[(2, beats)]), &other), Unity::Whole);
        }
        for beats in 10..9 + MISSED {
            assert_eq!(unity(&mut judge, &hears(beats, &[(2, 9)]), &other), Unity::Whole, "{beats}");
        }
        let found = judge.judge(&hears(9 + MISSED, &[(2, 9)]), &other);
        assert_eq!((found.unity, found.hearing), (Unity::Split, Hearing::NotAll));
        assert!(found.why.expect("a reason").contains("does not hear server 2"));
    }

    #[test]
    fn who_starts_on_another_bus_is_split_off_at_once() {
        let mut judge = Judge::new(ME, 1);
        assert_eq!(unity(&mut judge, &hears(0, &[]), &[sibling(2, "two")]), Unity::Split);
        let mut judge = Judge::new(ME, 1);
        assert_eq!(unity(&mut judge, &hears(0, &[]), &[sibling(2, "")]), Unity::Whole, "it is not known");
    }

    /// Redis starts anew, and servers find it one after the other.
    #[test]
    fn who_was_heard_and_says_that_it_is_elsewhere_has_some_time() {
        let (mut judge, elsewhere) = (Judge::new(ME, 1), [sibling(2, "two")]);
        for beats in 3..3 + MISSED_ELSEWHERE {
            assert_eq!(unity(&mut judge, &hears(beats, &[(2, 3)]), &elsewhere), Unity::Whole);
        }
        assert_eq!(unity(&mut judge, &hears(3 + MISSED_ELSEWHERE, &[(2, 3)]), &elsewhere), Unity::Split);
    }

    #[test]
    fn the_dead_are_not_missed() {
        let (mut judge, mut dead) = (Judge::new(ME, 1), sibling(2, "one"));
        dead.silent = DEAD + Duration::from_millis(1);
        for beats in 0..20 {
            assert_eq!(unity(&mut judge, &hears(beats, &[(2, 0)]), &[dead.clone()]), Unity::Whole);
        }
        // One that was written down again, after it had hung, has time to be heard.
        assert_eq!(unity(&mut judge, &hears(20, &[(2, 0)]), &[sibling(2, "one")]), Unity::Whole);
    }

    #[test]
    fn whoever_hears_everybody_heeds_those_who_do_not() {
        let (mut judge, mut deaf) = (Judge::new(ME, 1), sibling(2, "one"));
        deaf.entry.hearing = Hearing::NotAll;
        let found = judge.judge(&hears(0, &[(2, 0)]), &[deaf]);
        assert_eq!(
            (found.unity, found.hearing),
            (Unity::Split, Hearing::All),
            "nobody learns it from nobody"
        );
    }

    /// Two that started at the same moment, before either was written down.
    #[test]
    fn who_speaks_another_version_is_no_part_of_the_cluster() {
        let (mut judge, mut other) = (Judge::new(ME, 1), sibling(2, "one"));
        other.entry.bus_version = BUS_VERSION + 1;
        let found = judge.judge(&hears(0, &[(2, 0)]), &[other]);
        assert_eq!(found.unity, Unity::Split);
        let why = found.why.expect("a reason");
        let words =
            format!("server 2 works on the same database and speaks version {} of the bus", BUS_VERSION + 1);
        assert!(why.contains(&words), "{why}");
    }

    #[test]
    fn a_split_is_over_when_all_was_well_for_two_rounds() {
        let mut judge = Judge::new(ME, 1);
        assert_eq!(unity(&mut judge, &hears(0, &[]), &[sibling(2, "two")]), Unity::Split);
        let other = [sibling(2, "one")];
        assert_eq!(unity(&mut judge, &hears(0, &[(2, 0)]), &other), Unity::Split);
        assert_eq!(unity(&mut judge, &hears(1, &[(2, 1)]), &other), Unity::Whole);
    }

    #[test]
    fn cores_of_one_server_are_to_hear_each_other_too() {
        let mut judge = Judge::new(ME, 2);
        let alone = |beats| hears(beats, &[]);
        for beats in 0..MISSED {
            assert_eq!(unity(&mut judge, &alone(beats), &[]), Unity::Whole);
        }
        assert_eq!(unity(&mut judge, &alone(MISSED), &[]), Unity::Split);
    }

    #[test]
    fn a_core_that_has_lost_its_bus_misses_nobody() {
        let mut judge = Judge::new(ME, 1);
        let mut lost = hears(50, &[]);
        lost[0].bus = None;
        assert_eq!(unity(&mut judge, &lost, &[sibling(2, "one"), sibling(3, "two")]), Unity::Whole);
    }
}
