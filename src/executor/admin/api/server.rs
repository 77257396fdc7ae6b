//! Turns the connections of the API: one thread, `poll`, and nobody waits for anybody else.

use super::acts;
use super::connection::{Connection, Origin, READ_BYTES, STEP, Stage, WRITE, Working};
use super::http::{self, Asked, Request, Response};
use super::names::Names;
use super::who::Tokens;
use super::work::{self, Came, Next};
use super::{Handed, body::Refused};
use crate::acts::{ActLines, Answer, Call, Turn};
use chatd_chat::model::act::AccountName;
use chatd_process::precedence::Beside;
use flume::{Receiver, TryRecvError};
use rustc_hash::FxHashMap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Connections at one time. One more, and the one that has been silent for longest goes; if all are being answered, the
/// new one gets 503.
const CONNECTIONS: usize = 256;

/// The document that says what may be asked for.
const OPENAPI: &[u8] = include_bytes!("../../../../docs/openapi.json");

/// The loop and what it turns.
pub(super) struct Server {
    listener: Option<UnixListener>,
    handed: Receiver<Handed>,
    /// By number.
    connections: FxHashMap<u64, Connection>,
    last: u64,
    desk: Desk,
}

/// What all connections are served from.
struct Desk {
    tokens: Tokens,
    lines: ActLines,
    /// What is asked of the cores in this turn.
    turn: Turn,
    names: Names,
    /// Whose call it is, by the number of the call.
    calls: FxHashMap<u64, (u64, Option<AccountName>)>,
    last_call: u64,
    /// Whether the server is to stop.
    stops: bool,
}

impl Server {
    pub(super) fn new(
        tokens: Tokens,
        listener: Option<UnixListener>,
        lines: ActLines,
        handed: Receiver<Handed>,
    ) -> Self {
        let (names, calls) = (Names::default(), FxHashMap::default());
        let turn = lines.turn();
        let desk = Desk { tokens, lines, turn, names, calls, last_call: 0, stops: false };
        Self { listener, handed, connections: FxHashMap::default(), last: 0, desk }
    }

    pub(super) fn run(mut self) {
        Beside::Api.stand_back();
        let mut bytes = Box::new([0; READ_BYTES]);
        loop {
            let ready = self.wait();
            let now = Instant::now();
            self.desk.lines.bell.hear();
            self.take_answers(now);
            for number in ready {
                if let Some(connection) = self.connections.get_mut(&number) {
                    match connection.interest() {
                        PollFlags::IN => connection.read(&mut bytes, now),
                        _ => connection.write(now),
                    }
                    self.desk.go_on(number, connection, now);
                }
            }
            if self.take_handed(now) {
                return;
            }
            self.accept(now);
            self.desk.lines.hand_over(&mut self.desk.turn);
            self.end_overdue(now);
            if std::mem::take(&mut self.desk.stops) {
                // As from outside: whoever waits for signals knows what to do.
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
            }
        }
    }

    /// Waits until something happens, or a deadline comes. Gives back whose sockets are ready.
    fn wait(&self) -> Vec<u64> {
        let now = Instant::now();
        let deadline = self.connections.values().map(|connection| connection.deadline).min();
        let timeout = deadline.map(|deadline| timespec(deadline.saturating_duration_since(now)));
        let mut descriptors = vec![PollFd::new(&*self.desk.lines.bell, PollFlags::IN)];
        descriptors.extend(self.listener.iter().map(|listener| PollFd::new(listener, PollFlags::IN)));
        let fixed = descriptors.len();
        let waiting: Vec<(&u64, &Connection)> =
            self.connections.iter().filter(|(_, connection)| !connection.interest().is_empty()).collect();
        descriptors
            .extend(waiting.iter().map(|(_, connection)| PollFd::new(*connection, connection.interest())));
        if poll(&mut descriptors, timeout.as_ref()).is_err() {
            // Interrupted: nothing is known of anybody.
            return Vec::new();
        }
        let ready =
            descriptors[fixed..].iter().zip(&waiting).filter(|(found, _)| !found.revents().is_empty());
        ready.map(|(_, (number, _))| **number).collect()
    }

    fn take_answers(&mut self, now: Instant) {
        while let Ok(Answer { number: call, bytes }) = self.desk.lines.answers.try_recv() {
            let Some((number, finds)) = self.desk.calls.remove(&call) else { continue };
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            if matches!(&connection.stage, Stage::Working(working) if working.call == call) {
                let came = self.desk.came(finds, bytes, now);
                self.desk.continue_work(number, connection, came, now);
                self.desk.go_on(number, connection, now);
            }
        }
    }

    /// Takes in whoever comes from the admin address. Whether the thread is to end.
    fn take_handed(&mut self, now: Instant) -> bool {
        loop {
            match self.handed.try_recv() {
                Ok(Handed { stream, bytes }) => {
                    // Answers are small, and are not to wait for each other.
                    let _ = stream.set_nodelay(true);
                    self.begin(stream.into(), Origin::Address, bytes, now);
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..CONNECTIONS {
            let Some(Ok((stream, _))) = self.listener.as_ref().map(UnixListener::accept) else { return };
            if stream.set_nonblocking(true).is_ok() {
                self.begin(stream.into(), Origin::Socket, Vec::new(), now);
            }
        }
    }

    fn begin(&mut self, socket: OwnedFd, origin: Origin, incoming: Vec<u8>, now: Instant) {
        let mut connection = Connection::new(socket, origin, incoming, now);
        if self.connections.len() >= CONNECTIONS && !self.make_room() {
            connection.answer(&Response::refusal(503, "too many are being answered"), true, now);
            return connection.write(now);
        }
        self.last += 1;
        self.desk.go_on(self.last, &mut connection, now);
        self.connections.insert(self.last, connection);
    }

    /// Closes the connection that has been silent for longest; whether there is one.
    fn make_room(&mut self) -> bool {
        let idle = self.connections.iter().filter(|(_, connection)| connection.is_idle());
        let oldest = idle.min_by_key(|(_, connection)| connection.deadline).map(|(number, _)| *number);
        oldest.is_some_and(|number| self.connections.remove(&number).is_some())
    }

    fn end_overdue(&mut self, now: Instant) {
        for connection in self.connections.values_mut().filter(|connection| connection.deadline <= now) {
            if let Stage::Working(working) = &connection.stage
                && !working.has_begun
            {
                self.desk.calls.remove(&working.call);
                warn!("{}: not answered in time", working.about);
                connection.answer(&Response::refusal(503, "not answered in time: repeat it"), true, now);
                connection.write(now);
            } else {
                connection.stage = Stage::Over;
            }
        }
        self.connections.retain(|_, connection| !connection.is_over());
    }
}

impl Connection {
    /// Has an answer written.
    fn answer(&mut self, response: &Response, is_last: bool, now: Instant) {
        let is_last = is_last || response.is_final();
        response.write(&mut self.outgoing, is_last);
        self.stage = if is_last { Stage::Ending } else { Stage::Answering };
        self.deadline = now + WRITE;
    }
}

impl Desk {
    /// Goes on with a connection as far as it can: requests that have come are read, answers written.
    fn go_on(&mut self, number: u64, connection: &mut Connection, now: Instant) {
        loop {
            match connection.stage {
                Stage::Answering | Stage::Ending => connection.write(now),
                Stage::Working(ref working) if working.has_begun && working.call == 0 => {
                    connection.write(now);
                    if connection.outgoing.is_empty() {
                        self.continue_work(number, connection, Ok(Came::Nothing), now);
                        continue;
                    }
                }
                Stage::Asking if connection.outgoing.is_empty() && !connection.incoming.is_empty() => {
                    if !self.read(number, connection, now) {
                        return;
                    }
                }
                Stage::Asking | Stage::Working(_) | Stage::Lingering | Stage::Over => return,
            }
            if !connection.outgoing.is_empty() {
                return;
            }
        }
    }

    /// Reads one request; whether there was one.
    fn read(&mut self, number: u64, connection: &mut Connection, now: Instant) -> bool {
        match http::read(&connection.incoming) {
            Asked::Partial { waits } => {
                if waits && !connection.told_to_go_on {
                    connection.told_to_go_on = true;
                    connection.outgoing.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    connection.write(now);
                }
                false
            }
            Asked::Refused(response) => {
                connection.answer(&response, true, now);
                true
            }
            Asked::Whole(request) => {
                let body = connection.incoming[request.body.clone()].to_vec();
                connection.incoming.drain(..request.body.end);
                self.begin(number, connection, &request, &body, now);
                true
            }
        }
    }

    /// A request is whole: begins what it asks for.
    fn begin(
        &mut self,
        number: u64,
        connection: &mut Connection,
        request: &Request,
        body: &[u8],
        now: Instant,
    ) {
        let who = match connection.origin {
            Origin::Socket => "socket".to_owned(),
            Origin::Address => match self.tokens.name_of(request.bearer.as_deref().unwrap_or_default()) {
                Some(name) => format!("token {name}"),
                None => {
                    let text = "the API needs one of the server's tokens: Authorization: Bearer TOKEN";
                    return connection.answer(&Response::refusal(401, text), true, now);
                }
            },
        };
        let (path, is_last) = (request.path.as_str(), request.is_last);
        match (request.method.as_str(), path) {
            ("GET", "/v1/openapi.json") => {
                return connection.answer(&Response::json(OPENAPI.to_vec()), is_last, now);
            }
            (_, "/v1/openapi.json") => return connection.answer(&Response::only("GET"), is_last, now),
            (_, path) if !acts::is_act(path) => {
                let text = "there is no such act: /v1/openapi.json has those there are";
                return connection.answer(&Response::refusal(404, text), is_last, now);
            }
            ("POST", _) => {}
            _ => return connection.answer(&Response::only("POST"), is_last, now),
        }
        let act = path.trim_start_matches("/v1/");
        match acts::plan(path, body) {
            Ok(planned) => {
                let about = format!("api {who}: {act} {}", planned.about);
                let forgets = act == "users.delete";
                let working =
                    Working { work: planned.work, about, call: 0, is_last, has_begun: false, forgets };
                connection.stage = Stage::Working(Box::new(working));
                self.continue_work(number, connection, Ok(Came::Nothing), now);
            }
            Err(refused) => {
                info!("api {who}: {act}: errno {}", refused.0.errno());
                connection.answer(&Response::json(refused.bytes()), is_last, now);
            }
        }
    }

    /// What an answer is to the work that waits for it.
    fn came(&mut self, finds: Option<AccountName>, bytes: Vec<u8>, now: Instant) -> Result<Came, Refused> {
        let Some(name) = finds else { return Ok(Came::Answer(bytes)) };
        let actor = work::found(&bytes)?;
        self.names.learn(name, actor.clone(), now);
        Ok(Came::Found(actor))
    }

    /// The next step of an act, and those after it that need no core.
    fn continue_work(
        &mut self,
        number: u64,
        connection: &mut Connection,
        mut came: Result<Came, Refused>,
        now: Instant,
    ) {
        let Stage::Working(working) = &mut connection.stage else { return };
        let response = loop {
            let next = came.and_then(|came| working.work.go_on(came));
            let (user, deed, finds) = match next {
                Err(_) if working.has_begun => {
                    // Cut off: whoever reads it sees that it is not all.
                    return connection.stage = Stage::Over;
                }
                Err(refused) => break Response::json(refused.bytes()),
                Ok(Next::Done(bytes)) if bytes.is_empty() => {
                    break Response::refusal(503, "the server is stopping");
                }
                Ok(Next::Done(bytes)) => break Response::json(bytes),
                Ok(Next::Part(lines)) => {
                    if !working.has_begun {
                        http::begin_lines(&mut connection.outgoing, working.is_last);
                    }
                    http::write_lines(&mut connection.outgoing, &lines);
                    (working.has_begun, working.call) = (true, 0);
                    connection.deadline = now + WRITE;
                    return;
                }
                Ok(Next::End) => {
                    info!("{}: all of it", working.about);
                    http::end_lines(&mut connection.outgoing);
                    let is_last = working.is_last;
                    connection.stage = if is_last { Stage::Ending } else { Stage::Answering };
                    connection.deadline = now + WRITE;
                    return;
                }
                Ok(Next::Stop) => {
                    self.stops = true;
                    break Response::json(b"{\"errno\":0}".to_vec());
                }
                Ok(Next::Find(name)) => match self.names.get(&name, now) {
                    Some(actor) => {
                        came = Ok(Came::Found(actor));
                        continue;
                    }
                    None => (acts::ANYBODY, work::find(&name), Some(name)),
                },
                Ok(Next::Call(user, deed)) => (user, deed, None),
            };
            self.last_call += 1;
            let call = Call { number: self.last_call, deed };
            if self.lines.call(&mut self.turn, user.get(), call).is_err() {
                if working.has_begun {
                    return connection.stage = Stage::Over;
                }
                break Response::refusal(503, "too much is asked for at once");
            }
            self.calls.insert(self.last_call, (number, finds));
            working.call = self.last_call;
            connection.deadline = now + STEP;
            return;
        };
        info!("{}: {}", working.about, response.outcome());
        if working.forgets {
            self.names.forget();
        }
        let is_last = working.is_last;
        connection.answer(&response, is_last, now);
    }
}

fn timespec(duration: Duration) -> Timespec {
    // Rounded up: a deadline that is not quite there would turn the loop for nothing.
    let duration = duration + Duration::from_millis(1);
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}
