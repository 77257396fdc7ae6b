//! Logging in, again after every loss, and out.
//!
//! Whoever was given a token comes back with it: the server need not hash a password then, and
//! replaces the old session, should it not have noticed its end. The token is in memory only.

use super::outbox::Entry;
use super::receive::is_passing;
use super::{Output, Session, resolved};
use crate::dialect::{Entrance, Saying, Speaker};
use crate::event::{Answer, Event, RequestId};
use crate::refusal::{Failure, Refusal};
use crate::request::{Named, Request, Takeover};
use crate::roster::{Group, Role, Welcome};
use crate::secret::Secret;
use chatd_chat::model::ids::UserId;
use chatd_chat::wire::code::Code;
use std::time::{Duration, Instant};

/// How long a server may hold the session of a connection that died without a word: its keepalive
/// gives up after 30 s.
const GHOST: Duration = Duration::from_secs(45);
/// How soon after a loss a login of the user's own is taken for a return.
const RETURN: Duration = Duration::from_secs(10);
/// How long a server is asked that is too busy to log anybody in.
const PATIENCE: Duration = Duration::from_secs(45);
const WAIT: Duration = Duration::from_millis(500);
/// How long a server may take to answer. One that hangs takes connections and says nothing on them;
/// one that is merely busy may have many passwords to hash.
const ANSWER: Duration = Duration::from_secs(30);
/// The same, where no password is to be hashed.
const RESUMED: Duration = Duration::from_secs(10);

/// Who is logged in.
#[derive(Debug)]
pub(super) enum Account {
    Nobody,
    Entering(Entering),
    Inside { who: Credentials, id: UserId, name: String },
}

#[derive(Debug)]
pub(super) struct Credentials {
    proof: Proof,
    /// For the login that was asked for; to come back never throws anybody out.
    takeover: Takeover,
    token: Option<Secret>,
}

/// What lets somebody in who has no token, or none that is good.
#[derive(Debug)]
enum Proof {
    Password(Named, Secret),
    /// Another application's word.
    Jwt(Secret),
}

impl Credentials {
    /// What somebody types to log in.
    pub(super) fn new(user: Named, password: Secret, takeover: Takeover) -> Self {
        Self { proof: Proof::Password(user, password), takeover, token: None }
    }

    /// What an application says of its user.
    pub(super) fn vouched(jwt: Secret, takeover: Takeover) -> Self {
        Self { proof: Proof::Jwt(jwt), takeover, token: None }
    }
}

#[derive(Debug)]
pub(super) struct Entering {
    who: Credentials,
    /// Who asked for it; nobody, where it is the same login as before.
    request_id: Option<RequestId>,
    /// When to ask; nothing while it is asked and not answered.
    ask_at: Option<Instant>,
    /// By when it is to be answered; nothing while it is not asked.
    answer_by: Option<Instant>,
    /// When the server first refused for a reason that passes.
    refused_at: Option<Instant>,
}

impl Entering {
    fn new(who: Credentials, request_id: Option<RequestId>, now: Instant) -> Self {
        Self { who, request_id, ask_at: Some(now), answer_by: None, refused_at: None }
    }
}

impl Account {
    /// Whether a server has had long enough to let the user in.
    pub(super) fn is_kept_waiting(&self, now: Instant) -> bool {
        let Account::Entering(entering) = self else { return false };
        entering.answer_by.is_some_and(|by| now >= by)
    }

    /// Who may say something now.
    pub(super) fn speaker(&self) -> Option<Speaker<'_>> {
        match self {
            Account::Inside { id, name, .. } => Some(Speaker { id: *id, name }),
            _ => None,
        }
    }
}

impl Session {
    pub(super) fn enter(&mut self, request_id: RequestId, who: Credentials, now: Instant) -> Option<Failure> {
        if !matches!(self.account, Account::Nobody) {
            return Some(Failure::Busy);
        }
        self.account = Account::Entering(Entering::new(who, Some(request_id), now));
        None
    }

    pub(super) fn login_due(&self) -> Option<Instant> {
        match &self.account {
            Account::Entering(entering) => entering.ask_at.or(entering.answer_by),
            _ => None,
        }
    }

    pub(super) fn ask_to_enter(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Account::Entering(entering) = &mut self.account else { return };
        if entering.ask_at.is_none_or(|at| now < at) {
            return;
        }
        entering.ask_at = None;
        let patience = if entering.who.token.is_some() { RESUMED } else { ANSWER };
        entering.answer_by = Some(now + patience);
        let takeover = if entering.request_id.is_some() { entering.who.takeover } else { Takeover::Refuse };
        let Credentials { proof, token, .. } = &entering.who;
        if let Some(token) = token.clone() {
            return self.write(Saying::Resume(&token, &self.device), out);
        }
        let request = match proof {
            Proof::Password(user, password) => {
                Request::Login { user: user.clone(), password: password.clone(), takeover }
            }
            Proof::Jwt(jwt) => Request::LoginJwt { jwt: jwt.clone(), takeover },
        };
        self.write(Saying::Enter(&request, &self.device), out);
    }

    pub(super) fn entered(&mut self, entrance: Entrance, now: Instant, out: &mut Vec<Output>) {
        let Account::Entering(_) = self.account else { return };
        let Account::Entering(entering) = std::mem::replace(&mut self.account, Account::Nobody) else {
            return;
        };
        let Entrance { welcome, waiting, token, .. } = entrance;
        let (id, who) = (welcome.id, Credentials { token, ..entering.who });
        self.account = Account::Inside { who, id, name: welcome.name.clone() };
        self.spoken = welcome.spoken;
        self.dedup.is_read_by(id);
        let begun = self.begin_beside_others(id, welcome.heads.as_ref());
        self.dedup.remember(self.device.multi);
        self.outbox.let_in(welcome.spoken);
        let mut done = Vec::new();
        self.outbox.settle(|entry| {
            let answer = made_before(entry, &welcome);
            let is_made = answer.is_some();
            done.extend(answer.map(|answer| resolved(entry.request_id, Ok(answer))));
            is_made
        });
        let again = entering.request_id.is_none();
        out.push(Output::Tell(Event::LoggedIn { welcome, again }));
        out.extend(begun);
        for row in waiting {
            self.comes(row, now, out);
        }
        out.extend(done);
        out.extend(entering.request_id.map(|request_id| resolved(request_id, Ok(Answer::LoggedIn(id)))));
    }

    pub(super) fn login_refused(&mut self, refusal: Refusal, now: Instant, out: &mut Vec<Output>) {
        let lately = self.lost_at.is_some_and(|at| now.duration_since(at) < RETURN);
        let Account::Entering(entering) = &mut self.account else { return };
        entering.answer_by = None;
        if entering.who.token.is_some() && !may_pass(refusal.errno) {
            // It is too old, or was revoked: the password, or the application's word, may still be good.
            entering.who.token = None;
            entering.ask_at = Some(now);
            return;
        }
        let first = entering.refused_at.is_none();
        let since = *entering.refused_at.get_or_insert(now);
        let patience = match (refusal.errno, entering.request_id) {
            (errno, _) if is_passing(errno) => PATIENCE,
            // A token would have replaced the old session: this is somebody else.
            (errno, None) if errno == Code::AlreadyOnline.errno() && entering.who.token.is_some() => RETURN,
            (errno, None) if errno == Code::AlreadyOnline.errno() => GHOST,
            (errno, Some(_)) if errno == Code::AlreadyOnline.errno() && (lately || !first) => RETURN,
            _ => Duration::ZERO,
        };
        if now.duration_since(since) < patience {
            entering.ask_at = Some(now + refusal.retry_after_ms.map_or(WAIT, Duration::from_millis));
            if first {
                out.push(Output::Tell(Event::LoginDelayed(refusal)));
            }
            return;
        }
        let event = match entering.request_id {
            Some(request_id) => resolved(request_id, Err(Failure::Refused(refusal))),
            None => Output::Tell(Event::SignedOut(refusal)),
        };
        out.push(event);
        self.forget_account(out);
    }

    /// The server has said that the password is another now.
    pub(super) fn password_changed(&mut self, password: Secret, token: Option<Secret>) {
        if let Account::Inside { who, .. } = &mut self.account {
            // Every token is revoked with the old one.
            if let Proof::Password(_, before) = &mut who.proof {
                *before = password;
            }
            who.token = token;
        }
    }

    /// The application has said so once more.
    pub(super) fn jwt_renewed(&mut self, jwt: Secret) {
        if let Account::Inside { who, .. } = &mut self.account {
            who.proof = Proof::Jwt(jwt);
        }
    }

    /// Somebody else is this user from now on: to come back would throw that one out.
    pub(super) fn is_replaced(&mut self, words: &Refusal, out: &mut Vec<Output>) {
        if !matches!(self.account, Account::Nobody) {
            out.push(Output::Tell(Event::SignedOut(words.clone())));
            self.forget_account(out);
        }
    }

    /// Nobody is logged in from now on, and nothing of what waited will be said.
    pub(super) fn forget_account(&mut self, out: &mut Vec<Output>) {
        self.account = Account::Nobody;
        self.arrived.forget();
        self.outbox.settle(|entry| {
            out.push(resolved(entry.request_id, Err(Failure::LoggedOut)));
            true
        });
    }

    /// The connection is gone, and with it the server's session.
    pub(super) fn leave_link(&mut self, now: Instant, out: &mut Vec<Output>) {
        if let Some(Entry { request_id, request: Request::Logout, .. }) = self.outbox.first() {
            // The end of the connection has done what was asked.
            let request_id = *request_id;
            self.outbox.settle(|entry| entry.request_id == request_id);
            out.push(resolved(request_id, Ok(Answer::Done)));
            return self.forget_account(out);
        }
        self.account = match std::mem::replace(&mut self.account, Account::Nobody) {
            Account::Nobody => Account::Nobody,
            Account::Entering(entering) => {
                Account::Entering(Entering { ask_at: Some(now), answer_by: None, ..entering })
            }
            Account::Inside { who, .. } => Account::Entering(Entering::new(who, None, now)),
        };
    }
}

/// Whether a refusal says nothing of what was asked with, but of when it was asked.
fn may_pass(errno: u16) -> bool {
    is_passing(errno) || errno == Code::AlreadyOnline.errno()
}

/// The group that a request wanted made, where the connection was lost before the answer came, and
/// the group is there now.
fn made_before(entry: &Entry, welcome: &Welcome) -> Option<Answer> {
    let Request::CreateGroup { name: wanted, .. } = &entry.request else { return None };
    let mine = |group: &&Group| {
        let own = group.members.iter().find(|member| member.person.id == welcome.id);
        let role = group.role.or(own.map(|member| member.role));
        &group.name == wanted && role == Some(Role::Owner)
    };
    let group = welcome.groups.iter().filter(|_| entry.attempts > 0).find(mine)?;
    Some(Answer::Group(group.id))
}
