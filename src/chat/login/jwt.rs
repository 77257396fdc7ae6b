//! Another application's word for whom it calls its user, signed: a login without a password, or a session that goes on.

use super::auth::{LetIn, begin, demand};
use super::{LoginOutcome, Logins};
use crate::connection::{About, Connections, Pause};
use crate::model::envelope::Demand;
use crate::model::ids::{ConnectionId, UserId};
use crate::model::token::{Proof, Secret};
use crate::port::cx::Cx;
use crate::port::in_flight::LoginFlow;
use crate::port::store::{Admitted, StoreRequest};
use crate::wire::code::Code;
use crate::wire::reply;
use crate::wire::request::{Client, Dialect, Takeover};

impl Logins {
    /// LOGIN with a jwt. `now_user` is who the connection is already: if it came by one, it goes on.
    pub(crate) fn on_jwt(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        now_user: Option<UserId>,
        (jwt, client, takeover): (&str, Client<'_>, Takeover),
    ) {
        cx.enter();
        let (id, jwt) = (about.connection, Secret(jwt.into()));
        if let Some(user) = now_user.filter(|_| self.expiring.has(id)) {
            connections.pause(cx, id, Pause::AwaitingReply);
            let renews = Some((user, self.token(id)));
            let flow = LoginFlow::Renew { connection: id, user, cid: about.cid.map(Into::into) };
            return cx.request(StoreRequest::Admit { jwt, renews }, flow);
        }
        if now_user.is_none() && self.guesses_too_fast(cx, connections, about, Dialect::V2) {
            return;
        }
        if begin(cx, connections, about, now_user, client).is_some() {
            let device = client.device.map(Into::into);
            let flow = LoginFlow::Admit { connection: id, demand: demand(client, takeover), device };
            cx.request(StoreRequest::Admit { jwt, renews: None }, flow);
        }
    }

    /// The word is believed, or not.
    pub(crate) fn on_admitted(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        (demand, device): (Demand, Option<Box<str>>),
        admitted: Result<Admitted, Code>,
    ) -> Result<LetIn, LoginOutcome> {
        cx.enter();
        match admitted {
            Ok(Admitted { user, name, expires }) => {
                self.guessed_right(connections, id);
                let (proof, expires) = (Proof::Application(expires), Some(expires));
                Ok(LetIn { user, name, demand, proof, token: None, device, expires })
            }
            Err(code) => {
                if code == Code::Refused {
                    self.guessed_wrong(cx, connections, id);
                }
                Err(LoginOutcome::RefuseJwt { connection: id, code })
            }
        }
    }

    /// A session goes on until later, or does not: then it ends as it would have.
    pub(crate) fn on_renewed(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        admitted: Result<Admitted, Code>,
    ) {
        cx.enter();
        let About { connection: id, cid, .. } = about;
        if connections.get(id).and_then(|connection| connection.user()) != Some(user) {
            return connections.resume(cx, id, Pause::AwaitingReply);
        }
        let bytes = match admitted {
            Ok(Admitted { user, name, expires }) => {
                self.expiring.set(cx, id, expires);
                reply::renewed(user, &name, expires, cid)
            }
            Err(code) => {
                cx.counters.error(code);
                reply::not_admitted(code, cid)
            }
        };
        connections.reply(cx, id, bytes);
        connections.resume(cx, id, Pause::AwaitingReply);
    }
}
