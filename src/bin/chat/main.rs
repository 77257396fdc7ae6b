//! chat: the terminal client. Composes the client's library with a terminal, or with a script.
//!
//! A line goes [`command`] → [`talk`] → the library; an event comes back through [`talk`] and is
//! shown by [`show`], which makes safe what others wrote ([`visible`]).

mod command;
mod directory;
mod exit;
mod options;
mod script;
mod settings;
mod show;
mod talk;
mod terminal;
mod visible;
mod vouched;

use clap::Parser;
use exit::Exit;
use options::Options;
use settings::{Audience, Settings};
use std::process::ExitCode;

/// What clap exits with when the command line makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let settings = match Settings::new(Options::parse()) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("chat: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let exit: Exit = match settings.audience {
        Audience::Person => terminal::run(&settings),
        Audience::Lines | Audience::Json => script::run(&settings),
    };
    exit.into()
}
