//! Accounts: registration, passwords and tokens; the beginning of a login, and its end.
//!
//! Between the two, the user is claimed: that is next door, in `claim`.

use super::ask::{Answer, Ask, Done, Password, Proof, Secret, Token, TokenId, Who};
use super::claim::Claimant;
use super::effect::Effect;
use super::envelope::Demand;
use super::hub::{About, Hub};
use super::ids::{SessionId, UserId};
use super::name;
use super::orphan::Orphan;
use super::pending::{Change, Pending};
use super::presence::Gone;
use super::session::{Leaving, Pause, Visit};
use super::wire::code::Code;
use super::wire::msgid;
use super::wire::reply::{self, Outcome};
use super::wire::request::{Dialect, Named, Takeover};

/// What a login asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login<'a> {
    pub(super) who: Named<'a>,
    pub(super) password: &'a str,
    pub(super) dialect: Dialect,
    pub(super) takeover: Takeover,
}

/// A logout whose token is being revoked.
#[derive(Debug)]
pub(super) struct Revoking {
    /// The login that it ends.
    pub(super) visit: Visit,
    pub(super) token: TokenId,
    pub(super) leaving: Leaving,
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
        let checked = name::check(name, self.limits.name_chars).and_then(|name| {
            let most = self.limits.password_bytes;
            let fits = (1..=most).contains(&password.len());
            fits.then_some(name).ok_or_else(|| format!("a password has 1 to {most} bytes"))
        });
        let name = match checked {
            Ok(name) => name,
            Err(text) => {
                self.counts.error(Code::Refused);
                return self.reply(session, reply::not_registered(Code::Refused, Some(&text)), out);
            }
        };
        if self.registers_too_fast(session, out) {
            return;
        }
        let registering = self.session_mut(session).expect("looked at before");
        registering.dialect = dialect;
        let from = registering.from;
        self.anonymous.remove(session);
        self.pause(session, Pause::Answering, out);
        let ticket = self.pending.insert(Pending::Register { session });
        let ask = Ask::Register { name: name.to_owned(), password: Password(password.to_owned()), from };
        out.push(Effect::Ask { ticket, ask });
    }

    pub(super) fn registered(&mut self, session: SessionId, answer: Answer, out: &mut Vec<Effect>) {
        if let Err(code) = answer {
            self.counts.error(code);
        }
        let bytes = match answer {
            Ok(Done::Registered(user)) => {
                if let Some(session) = self.session_mut(session) {
                    session.registrations_turned_away = 0;
                }
                reply::registered(user)
            }
            Err(Code::Refused) => reply::not_registered(Code::Refused, None),
            Err(Code::TooFast) => reply::not_registered_yet(self.registration_turned_away(session)),
            Err(code) => reply::not_registered(code, Some(code.text())),
            Ok(_) => unreachable!("Register is answered with Registered"),
        };
        self.reply(session, bytes, out);
        self.note_anonymous(session, out);
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
        let from = self.session(id).expect("looked at before").from;
        out.push(Effect::Ask { ticket, ask: Ask::Verify { who, password, from } });
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
        self.anonymous.remove(about.session);
        self.pause(about.session, Pause::Answering, out);
        true
    }

    /// The password is right, or not. Only now is it told whether the user is online: nobody
    /// learns that without the password.
    pub(super) fn verified(&mut self, id: SessionId, demand: Demand, answer: Answer, out: &mut Vec<Effect>) {
        match answer {
            Ok(Done::Verified { user, name, print }) => {
                self.guessed_right(id);
                let proof = Proof::Password(print);
                self.claim(id, Claimant { user, name, demand, proof, token: None }, out);
            }
            Ok(_) => unreachable!("Verify is answered with Verified"),
            Err(Code::TooFast) => {
                self.turned_away(id);
                self.refuse_login(id, Code::TooFast, out);
            }
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
                let (demand, proof) = (Demand::Token(token), Proof::Token(token));
                let token = Some(Token { id: token, secret });
                self.claim(id, Claimant { user, name, demand, proof, token }, out);
            }
            Ok(_) => unreachable!("Resume is answered with Resumed"),
            Err(code) => self.refuse_entry(id, code, reply::not_resumed, out),
        }
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
        let (old, new) = (Password(old.to_owned()), Password(new.to_owned()));
        let from = self.session(about.session).expect("looked at before").from;
        let ask = Ask::ChangePassword { user, old, new, from };
        self.roll(about, user, ask, Change::Token, out);
    }

    /// A login that comes to nothing: the connection lives on and may try again.
    pub(super) fn refuse_login(&mut self, id: SessionId, code: Code, out: &mut Vec<Effect>) {
        self.refuse_entry(id, code, reply::not_logged_in, out);
    }

    /// What the login was proven by was replaced or revoked while it was under way.
    pub(super) fn refuse_unproven(&mut self, id: SessionId, proof: Proof, out: &mut Vec<Effect>) {
        match proof {
            Proof::Password(_) => {
                self.guessed_wrong(id);
                self.refuse_login(id, Code::Refused, out);
            }
            Proof::Token(_) => self.refuse_entry(id, Code::Refused, reply::not_resumed, out),
        }
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
        let bytes = match code {
            Code::TooFast => {
                let (retry_after_ms, text) = (self.guess_wait_ms(id), self.why_too_fast(id));
                reply::not_logged_in_yet(retry_after_ms, text, cid.as_deref())
            }
            code => answer(code, cid.as_deref()),
        };
        self.reply(id, bytes, out);
        self.note_anonymous(id, out);
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

    /// A session with a token is logged out once its token is revoked: from the answer on it is
    /// worthless everywhere.
    pub(super) fn log_out(&mut self, id: SessionId, leaving: Leaving, out: &mut Vec<Effect>) {
        let session = self.session_mut(id).expect("looked at before");
        let (Some(token), Some(online)) = (session.token(), session.online()) else {
            return self.logged_out(id, leaving, out);
        };
        let (user, visit) = (online.user, online.visit);
        session.revoking = true;
        self.pause(id, Pause::Answering, out);
        let revoking = Revoking { visit, token, leaving };
        let ticket = self.pending.insert(Pending::LogOut { session: id, user, revoking });
        out.push(Effect::Ask { ticket, ask: Ask::Revoke { user, token } });
    }

    /// The token is worthless, or the store could not see to that: then the session stays as it is,
    /// and its client may try again. If there is no client any more, the store is told again.
    pub(super) fn token_revoked(
        &mut self,
        id: SessionId,
        user: UserId,
        revoking: Revoking,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        let Revoking { visit, token, leaving } = revoking;
        let session = self.session_mut(id).filter(|session| !session.closing);
        let Some(session) = session.filter(|session| session.visit() == Some(visit)) else {
            if answer == Err(Code::Busy) {
                self.adopt_later(Orphan::Revoke { user, token });
            }
            return;
        };
        session.revoking = false;
        match answer {
            Ok(_) => self.logged_out(id, leaving, out),
            Err(code) => {
                let about = About { session: id, re: msgid::LOGOUT, cid: leaving.cid.as_deref() };
                self.refuse(about, code, out);
                self.resume(id, Pause::Answering, out);
            }
        }
    }

    fn logged_out(&mut self, id: SessionId, leaving: Leaving, out: &mut Vec<Effect>) {
        self.part(id, Gone::LoggedOut, out);
        if let Some(cid) = leaving.cid {
            self.reply(id, reply::ack(&cid, msgid::LOGOUT, Outcome::default()), out);
        }
        self.note_anonymous(id, out);
        self.resume(id, Pause::Answering, out);
    }
}
