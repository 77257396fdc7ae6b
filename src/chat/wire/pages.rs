//! Lists of objects, divided among as many frames as they need.

/// Lists that are being divided. A page holds the next part of each of its `LISTS` lists.
#[derive(Debug)]
pub(super) struct Pages<const LISTS: usize> {
    room_bytes: usize,
    pages: Vec<[Vec<u8>; LISTS]>,
    entry: Vec<u8>,
}

impl<const LISTS: usize> Pages<LISTS> {
    /// One empty page; each may have `room_bytes` of entries, or a single one.
    pub(super) fn new(room_bytes: usize) -> Self {
        Self { room_bytes, pages: vec![std::array::from_fn(|_| Vec::new())], entry: Vec::new() }
    }

    /// The first page.
    pub(super) fn first(&self) -> &[Vec<u8>; LISTS] {
        &self.pages[0]
    }

    /// Whether everything is on it.
    pub(super) fn is_one(&self) -> bool {
        self.pages.len() == 1
    }

    fn last(&mut self) -> &mut [Vec<u8>; LISTS] {
        self.pages.last_mut().expect("there is one at least")
    }

    /// Whether an entry of so many bytes fits into the last page.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let used: usize = self.last().iter().map(|list| list.len() + 1).sum();
        used + bytes <= self.room_bytes
    }

    /// Adds the entry that `write` writes to a list, on the next page if this one is full.
    pub(super) fn add(&mut self, list: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let mut entry = std::mem::take(&mut self.entry);
        entry.clear();
        write(&mut entry);
        let is_empty = self.last().iter().all(Vec::is_empty);
        if !is_empty && !self.has_room(entry.len()) {
            self.pages.push(std::array::from_fn(|_| Vec::new()));
        }
        let list = &mut self.last()[list];
        if !list.is_empty() {
            list.push(b',');
        }
        list.extend_from_slice(&entry);
        self.entry = entry;
    }

    /// What `frame` makes of each page and of whether it is the last.
    pub(super) fn frames(&self, frame: impl Fn(&[Vec<u8>; LISTS], bool) -> Vec<u8>) -> Vec<Vec<u8>> {
        let last = self.pages.len() - 1;
        self.pages.iter().enumerate().map(|(at, page)| frame(page, at == last)).collect()
    }
}

/// Appends a key and its list.
pub(super) fn list(out: &mut Vec<u8>, key: &str, entries: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":[");
    out.extend_from_slice(entries);
    out.push(b']');
}
