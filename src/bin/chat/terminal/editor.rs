//! The line editor: rustyline, because it lays out wide characters exactly when a message is printed
//! above the line (reedline counts their bytes) and takes keys away from a password.
//!
//! Its hooks tell the [`Gate`] what the editor is doing. They rely on two habits of rustyline's:
//! a redraw that a key has caused is preceded by `highlight_char`, one after an external print is
//! not; and every key is offered to the key handler first.

use super::complete::complete;
use super::gate::Gate;
use super::modes::Modes;
use crate::talk::{Prompt, Talk};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event, EventContext,
    EventHandler, ExternalPrinter, Helper, KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// What is typed unseen; `None` while what is typed may be seen.
type Secret = Arc<Mutex<Option<Zeroizing<String>>>>;

/// The editor and what it shares with its hooks.
pub struct LineEditor {
    editor: Editor<Hooks, FileHistory>,
    gate: Arc<Gate>,
    secret: Secret,
    /// What was typed until something came that is no text, and at which prompt.
    kept: Option<(String, String)>,
    /// Whether the terminal can be edited on; a dumb one cannot.
    pub rich: bool,
}

impl LineEditor {
    /// An editor on the terminal, and the printer for other threads, where the terminal can do that.
    pub fn new(
        gate: Arc<Gate>,
        talk: Arc<Mutex<Talk>>,
        history: usize,
    ) -> rustyline::Result<(Self, Option<impl ExternalPrinter + Send + use<>>)> {
        let config = Config::builder()
            .max_history_size(history)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            // The hooks are heard only with colours on; whether any are used is not for rustyline.
            .color_mode(ColorMode::Forced)
            .bell_style(rustyline::config::BellStyle::None)
            .build();
        let mut editor = Editor::with_config(config)?;
        let secret = Secret::default();
        editor.set_helper(Some(Hooks {
            gate: gate.clone(),
            talk,
            asked: Cell::new(false),
            typed: RefCell::default(),
        }));
        let keys = Keys { gate: gate.clone(), secret: secret.clone() };
        editor.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys)));
        let printer = editor.create_external_printer().ok();
        Ok((Self { editor, gate, secret, kept: None, rich: printer.is_some() }, printer))
    }

    /// Reads a line. `styled` is the prompt as it is shown, with the width of its text. After an error of
    /// [`is_not_text`], what was typed before it is there again.
    ///
    /// # Errors
    /// `Eof` and `Interrupted` for Ctrl-D and Ctrl-C, else what is wrong with the terminal.
    pub fn read(&mut self, prompt: &Prompt, styled: &str) -> rustyline::Result<Zeroizing<String>> {
        *self.lock() = prompt.secret.then(|| Zeroizing::new(String::with_capacity(256)));
        self.gate.begin();
        if !self.rich {
            self.gate.end();
        }
        let unseen = if prompt.secret && !self.rich { Some(Modes::without_echo()?) } else { None };
        let kept = self.kept.take().filter(|(at, _)| *at == prompt.text).map(|(_, line)| line);
        self.typed().take();
        let line = self
            .editor
            .readline_with_initial(&(prompt.text.as_str(), styled), (kept.as_deref().unwrap_or(""), ""));
        drop(unseen);
        self.gate.end();
        let typed = self.lock().take();
        if !prompt.secret && line.as_ref().is_err_and(is_not_text) {
            let line = Some(self.typed().take()).filter(|line| !line.is_empty()).or(kept);
            self.kept = line.map(|line| (prompt.text.clone(), line));
        }
        let line = Zeroizing::new(line?);
        Ok(if self.rich { typed.unwrap_or(line) } else { line })
    }

    /// The lines typed, for the history.
    pub fn history(&mut self) -> &mut Editor<impl Helper, FileHistory> {
        &mut self.editor
    }

    fn typed(&self) -> &RefCell<String> {
        &self.editor.helper().expect("it was given one").typed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Zeroizing<String>>> {
        self.secret.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether bytes were typed that are no UTF-8: the terminal speaks another character set.
pub fn is_not_text(error: &ReadlineError) -> bool {
    matches!(error, ReadlineError::Io(error) if error.kind() == ErrorKind::InvalidData)
}

/// What the editor asks while it reads.
struct Hooks {
    gate: Arc<Gate>,
    talk: Arc<Mutex<Talk>>,
    /// Whether the next redraw has a key for its cause.
    asked: Cell<bool>,
    /// The line as it was last changed. Of what is typed unseen it knows nothing.
    typed: RefCell<String>,
}

impl Helper for Hooks {}
impl Validator for Hooks {}

impl Hinter for Hooks {
    type Hint = String;
}

impl Highlighter for Hooks {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        self.gate.drawn(self.asked.replace(false));
        Cow::Borrowed(prompt)
    }

    fn highlight_char(&self, line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.asked.set(true);
        line.clone_into(&mut self.typed.borrow_mut());
        true
    }
}

impl Completer for Hooks {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, words) = complete(&line[..pos], &talk);
        Ok((from, words.into_iter().map(|word| Pair { display: word.clone(), replacement: word }).collect()))
    }
}

/// What happens before a key does anything.
struct Keys {
    gate: Arc<Gate>,
    secret: Secret,
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let &KeyEvent(code, modifiers) = event.get(0)?;
        let control = |letter| code == KeyCode::Char(letter) && modifiers == Modifiers::CTRL;
        if control('Z') {
            self.gate.suspend();
        } else if code == KeyCode::Enter
            || control('J')
            || control('M')
            || control('C')
            || (control('D') && context.line().is_empty())
        {
            self.gate.shut();
        } else {
            self.gate.reopen();
            let mut secret = self.secret.lock().unwrap_or_else(PoisonError::into_inner);
            return secret.as_mut().map(|secret| type_unseen(secret, code, modifiers));
        }
        None
    }
}

/// Types into a password. The editor is told that nothing happened.
fn type_unseen(secret: &mut Zeroizing<String>, code: KeyCode, modifiers: Modifiers) -> Cmd {
    match code {
        KeyCode::Char(c) if modifiers.difference(Modifiers::SHIFT).is_empty() => secret.push(c),
        KeyCode::Backspace => {
            secret.pop();
        }
        KeyCode::Char('H') if modifiers == Modifiers::CTRL => {
            secret.pop();
        }
        KeyCode::Char('U' | 'W') if modifiers == Modifiers::CTRL => secret.clear(),
        _ => {}
    }
    Cmd::Noop
}
