//! CRC-32 as nginx has it: IEEE, reflected, in a register that can be taken on later.
//!
//! Eight bytes at a step ("slicing by 8"), since keys are addresses: a million of them are hashed
//! to see what moves.

/// The polynomial, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// `TABLES[n][b]`: what byte `b` does to the register, `n` zero bytes later.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut register = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            register = (register >> 1) ^ (POLYNOMIAL & (register & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][byte] = register;
        byte += 1;
    }
    let mut later = 1;
    while later < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[later - 1][byte];
            tables[later][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        later += 1;
    }
    tables
}

/// The CRC-32 of some bytes.
pub fn crc32(bytes: &[u8]) -> u32 {
    Register::default().with(bytes).value()
}

/// The register before it is finished.
#[derive(Clone, Copy, Debug)]
pub(super) struct Register(u32);

impl Default for Register {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Register {
    /// The register after these bytes too.
    pub(super) fn with(self, bytes: &[u8]) -> Self {
        let mut register = self.0;
        let (eights, rest) = bytes.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in eights {
            let [a, b, c, d] = (register ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            register = at(7, a) ^ at(6, b) ^ at(5, c) ^ at(4, d) ^ at(3, e) ^ at(2, f) ^ at(1, g) ^ at(0, h);
        }
        for &byte in rest {
            register = (register >> 8) ^ at(0, byte ^ register.to_le_bytes()[0]);
        }
        Self(register)
    }

    /// The register after a number in four little-endian bytes.
    pub(super) fn with_number(self, number: u32) -> Self {
        let [a, b, c, d] = (self.0 ^ number).to_le_bytes();
        Self(at(3, a) ^ at(2, b) ^ at(1, c) ^ at(0, d))
    }

    /// The CRC of what it has taken in.
    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

fn at(later: usize, byte: u8) -> u32 {
    TABLES[later][usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the definition has it.
    fn slowly(bytes: &[u8]) -> u32 {
        let step = |register: u32| (register >> 1) ^ if register & 1 == 1 { POLYNOMIAL } else { 0 };
        !bytes
            .iter()
            .fold(u32::MAX, |register, &byte| (0..8).fold(register ^ u32::from(byte), |r, _| step(r)))
    }

    #[test]
    fn it_is_the_crc_of_everybody_else() {
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let text: Vec<u8> = (0..100u32).map(|n| (n * 37 + 11) as u8).collect();
        for length in 0..text.len() {
            assert_eq!(crc32(&text[..length]), slowly(&text[..length]), "{length} bytes");
        }
    }

    #[test]
    fn a_register_is_taken_on_where_it_was_left() {
        let left = Register::default().with(b"127.0.0.1").with(b"\0").with(b"6000");
        assert_eq!(left.value(), crc32(b"127.0.0.1\x006000"));
        assert_eq!(left.with_number(0x0403_0201).value(), crc32(b"127.0.0.1\x006000\x01\x02\x03\x04"));
    }
}
