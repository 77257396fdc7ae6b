//! The shell on a terminal: editing, history, completion.

use super::command::{COMMANDS, name};
use super::ring::Shell;
use super::{Next, obey};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Lines of the history that are kept.
const HISTORY: usize = 1_000;

/// Runs until the user leaves.
///
/// # Errors
/// If the terminal fails.
pub fn run(shell: Shell, greeting: String) -> io::Result<ExitCode> {
    let config = Config::builder()
        .max_history_size(HISTORY)
        .map_err(io::Error::other)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .bell_style(rustyline::config::BellStyle::None)
        .build();
    let mut editor: Editor<Hooks, FileHistory> = Editor::with_config(config).map_err(io::Error::other)?;
    editor.set_helper(Some(Hooks { shell }));
    let history = history_file();
    if let Some(path) = &history {
        // What cannot be read is no history.
        let _ = editor.load_history(path);
    }
    let mut out = io::stdout();
    writeln!(out, "{greeting}")?;
    loop {
        let line = match editor.readline("ring> ") {
            Ok(line) => line,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Io(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        };
        let is_new = !line.trim().is_empty() && editor.add_history_entry(&line).unwrap_or(false);
        if let Some(path) = history.as_ref().filter(|_| is_new) {
            let _ = editor.append_history(path);
        }
        let Some(hooks) = editor.helper_mut() else { return Ok(ExitCode::SUCCESS) };
        // What was pasted may be several lines.
        for line in line.lines() {
            match obey(&mut hooks.shell, line) {
                Next::Show(text) => write!(out, "{text}")?,
                Next::Mistake(mistake) => writeln!(out, "{mistake}")?,
                Next::Leave => return Ok(ExitCode::SUCCESS),
            }
        }
        out.flush()?;
    }
}

/// Beside the history of `chat`: `$XDG_STATE_HOME/chatd/ring-history`, or what XDG says.
fn history_file() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))?;
    let directory = state.join("chatd");
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
    Some(directory.join("ring-history"))
}

/// What the editor asks while it reads.
struct Hooks {
    shell: Shell,
}

impl Helper for Hooks {}
impl Validator for Hooks {}
impl Highlighter for Hooks {}

impl Hinter for Hooks {
    type Hint = String;
}

impl Completer for Hooks {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (from, words) = complete(&line[..pos], &self.shell);
        Ok((from, words.into_iter().map(|word| Pair { display: word.clone(), replacement: word }).collect()))
    }
}

/// What the text before the cursor may become: from which byte on, and into what.
fn complete(before: &str, shell: &Shell) -> (usize, Vec<String>) {
    let (from, candidates): (usize, Vec<String>) = match before.split_once(' ') {
        None => (0, COMMANDS.iter().map(|(written, _)| name(written).to_owned()).collect()),
        Some((word, _)) if ["del", "getvirnum"].contains(&word.to_ascii_lowercase().as_str()) => {
            (word.len() + 1, shell.names().collect())
        }
        Some(_) => (before.len(), Vec::new()),
    };
    let typed = before[from..].to_lowercase();
    let fits = |word: &String| word.to_lowercase().starts_with(&typed) && word.len() > typed.len();
    (from, candidates.into_iter().filter(fits).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Whose;
    use crate::shell::command::Command;

    #[test]
    fn commands_and_servers_are_completed() {
        let mut shell = Shell::new(Whose::Nginx, "$remote_addr");
        for port in [6000, 6002] {
            shell.answer(&Command::Add("Chat.example", port, None)).unwrap();
        }
        for (typed, from, words) in [
            ("getv", 0, &["getVirNum"][..]),
            ("get", 0, &["getVirNum", "getRealNum", "getAllNodeNum"]),
            ("s", 0, &["showTime", "statDist"]),
            ("del ", 4, &["Chat.example 6000", "Chat.example 6002"]),
            ("getvirnum chat.example 6002", 10, &[]),
            ("del CHAT.example 6002", 4, &[]),
            ("add ", 4, &[]),
        ] {
            assert_eq!(
                complete(typed, &shell),
                (from, words.iter().map(|w| (*w).to_owned()).collect()),
                "{typed}"
            );
        }
    }
}
