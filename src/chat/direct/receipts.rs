//! Receipts: a message to a v2 session is its reader's when the reader confirms it, and not when its TCP
//! acknowledges it.
//!
//! Until then it stays in the send window, within bounds. What a session has not confirmed at its end is its
//! reader's backlog again; clients know it by sender and cid.

use super::Direct;
use crate::backlog::Backlog;
use crate::connection::{About, Connection, Connections, Pause, StoredAs, UnackedPush};
use crate::model::envelope::Kind;
use crate::model::ids::{ConnectionId, MessageId, UserId};
use crate::port::cx::Cx;
use crate::port::in_flight::{Change, DirectFlow, Mutation};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::reply::{self, Outcome};
use rustc_hash::FxHashSet;

impl Direct {
    /// CONFIRM: the reader has these. What this session does not know of may lie in the backlog since an earlier one, or
    /// may be the other id of a message that was said again: the store is asked, a piece at a time, and until it has replied
    /// the session is not read from, so that nobody fills the queue with ids that mean nothing.
    pub(crate) fn on_confirm(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        about: About<'_>,
        mids: Vec<MessageId>,
    ) {
        cx.enter();
        let id = about.connection;
        let Some(user) = connections.get(id).and_then(Connection::logged_in_user) else { return };
        let unknown = self.take_confirmed(cx, connections, backlog, id, mids);
        if !unknown.is_empty() {
            if cx.lookups_are_full() {
                return connections.refuse(cx, about, Code::Busy);
            }
            connections.pause(cx, id, Pause::AwaitingReply);
            let cid = about.cid.map(Into::into);
            let mutation = Mutation { connection: id, user, re: about.re, cid, change: Change::Confirm };
            self.confirm_piece(cx, Box::new(mutation), unknown);
        } else if let Some(cid) = about.cid {
            connections.reply(cx, id, reply::ack(cid, about.re, Outcome::default()));
        }
    }

    /// Has the store take out a piece of what a session has confirmed and does not know. The rest follows when that is
    /// done.
    pub(crate) fn confirm_piece(&mut self, cx: &mut Cx, mutation: Box<Mutation>, mut mids: Vec<MessageId>) {
        cx.enter();
        let rest = mids.split_off(mids.len().min(cx.limits.confirm_piece.max(1)));
        let request = StoreRequest::AckDelivered { user: mutation.user, mids, cursors: Vec::new() };
        cx.look_up(request, DirectFlow::Confirm { mutation, rest });
    }

    /// Takes messages, and every other push of the same, out of what a session was sent. Gives back the ids that it was
    /// not sent, each once.
    pub(crate) fn take_confirmed(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        id: ConnectionId,
        mids: Vec<MessageId>,
    ) -> Vec<MessageId> {
        cx.enter();
        let Some(connection) = connections.get_mut(id) else { return Vec::new() };
        let Some(user) = connection.logged_in_user() else { return Vec::new() };
        let mut wanted: FxHashSet<MessageId> = mids.iter().copied().collect();
        let found = connection.window.confirm(&mut wanted);
        let in_backlog = found.iter().filter(|push| push.stored_as == StoredAs::Backlog);
        let in_backlog = in_backlog.map(|push| push.envelope.mid()).collect();
        backlog.ack_delivered(cx, Some(id), user, in_backlog);
        self.send_receipts(cx, connections, backlog, user, found);
        mids.into_iter().filter(|mid| wanted.remove(mid)).collect()
    }

    /// Tells the cores that wait what is confirmed.
    fn send_receipts(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        reader: UserId,
        mut confirmed: Vec<UnackedPush>,
    ) {
        confirmed.retain(|push| push.stored_as == StoredAs::AwaitingReceipt);
        confirmed.sort_by_key(|push| push.envelope.sender());
        for of_one_sender in confirmed.chunk_by(|a, b| a.envelope.sender() == b.envelope.sender()) {
            let mids: Vec<MessageId> = of_one_sender.iter().map(|push| push.envelope.mid()).collect();
            let sender = of_one_sender[0].envelope.sender();
            self.send_receipt(cx, connections, backlog, Kind::Confirmed, (sender, reader), &mids);
        }
    }

    /// Above the bounds, what waits counts as confirmed: the oldest of the sender who has most.
    pub(crate) fn bound_unconfirmed(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        id: ConnectionId,
    ) {
        cx.enter();
        let Some(connection) = connections.get_mut(id) else { return };
        let Some(user) = connection.logged_in_user() else { return };
        let over = connection.window.bound_unconfirmed(cx.limits.unconfirmed, cx.limits.unconfirmed_bytes);
        let counts = |push: &UnackedPush| match push.stored_as {
            StoredAs::Backlog | StoredAs::AwaitingReceipt => Some(push.envelope.mid()),
            StoredAs::Unstored | StoredAs::GroupLog(_) | StoredAs::History => None,
        };
        let mids = over.iter().filter_map(counts).collect();
        backlog.ack_delivered(cx, Some(id), user, mids);
    }
}
