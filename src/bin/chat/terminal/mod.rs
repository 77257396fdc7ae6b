//! A person at a terminal: prompts, editing, and what comes in between.
//!
//! This thread reads lines; a second one hears events, a third prints.

mod complete;
mod editor;
mod gate;
mod history;
pub mod modes;

use crate::exit::Exit;
use crate::settings::Settings;
use crate::show::Shown;
use crate::show::text::Style;
use crate::talk::{Next, Pending, Prompt, Talk};
use crate::vouched::Vouched;
use chatd_client::{Client, Config, Confirming, Events, Request, RequestId, local_time};
use editor::LineEditor;
use gate::Gate;
use history::HistoryFile;
use modes::Modes;
use rustyline::error::ReadlineError;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long leaving may take while something that was said is not with the server.
const LEAVE: Duration = Duration::from_secs(3);

/// What the threads share.
#[derive(Clone)]
struct Shared {
    client: Client,
    talk: Arc<Mutex<Talk>>,
    gate: Arc<Gate>,
    vouched: Vouched,
    colours: bool,
}

impl Shared {
    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn style(&self) -> Style {
        Style { colours: self.colours, short: true, today: local_time().chars().take(10).collect() }
    }

    fn lines(&self, say: &[Shown]) -> String {
        let style = self.style();
        say.iter().map(|shown| style.lines(shown)).collect()
    }

    /// Asks, and notes what for before the answer can come.
    fn ask(&self, talk: &mut Talk, request: Request, pending: Pending) -> RequestId {
        let request_id = self.client.ask(request);
        talk.asked(request_id, pending);
        request_id
    }
}

/// Runs until the user leaves.
pub fn run(settings: &Settings) -> Exit {
    match converse(settings) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("chat: {error}");
            Exit::Broken
        }
    }
}

fn converse(settings: &Settings) -> Result<Exit, ReadlineError> {
    let mut config = Config::new(settings.addresses.clone());
    config.trust = settings.trust.clone();
    config.confirming = Confirming::WhenSaid;
    config.device = settings.device.clone();
    let (client, events) = Client::connect(config);
    let talk = Arc::new(Mutex::new(Talk::new(settings.elsewhere).invited(settings.invitation.clone())));
    let (vouched, colours) = (settings.vouched.clone(), settings.colours);
    let shared = Shared { client, talk, gate: Arc::default(), vouched, colours };
    shared.gate.push(shared.lines(&[Shown::Greeting]));
    let (mut editor, printer) = LineEditor::new(shared.gate.clone(), shared.talk.clone(), history::LINES)?;
    let _modes = if editor.rich { Some(Modes::for_editing()?) } else { None };
    let history = HistoryFile::load(&mut editor);
    let (gate, client) = (shared.gate.clone(), shared.client.clone());
    thread::spawn(move || gate.print_all(printer, |mid| client.arrived(mid)));
    let (answers, answered) = mpsc::channel();
    let hearing = shared.clone();
    thread::spawn(move || hear(&hearing, events, &answers));
    let mut say = Vec::new();
    let vouched = shared.vouched.request(&shared.talk(), &mut say);
    shared.gate.push(shared.lines(&say));
    if let Some((request, pending)) = vouched {
        let request_id = shared.ask(&mut shared.talk(), request, pending);
        while answered.recv().is_ok_and(|other| other != request_id) {}
    }
    let left = read(&shared, &mut editor, &history, &answered);
    let exit = take_leave(&shared, &answered);
    drop(editor);
    shared.gate.finish();
    left.map(|()| exit)
}

/// Gives the server a moment to take what was said last, and tells what it did not take.
fn take_leave(shared: &Shared, answered: &Receiver<RequestId>) -> Exit {
    let end = Instant::now() + LEAVE;
    loop {
        let unanswered = shared.talk().unanswered();
        let left = end.saturating_duration_since(Instant::now());
        if unanswered == 0 {
            return Exit::Done;
        }
        if left.is_zero() || answered.recv_timeout(left).is_err() {
            shared.gate.push(shared.lines(&[Shown::Unsaid(unanswered)]));
            return Exit::NoConnection;
        }
    }
}

fn read(
    shared: &Shared,
    editor: &mut LineEditor,
    history: &HistoryFile,
    answered: &Receiver<RequestId>,
) -> Result<(), ReadlineError> {
    loop {
        let prompt = {
            let talk = shared.talk();
            let prompt = talk.prompt();
            if talk.is_at_menu() {
                shared.gate.push(shared.lines(&[Shown::Menu]));
            }
            prompt
        };
        let line = match editor.read(&prompt, &styled(&prompt, &shared.style())) {
            Ok(line) => line,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(ReadlineError::Interrupted) => {
                shared.talk().cancel();
                continue;
            }
            Err(error) if editor::is_not_text(&error) => {
                let what = "a byte that is not UTF-8 was left out: this terminal has another character set";
                shared.gate.push(shared.lines(&[Shown::Bad(what.to_owned())]));
                continue;
            }
            Err(error) => return Err(error),
        };
        if prompt.kept && !line.trim().is_empty() {
            history.add(editor, &line);
        }
        let mut say = Vec::new();
        let decided = {
            let mut talk = shared.talk();
            if talk.prompt().epoch != prompt.epoch {
                say.push(Shown::Bad("you are logged out: this line was not taken".to_owned()));
                None
            } else {
                match talk.line(&line, &mut say) {
                    Next::Leave => return Ok(()),
                    Next::Go | Next::Bad => None,
                    Next::Wait(_) => {
                        say.push(Shown::Bad("/wait is for scripts".to_owned()));
                        None
                    }
                    Next::Ask(request, pending) => {
                        let decides = pending.decides();
                        Some(shared.ask(&mut talk, request, pending)).filter(|_| decides)
                    }
                }
            }
        };
        shared.gate.push(shared.lines(&say));
        if let Some(request_id) = decided {
            // Nothing can be typed until this is answered; Ctrl-C ends the program.
            while answered.recv().is_ok_and(|other| other != request_id) {}
        }
    }
}

fn hear(shared: &Shared, events: Events, answers: &Sender<RequestId>) {
    for event in events {
        let mut say = Vec::new();
        let reaction = {
            let mut talk = shared.talk();
            let mut reaction = talk.hear(event, &mut say);
            if reaction.expires {
                reaction.ask = shared.vouched.request(&talk, &mut say);
            }
            if let Some((request, pending)) = reaction.ask.take() {
                shared.ask(&mut talk, request, pending);
            }
            reaction
        };
        let mids = say.iter().filter_map(Shown::mid).collect();
        shared.gate.push_patiently(shared.lines(&say), mids);
        if let Some((request_id, _)) = reaction.settled {
            // Once the reader has left, nobody waits for answers.
            let _ = answers.send(request_id);
        }
    }
}

/// The prompt in its colour; what is typed stays plain.
fn styled(prompt: &Prompt, style: &Style) -> String {
    style.paint("1", &prompt.text)
}
