//! Gets connections ready to be driven: registers users, logs them in, gathers groups, fills a relay's rooms.
//!
//! Plain blocking exchanges on a few threads, so that as many are under way as there are threads and never more.
//! Nothing here is measured, and nothing here runs while something is.

use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::door::Door;
use super::stream::Stream;
use crate::wire::{self, Answer, Dialect, Frames, Speaker, msgid};

/// A connection that asks one thing at a time and waits, until it is driven; with whatever part of a frame had come
/// already.
pub struct Enlisted {
    pub stream: Stream,
    pub frames: Frames,
}

impl Enlisted {
    /// Whether the server still holds its end.
    pub fn is_alive(&self) -> bool {
        // Whatever it has said before its end.
        let mut looked = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        poll(&mut looked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ended| ended == 0)
    }
}

/// Registrations or logins under way at once. The server hashes passwords on a small pool, so more would only wait.
const UNDER_WAY_MAX: usize = 16;

/// One exchange, retries included, takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

const PASSWORD: &str = "measured";

/// The beginning of every user name of this run: no other run shares it.
pub fn name_prefix() -> String {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mixed = since_1970.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32);
    format!("p{:08x}", crate::plan::Random::new(mixed).next() as u32)
}

/// Registers `count` users over a few connections, each reused for many.
pub fn register(door: &Door, prefix: &str, count: usize, stop: &AtomicBool) -> Result<Vec<Speaker>, String> {
    in_parallel(count, stop, |numbers| {
        let mut line = None;
        let mut registered = Vec::new();
        for number in numbers {
            let line = match &mut line {
                Some(line) => line,
                none => none.insert(Enlisted::connect(door, number)?),
            };
            let name = format!("{prefix}{number:05}");
            let answer = line.ask(&wire::register(&name, PASSWORD), msgid::REGISTER_ACK)?;
            let id = answer.id.ok_or_else(|| format!("registering {name}: the answer has no id"))?;
            registered.push((number, Speaker { id, name }));
        }
        Ok(registered)
    })
}

/// Logs every speaker in, each on a connection of its own, in their order.
pub fn log_in(
    door: &Door,
    speakers: &[Speaker],
    dialect: Dialect,
    stop: &AtomicBool,
) -> Result<Vec<Enlisted>, String> {
    in_parallel(speakers.len(), stop, |numbers| {
        let mut logged_in = Vec::new();
        for number in numbers {
            let mut line = Enlisted::connect(door, number)?;
            line.ask(&login(&speakers[number], dialect), msgid::LOGIN_ACK)?;
            logged_in.push((number, line));
        }
        Ok(logged_in)
    })
}

/// Says each of these logins on a connection of its own, which ends when it is answered.
pub fn visit(door: &Door, logins: &[Vec<u8>], stop: &AtomicBool) -> Result<(), String> {
    let visited = in_parallel(logins.len(), stop, |numbers| {
        let visit = |number: usize| {
            Enlisted::connect(door, number)?.ask(&logins[number], msgid::LOGIN_ACK).map(|_| (number, ()))
        };
        numbers.map(visit).collect()
    });
    visited.map(drop)
}

/// Logs every speaker in and cuts the connection again; what each comes back with.
pub fn tokens(door: &Door, speakers: &[Speaker], stop: &AtomicBool) -> Result<Vec<String>, String> {
    in_parallel(speakers.len(), stop, |numbers| {
        let mut given = Vec::new();
        for number in numbers {
            let mut line = Enlisted::connect(door, number)?;
            let answer = line.ask(&login(&speakers[number], Dialect::V2), msgid::LOGIN_ACK)?;
            let token =
                answer.token.ok_or("the answer to a login in v2 has no token: does this server speak v2?")?;
            given.push((number, token));
        }
        Ok(given)
    })
}

/// The login request of a user that was registered here.
pub fn login(speaker: &Speaker, dialect: Dialect) -> Vec<u8> {
    wire::login(speaker.id, PASSWORD, dialect)
}

/// Makes one group of these users, who are logged in: the first creates it, the others join. Gives its id.
pub fn gather(enlisted: &mut [Enlisted], speakers: &[Speaker], stop: &AtomicBool) -> Result<i64, String> {
    let mut group = None;
    for (enlisted, speaker) in enlisted.iter_mut().zip(speakers) {
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        let cid = format!("gather-{}", speaker.name);
        let request = match group {
            None => wire::create_group(speaker.id, &format!("g{}", speaker.name), &cid),
            Some(group) => wire::add_group(speaker.id, group, &cid),
        };
        let answer = enlisted.ask(&request, msgid::ACK)?;
        if group.is_none() {
            group = Some(answer.groupid.ok_or("a group was created and its ACK has no groupid")?);
        }
    }
    group.ok_or_else(|| "a group of nobody".into())
}

/// Connects the rooms of a relay, each of so many, and waits until each is complete.
pub fn fill_rooms(
    door: &Door,
    rooms: impl Iterator<Item = usize>,
    stop: &AtomicBool,
) -> Result<Vec<Enlisted>, String> {
    let mut enlisted = Vec::new();
    for (room, members) in rooms.enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        let first = enlisted.len();
        let lines: Result<Vec<Enlisted>, String> =
            (first..first + members).map(|user| Enlisted::connect(door, user)).collect();
        let mut lines = lines?;
        for line in &mut lines {
            line.say(format!("{members} {room}\n").as_bytes())?;
        }
        for mut line in lines {
            line.hear(|frame| (frame == b"together").then_some(()))?;
            enlisted.push(line);
        }
    }
    Ok(enlisted)
}

/// Spreads the numbers `0..count` over threads and puts the results back in order.
fn in_parallel<T: Send>(
    count: usize,
    stop: &AtomicBool,
    work: impl Fn(&mut dyn Iterator<Item = usize>) -> Result<Vec<(usize, T)>, String> + Sync,
) -> Result<Vec<T>, String> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Ok(Vec::with_capacity(count)));
    std::thread::scope(|scope| {
        for _ in 0..UNDER_WAY_MAX.min(count) {
            scope.spawn(|| {
                let mut numbers = std::iter::from_fn(|| {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    (number < count && !stop.load(Ordering::Relaxed)).then_some(number)
                });
                let result = work(&mut numbers);
                let mut done = done.lock().expect("no holder of this lock panics");
                match (&mut *done, result) {
                    (Ok(all), Ok(some)) => all.extend(some),
                    (Err(_), _) => {}
                    (first_failure, Err(reason)) => {
                        *first_failure = Err(reason);
                        next.store(count, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut all = done.into_inner().expect("no holder of this lock panics")?;
    if all.len() < count {
        return Err("interrupted".into());
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}

impl Enlisted {
    pub(super) fn connect(door: &Door, user: usize) -> Result<Enlisted, String> {
        let mut line = Enlisted { stream: door.connect(user, PATIENCE)?, frames: Frames::new(door.framing) };
        line.write(door.framing.greeting())?;
        Ok(line)
    }

    pub(super) fn say(&mut self, line: &[u8]) -> Result<(), String> {
        let mut bytes = Vec::with_capacity(line.len() + 8);
        self.frames.framing().append(line, &mut bytes);
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| format!("the server did not take a request: {error}"))
    }

    /// Reads until `wanted` recognises a frame. Pings are answered.
    pub(super) fn hear<T>(&mut self, wanted: impl Fn(&[u8]) -> Option<T>) -> Result<T, String> {
        let mut buffer = [0; 4096];
        let (mut found, mut pings) = (None, Vec::new());
        while found.is_none() || self.stream.has_spilled() {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("the server closed the connection instead of answering".into()),
                Ok(bytes) => self.frames.take(&buffer[..bytes], |frame| match Answer::ping(frame) {
                    Some(n) => pings.push(n),
                    None if found.is_none() => found = wanted(frame),
                    None => {}
                }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("no answer from the server: {error}")),
            }
        }
        pings.into_iter().try_for_each(|n| self.say(&wire::pong(n)))?;
        Ok(found.expect("the loop ends when something is found"))
    }

    /// Asks until the server does not say "try again", and insists on errno 0.
    pub(super) fn ask(&mut self, request: &[u8], wanted: i64) -> Result<Answer, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.say(request)?;
            let answer = self.hear(|frame| {
                let answer = Answer::read(frame);
                matches!(answer.msgid, Some(id) if id == wanted || id == msgid::ERROR).then_some(answer)
            })?;
            match answer.errno {
                Some(0) if answer.msgid == Some(wanted) => return Ok(answer),
                Some(TOO_FAST | BUSY) if Instant::now() < deadline => {
                    let delay_ms = answer.retry_after_ms.unwrap_or(50).clamp(1, 5_000);
                    std::thread::sleep(Duration::from_millis(delay_ms as u64));
                }
                errno => {
                    let errno = errno.map_or("no errno".into(), |errno| format!("errno {errno}"));
                    let text = answer.errmsg.unwrap_or_default();
                    let request = String::from_utf8_lossy(request);
                    return Err(format!(
                        "the server refused {}: {errno} {text}",
                        request.trim_end_matches('\n')
                    ));
                }
            }
        }
    }
}

const TOO_FAST: i64 = 109;
const BUSY: i64 = 110;
