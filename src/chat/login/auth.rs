//! Auth: registration, passwords and tokens; what a login begins with.

use super::{LoginOutcome, Logins};
use crate::connection::{About, Connections, Pause};
use crate::model::envelope::Demand;
use crate::model::ids::{ConnectionId, Millis, UserId};
use crate::model::name;
use crate::model::profile::Who;
use crate::model::retention::Retention;
use crate::model::source::Source;
use crate::model::token::{Password, Proof, Secret, Token, TokenId};
use crate::port::cx::Cx;
use crate::port::in_flight::{Change, LoginFlow};
use crate::port::store::{Resumed, StoreRequest, Verified};
use crate::wire::code::Code;
use crate::wire::reply;
use crate::wire::request::{Client, Dialect, Named, Takeover};

/// What a login shows to be let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials<'a> {
    pub(crate) who: Named<'a>,
    pub(crate) password: &'a str,
    pub(crate) client: Client<'a>,
    pub(crate) takeover: Takeover,
}

/// A user who may be claimed for a connection.
#[derive(Debug)]
pub(crate) struct LetIn {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) demand: Demand,
    pub(crate) proof: Proof,
    /// The token that it came with.
    pub(crate) token: Option<Token>,
    /// What the device calls itself that is to get a token.
    pub(crate) device: Option<Box<str>>,
    /// Until when.
    pub(crate) expires: Option<Millis>,
}

impl Logins {
    /// REG.
    pub(crate) fn on_register(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        (name, password, invitation): (&str, &str, Option<&str>),
        client: Option<Client<'_>>,
    ) {
        cx.enter();
        let checked = name::check(name, cx.limits.name_chars).and_then(|name| {
            let most = cx.limits.password_bytes;
            let fits = (1..=most).contains(&password.len());
            fits.then_some(name).ok_or_else(|| format!("a password has 1 to {most} bytes"))
        });
        let name = match checked {
            Ok(name) => name,
            Err(text) => {
                cx.counters.error(Code::Refused);
                return connections.reply(cx, id, reply::not_registered(Code::Refused, Some(&text)));
            }
        };
        if self.registers_too_fast(cx, connections, id) || !self.may_register(cx, connections, id, invitation)
        {
            return;
        }
        let Some(connection) = connections.get_mut(id) else { return };
        client.into_iter().for_each(|client| connection.note_client(client));
        let from = connection.from;
        connections.await_login(cx, id);
        let (name, password) = (name.to_owned(), Password(password.to_owned()));
        let request = StoreRequest::Register { name, password, from };
        cx.request(request, LoginFlow::Register { connection: id });
    }

    /// Whether whoever runs the server lets somebody register from there. A connection that tries to is told otherwise, and
    /// has to wait longer and longer before it may try again.
    fn may_register(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        invitation: Option<&str>,
    ) -> bool {
        let Some(from) = connections.get(id).map(|connection| connection.from) else { return false };
        let may = cx.registration.admits(from, invitation);
        if !may {
            self.registration_turned_away(cx, connections, id);
            cx.counters.error(Code::Refused);
            let bytes = reply::not_registered(Code::Refused, Some(cx.registration.refusal()));
            connections.reply(cx, id, bytes);
        }
        may
    }

    pub(crate) fn on_registered(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        registered: Result<UserId, Code>,
    ) {
        cx.enter();
        if let Err(code) = registered {
            cx.counters.error(code);
        }
        let bytes = match registered {
            Ok(user) => {
                let connection = connections.get_mut(id);
                if let Some(vain) = connection.and_then(|connection| connection.vain.get_mut()) {
                    vain.registrations_turned_away = 0;
                }
                reply::registered(user)
            }
            Err(Code::Refused) => reply::not_registered(Code::Refused, None),
            Err(Code::TooFast) => {
                reply::not_registered_yet(self.registration_turned_away(cx, connections, id))
            }
            Err(code) => reply::not_registered(code, Some(code.text())),
        };
        connections.reply(cx, id, bytes);
        connections.note_unauthenticated(cx, id);
        connections.resume(cx, id, Pause::AwaitingReply);
    }

    /// LOGIN. `now_user` is who the connection is already.
    pub(crate) fn on_login(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        now_user: Option<UserId>,
        credentials: Credentials<'_>,
    ) {
        cx.enter();
        let Credentials { who, password, client, takeover } = credentials;
        let dialect = client.dialect;
        if password.len() > cx.limits.password_bytes && now_user.is_none() {
            let cid = about.cid.filter(|_| dialect == Dialect::V2);
            cx.counters.error(Code::Refused);
            return connections.reply(cx, about.connection, reply::not_logged_in(Code::Refused, cid));
        }
        if now_user.is_none() && self.guesses_too_fast(cx, connections, about, dialect) {
            return;
        }
        let Some(from) = begin(cx, connections, about, now_user, client) else { return };
        let who = match who {
            Named::Id(user) => Who::Id(user),
            Named::Name(name) => Who::Name(name.to_owned()),
        };
        let demand = demand(client, takeover);
        let request = StoreRequest::Verify { who, password: Password(password.to_owned()), from };
        let device = client.device.map(Into::into);
        cx.request(request, LoginFlow::Verify { connection: about.connection, demand, device });
    }

    /// RESUME: a login with a token instead of a password; no hash is computed for it.
    pub(crate) fn on_resume(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        now_user: Option<UserId>,
        (token, client): (&str, Client<'_>),
    ) {
        cx.enter();
        if begin(cx, connections, about, now_user, client).is_some() {
            let secret = Secret(token.into());
            let flow = LoginFlow::Resume { connection: about.connection, secret: secret.clone() };
            cx.request(StoreRequest::Resume { secret, device: client.device.map(Into::into) }, flow);
        }
    }

    /// The password is right, or not. Only now is it told whether the user is online: nobody learns that without
    /// the password.
    pub(crate) fn on_verified(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        (demand, device): (Demand, Option<Box<str>>),
        verified: Result<Verified, Code>,
    ) -> Result<LetIn, LoginOutcome> {
        cx.enter();
        match verified {
            Ok(Verified { user, name, print }) => {
                self.guessed_right(connections, id);
                Ok(LetIn {
                    user,
                    name,
                    demand,
                    proof: Proof::Password(print),
                    token: None,
                    device,
                    expires: None,
                })
            }
            Err(Code::TooFast) => {
                self.turned_away(cx, connections, id);
                Err(LoginOutcome::Refuse { connection: id, code: Code::TooFast })
            }
            Err(code) => {
                if code == Code::Refused {
                    self.guessed_wrong(cx, connections, id);
                }
                Err(LoginOutcome::Refuse { connection: id, code })
            }
        }
    }

    pub(crate) fn on_resumed(
        &mut self,
        connections: &Connections,
        id: ConnectionId,
        secret: Secret,
        resumed: Result<Resumed, Code>,
    ) -> Result<LetIn, LoginOutcome> {
        let demand = |token| match connections.is_multi(id) {
            true => Demand::Join(Some(token)),
            false => Demand::Token(token),
        };
        match resumed {
            Ok(Resumed { user, name, token, expires }) => {
                let token_of = Token { id: token, secret };
                Ok(LetIn {
                    user,
                    name,
                    demand: demand(token),
                    proof: Proof::Token(token),
                    token: Some(token_of),
                    device: None,
                    expires,
                })
            }
            Err(code) => Err(LoginOutcome::RefuseResume { connection: id, code }),
        }
    }

    /// PASSWORD: every token of the user is worthless then; its session gets a new one.
    pub(crate) fn on_password(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (old, new): (&str, &str),
    ) {
        cx.enter();
        if self.changes_too_fast(cx, connections, about) {
            return;
        }
        let most = cx.limits.password_bytes;
        if new.is_empty() || new.len() > most {
            let text = format!("new has 1 to {most} bytes");
            return connections.refuse_with(cx, about, Code::InvalidField, &text);
        }
        if old.len() > most {
            return connections.refuse(cx, about, Code::Refused);
        }
        let (old, new) = (Password(old.to_owned()), Password(new.to_owned()));
        let Some(from) = connections.get(about.connection).map(|connection| connection.from) else { return };
        let request = StoreRequest::ChangePassword { user, old, new, from };
        connections.request_mutation(cx, about, user, request, Change::Token);
    }

    /// The token of a session, or the one that its login came with.
    pub(crate) fn token(&self, id: ConnectionId) -> Option<TokenId> {
        let entering = self.under_way.get(id).and_then(|login| login.profile.token.as_ref());
        entering.map(|token| token.id).or_else(|| self.proofs.get(id).copied().and_then(Proof::token))
    }

    /// The tokens of these sessions.
    pub(crate) fn tokens(&self, ids: &[ConnectionId]) -> Vec<TokenId> {
        ids.iter().filter_map(|&id| self.token(id)).collect()
    }

    /// A session has another token from now on.
    pub(crate) fn set_token(&mut self, id: ConnectionId, token: TokenId) {
        self.proofs.insert(id, Proof::Token(token));
    }
}

/// What becomes of whoever holds a user already.
pub(super) fn demand(client: Client<'_>, takeover: Takeover) -> Demand {
    match takeover {
        // It replaces nobody.
        _ if client.multi => Demand::Join(None),
        Takeover::Refuse => Demand::Nothing,
        Takeover::Replace => Demand::Takeover,
    }
}

/// Begins to answer a login, unless the connection is somebody already: it must log out first, whoever it wants to
/// be next. Gives back where it comes from.
pub(super) fn begin(
    cx: &mut Cx,
    connections: &mut Connections,
    about: About<'_>,
    now_user: Option<UserId>,
    client: Client<'_>,
) -> Option<Source> {
    let dialect = client.dialect;
    let cid = about.cid.filter(|_| dialect == Dialect::V2);
    if now_user.is_some() {
        cx.counters.error(Code::AlreadyOnline);
        connections.reply(cx, about.connection, reply::not_logged_in(Code::AlreadyOnline, cid));
        return None;
    }
    if client.multi && cx.retention != Retention::All {
        cx.counters.error(Code::InvalidField);
        let text = "multi: this server keeps undelivered messages only, so that a device cannot catch up";
        connections.reply(cx, about.connection, reply::not_logged_in_for(Code::InvalidField, text, cid));
        return None;
    }
    let connection = connections.get_mut(about.connection)?;
    connection.note_client(client);
    connection.login_cid = cid.map(Into::into);
    let from = connection.from;
    connections.await_login(cx, about.connection);
    Some(from)
}
