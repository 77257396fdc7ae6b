//! One-to-one messages: encoded once, pushed here, published elsewhere, kept if nobody hears.

use super::ask::{Answer, Ask, Done};
use super::effect::Effect;
use super::envelope::{Envelope, Kind, Message, Storing, Target};
use super::event::{BusDown, Channel};
use super::hub::{About, Hub};
use super::ids::{SessionId, UserId};
use super::keep::Keep;
use super::orphan::Orphan;
use super::pending::{Change, Pending};
use super::session::{Claim, Phase};
use super::wire::code::Code;
use super::wire::msgid;
use super::wire::reply::{self, Outcome};

impl Hub {
    pub(super) fn one_chat(
        &mut self,
        about: About<'_>,
        user: UserId,
        to: UserId,
        msg: &str,
        time: Option<&str>,
        out: &mut Vec<Effect>,
    ) {
        let target = Target::User(to);
        let named = match about.cid.map(|cid| self.meet(about, cid, target, msg, out)) {
            Some(None) => return,
            named => named.flatten(),
        };
        self.counts.direct += 1;
        let envelope = self.seal(about, user, target, msg, time);
        if let Some(named) = named {
            self.note_said(about.session, named, envelope.mid());
        }
        match envelope.storing() {
            Storing::Always => self.keep(about.session, envelope.clone(), out),
            Storing::IfUnconfirmed => self.await_word(about.session, envelope.clone(), out),
            Storing::IfUnheard if self.keeping == Keep::All => {
                self.record(about.session, envelope.clone(), out);
            }
            Storing::IfUnheard => {}
        }
        self.deliver(about.session, envelope, out);
    }

    /// Encodes a message: the one time that this happens on its whole way.
    pub(super) fn seal(
        &mut self,
        about: About<'_>,
        sender: UserId,
        target: Target,
        msg: &str,
        time: Option<&str>,
    ) -> Envelope {
        let mut body = std::mem::take(&mut self.body);
        let mut scratch = std::mem::take(&mut self.scratch);
        body.clear();
        let mid = self.clock.next(self.wall);
        let ts = self.wall;
        let mut local_time = std::mem::take(&mut self.time);
        let time = time.unwrap_or_else(|| local_time.text(ts));
        let online = self.session(about.session).and_then(|session| session.online()).expect("is logged in");
        match target {
            Target::User(to) => reply::one_chat(&mut body, sender, &online.name, to, msg, time),
            Target::Group(group) => reply::group_chat(&mut body, sender, &online.name, group, msg, time),
        }
        let storing = match target {
            Target::User(_) if about.cid.is_none() => Storing::IfUnheard,
            Target::User(_) if self.keeping == Keep::Undelivered => Storing::IfUnconfirmed,
            _ => Storing::Always,
        };
        let cid = about.cid.unwrap_or("");
        let message = Message { sender, target, mid, ts, cid, storing, body: &body };
        let envelope = Envelope::read_at(message, self.read_us, &mut scratch);
        (self.body, self.scratch, self.time) = (body, scratch, local_time);
        envelope
    }

    /// Asks the store to keep a message that its sender wants to hear of.
    pub(super) fn keep(&mut self, session: SessionId, envelope: Envelope, out: &mut Vec<Effect>) {
        self.begin_settling(session, out);
        let ticket = self.pending.insert(Pending::Keep { session, envelope: envelope.clone() });
        out.push(Effect::Ask { ticket, ask: Ask::Keep { envelope } });
    }

    /// Gets a direct message to its reader, wherever that is. `session` is who sent it.
    pub(super) fn deliver(&mut self, session: SessionId, envelope: Envelope, out: &mut Vec<Effect>) {
        let to = envelope.user();
        if let Some(late) = self.late.get_mut(&to) {
            late.queue.push_back((session, envelope));
            return self.begin_settling(session, out);
        }
        match self.users.get(&to) {
            Some(&reader) if self.holds(reader) => {
                let debt = self.debt_to(reader, &envelope, out);
                self.push_or_hold(reader, envelope, debt, out);
            }
            _ => {
                self.begin_settling(session, out);
                let ticket = self.pending.insert(Pending::Direct { session, envelope: envelope.clone() });
                out.push(Effect::Publish { ticket: Some(ticket), channel: Channel::User(to), envelope });
            }
        }
    }

    /// Whether this session is the one login of its user. While the claim is undecided, another
    /// core may hold the user.
    fn holds(&self, id: SessionId) -> bool {
        match &self.session(id).expect("users point to sessions").phase {
            Phase::Online(_) => true,
            Phase::Entering(entering) => matches!(entering.claim, Claim::Won),
            Phase::Anonymous => false,
        }
    }

    pub(super) fn direct_counted(
        &mut self,
        session: SessionId,
        envelope: Envelope,
        heard: Result<u32, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        match heard {
            Ok(heard) if heard > 0 => self.end_settling(session, out),
            // Nobody, or nobody knows.
            _ => {
                self.unrecord(envelope.mid(), out);
                self.keep_awaited(envelope.mid(), out);
                self.keep_late(session, envelope, out);
            }
        }
    }

    pub(super) fn direct_arrived(&mut self, envelope: Envelope, out: &mut Vec<Effect>) {
        match self.users.get(&envelope.user()) {
            Some(&reader) => {
                let debt = self.debt_to(reader, &envelope, out);
                self.push_or_hold(reader, envelope, debt, out);
            }
            // The reader has just left. Whoever held it last keeps what comes too late.
            None => self.adopt(Orphan::Keep { envelope }, out),
        }
    }

    pub(super) fn kept(
        &mut self,
        session: SessionId,
        envelope: &Envelope,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        let direct = envelope.kind() == Kind::Direct;
        let re = if direct { msgid::ONE_CHAT } else { msgid::GROUP_CHAT };
        let cid = Some(envelope.cid()).filter(|cid| !cid.is_empty());
        match answer {
            Ok(Done::Kept { mid, ts, pos }) => {
                if let Some(cid) = cid {
                    let repeats = self.note_answered(session, envelope, Some((mid, ts, pos)));
                    for _ in 0..=repeats {
                        self.counts.acks += 1;
                        let outcome = Outcome { mid: Some(mid), pos, ts: Some(ts), ..Outcome::default() };
                        self.reply(session, reply::ack(cid, re, outcome), out);
                    }
                }
                if let (false, Some(pos)) = (direct, pos) {
                    self.group_kept(envelope.group(), mid, pos, out);
                }
                if direct && (envelope.mid() <= self.gone_after || self.renamed.has(envelope.mid())) {
                    self.nudge(envelope.user(), out);
                }
            }
            Ok(_) => unreachable!("Keep is answered with Kept"),
            Err(code) => {
                let sender = self.session(session).and_then(|session| session.user());
                if !direct && sender == Some(envelope.sender()) {
                    self.learn(session, Change::Leave { group: envelope.group() }, code, out);
                }
                let repeats = cid.map_or(0, |_| self.note_answered(session, envelope, None));
                for _ in 0..=repeats {
                    self.refuse(About { session, re, cid }, code, out);
                }
                if code == Code::Busy {
                    // Its readers may have it, so it is to be in the history too.
                    self.adopt_later(Orphan::Keep { envelope: envelope.clone() });
                }
            }
        }
        self.end_settling(session, out);
    }

    /// Whether the store refused for a reason that has to do with the message itself.
    pub(super) fn refuse_message(
        &mut self,
        session: SessionId,
        envelope: &Envelope,
        code: Code,
        out: &mut Vec<Effect>,
    ) {
        let cid = Some(envelope.cid()).filter(|cid| !cid.is_empty());
        self.refuse(About { session, re: msgid::ONE_CHAT, cid }, code, out);
    }
}
