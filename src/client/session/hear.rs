//! What the server says, and which request it answers.

use super::outbox::Entry;
use super::{Output, Session, settled};
use crate::chat::wire::code::Code;
use crate::client::dialect::Heard;
use crate::client::event::{Answer, Event};
use crate::client::refusal::{Failure, Refusal};
use crate::client::request::Request;
use std::time::{Duration, Instant};

/// How often a message is said that the server is too busy to store.
pub(super) const BUSY_TRIES: u32 = 8;
const BUSY_WAIT: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn frame(&mut self, frame: &[u8], now: Instant, out: &mut Vec<Output>) {
        let Ok(heard) = self.dialect.read(frame) else {
            if !std::mem::replace(&mut self.garbled_told, true) {
                out.push(Output::Tell(Event::Garbled));
            }
            return;
        };
        if !matches!(heard, Heard::Refused { .. } | Heard::LoginRefused(_) | Heard::Unknown) {
            self.route.worked();
        }
        match heard {
            Heard::LoggedIn(welcome, waiting) => self.entered(welcome, waiting, out),
            Heard::LoginRefused(refusal) => self.login_refused(refusal, now, out),
            Heard::Registered(user) => self.registered(Ok(Answer::Registered(user)), out),
            Heard::NotRegistered(refusal) => self.not_registered(refusal, out),
            Heard::Message(message) => out.push(Output::Tell(Event::Message(message))),
            Heard::Friends(friends) => {
                self.friends.clone_from(&friends);
                out.push(Output::Tell(Event::Friends(friends)));
            }
            Heard::Done { cid, group } => {
                let Some(entry) = self.outbox.take(&cid) else { return };
                let answer = match (&entry.request, group) {
                    (Request::ShowFriends, _) => Answer::Friends(std::mem::take(&mut self.friends)),
                    (_, Some(group)) => Answer::Group(group),
                    _ => Answer::Done,
                };
                out.push(settled(entry.ticket, Ok(answer)));
                if entry.request == Request::Logout {
                    self.forget_account(out);
                }
            }
            Heard::Refused { cid: Some(cid), refusal } => self.refused(&cid, refusal, now, out),
            Heard::Refused { cid: None, refusal } => {
                if is_farewell(refusal.errno) {
                    self.last_words = Some(refusal);
                } else {
                    out.push(Output::Tell(Event::Notice(refusal)));
                }
            }
            Heard::Unknown => {}
        }
    }

    fn registered(&mut self, result: Result<Answer, Failure>, out: &mut Vec<Output>) {
        if let Some(registration) = self.registration.take() {
            out.push(settled(registration.ticket, result));
        }
    }

    fn not_registered(&mut self, mut refusal: Refusal, out: &mut Vec<Output>) {
        let again = self.registration.as_ref().is_some_and(|registration| registration.attempts > 1);
        if again && refusal.errno == Code::Refused.errno() {
            refusal.text = "the name is taken, perhaps by this registration: the connection was lost before \
                            its answer came"
                .to_owned();
        }
        self.registered(Err(Failure::Refused(refusal)), out);
    }

    /// A server with a smaller bound hangs up on a frame without saying which. It would do so again
    /// and again: the longest that is not answered goes.
    pub(super) fn give_up_what_is_too_large(&mut self, out: &mut Vec<Output>) {
        let Some(words) = self.last_words.as_ref().filter(|words| words.errno == Code::TooLarge.errno())
        else {
            return;
        };
        let Some(longest) = self.outbox.longest_written() else { return };
        out.push(settled(longest, Err(Failure::Refused(words.clone()))));
        self.outbox.settle(|entry| entry.ticket == longest);
    }

    fn refused(&mut self, cid: &str, refusal: Refusal, now: Instant, out: &mut Vec<Output>) {
        let Some(entry) = self.outbox.find(cid) else { return };
        let wait = refusal.retry_after_ms.map_or(BUSY_WAIT, Duration::from_millis);
        if is_passing(refusal.errno) && entry.attempts < BUSY_TRIES {
            return self.outbox.put_off(cid, now + wait);
        }
        let Some(entry) = self.outbox.take(cid) else { return };
        let result = match done_before(&entry, refusal.errno) {
            true => Ok(Answer::Done),
            false => Err(Failure::Refused(refusal)),
        };
        out.push(settled(entry.ticket, result));
    }
}

/// Whether the server may say yes a moment later.
pub(super) fn is_passing(errno: u16) -> bool {
    [Code::Busy, Code::TooFast, Code::Draining].iter().any(|code| code.errno() == errno)
}

/// Whether the server hangs up after saying this of no request in particular; it is told with that.
fn is_farewell(errno: u16) -> bool {
    const FAREWELLS: [Code; 6] =
        [Code::NotAFrame, Code::TooLarge, Code::Replaced, Code::Draining, Code::TooSlow, Code::TooMany];
    FAREWELLS.iter().any(|code| code.errno() == errno)
}

/// Whether a request that was written before, on a connection that was lost, turns out to have been
/// granted then: what it wants made is there, what it wants gone is not.
fn done_before(entry: &Entry, errno: u16) -> bool {
    let told = |codes: &[Code]| codes.iter().any(|code| code.errno() == errno);
    entry.attempts > 1
        && match entry.request {
            Request::AddFriend(_) | Request::AddGroup(_) => told(&[Code::Exists]),
            Request::DelFriend(_) => told(&[Code::NoSuchUser]),
            Request::DelGroup(_) => told(&[Code::NoSuchGroup, Code::NotAMember]),
            _ => false,
        }
}
