//! The mask of a client's payload: four bytes, over and over.

/// A mask, turned so that its first byte is for the next byte of the payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mask([u8; 4]);

impl Mask {
    pub(super) const fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// Takes the mask off these bytes, eight at a time; the mask of what follows.
    pub(super) fn apply(self, bytes: &mut [u8]) -> Self {
        let [a, b, c, d] = self.0;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        rest.iter_mut().zip(self.0.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        let mut turned = self.0;
        turned.rotate_left(rest.len() % 4);
        Self(turned)
    }
}
