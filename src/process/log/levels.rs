//! Which modules of this server say how much: `info,chatd_executor=debug`.

use std::collections::BTreeMap;
use std::str::FromStr;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// What the names of all modules of this server begin with.
const OURS: &str = "chatd";
/// What is said where nothing else is wanted.
const USUAL: LevelFilter = LevelFilter::INFO;

/// A level for all modules, and others for some: each counts for the modules whose names begin so, the longest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Levels(BTreeMap<String, LevelFilter>);

impl Default for Levels {
    fn default() -> Self {
        Self(BTreeMap::from([(OURS.to_owned(), USUAL)]))
    }
}

impl Levels {
    /// The same as a filter. Libraries are not in it: what they say nobody here has looked at, and it may be a secret.
    pub(super) fn targets(&self) -> Targets {
        self.0.iter().map(|(module, level)| (module.clone(), *level)).collect()
    }
}

impl FromStr for Levels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut levels = Self::default();
        for part in text.split(',').map(str::trim) {
            let (module, level) = part.split_once('=').unwrap_or((OURS, part));
            let is_ours =
                module.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '_']));
            if !is_ours {
                return Err(format!(
                    "{module} is no module of chatd: their names begin with chatd_ or chatd::"
                ));
            }
            levels.0.insert(module.to_owned(), self::level(level)?);
        }
        Ok(levels)
    }
}

/// There is no way to be silent about a panic.
fn level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err("a level (error, warn, info, debug, trace), and MODULE=LEVEL for some modules, with commas"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn the_longest_name_that_fits_counts() {
        let levels: Levels = "warn,chatd_executor=debug, chatd_executor::net=error".parse().unwrap();
        let enabled = |module: &str, level| levels.targets().would_enable(module, &level);
        assert!(enabled("chatd_storage::health", Level::WARN) && !enabled("chatd_storage", Level::INFO));
        assert!(enabled("chatd_executor::shard", Level::DEBUG) && !enabled("chatd_executor", Level::TRACE));
        assert!(enabled("chatd_executor::net::accept", Level::ERROR));
        assert!(!enabled("chatd_executor::net::accept", Level::WARN));
        let usual: Levels = "chatd_process=trace".parse().unwrap();
        assert!(usual.targets().would_enable("chatd::stopping", &Level::INFO));
    }

    #[test]
    fn libraries_say_nothing_and_what_is_no_level_is_refused() {
        let all: Levels = "trace".parse().unwrap();
        for library in ["mysql_async::conn", "rustls", "glommio", ""] {
            assert!(!all.targets().would_enable(library, &Level::ERROR), "{library}");
        }
        for (text, wanted) in [
            ("", "a level"),
            ("off", "a level"),
            ("Info", "a level"),
            ("chatd_executor", "a level"),
            ("info,", "a level"),
            ("info,rustls=trace", "rustls is no module"),
            ("chatdx=info", "chatdx is no module"),
        ] {
            let why = text.parse::<Levels>().unwrap_err();
            assert!(why.contains(wanted), "{text}: {why}");
        }
    }
}
