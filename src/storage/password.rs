//! Passwords to hashes, and back to yes or no: argon2id in PHC strings.
//!
//! Owns what a hash costs and the memory that it is computed in. Never keeps a password, never
//! prints one, and knows no thread: the [`pool`](super::pool) does.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};

mod cost;

pub use cost::{BadCost, Cost, OWASP_MINIMUM};

const HASH_BYTES: usize = 32;

/// Whether a password is the one that was hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is.
    Right,
    /// It is not, or the hash is none.
    Wrong,
}

/// Computes hashes, one after the other, in the same memory.
pub struct Hasher {
    cost: Cost,
    memory: Vec<Block>,
    /// Stands in for the hash of a user that does not exist. No password has it.
    stranger: String,
}

impl Hasher {
    /// A hasher that makes hashes of `cost`. Takes no memory yet.
    pub fn new(cost: Cost) -> Self {
        let salt = Salt::new(&[0; Salt::RECOMMENDED_LENGTH]).expect("sixteen bytes are a salt");
        let output = Output::new(&[0; HASH_BYTES]).expect("thirty-two bytes are an output");
        let stranger = phc(&cost.params(HASH_BYTES), salt, output);
        Self { cost, memory: Vec::new(), stranger }
    }

    /// The PHC string of a password, with a salt of its own.
    ///
    /// # Errors
    /// If argon2 refuses; the reason is for the server's log.
    pub fn hash(&mut self, password: &str) -> Result<String, String> {
        let (params, salt) = (self.cost.params(HASH_BYTES), Salt::generate());
        let output =
            self.compute(password, &salt, Algorithm::Argon2id, Version::V0x13, &params, HASH_BYTES)?;
        Ok(phc(&params, salt, output))
    }

    /// Compares in time that depends on the hash's parameters and on nothing else.
    pub fn verify(&mut self, password: &str, hash: &str) -> Verdict {
        match self.recompute(password, hash) {
            // `Output` compares in constant time.
            Some((expected, computed)) if expected == computed => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }

    /// Spends the time that [`Hasher::verify`] spends on a hash of the configured cost.
    pub fn verify_stranger(&mut self, password: &str) {
        let stranger = self.stranger.clone();
        self.verify(password, &stranger);
    }

    /// Gives the memory back until it is needed again.
    pub fn rest(&mut self) {
        self.memory = Vec::new();
    }

    fn recompute(&mut self, password: &str, hash: &str) -> Option<(Output, Output)> {
        let hash = PasswordHash::new(hash).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let bytes = expected.len();
        let computed = self.compute(password, &salt, algorithm, version, &params, bytes).ok()?;
        Some((expected, computed))
    }

    fn compute(
        &mut self,
        password: &str,
        salt: &Salt,
        algorithm: Algorithm,
        version: Version,
        params: &Params,
        bytes: usize,
    ) -> Result<Output, String> {
        let blocks = params.block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::new());
        }
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..bytes).ok_or("the hash is too long")?;
        Argon2::new(algorithm, version, params.clone())
            .hash_password_into_with_memory(password.as_bytes(), salt, output, &mut self.memory[..blocks])
            .map_err(|error| error.to_string())?;
        Output::new(output).map_err(|error| error.to_string())
    }
}

fn phc(params: &Params, salt: Salt, output: Output) -> String {
    PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).expect("a cost is checked when it is parsed"),
        salt: Some(salt),
        hash: Some(output),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[test]
    fn a_password_matches_its_own_hash_and_no_other() {
        let mut hasher = Hasher::new(CHEAP);
        let hash = hasher.hash("päss\0wörd 🔑").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_ne!(hasher.hash("päss\0wörd 🔑").unwrap(), hash, "each has a salt of its own");
        assert_eq!(hasher.verify("päss\0wörd 🔑", &hash), Verdict::Right);
        for wrong in ["", "päss", "päss\0wörd", "päss\0wörd 🔑 ", &hash] {
            assert_eq!(hasher.verify(wrong, &hash), Verdict::Wrong);
        }
        for broken in ["", "plain", "$argon2id$", "$md5$x$y", &hash[..hash.len() - 9]] {
            assert_eq!(hasher.verify("päss\0wörd 🔑", broken), Verdict::Wrong, "{broken}");
        }
    }

    #[test]
    fn a_hash_is_checked_at_its_own_cost() {
        let others = ["m=256,t=3,p=1", "m=128,t=1,p=4", "m=8,t=2,p=1"];
        let mut hasher = Hasher::new(CHEAP);
        for cost in others {
            let hash = Hasher::new(cost.parse().unwrap()).hash("secret").unwrap();
            assert_eq!(hasher.verify("secret", &hash), Verdict::Right, "{cost}");
            assert_eq!(hasher.verify("Secret", &hash), Verdict::Wrong, "{cost}");
            hasher.rest();
        }
        // Made by the reference program: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32
        let reference =
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(hasher.verify("password", reference), Verdict::Right);
    }

    #[test]
    fn an_unknown_user_costs_the_work_of_a_wrong_password() {
        let cost = Cost { memory_kib: 64, passes: 2, lanes: 1 };
        let mut hasher = Hasher::new(cost);
        let (hash, stranger) = (hasher.hash("secret").unwrap(), hasher.stranger.clone());
        let work = |hash: &str| {
            let hash = PasswordHash::new(hash).unwrap();
            let bytes = (hash.salt.unwrap().len(), hash.hash.unwrap().len());
            (hash.algorithm.to_string(), hash.version, hash.params.to_string(), bytes)
        };
        assert_eq!(work(&hash), work(&stranger));
        // It is computed to the end, in as much memory, and not refused on the way.
        assert!(hasher.recompute("wrong", &stranger).is_some());
        hasher.rest();
        hasher.verify_stranger("wrong");
        assert_eq!(hasher.memory.len(), cost.params(HASH_BYTES).block_count());
    }
}
