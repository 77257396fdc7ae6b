//! Options of the log.

use chatd_process::log::{self, Format, Levels};
use clap::Args;

/// The log on stderr.
#[derive(Clone, Debug, Args)]
pub struct Logging {
    /// What a line of the log is: a sentence for people, or a JSON object.
    #[arg(long, value_name = "human|json", default_value = "human", value_parser = format)]
    pub log_format: Format,

    /// How much is said: error, warn, info, debug or trace, and for modules of their own MODULE=LEVEL, with commas. Texts,
    /// passwords and tokens are in no line of any level.
    #[arg(long, value_name = "LEVEL[,MODULE=LEVEL]", default_value = "info")]
    pub log_level: Levels,
}

impl Logging {
    /// From now on the log is so.
    pub fn take_effect(&self) {
        log::configure(self.log_format, &self.log_level);
    }
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "human" => Ok(Format::Human),
        "json" => Ok(Format::Json),
        _ => Err("human or json".to_owned()),
    }
}
