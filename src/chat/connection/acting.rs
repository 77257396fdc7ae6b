//! Acting sessions: what the server's API does in the name of a user, on the way that a session's requests take.
//!
//! An acting session has no socket, no login and no place on the bus: nothing is pushed to it, nobody sees it online, and
//! no rate counts for it. It makes one request, and ends with the answer.

use super::Connections;
use super::state::{Connection, Identity};
use crate::model::act::Actor;
use crate::model::ids::{ConnectionId, SessionEpoch};
use crate::model::source::Source;
use crate::port::cx::Cx;
use crate::wire::code::Code;
use crate::wire::request::Dialect;

impl Connections {
    /// A session without a socket begins, of this user or of nobody. A server that stops refuses it.
    pub(crate) fn begin_acting(&mut self, cx: &mut Cx, id: ConnectionId, actor: Option<Actor>) -> bool {
        cx.enter();
        let mut connection = Box::new(Connection::new(id, Source::Proxy));
        // What it changes, the user's sessions are told as what one of several has done.
        (connection.dialect, connection.multi) = (Dialect::V2, true);
        if let Some(Actor { user, name }) = actor {
            connection.begin_login(Identity { user, name, epoch: SessionEpoch(0) });
            connection.finish_login();
        }
        let before = self.acting.insert(id.generation, connection);
        debug_assert!(before.is_none(), "a number is used again only after its Closed");
        if cx.draining {
            self.close_for(cx, id, Code::Draining, Code::Draining.text());
        }
        !cx.draining
    }

    /// It has its answer, or nobody waits for that any more.
    pub(crate) fn end_acting(&mut self, id: ConnectionId) {
        self.acting.remove(&id.generation);
    }
}
