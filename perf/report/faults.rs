//! What went wrong in a run, by side and by round: the first thing to know of a run that ends as faulty.

use super::SideFigures;
use crate::measure::Counts;

/// What is wrong with these counts, in words; nothing if they are clean.
pub fn faults(counts: &Counts) -> Option<String> {
    if counts.is_clean() {
        return None;
    }
    let plain = [
        (counts.lost, "lost"),
        (counts.repeated, "repeated"),
        (counts.reordered, "reordered"),
        (counts.misdelivered, "misdelivered"),
        (counts.intended.saturating_sub(counts.sent), "never sent"),
        (counts.acks_lost, "never acknowledged"),
        (counts.connections_closed, "connections closed by the server"),
    ];
    let plain =
        plain.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let server = counts.server_errors.iter().map(|(errno, count)| format!("{count} × server errno {errno}"));
    let socket = counts
        .socket_errors
        .iter()
        .map(|(errno, count)| format!("{count} × {}", std::io::Error::from_raw_os_error(*errno)));
    Some(plain.chain(server).chain(socket).collect::<Vec<_>>().join(", "))
}

/// One sentence for each round of each side in which something went wrong.
pub fn all_faults(sides: &[SideFigures]) -> Vec<String> {
    let mut found = Vec::new();
    for side in sides {
        for (round, figures) in (1..).zip(&side.rounds) {
            if let Some(what) = faults(&figures.recorder.counts) {
                found.push(format!("{}, round {round} of {}: {what}", side.name, side.rounds.len()));
            }
        }
        if let Some(what) = side.logins.as_ref().and_then(|logins| faults(&logins.counts)) {
            found.push(format!("{}, people who come and go: {what}", side.name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_makes_a_run_faulty_is_told() {
        let mut counts = Counts { intended: 10, sent: 10, expected: 10, delivered: 10, ..Counts::default() };
        assert_eq!(faults(&counts), None);
        counts.repeated = 2;
        counts.sent = 9;
        counts.server_errors.insert(110, 3);
        assert_eq!(faults(&counts).unwrap(), "2 repeated, 1 never sent, 3 × server errno 110");
        for spoil in [
            |counts: &mut Counts| counts.lost = 1,
            |counts: &mut Counts| counts.reordered = 1,
            |counts: &mut Counts| counts.misdelivered = 1,
            |counts: &mut Counts| counts.acks_lost = 1,
            |counts: &mut Counts| counts.connections_closed = 1,
            |counts: &mut Counts| *counts.socket_errors.entry(104).or_default() = 1,
        ] {
            let mut counts = Counts::default();
            spoil(&mut counts);
            assert!(faults(&counts).unwrap().starts_with("1 "), "{counts:?}");
        }
    }
}
