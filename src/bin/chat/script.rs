//! A script: the same lines as a person's, one after the other, each with its answer.

use crate::exit::Exit;
use crate::settings::{Audience, Settings};
use crate::show::Shown;
use crate::show::json;
use crate::show::text::Style;
use crate::talk::{Next, Pending, Talk};
use crate::terminal::modes::Modes;
use crate::vouched::Vouched;
use chatd_client::{Client, Config, Confirming, Event, Request, RequestId};
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// What a script waits for.
enum Happening {
    Event(Event),
    /// A line, without its end; nothing at the end of input.
    Line(io::Result<Option<Vec<u8>>>),
}

struct Script {
    client: Client,
    happenings: Receiver<Happening>,
    talk: Talk,
    vouched: Vouched,
    audience: Audience,
    timeout: Duration,
    /// Messages that came and that no `/wait` has counted.
    uncounted: u64,
    /// Since when there is no connection.
    down_since: Option<Instant>,
    line_number: u64,
    /// Answers that came.
    settled: Option<(RequestId, Exit)>,
    signed_out: bool,
}

/// Runs to the end of input, to `quit`, or to the first failure.
pub fn run(settings: &Settings) -> Exit {
    let mut config = Config::new(settings.addresses.clone());
    config.trust = settings.trust.clone();
    config.confirming = Confirming::WhenSaid;
    config.device = settings.device.clone();
    let (client, events) = Client::connect(config);
    let (tell, happenings) = mpsc::sync_channel(16);
    let (want, wanted) = mpsc::channel();
    let terminal = io::stdin().is_terminal();
    let tell_line = tell.clone();
    thread::spawn(move || {
        read_lines(&wanted, terminal, |line| tell_line.send(Happening::Line(line)).is_ok())
    });
    thread::spawn(move || events.into_iter().all(|event| tell.send(Happening::Event(event)).is_ok()));
    let mut script = Script {
        client,
        happenings,
        talk: Talk::new(settings.elsewhere).invited(settings.invitation.clone()),
        vouched: settings.vouched.clone(),
        audience: settings.audience,
        timeout: settings.timeout,
        uncounted: 0,
        down_since: Some(Instant::now()),
        line_number: 0,
        settled: None,
        signed_out: false,
    };
    script.run(&want, settings.keep_going).unwrap_or(Exit::Broken)
}

/// Reads a line each time one is wanted: no script is held in memory. Told whether the line is a
/// secret, which a terminal is not to show.
fn read_lines(wanted: &Receiver<bool>, terminal: bool, tell: impl Fn(io::Result<Option<Vec<u8>>>) -> bool) {
    let mut input = io::stdin().lock();
    while let Ok(secret) = wanted.recv() {
        let mut line = Vec::new();
        let unseen = (secret && terminal).then(Modes::without_echo);
        let read = input.read_until(b'\n', &mut line).map(|count| {
            while line.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
                line.pop();
            }
            (count > 0).then_some(line)
        });
        drop(unseen);
        if !tell(read) {
            return;
        }
    }
}

impl Script {
    /// `Err` is an output that nobody reads any more, or an input that cannot be read.
    fn run(&mut self, want: &Sender<bool>, keep_going: bool) -> io::Result<Exit> {
        let mut first = Exit::Done;
        let mut say = Vec::new();
        if let Some((request, pending)) = self.vouched.request(&self.talk, &mut say) {
            let let_in = self.settle(request, pending)?;
            if let_in != Exit::Done {
                return Ok(let_in);
            }
        }
        self.show(&say)?;
        if !say.is_empty() {
            return Ok(Exit::BadCommand);
        }
        loop {
            // The reader ends only with this run.
            let _ = want.send(self.talk.prompt().secret);
            let Some(line) = self.next_line()? else { return Ok(first) };
            self.line_number += 1;
            let ended = match String::from_utf8(line) {
                Ok(line) => self.obey(&line)?,
                Err(_) => {
                    self.show(&[Shown::Bad("the line is not UTF-8".to_owned())])?;
                    Some(Exit::BadCommand)
                }
            };
            match ended {
                None => return Ok(first),
                Some(Exit::Done) => {}
                Some(failure) => {
                    first = if first == Exit::Done { failure } else { first };
                    if !keep_going || failure == Exit::NoConnection {
                        return Ok(first);
                    }
                }
            }
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.happenings.recv() {
                Ok(Happening::Line(line)) => return line,
                Ok(Happening::Event(event)) => self.hear(event)?,
                Err(_) => return Ok(None),
            }
        }
    }

    /// Does what a line says; nothing, where it says to leave.
    fn obey(&mut self, line: &str) -> io::Result<Option<Exit>> {
        let mut say = Vec::new();
        self.signed_out = false;
        let next = self.talk.line(line, &mut say);
        self.show(&say)?;
        match next {
            Next::Go => Ok(Some(Exit::Done)),
            Next::Bad => Ok(Some(Exit::BadCommand)),
            Next::Leave => Ok(None),
            Next::Wait(count) => {
                let exit = self.wait_until(None, |script| script.uncounted >= count)?;
                self.uncounted = self.uncounted.saturating_sub(count);
                Ok(Some(exit))
            }
            Next::Ask(request, pending) => self.settle(request, pending).map(Some),
        }
    }

    /// Asks, and waits for the answer.
    fn settle(&mut self, request: Request, pending: Pending) -> io::Result<Exit> {
        let request_id = self.client.ask(request);
        self.talk.asked(request_id, pending);
        let deadline = Instant::now() + self.timeout;
        let answered = |script: &Self| script.settled.is_some_and(|(other, _)| other == request_id);
        let exit = self.wait_until(Some(deadline), answered)?;
        Ok(match self.settled.take() {
            Some((other, meaning)) if other == request_id => meaning,
            _ => exit,
        })
    }

    /// Hears until `is_there`, but not longer than there may be no answer or no connection.
    fn wait_until(
        &mut self,
        deadline: Option<Instant>,
        is_there: impl Fn(&Self) -> bool,
    ) -> io::Result<Exit> {
        while !is_there(self) {
            if self.signed_out {
                return Ok(Exit::LoginRefused);
            }
            let without = self.down_since.map(|since| since + self.timeout);
            let until = deadline.or(without).map(|until| until.saturating_duration_since(Instant::now()));
            let happening = match until {
                Some(wait) => self.happenings.recv_timeout(wait),
                None => self.happenings.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match happening {
                Ok(Happening::Event(event)) => self.hear(event)?,
                // No line was asked for.
                Ok(Happening::Line(_)) => {}
                Err(_) => {
                    self.show(&[Shown::TimedOut(self.timeout.as_secs())])?;
                    return Ok(Exit::NoConnection);
                }
            }
        }
        Ok(Exit::Done)
    }

    fn hear(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Connected { .. } => self.down_since = None,
            Event::Lost { .. } | Event::Unreachable { .. } => {
                self.down_since.get_or_insert_with(Instant::now);
            }
            _ => {}
        }
        let mut say = Vec::new();
        let mut reaction = self.talk.hear(event, &mut say);
        if reaction.expires {
            reaction.ask = self.vouched.request(&self.talk, &mut say);
        }
        if let Some((request, pending)) = reaction.ask {
            let request_id = self.client.ask(request);
            self.talk.asked(request_id, pending);
        }
        self.uncounted += u64::from(reaction.message);
        self.signed_out |= reaction.signed_out;
        self.settled = reaction.settled.or(self.settled);
        self.show(&say)
    }

    /// Failures go to standard error with their line, but for programs, which read one stream.
    fn show(&self, say: &[Shown]) -> io::Result<()> {
        let style = Style { colours: false, short: false, today: String::new() };
        let mut out = io::stdout().lock();
        for shown in say {
            if self.audience == Audience::Json {
                out.write_all(json::line(shown).unwrap_or_default().as_bytes())?;
            } else if is_failure(shown) {
                let line = style.lines(shown);
                write!(io::stderr(), "chat: line {}: {line}", self.line_number)?;
            } else {
                out.write_all(style.lines(shown).as_bytes())?;
            }
        }
        out.flush()?;
        // Whoever reads the output has them now.
        for mid in say.iter().filter_map(Shown::mid) {
            self.client.arrived(mid);
        }
        Ok(())
    }
}

fn is_failure(shown: &Shown) -> bool {
    matches!(shown, Shown::Bad(_) | Shown::Failed(..) | Shown::TimedOut(_) | Shown::SignedOut(_))
}
