//! A run: messages of one conversation that follow each other by id, with their words, as one row of the index.
//!
//! How many there are; of each, how far its id lies behind the one before it (of the first, behind the run's own), how
//! far its place does, and how long its words are; then the words of all. A run is read from one place, and most of
//! them are refused by one look at all of their words.

use super::words::Words;

/// A message in a run. Its words are folded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    pub mid: u64,
    pub pos: u64,
    pub words: &'a str,
}

/// What is to become of a message in the index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub mid: u64,
    pub pos: u64,
    /// Without any, it is taken out.
    pub words: String,
}

/// A run that is to be written, by the least id that it may have; without entries, it is to be deleted.
#[derive(PartialEq, Eq, Debug)]
pub struct Written {
    pub first: u64,
    pub bytes: Vec<u8>,
}

/// Appends a number, seven bits a byte, the least first.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

fn encode(first: u64, entries: &[Entry<'_>]) -> Vec<u8> {
    let words: usize = entries.iter().map(|entry| entry.words.len()).sum();
    let mut out = Vec::with_capacity(words + entries.len() * 10 + 4);
    put_number(&mut out, entries.len() as u64);
    let mut before = (first, 0_u64);
    for entry in entries {
        put_number(&mut out, entry.mid - before.0);
        // A message that was stored late has a small id and a late place.
        let ahead = entry.pos.wrapping_sub(before.1) as i64;
        put_number(&mut out, ((ahead << 1) ^ (ahead >> 63)) as u64);
        put_number(&mut out, entry.words.len() as u64);
        before = (entry.mid, entry.pos);
    }
    entries.iter().for_each(|entry| out.extend_from_slice(entry.words.as_bytes()));
    out
}

/// The entries of a run, by id; `None` if it is none.
pub fn decode(first: u64, mut bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let count = usize::try_from(number(&mut bytes)?).ok()?;
    let mut entries = Vec::with_capacity(count.min(bytes.len()));
    let (mut mid, mut pos) = (first, 0_u64);
    let mut lens = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        mid = mid.checked_add(number(&mut bytes)?)?;
        let ahead = number(&mut bytes)?;
        pos = pos.wrapping_add(((ahead >> 1) as i64 ^ -((ahead & 1) as i64)) as u64);
        lens.push((mid, pos, usize::try_from(number(&mut bytes)?).ok()?));
    }
    let mut words = std::str::from_utf8(bytes).ok()?;
    for (mid, pos, len) in lens {
        let (own, rest) = words.split_at_checked(len)?;
        entries.push(Entry { mid, pos, words: own });
        words = rest;
    }
    Some(entries)
}

/// Puts changes, which are sorted by id, into a run: what is to be written in its place. `first` is the run's own, and
/// `old` its bytes: none if it is new. A run has `most` bytes, or one entry.
pub fn put(first: u64, old: &[u8], changes: &[Change], most: usize) -> Vec<Written> {
    // One that cannot be read is of no use to anybody.
    let old = decode(first, old).unwrap_or_default();
    let mut entries: Vec<Entry<'_>> = Vec::with_capacity(old.len() + changes.len());
    let mut old = old.into_iter().peekable();
    for change in changes {
        while let Some(entry) = old.next_if(|entry| entry.mid < change.mid) {
            entries.push(entry);
        }
        old.next_if(|entry| entry.mid == change.mid);
        if !change.words.is_empty() {
            entries.push(Entry { mid: change.mid, pos: change.pos, words: &change.words });
        }
    }
    entries.extend(old);
    divide(first, &entries, most)
}

fn divide(first: u64, entries: &[Entry<'_>], most: usize) -> Vec<Written> {
    let mut written = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        let own = entry.words.len() + 10;
        if bytes + own > most && at > begin {
            written.push(&entries[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += own;
    }
    written.push(&entries[begin..]);
    let run = |(number, entries): (usize, &[Entry<'_>])| {
        let first = if number == 0 { first } else { entries.first().map_or(first, |entry| entry.mid) };
        let bytes = if entries.is_empty() { Vec::new() } else { encode(first, entries) };
        Written { first, bytes }
    };
    written.into_iter().enumerate().map(run).collect()
}

/// Calls `found` with the id and the place of each entry that has all words.
pub fn search(first: u64, bytes: &[u8], words: &Words, mut found: impl FnMut(u64, u64)) {
    if words.are_in(bytes) {
        for entry in decode(first, bytes).unwrap_or_default() {
            if words.are_in(entry.words.as_bytes()) {
                found(entry.mid, entry.pos);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(mid: u64, pos: u64, words: &str) -> Change {
        Change { mid, pos, words: words.to_owned() }
    }

    #[test]
    fn what_is_put_in_is_found_and_what_is_taken_out_is_not() {
        let one = put(10, &[], &[change(10, 1, " tea"), change(1 << 60, 2, " four tea")], 4_000);
        assert_eq!(one.len(), 1);
        // Late, replaced, taken out, taken out that was never there.
        let changes = [
            change(12, u64::MAX, " late"),
            change(13, 9, ""),
            change(1 << 60, 2, " five"),
            change(u64::MAX, 4, " x"),
        ];
        let two = put(10, &one[0].bytes, &changes, 4_000);
        let entries = decode(10, &two[0].bytes).unwrap();
        let told: Vec<_> = entries.iter().map(|entry| (entry.mid, entry.pos, entry.words)).collect();
        assert_eq!(
            told,
            [(10, 1, " tea"), (12, u64::MAX, " late"), (1 << 60, 2, " five"), (u64::MAX, 4, " x")]
        );
        let mut found = Vec::new();
        search(10, &two[0].bytes, &Words::of("FIV").unwrap(), |mid, pos| found.push((mid, pos)));
        assert_eq!(found, [(1 << 60, 2)]);
        let gone = put(10, &one[0].bytes, &[change(10, 1, ""), change(1 << 60, 2, "")], 4_000);
        assert_eq!(gone, [Written { first: 10, bytes: Vec::new() }]);
    }

    #[test]
    fn a_run_that_is_full_is_followed_by_another() {
        let changes: Vec<Change> = (0..100).map(|mid| change(mid, mid, " twelve bytes")).collect();
        let runs = put(0, &[], &changes, 400);
        assert!(runs.len() > 5 && runs.iter().all(|run| run.bytes.len() <= 400));
        let entries: Vec<u64> = runs
            .iter()
            .flat_map(|run| decode(run.first, &run.bytes).unwrap().into_iter().map(|entry| entry.mid))
            .collect();
        assert_eq!(entries, (0..100).collect::<Vec<u64>>());
        assert!(runs.iter().skip(1).all(|run| decode(run.first, &run.bytes).unwrap()[0].mid == run.first));
        let long = put(5, &[], &[change(5, 1, &" x".repeat(1_000)), change(6, 2, " y")], 400);
        assert_eq!(long.iter().map(|run| run.first).collect::<Vec<_>>(), [5, 6], "one entry is always taken");
    }

    #[test]
    fn what_is_no_run_is_read_as_none() {
        let run = &put(10, &[], &[change(10, 1, " tea"), change(1 << 60, 2, " \u{6f22}")], 4_000)[0].bytes;
        for cut in 0..run.len() {
            assert_ne!(decode(10, &run[..cut]), decode(10, run), "cut at {cut}");
            for byte in 0..=255 {
                let mut other = run.clone();
                other[cut] = byte;
                drop(decode(10, &other));
            }
        }
        assert_eq!(decode(u64::MAX, run), None);
        assert_eq!(decode(0, &[0x81; 20]), None);
    }
}
