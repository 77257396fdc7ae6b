//! How many lines one place of the code gets written: whoever has it say the same again and again does not fill the disk.
//!
//! Owned by the thread that writes, so that nobody who speaks waits for anybody. What is left out is counted by place, and
//! told with the next line of that place, or as soon as another one would be written.

use crate::panic_policy;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

/// Lines of a place: so many in a second on average, and so many at once.
const LINES_A_SECOND: u32 = 20;
const LINES_AT_ONCE: u32 = 1_000;
/// The same of one that traces.
const TRACES_A_SECOND: u32 = 1_000;
const TRACES_AT_ONCE: u32 = 10_000;
/// After how long without a line of theirs those are told of that were left out.
pub(super) const TELL_AFTER: Duration = Duration::from_secs(1);

/// What came of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is written; so many of this place before it were not.
    Written(u64),
    /// It is not.
    LeftOut,
}

/// The places that have spoken.
#[derive(Default)]
pub(super) struct Rate {
    places: HashMap<Identifier, Place>,
    /// Lines that were left out and not told of.
    untold: u64,
}

struct Place {
    /// Lines that may be written now.
    room: f64,
    at: Instant,
    left_out: u64,
    a_second: u32,
    at_once: u32,
    name: &'static str,
}

impl Rate {
    /// Whether a line of this place is written.
    pub(super) fn judge(&mut self, place: &'static Metadata<'static>, now: Instant) -> Verdict {
        // Who panics does so once.
        if place.target() == panic_policy::MODULE {
            return Verdict::Written(0);
        }
        let known = self.places.entry(place.callsite()).or_insert_with(|| Place::new(place, now));
        if known.take(now) {
            let before = std::mem::take(&mut known.left_out);
            self.untold -= before;
            Verdict::Written(before)
        } else {
            known.left_out += 1;
            self.untold += 1;
            Verdict::LeftOut
        }
    }

    /// Whether somebody is to be told of lines that were left out.
    pub(super) fn owes(&self) -> bool {
        self.untold > 0
    }

    /// What was left out of places that may speak again: how many lines, and whose.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(u64, &'static str)> {
        let places = self.places.values_mut().filter(|place| place.left_out > 0);
        let due: Vec<(u64, &'static str)> = places
            .filter_map(|place| place.take(now).then(|| (std::mem::take(&mut place.left_out), place.name)))
            .collect();
        self.untold -= due.iter().map(|(lines, _)| lines).sum::<u64>();
        due
    }
}

impl Place {
    fn new(place: &'static Metadata<'static>, now: Instant) -> Self {
        let (a_second, at_once) = match *place.level() {
            Level::TRACE => (TRACES_A_SECOND, TRACES_AT_ONCE),
            _ => (LINES_A_SECOND, LINES_AT_ONCE),
        };
        Self { room: at_once.into(), at: now, left_out: 0, a_second, at_once, name: place.target() }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.room = (self.room + passed * f64::from(self.a_second)).min(self.at_once.into());
        let is_room = self.room >= 1.0;
        self.room -= f64::from(u8::from(is_room));
        is_room
    }
}

/// The line that tells of lines that were left out.
pub(super) fn left_out(lines: u64, module: &str) -> String {
    let lines = if lines == 1 { "1 line was".to_owned() } else { format!("{lines} lines were") };
    super::about_the_log(&format!("{lines} left out, so much was said in {module}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of one line, and of another.
    fn places() -> [&'static Metadata<'static>; 2] {
        use tracing::Callsite;
        let one = tracing::callsite! { name: "one", kind: tracing::metadata::Kind::EVENT, level: Level::DEBUG, fields: message };
        let other = tracing::callsite! { name: "other", kind: tracing::metadata::Kind::EVENT, level: Level::INFO, fields: message };
        [one.metadata(), other.metadata()]
    }

    #[test]
    fn a_place_that_says_too_much_is_cut_short_and_the_others_are_not() {
        let [loud, other] = places();
        let mut rate = Rate::default();
        let start = Instant::now();
        let written = (0..5_000).filter(|_| rate.judge(loud, start) == Verdict::Written(0)).count();
        assert_eq!(written, LINES_AT_ONCE as usize);
        assert_eq!(rate.judge(other, start), Verdict::Written(0));
        assert!(rate.owes() && rate.due(start).is_empty());
        // A second later it may go on, and the first line tells what is missing.
        let later = start + Duration::from_secs(1);
        assert_eq!(rate.judge(loud, later), Verdict::Written(4_000));
        let more = (0..100).filter(|_| rate.judge(loud, later) != Verdict::LeftOut).count();
        assert_eq!(more, LINES_A_SECOND as usize - 1);
        // If it says nothing more, that is told all the same, once.
        let end = later + TELL_AFTER;
        assert_eq!(rate.due(end), [(81, loud.target())]);
        assert!(!rate.owes() && rate.due(end).is_empty());
    }
}
