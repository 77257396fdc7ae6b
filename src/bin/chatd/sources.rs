//! Reads the options, from wherever they are said. What there is, is in [`crate::options`]; what goes before what, in
//! [`crate::config`].

use crate::config;
use crate::options::Options;
use chatd_process::log;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use std::process;
use tracing::error;

impl Options {
    /// Reads the command line, the environment and the files that they name; says what is wrong with them and exits.
    pub fn read() -> Self {
        let command = config::with_variables(Self::command());
        let typed = typed(&command);
        if typed.subcommand().is_some() {
            return Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
        }
        let found = config::found(&command, &typed).unwrap_or_else(|why| {
            error!("{why}");
            process::exit(1)
        });
        let all = command.clone().try_get_matches_from(config::completed(&command, &typed, &found));
        let all = all.unwrap_or_else(|error| {
            if error.use_stderr() && !found.is_empty() {
                error!("with what files say of {}:", config::names(&found));
            }
            error.exit()
        });
        let mut options = Self::from_arg_matches(&all).unwrap_or_else(|error| error.exit());
        let is_typed = |name: &&str| typed.value_source(name) == Some(ValueSource::CommandLine);
        options.typed_urls = ["mysql", "redis"].into_iter().filter(is_typed).collect();
        if options.example_config {
            log::print(config::example(&command));
        } else if options.print_config {
            log::print(config::printed(&command, &typed, &all, &found));
        }
        if options.example_config || options.print_config {
            process::exit(0);
        }
        options.all = Some(Box::new(all));
        options
    }

    /// The same once more, while the server runs: its options, and the names of those that are others now.
    ///
    /// # Errors
    /// With a sentence, if they cannot be meant.
    pub fn read_again(before: &ArgMatches) -> Result<(Self, Vec<String>), String> {
        let command = config::with_variables(Self::command());
        let typed = typed(&command);
        let found = config::found(&command, &typed)?;
        let all = command.clone().try_get_matches_from(config::completed(&command, &typed, &found));
        let all = all.map_err(|error| error.to_string())?;
        let options = Self::from_arg_matches(&all).map_err(|error| error.to_string())?;
        Ok((options, config::changed(&command, before, &all)))
    }
}

/// What was typed and is in the environment: what is missing may be in a file.
fn typed(command: &clap::Command) -> ArgMatches {
    command.clone().ignore_errors(true).get_matches()
}
