//! A small mutator: what libFuzzer does to bytes, without its coverage, the same for the same seed.

/// Random numbers from a seed (splitmix64).
pub struct Rng(u64);

impl Rng {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; 0 if there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.number()) * bound as u128) >> 64) as usize
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Numbers that bounds are near to.
const BYTES: [u8; 12] = [0, 1, 9, 10, 13, 32, 0x22, 0x5c, 0x7f, 0x80, 0xfe, 0xff];

/// Makes inputs of the inputs of a corpus.
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    dictionary: &'a [&'a [u8]],
    most: usize,
    rng: Rng,
}

impl<'a> Mutator<'a> {
    /// Of this corpus and these words: inputs of `most` bytes at most.
    ///
    /// # Panics
    /// If the corpus is empty.
    pub fn new(corpus: &'a [Vec<u8>], dictionary: &'a [&'a [u8]], most: usize, seed: u64) -> Self {
        assert!(!corpus.is_empty(), "a corpus has an input");
        Self { corpus, dictionary, most, rng: Rng::new(seed) }
    }

    /// Writes the next input into `out`.
    pub fn write_next(&mut self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.corpus[self.rng.below(self.corpus.len())]);
        // One change mostly, now and then many.
        let changes = 1 + (self.rng.number() | 1 << 5).trailing_zeros();
        for _ in 0..changes {
            self.change(out);
        }
        out.truncate(self.most);
    }

    fn change(&mut self, out: &mut Vec<u8>) {
        let at = self.rng.below(out.len() + 1);
        match self.rng.below(9) {
            0 => out.truncate(at),
            1 => out.insert(at, self.rng.number() as u8),
            2 => {
                let end = at + self.rng.below(out.len() - at + 1).min(16);
                out.drain(at..end);
            }
            3 => {
                // The same once more, behind itself.
                let end = at + self.rng.below(out.len() - at + 1);
                let again = out[at..end].to_vec();
                out.splice(end..end, again);
            }
            4 => {
                let other = &self.corpus[self.rng.below(self.corpus.len())];
                let from = self.rng.below(other.len() + 1);
                out.truncate(at);
                out.extend_from_slice(&other[from..]);
            }
            5 if !self.dictionary.is_empty() => {
                let word = self.rng.pick(self.dictionary);
                let end = if self.rng.below(2) == 0 { at } else { (at + word.len()).min(out.len()) };
                out.splice(at..end, word.iter().copied());
            }
            _ if at == out.len() => out.push(self.rng.number() as u8),
            6 => out[at] = BYTES[self.rng.below(BYTES.len())],
            7 => out[at] = out[at].wrapping_add(self.rng.below(71) as u8).wrapping_sub(35),
            _ => out[at] ^= 1 << self.rng.below(8),
        }
    }
}
