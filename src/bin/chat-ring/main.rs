//! chat-ring: which server nginx chooses, and what moves when that changes. The rings themselves are
//! [`chat_ring`]; this reads configurations and shows what comes of them.
//!
//! A configuration goes [`conf`] → [`change`] → [`asked`], and is answered by [`get`], [`share`],
//! [`moves`] or written again; without one, [`shell`] has a ring that is put together by hand.

mod asked;
mod change;
mod conf;
mod draw;
mod get;
mod keys;
mod moves;
mod options;
mod share;
mod shell;
mod show;
mod sides;

use clap::Parser;
use options::{Command, Options};
use std::process::ExitCode;

/// What clap exits with when the command line makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    let (conf, command) = match (&options.conf, &options.command) {
        (None, None) => return shell::run(&options),
        (Some(conf), Some(command)) => (conf, command),
        (Some(_), None) => {
            eprintln!(
                "chat-ring: what of the configuration? Say get, share, moves or emit (--help shows more)"
            );
            return ExitCode::from(USAGE);
        }
        (None, Some(_)) => {
            eprintln!("chat-ring: of which configuration? Say --conf nginx.conf");
            return ExitCode::from(USAGE);
        }
    };
    match asked::asked(conf, &options).and_then(|asked| answer(&asked, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("chat-ring: {why}");
            ExitCode::FAILURE
        }
    }
}

fn answer(asked: &asked::Asked, command: &Command) -> Result<(), String> {
    match command {
        Command::Get(get) => get::run(asked, get),
        Command::Share(share) => share::run(asked, share),
        Command::Moves(moves) => moves::run(asked, moves),
        Command::Emit(emit) => {
            let upstream = change::changed(&asked.upstream, &emit.changes)?;
            // Refused here what nginx would refuse when it is reloaded.
            asked::Balanced::new(&upstream, &asked.hash)?;
            show::print(&asked::written(&upstream, &asked.hash))
        }
    }
}
