//! What a password hash costs: read from `m=KiB,t=PASSES,p=LANES`, bounded, and weighed.

use argon2::Params;
use std::fmt;
use std::str::FromStr;

/// What one hash costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// KiB of memory that it fills.
    pub memory_kib: u32,
    /// How many times it does so.
    pub passes: u32,
    /// Lanes that could be computed at once (we compute them one after the other).
    pub lanes: u32,
}

/// The least that OWASP recommends, and the default.
pub const OWASP_MINIMUM: Cost = Cost { memory_kib: 19_456, passes: 2, lanes: 1 };

const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 64;

impl Default for Cost {
    fn default() -> Self {
        OWASP_MINIMUM
    }
}

impl Cost {
    /// Whether guessing is cheaper than OWASP recommends: fewer KiB × passes, or less memory than
    /// its least variant has.
    pub fn is_weak(self) -> bool {
        // OWASP holds these for equals: m=47104,t=1 · m=19456,t=2 · m=12288,t=3 · m=9216,t=4 · m=7168,t=5.
        const EQUALS: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];
        !EQUALS.iter().any(|&(memory_kib, passes)| self.memory_kib >= memory_kib && self.passes >= passes)
    }

    pub(super) fn params(self, hash_bytes: usize) -> Params {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(hash_bytes))
            .expect("a cost is checked when it is parsed")
    }

    /// Checks the bounds: 8 KiB a lane to 1 GiB, 1 to 64 passes, 1 to 64 lanes.
    ///
    /// # Errors
    /// If the cost is out of them.
    pub fn checked(self) -> Result<Self, BadCost> {
        if self.lanes < 1 || self.lanes > LANES_MAX {
            return Err(BadCost::OutOfRange("p", 1, LANES_MAX));
        }
        if self.passes < 1 || self.passes > PASSES_MAX {
            return Err(BadCost::OutOfRange("t", 1, PASSES_MAX));
        }
        if self.memory_kib < 8 * self.lanes || self.memory_kib > MEMORY_KIB_MAX {
            return Err(BadCost::OutOfRange("m", 8 * self.lanes, MEMORY_KIB_MAX));
        }
        Ok(self)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={},t={},p={}", self.memory_kib, self.passes, self.lanes)
    }
}

/// Why a text is not a cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadCost {
    /// Not of the form `m=KiB,t=N,p=N`.
    Form(String),
    /// Which part must lie between which numbers.
    OutOfRange(&'static str, u32, u32),
}

impl fmt::Display for BadCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadCost::Form(text) => {
                write!(
                    f,
                    "a password cost is written m=KiB,t=PASSES,p=LANES, for example {OWASP_MINIMUM}, not {text:?}"
                )
            }
            BadCost::OutOfRange(part, least, most) => {
                write!(f, "in a password cost, {part} must be between {least} and {most}")
            }
        }
    }
}

impl std::error::Error for BadCost {}

impl FromStr for Cost {
    type Err = BadCost;

    /// Reads `m=KiB,t=PASSES,p=LANES`, every part once, in any order.
    fn from_str(text: &str) -> Result<Self, BadCost> {
        let form = || BadCost::Form(text.to_owned());
        let (mut memory_kib, mut passes, mut lanes) = (None, None, None);
        for part in text.split(',') {
            let (key, number) = part.split_once('=').ok_or_else(form)?;
            let slot = match key.trim() {
                "m" => &mut memory_kib,
                "t" => &mut passes,
                "p" => &mut lanes,
                _ => return Err(form()),
            };
            // A number that does not fit is out of range, not out of form.
            let digits = number.trim();
            if slot.is_some() || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(form());
            }
            *slot = Some(digits.parse().unwrap_or(u32::MAX));
        }
        match (memory_kib, passes, lanes) {
            (Some(memory_kib), Some(passes), Some(lanes)) => Cost { memory_kib, passes, lanes }.checked(),
            _ => Err(form()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_read_as_it_is_written() {
        let cost: Cost = "m=19456,t=2,p=1".parse().unwrap();
        assert_eq!((cost, cost.to_string().as_str()), (OWASP_MINIMUM, "m=19456,t=2,p=1"));
        assert_eq!(" p=2, m=64 ,t=3".parse(), Ok(Cost { memory_kib: 64, passes: 3, lanes: 2 }));
        for text in [
            "",
            "m=1",
            "m=64,t=1",
            "m=64,t=1,p=1,p=1",
            "m=64,t=1,x=1",
            "m=-1,t=1,p=1",
            "m=,t=1,p=1",
            "64,1,1",
        ] {
            let sentence = text.parse::<Cost>().unwrap_err().to_string();
            assert!(sentence.contains("m=KiB"), "{text}: {sentence}");
        }
        for (text, part) in [
            ("m=7,t=1,p=1", "m must be between 8 and"),
            ("m=15,t=1,p=2", "m must be between 16 and"),
            ("m=99999999999999999999,t=1,p=1", "m must be"),
            ("m=64,t=0,p=1", "t must be"),
            ("m=64,t=65,p=1", "t must be"),
            ("m=64,t=1,p=0", "p must be"),
            ("m=4096,t=1,p=65", "p must be"),
        ] {
            let sentence = text.parse::<Cost>().unwrap_err().to_string();
            assert!(sentence.contains(part), "{text}: {sentence}");
        }
    }

    #[test]
    fn weak_is_what_owasp_calls_weak() {
        for (text, weak) in [
            ("m=19456,t=2,p=1", false),
            ("m=65536,t=3,p=4", false),
            ("m=47104,t=1,p=1", false),
            ("m=7168,t=5,p=1", false),
            ("m=19455,t=2,p=1", true),
            ("m=19456,t=1,p=1", true),
            ("m=8,t=1,p=1", true),
            ("m=1024,t=64,p=1", true),
        ] {
            assert_eq!(text.parse::<Cost>().unwrap().is_weak(), weak, "{text}");
        }
    }
}
