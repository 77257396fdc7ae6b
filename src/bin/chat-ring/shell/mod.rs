//! The shell of the original ConsistentHash: a ring that is put together by hand.
//!
//! On a terminal it edits lines; from a file or a pipe it runs them as a script. The end of the input
//! is the end of the shell.

mod command;
mod ring;
mod terminal;

use crate::options::{Options, Whose};
use command::Command;
use ring::Shell;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

/// What a line comes to.
enum Next {
    /// Something to show.
    Show(String),
    /// A mistake, in a sentence.
    Mistake(String),
    /// To leave.
    Leave,
}

/// Runs until the user leaves, or the input ends.
pub fn run(options: &Options) -> ExitCode {
    let shell = Shell::new(options.ring, &options.key);
    let ended = match io::stdin().is_terminal() && io::stdout().is_terminal() {
        true => terminal::run(shell, greeting(options)),
        false => script(shell),
    };
    match ended {
        Ok(code) => code,
        // Whoever reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat-ring: {error}");
            ExitCode::FAILURE
        }
    }
}

fn greeting(options: &Options) -> String {
    match options.ring {
        Whose::Nginx => {
            format!("nginx's ring, by {} (--ring seed is the original's). h shows the commands.", options.key)
        }
        Whose::Seed => "The original's ring (--ring nginx is nginx's). h shows the commands.".to_owned(),
    }
}

fn obey(shell: &mut Shell, line: &str) -> Next {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Next::Show(String::new());
    }
    let answer = match command::parse(line) {
        Ok(Command::Quit) => return Next::Leave,
        Ok(command) => shell.answer(&command),
        Err(bad) => Err(crate::show::visible(&bad.to_string())),
    };
    match answer {
        Ok(text) => Next::Show(text),
        Err(mistake) => Next::Mistake(mistake),
    }
}

/// Goes on after a mistake, and remembers it for the exit status.
fn script(mut shell: Shell) -> io::Result<ExitCode> {
    let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        match obey(&mut shell, &String::from_utf8_lossy(&line)) {
            Next::Show(text) => out.write_all(text.as_bytes())?,
            Next::Leave => break,
            Next::Mistake(mistake) => {
                out.flush()?;
                eprintln!("chat-ring: line {number}: {mistake}");
                code = ExitCode::FAILURE;
            }
        }
    }
    out.flush()?;
    Ok(code)
}
