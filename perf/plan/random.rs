//! Seeded random numbers, the same on every machine and in every release.
//!
//! SplitMix64: small, well distributed, and fixed here so that a seed in an old report replays its plan.
//! Never used for anything secret.

pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential with mean 1: the gap between two arrivals of a Poisson process.
    pub fn exponential(&mut self) -> f64 {
        // `1 - unit` lies in (0, 1], so the logarithm is finite.
        -(1.0 - self.unit()).ln()
    }

    /// Uniform in `0..bound`. The bias of the multiplication is under 2⁻³² and no plan is large enough to see it.
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }
}
