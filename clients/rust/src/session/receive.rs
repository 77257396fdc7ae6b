//! What the server says, and which request it answers.

use super::outbox::Entry;
use super::{Output, Session, resolved};
use crate::dialect::{Heard, Saying};
use crate::event::{Answer, Event};
use crate::message::{Conversation, Mark};
use crate::refusal::{Failure, Refusal};
use crate::request::Request;
use crate::roster::Person;
use crate::row::Row;
use crate::secret::Secret;
use chatd_chat::model::ids::GroupId;
use chatd_chat::wire::code::Code;
use std::time::{Duration, Instant};

/// How often a message is said that the server is too busy to store.
pub(super) const BUSY_TRIES: u32 = 8;
const BUSY_WAIT: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn on_frame(&mut self, frame: &[u8], now: Instant, out: &mut Vec<Output>) {
        self.keepalive.note_frame(now);
        let Ok(heard) = self.dialect.read(frame) else {
            if !std::mem::replace(&mut self.garbled_told, true) {
                out.push(Output::Tell(Event::BadFrame));
            }
            return;
        };
        if !matches!(heard, Heard::Refused { .. } | Heard::LoginRefused(_) | Heard::Unknown) {
            self.failover.worked();
        }
        match heard {
            Heard::LoggedIn(entrance) => {
                if let Some(whole) = self.reassembly.entrance(*entrance) {
                    self.entered(whole, now, out);
                }
            }
            Heard::LoginRefused(refusal) => self.login_refused(refusal, now, out),
            Heard::Registered(user) => self.registered(Ok(Answer::Registered(user)), out),
            Heard::NotRegistered(refusal) => self.not_registered(refusal, out),
            Heard::Message(message) => self.comes(Row::Said(message), now, out),
            Heard::Presence(user, online) => out.push(Output::Tell(Event::Presence { user, online })),
            Heard::Friends { friends, complete } => {
                if let Some(friends) = self.reassembly.friends(friends, complete) {
                    self.friends.clone_from(&friends);
                    out.push(Output::Tell(Event::Friends(friends)));
                }
            }
            Heard::Done { cid, group, mark, chg, token } => {
                self.outbox.acknowledged();
                self.note_done(&cid, token);
                self.done(&cid, group, (mark, chg), now, out);
            }
            Heard::Found { cid, person } => self.answered(&cid, out, |_| Answer::Found(person)),
            Heard::History { cid, rows, chg, complete } => self.answered(&cid, out, |entry| {
                let Request::History { of, .. } = entry.request else { return Answer::Done };
                Answer::History { rows: rows.into_iter().map(|row| row.of(of)).collect(), chg, complete }
            }),
            Heard::Members { cid, members, complete } => {
                self.answered(&cid, out, |_| Answer::Members { members, complete });
            }
            Heard::Refused { cid: Some(cid), refusal } if self.places.is_asked(&cid) => {
                self.sync_refused(&refusal, now, out);
            }
            Heard::Refused { cid: Some(cid), refusal } => {
                self.outbox.acknowledged();
                self.refused(&cid, refusal, now, out);
            }
            Heard::Refused { cid: None, refusal } => {
                if is_farewell(refusal.errno) {
                    self.last_words = Some(refusal);
                } else {
                    out.push(Output::Tell(Event::Notice(refusal)));
                }
            }
            Heard::Ping(n) => self.write(Saying::Pong(n), out),
            Heard::Pong | Heard::Unknown => {}
            heard => self.hear_of_devices(heard, now, out),
        }
    }

    fn done(
        &mut self,
        cid: &str,
        group: Option<GroupId>,
        (mark, chg): (Mark, Option<u64>),
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let friends = self.friends_asked_for(cid);
        let (pos, mut said_in, mut made) = (mark.pos, None, None);
        self.answered(cid, out, |entry| match (&entry.request, group) {
            (Request::ShowFriends, _) => Answer::Friends(friends),
            (
                Request::SetRole { group, .. }
                | Request::Kick { group, .. }
                | Request::Mute { group, .. }
                | Request::SetGroup { group, .. }
                | Request::AnswerJoin { group, .. },
                _,
            ) => {
                said_in = Some(Conversation::In(*group));
                Answer::Ruled(Mark { cid: Some(entry.cid.clone()), ..mark })
            }
            (Request::Say { to, .. }, _) => {
                said_in = Some(*to);
                Answer::Safe(Mark { cid: Some(entry.cid.clone()), ..mark })
            }
            (Request::Edit { of, .. } | Request::Recall { of, .. } | Request::React { of, .. }, _) => {
                made = chg.map(|chg| (*of, chg, entry.request.clone()));
                Answer::Changed(chg.unwrap_or(0))
            }
            (Request::Read { pos: asked, .. }, _) => Answer::ReadUpTo(pos.unwrap_or(*asked)),
            (_, Some(group)) => Answer::Group(group),
            _ => Answer::Done,
        });
        if let (Some(conversation), Some(pos)) = (said_in, pos) {
            self.said(conversation, pos, now, out);
        }
        if let Some((conversation, chg, request)) = made {
            self.made(conversation, chg, request, now, out);
        }
    }

    /// A row comes; where something before it is missing, that is told first.
    pub(super) fn comes(&mut self, row: Row, now: Instant, out: &mut Vec<Output>) {
        if let Some(row) = self.places.hold(row) {
            self.tell(row, now, out);
        }
    }

    /// Tells a row that is new; confirms a message that is not, for the server cannot know. Whether it was new.
    pub(super) fn tell(&mut self, row: Row, now: Instant, out: &mut Vec<Output>) -> bool {
        let is_new = self.dedup.is_new(&row);
        match row {
            Row::Said(message) if is_new => out.push(Output::Tell(Event::Message(message))),
            Row::Said(message) => message.mark.mid.into_iter().for_each(|mid| self.arrived.add(mid, now)),
            Row::Recalled(recalled) => out.push(Output::Tell(Event::Recalled(recalled))),
            Row::Happened(event) if is_new => out.push(Output::Tell(Event::Group(event))),
            Row::Happened(event) => event.mark.mid.into_iter().for_each(|mid| self.arrived.add(mid, now)),
        }
        is_new
    }

    /// A request is done, and may have changed how to come back.
    fn note_done(&mut self, cid: &str, token: Option<Secret>) {
        match self.outbox.find(cid).map(|entry| &entry.request) {
            Some(Request::ChangePassword { new, .. }) => {
                let new = new.clone();
                self.password_changed(new, token);
            }
            Some(Request::LoginJwt { jwt, .. }) => {
                let jwt = jwt.clone();
                self.jwt_renewed(jwt);
            }
            _ => {}
        }
    }

    /// The list came before the word that this is all of it.
    fn friends_asked_for(&mut self, cid: &str) -> Vec<Person> {
        let asked = self.outbox.find(cid).is_some_and(|entry| entry.request == Request::ShowFriends);
        if asked { std::mem::take(&mut self.friends) } else { Vec::new() }
    }

    pub(super) fn answered(
        &mut self,
        cid: &str,
        out: &mut Vec<Output>,
        answer: impl FnOnce(&Entry) -> Answer,
    ) {
        let Some(entry) = self.outbox.take(cid) else { return };
        out.push(resolved(entry.request_id, Ok(answer(&entry))));
        if entry.request == Request::Logout {
            self.forget_account(out);
        }
    }

    fn registered(&mut self, result: Result<Answer, Failure>, out: &mut Vec<Output>) {
        if let Some(registration) = self.registration.take() {
            out.push(resolved(registration.request_id, result));
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
        out.push(resolved(longest, Err(Failure::Refused(words.clone()))));
        self.outbox.settle(|entry| entry.request_id == longest);
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
        out.push(resolved(entry.request_id, result));
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
            Request::AddFriend(_) | Request::AddGroup(_) | Request::AskFriend { .. } => told(&[Code::Exists]),
            Request::DelFriend(_) | Request::DropDevice(_) => told(&[Code::NoSuchUser]),
            Request::DelGroup(_) => told(&[Code::NoSuchGroup, Code::NotAMember]),
            _ => false,
        }
}
