//! Accounts: registration, passwords, and the claim of a user's name.
//!
//! One login a user, in the whole cluster: the order of the user's channel decides. A core that
//! has checked the password joins the channel, publishes a claim, and has won once its claim came
//! back before any other and every other listener said that it holds nothing (or stayed silent
//! for `claim_ms`, which means that it is dead).

use super::ask::{Answer, Ask, Done, Password, Roster, Secret, Token, Who};
use super::effect::Effect;
use super::envelope::{Demand, Envelope, Kind};
use super::event::{BusDown, Channel};
use super::hub::{About, Hub};
use super::ids::{MessageId, SessionId, UserId};
use super::orphan::Orphan;
use super::pending::{Change, Pending};
use super::presence::Gone;
use super::rejoin::reclaim;
use super::session::{Claim, Entering, Held, Leaving, Pause, Phase, Visit};
use super::wire::code::Code;
use super::wire::msgid;
use super::wire::reply::{self, Outcome};
use super::wire::request::{Dialect, Named, Takeover};
use rustc_hash::{FxHashMap, FxHashSet};

/// What a login asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login<'a> {
    pub(super) who: Named<'a>,
    pub(super) password: &'a str,
    pub(super) dialect: Dialect,
    pub(super) takeover: Takeover,
}

impl Hub {
    pub(super) fn register(
        &mut self,
        session: SessionId,
        name: &str,
        password: &str,
        dialect: Dialect,
        out: &mut Vec<Effect>,
    ) {
        let chars = name.chars().count();
        let wrong = if chars < 1 || chars > self.limits.name_chars {
            Some(format!("a name has 1 to {} characters", self.limits.name_chars))
        } else if name.chars().any(char::is_control) || name.trim() != name {
            Some("a name has no control characters and no space at its ends".to_owned())
        } else if password.is_empty() || password.len() > self.limits.password_bytes {
            Some(format!("a password has 1 to {} bytes", self.limits.password_bytes))
        } else {
            None
        };
        if let Some(text) = wrong {
            self.counts.error(Code::Refused);
            return self.reply(session, reply::not_registered(Code::Refused, Some(&text)), out);
        }
        self.session_mut(session).expect("looked at before").dialect = dialect;
        self.pause(session, Pause::Answering, out);
        let ticket = self.pending.insert(Pending::Register { session });
        let ask = Ask::Register { name: name.to_owned(), password: Password(password.to_owned()) };
        out.push(Effect::Ask { ticket, ask });
    }

    pub(super) fn registered(&mut self, session: SessionId, answer: Answer, out: &mut Vec<Effect>) {
        if let Err(code) = answer {
            self.counts.error(code);
        }
        let bytes = match answer {
            Ok(Done::Registered(user)) => reply::registered(user),
            Err(Code::Refused) => reply::not_registered(Code::Refused, None),
            Err(code) => reply::not_registered(code, Some(code.text())),
            Ok(_) => unreachable!("Register is answered with Registered"),
        };
        self.reply(session, bytes, out);
        self.resume(session, Pause::Answering, out);
    }

    /// `now_user` is who the session is already.
    pub(super) fn login(
        &mut self,
        about: About<'_>,
        now_user: Option<UserId>,
        login: Login<'_>,
        out: &mut Vec<Effect>,
    ) {
        if login.password.len() > self.limits.password_bytes && now_user.is_none() {
            let cid = about.cid.filter(|_| login.dialect == Dialect::V2);
            self.counts.error(Code::Refused);
            return self.reply(about.session, reply::not_logged_in(Code::Refused, cid), out);
        }
        if now_user.is_none() && self.guesses_too_fast(about, login.dialect, out) {
            return;
        }
        if !self.may_enter(about, now_user, login.dialect, out) {
            return;
        }
        let id = about.session;
        let who = match login.who {
            Named::Id(user) => Who::Id(user),
            Named::Name(name) => Who::Name(name.to_owned()),
        };
        let demand = match login.takeover {
            Takeover::Refuse => Demand::Nothing,
            Takeover::Replace => Demand::Takeover,
        };
        let ticket = self.pending.insert(Pending::Verify { session: id, demand });
        let password = Password(login.password.to_owned());
        out.push(Effect::Ask { ticket, ask: Ask::Verify { who, password } });
    }

    /// A login with a token instead of a password: no hash is computed for it.
    pub(super) fn resume_by_token(
        &mut self,
        about: About<'_>,
        now_user: Option<UserId>,
        token: &str,
        out: &mut Vec<Effect>,
    ) {
        if self.may_enter(about, now_user, Dialect::V2, out) {
            let secret = Secret(token.into());
            let ticket =
                self.pending.insert(Pending::Resume { session: about.session, secret: secret.clone() });
            out.push(Effect::Ask { ticket, ask: Ask::Resume { secret } });
        }
    }

    /// Begins to answer a login, unless the connection is somebody already: it must log out first,
    /// whoever it wants to be next.
    fn may_enter(
        &mut self,
        about: About<'_>,
        now_user: Option<UserId>,
        dialect: Dialect,
        out: &mut Vec<Effect>,
    ) -> bool {
        let cid = about.cid.filter(|_| dialect == Dialect::V2);
        if now_user.is_some() {
            self.counts.error(Code::AlreadyOnline);
            self.reply(about.session, reply::not_logged_in(Code::AlreadyOnline, cid), out);
            return false;
        }
        let session = self.session_mut(about.session).expect("looked at before");
        session.dialect = dialect;
        session.login_cid = cid.map(Into::into);
        self.pause(about.session, Pause::Answering, out);
        true
    }

    /// The password is right, or not. Only now is it told whether the user is online: nobody
    /// learns that without the password.
    pub(super) fn verified(&mut self, id: SessionId, demand: Demand, answer: Answer, out: &mut Vec<Effect>) {
        match answer {
            Ok(Done::Verified { user, name }) => {
                self.guessed_right(id);
                self.claim(id, user, name, demand, None, out);
            }
            Ok(_) => unreachable!("Verify is answered with Verified"),
            Err(code) => {
                if code == Code::Refused {
                    self.guessed_wrong(id);
                }
                self.refuse_login(id, code, out);
            }
        }
    }

    pub(super) fn resumed(&mut self, id: SessionId, secret: Secret, answer: Answer, out: &mut Vec<Effect>) {
        match answer {
            Ok(Done::Resumed { user, name, token }) => {
                let demand = Demand::Token(token);
                self.claim(id, user, name, demand, Some(Token { id: token, secret }), out);
            }
            Ok(_) => unreachable!("Resume is answered with Resumed"),
            Err(code) => self.refuse_entry(id, code, reply::not_resumed, out),
        }
    }

    /// Whoever wants in may be this user: joins the user's channel, to claim it there.
    fn claim(
        &mut self,
        id: SessionId,
        user: UserId,
        name: String,
        demand: Demand,
        token: Option<Token>,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.session(id).filter(|session| !session.closing) else { return };
        debug_assert!(matches!(session.phase, Phase::Anonymous), "requests wait while a login is answered");
        if let Some(&holder) = self.users.get(&user) {
            if !self.gives_way(holder, demand) {
                return self.refuse_login(id, Code::AlreadyOnline, out);
            }
            self.replace(holder, out);
        }
        self.users.insert(user, id);
        self.counts.entering += 1;
        let visit = Visit(self.clock.next(self.now).0);
        let entering = Entering {
            visit,
            user,
            name: name.into_boxed_str(),
            claim: Claim::Joining,
            demand,
            roster: Roster { token, ..Roster::default() },
            online: FxHashSet::default(),
            groups: FxHashMap::default(),
            awaited: 0,
            held: Held::default(),
            missing: FxHashMap::default(),
        };
        self.session_mut(id).expect("looked at above").phase = Phase::Entering(Box::new(entering));
        let ticket = self.pending.insert(Pending::JoinUser { session: id, visit });
        out.push(Effect::Join { ticket, channel: Channel::User(user) });
    }

    /// Every token of the user is worthless then; its session gets a new one.
    pub(super) fn change_password(
        &mut self,
        about: About<'_>,
        user: UserId,
        old: &str,
        new: &str,
        out: &mut Vec<Effect>,
    ) {
        if self.changes_too_fast(about, out) {
            return;
        }
        let most = self.limits.password_bytes;
        if new.is_empty() || new.len() > most {
            let text = format!("new has 1 to {most} bytes");
            return self.refuse_with(about, Code::InvalidField, &text, out);
        }
        if old.len() > most {
            return self.refuse(about, Code::Refused, out);
        }
        let ask = Ask::ChangePassword { user, old: Password(old.to_owned()), new: Password(new.to_owned()) };
        self.roll(about, user, ask, Change::Token, out);
    }

    pub(super) fn user_joined(
        &mut self,
        id: SessionId,
        visit: Visit,
        result: Result<(), BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let deadline = self.now.plus(self.limits.claim_ms);
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        if result.is_err() {
            return self.refuse_login(id, Code::Busy, out);
        }
        let (user, demand) = (entering.user, entering.demand);
        entering.claim = Claim::Published { deadline, seen: false, others: None, yields: 0 };
        self.claims.push((id, visit));
        let ticket = self.pending.insert(Pending::Claim { session: id, visit });
        let envelope = Envelope::demanding(user, visit.0, demand);
        out.push(Effect::Publish { ticket: Some(ticket), channel: Channel::User(user), envelope });
    }

    pub(super) fn claim_counted(
        &mut self,
        id: SessionId,
        visit: Visit,
        heard: Result<u32, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        let Claim::Published { others, .. } = &mut entering.claim else { return };
        match heard {
            Ok(heard) if heard > 0 => *others = Some(heard - 1),
            // Not even this core heard it: it is not on the channel, whatever it was told.
            _ => return self.refuse_login(id, Code::Busy, out),
        }
        self.decide_claim(id, visit, out);
    }

    /// A claim of this user, or what somebody answers to one.
    pub(super) fn claim_arrived(&mut self, envelope: &Envelope, out: &mut Vec<Effect>) {
        let (user, kind, number) = (envelope.user(), envelope.kind(), envelope.mid().0);
        let answer = |kind| {
            let envelope = Envelope::claim(kind, user, number);
            Effect::Publish { ticket: None, channel: Channel::User(user), envelope }
        };
        let visit = Visit(number);
        let Some(&id) = self.users.get(&user) else {
            // This core has just left, or is leaving: it stands in nobody's way.
            if kind == Kind::Claim && MessageId(number).core() != self.core {
                out.push(answer(Kind::Yield));
            }
            return;
        };
        let gives_way = self.gives_way(id, envelope.demand());
        let session = self.session_mut(id).expect("users point to sessions");
        let (own, claim, demand) = match &mut session.phase {
            Phase::Entering(entering) => (Some(entering.visit), &mut entering.claim, entering.demand),
            Phase::Online(online) => (Some(online.visit), &mut Claim::Won, Demand::Nothing),
            Phase::Anonymous => unreachable!("an anonymous session is nobody's"),
        };
        match (kind, claim) {
            (Kind::Claim, Claim::Published { seen, .. }) if own == Some(visit) => {
                *seen = true;
                self.decide_claim(id, visit, out);
            }
            (Kind::Claim, Claim::Won | Claim::Published { seen: true, .. }) => {
                if gives_way {
                    self.replace(id, out);
                }
                out.push(answer(if gives_way { Kind::Yield } else { Kind::Held }));
            }
            (Kind::Claim, Claim::Joining | Claim::Published { .. }) => {
                // Another claim came first. It wins, unless it gives way to this one.
                out.push(answer(Kind::Yield));
                if demand == Demand::Nothing {
                    self.refuse_login(id, Code::AlreadyOnline, out);
                }
            }
            (Kind::Held, Claim::Published { .. }) if own == Some(visit) => {
                self.refuse_login(id, Code::AlreadyOnline, out);
            }
            // It came too late: who held the user was silent for so long that it was taken for dead.
            (Kind::Held, Claim::Won) if own == Some(visit) => out.push(reclaim(user, visit)),
            (Kind::Yield, Claim::Published { yields, .. }) if own == Some(visit) => {
                *yields += 1;
                self.decide_claim(id, visit, out);
            }
            _ => {}
        }
    }

    fn decide_claim(&mut self, id: SessionId, visit: Visit, out: &mut Vec<Effect>) {
        let now = self.now;
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        let Claim::Published { seen, others, yields, deadline } = entering.claim else { return };
        let unopposed = others.is_some_and(|others| yields >= others);
        // Silence until the deadline means that the holder is dead; but the claim itself must have
        // made its way, or this core does not know what came before it.
        if seen && (unopposed || now >= deadline) {
            entering.claim = Claim::Won;
            self.claim_won(id, visit, out);
        } else if !seen && now >= deadline {
            self.refuse_login(id, Code::Busy, out);
        }
    }

    /// Claims whose deadline has passed are decided; those that are decided are forgotten.
    pub(super) fn expire_claims(&mut self, out: &mut Vec<Effect>) {
        for (id, visit) in std::mem::take(&mut self.claims) {
            self.decide_claim(id, visit, out);
            let entering = self.session_mut(id).and_then(|session| session.entering_mut(visit));
            if entering.is_some_and(|entering| matches!(entering.claim, Claim::Published { .. })) {
                self.claims.push((id, visit));
            }
        }
    }

    /// A login that comes to nothing: the connection lives on and may try again.
    pub(super) fn refuse_login(&mut self, id: SessionId, code: Code, out: &mut Vec<Effect>) {
        self.refuse_entry(id, code, reply::not_logged_in, out);
    }

    fn refuse_entry(
        &mut self,
        id: SessionId,
        code: Code,
        answer: fn(Code, Option<&str>) -> Vec<u8>,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.session_mut(id) else { return };
        let cid = session.login_cid.take();
        self.counts.error(code);
        self.part(id, Gone::Lost, out);
        self.reply(id, answer(code, cid.as_deref()), out);
        self.resume(id, Pause::Answering, out);
    }

    /// What TCP has acknowledged by now need not come again after the next login: looks first.
    pub(super) fn logout(&mut self, about: About<'_>, out: &mut Vec<Effect>) {
        let id = about.session;
        let leaving = Leaving { cid: about.cid.map(Into::into) };
        let session = self.session_mut(id).expect("looked at before");
        if session.unacked_bytes() == 0 {
            return self.log_out(id, leaving, out);
        }
        session.leaving = Some(leaving);
        self.pause(id, Pause::Answering, out);
        out.push(Effect::Probe { session: id });
    }

    /// The session's token is worthless from now on.
    pub(super) fn log_out(&mut self, id: SessionId, leaving: Leaving, out: &mut Vec<Effect>) {
        let session = self.session(id).expect("looked at before");
        if let (Some(user), Some(token)) = (session.user(), session.token()) {
            self.adopt(Orphan::Revoke { user, token }, out);
        }
        self.part(id, Gone::LoggedOut, out);
        if let Some(cid) = leaving.cid {
            self.reply(id, reply::ack(&cid, msgid::LOGOUT, Outcome::default()), out);
        }
        self.note_anonymous(id, out);
        self.resume(id, Pause::Answering, out);
    }
}
