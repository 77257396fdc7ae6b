//! SYNC: where a device's conversations stand, and what it lacks of them, by place.

use super::Devices;
use super::list::look_up;
use crate::backlog::Backlog;
use crate::connection::{About, Connections, Pause};
use crate::model::history::{HeadsPage, SyncFrom, SyncPage};
use crate::model::ids::{ConnectionId, MessageId, UserId};
use crate::port::cx::Cx;
use crate::port::in_flight::{DevicesFlow, SyncQuery};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::{msgid, sync};

/// By then what was under way when something was missed is stored, unless the store is busy.
const STORED_BY_MS: u64 = 1_000;

impl Devices {
    /// SYNC without `since`: the next page of conversations.
    pub(crate) fn on_heads(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (before, asked): (Option<MessageId>, Option<u64>),
    ) {
        cx.enter();
        let heads = bounded(asked, cx.limits.heads);
        let cid = about.cid.map(Into::into);
        let flow = DevicesFlow::Heads { connection: about.connection, user, cid, asked: true };
        look_up(cx, connections, about, StoreRequest::Heads { user, before, heads }, flow);
    }

    /// A session that has others beside it may have missed something that no backlog tells of: another one has sent it, or
    /// has confirmed it by now. It is told where its conversations stand, once what was under way is stored.
    pub(crate) fn tell_heads(&mut self, cx: &mut Cx, connections: &Connections, id: ConnectionId) {
        cx.enter();
        if connections.is_multi(id) {
            self.to_tell.push_back((cx.now.plus(STORED_BY_MS), id));
        }
    }

    /// Tells those whose time has come: some of them, the others with the next ticks.
    pub(crate) fn tell_due(&mut self, cx: &mut Cx, connections: &Connections, backlog: &Backlog) {
        cx.enter();
        for _ in 0..cx.limits.lookups {
            match self.to_tell.front() {
                Some(&(due, id)) if due <= cx.now => {
                    self.to_tell.pop_front();
                    match backlog.awaits_welcome(id) {
                        // Its login answer comes first, and may be older.
                        true => self.tell_heads(cx, connections, id),
                        false => self.ask_for_heads(cx, connections, id),
                    }
                }
                Some(_) | None => return,
            }
        }
    }

    fn ask_for_heads(&mut self, cx: &mut Cx, connections: &Connections, id: ConnectionId) {
        let session = connections.get(id).filter(|connection| connection.multi);
        let Some(user) = session.and_then(|session| session.logged_in_user()) else { return };
        if cx.lookups_are_full() {
            return self.tell_heads(cx, connections, id);
        }
        let request = StoreRequest::Heads { user, before: None, heads: cx.limits.heads };
        cx.look_up(request, DevicesFlow::Heads { connection: id, user, cid: None, asked: false });
    }

    /// SYNC_ACK with conversations of `user`, or ERROR. What nobody asked for is looked up again where the store could not say it,
    /// and not told to whoever has logged in there since.
    pub(crate) fn on_heads_page(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        (connection, user): (ConnectionId, UserId),
        (cid, asked): (Option<&str>, bool),
        page: Result<HeadsPage, Code>,
    ) {
        cx.enter();
        let session = connections.get(connection);
        let is_there = session.is_some_and(|session| session.logged_in_user() == Some(user));
        match page {
            Ok(page) if is_there => {
                let frame = sync::heads(cid, &page.heads, page.complete, cx.limits.push_bytes);
                connections.reply(cx, connection, frame);
            }
            Ok(_) => {}
            Err(code) if asked => connections.refuse(cx, About { connection, re: msgid::SYNC, cid }, code),
            Err(_) if is_there => self.tell_heads(cx, connections, connection),
            Err(_) => {}
        }
        if asked {
            connections.resume(cx, connection, Pause::AwaitingReply);
        }
    }

    /// SYNC with `since`.
    pub(crate) fn on_sync(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (since, asked): (Vec<SyncFrom>, Option<u64>),
    ) {
        cx.enter();
        let (connection, cid) = (about.connection, about.cid.map(Into::into));
        let messages = bounded(asked, cx.limits.history_messages);
        let Some(session) = connections.get(connection) else { return };
        let wanted = session.capabilities.wanted();
        let query = SyncQuery { connection, user, cid, since, wanted, messages };
        if query.since.is_empty() {
            let nothing = Ok(SyncPage::default());
            return self.on_synced(cx, connections, Box::new(query), nothing);
        }
        let (request, flow) = requested(cx, Box::new(query));
        look_up(cx, connections, about, request, flow);
    }

    /// SYNC_ACK with what a device lacks, or ERROR. What did not fit follows in another one.
    pub(crate) fn on_synced(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        mut query: Box<SyncQuery>,
        page: Result<SyncPage, Code>,
    ) {
        cx.enter();
        let connection = query.connection;
        match page {
            Ok(SyncPage { conversations, dealt_with }) => {
                let is_all = dealt_with >= query.since.len();
                let cid = query.cid.as_deref();
                let frame = sync::synced(cid, &conversations, is_all, cx.limits.push_bytes);
                connections.reply(cx, connection, frame.bytes);
                // Of what the frame has no room for, the store is asked again.
                let first_left = conversations.get(frame.conversations).map(|left| left.conversation);
                let done = match first_left {
                    None => dealt_with,
                    Some(left) => {
                        query.since.iter().position(|from| from.conversation == left).unwrap_or(dealt_with)
                    }
                };
                // A page that deals with nothing would be asked for for ever.
                query.since.drain(..done.max(1).min(query.since.len()));
                if !query.since.is_empty() {
                    let (request, flow) = requested(cx, query);
                    return cx.look_up(request, flow);
                }
            }
            Err(code) => {
                let about = About { connection, re: msgid::SYNC, cid: query.cid.as_deref() };
                connections.refuse(cx, about, code);
            }
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
    }
}

fn requested(cx: &Cx, query: Box<SyncQuery>) -> (StoreRequest, DevicesFlow) {
    // What is around the bodies needs the other half.
    let bytes = cx.limits.push_bytes / 2;
    let (user, since, wanted, messages) = (query.user, query.since.clone(), query.wanted, query.messages);
    (StoreRequest::Sync { user, since, wanted, messages, bytes }, DevicesFlow::Sync(query))
}

/// How many entries there are at most, of what was asked for.
fn bounded(asked: Option<u64>, most: usize) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(most).clamp(1, most)
}
