//! chatctl: what whoever runs a chatd has it do, from the command line.
//!
//! A command is an [`acts`] of the server's API, asked by [`server`] and shown by [`show`]; or it is about a backup of the
//! embedded store, which [`backups`] makes, verifies and puts back without the API. Decides nothing itself: every rule is the
//! server's.

mod acts;
mod backups;
mod exit;
mod options;
mod server;
mod show;
mod unix_socket;
#[allow(dead_code)]
#[path = "../chat/visible.rs"]
mod visible;

use acts::Asked;
use clap::Parser;
use exit::Exit;
use options::{Command, Options};
use server::Server;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err((exit, why)) => {
            eprintln!("chatctl: {why}");
            exit.into()
        }
    }
}

/// Why it failed: for programs, and for people.
type Failed = (Exit, String);

fn run(options: &Options) -> Result<(), Failed> {
    match &options.command {
        Command::Backup(backup) => backups::save(backup, options.json),
        Command::Verify(verify) => backups::verify(verify, options.json),
        Command::Restore(restore) => backups::restore(restore, options.json),
        command => {
            let asked = acts::asked(command)?;
            let server = Server::of(options)?;
            ask(&server, &asked, options.json)
        }
    }
}

fn ask(server: &Server, asked: &Asked, json: bool) -> Result<(), Failed> {
    if asked.is_streamed {
        return server.stream(asked, &mut std::io::stdout().lock());
    }
    let answer = server.act(asked)?;
    show::answer(asked, &answer, json)?;
    match answer["errno"].as_i64() {
        Some(0) => Ok(()),
        _ => Err((Exit::Refused, show::refusal(&answer))),
    }
}
