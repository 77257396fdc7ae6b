//! Read markers: how far a user has read in a conversation, for all of its devices, and for the other user.

use super::Devices;
use crate::backlog::Backlog;
use crate::connection::{About, Connection, Connections, Pause};
use crate::model::capabilities::Capabilities;
use crate::model::device::Marker;
use crate::model::envelope::{Envelope, ReadNotice};
use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::port::event::Channel;
use crate::port::in_flight::{DevicesFlow, MarkerMove};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::reply::{self, Outcome};
use crate::wire::{msgid, sync};

impl Devices {
    /// READ.
    pub(crate) fn on_read(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (conversation, pos, private): (Conversation, u64, bool),
    ) {
        cx.enter();
        let Some(connection) = connections.get(about.connection) else { return };
        let peer = match conversation {
            // Whoever is blocked learns nothing, and nobody does of who does not want to tell.
            Conversation::With(peer) if !private && connection.tells_what_it_read(peer) => Some(peer),
            Conversation::With(_) | Conversation::Group(_) => None,
        };
        let peer = peer.filter(|&peer| peer != user);
        connections.pause(cx, about.connection, Pause::AwaitingReply);
        let (connection, cid) = (about.connection, about.cid.map(Into::into));
        let flow = DevicesFlow::Marker(Box::new(MarkerMove { connection, user, cid, conversation, peer }));
        cx.request(StoreRequest::MoveMarker { user, conversation, pos }, flow);
    }

    /// The marker is moved, or not: the user's other sessions and the other user are told, then ACK.
    pub(crate) fn on_marker(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        moved: MarkerMove,
        marker: Result<Marker, Code>,
    ) {
        cx.enter();
        let MarkerMove { connection, user, cid, conversation, peer } = moved;
        let about = About { connection, re: msgid::READ, cid: cid.as_deref() };
        match marker {
            Ok(Marker { pos, moved }) => {
                if moved {
                    let notice = ReadNotice { reader: user, conversation, pos };
                    self.tell_read(cx, connections, backlog, (user, Some(connection)), notice);
                    if let Some(peer) = peer {
                        let conversation = Conversation::With(user);
                        let notice = ReadNotice { conversation, ..notice };
                        self.tell_read(cx, connections, backlog, (peer, None), notice);
                    }
                }
                if let Some(cid) = about.cid {
                    let outcome = Outcome { pos: Some(pos), ..Outcome::default() };
                    connections.reply(cx, connection, reply::ack(cid, about.re, outcome));
                }
            }
            Err(code) => connections.refuse(cx, about, code),
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
    }

    /// Tells the sessions of `to` here, but for one, and those on other cores.
    fn tell_read(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        (to, but): (UserId, Option<ConnectionId>),
        notice: ReadNotice,
    ) {
        self.push_read(cx, connections, backlog, (to, but), notice);
        let envelope = Envelope::read_notice(cx.next_mid(), to, notice);
        cx.publish(Channel::User(to), envelope);
    }

    /// Another core tells that somebody has read something.
    pub(crate) fn on_read_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        envelope: &Envelope,
    ) {
        cx.enter();
        cx.observe(envelope.mid());
        // What this core published comes back to it.
        if envelope.mid().core() != cx.core
            && let Some(notice) = envelope.read()
        {
            self.push_read(cx, connections, backlog, (envelope.user(), None), notice);
        }
    }

    /// Tells sessions here. One that is logging in is told once its login answer is out, which may be older.
    fn push_read(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        (to, but): (UserId, Option<ConnectionId>),
        notice: ReadNotice,
    ) {
        for id in connections.sessions(to).into_iter().filter(|&id| Some(id) != but) {
            let understands = |connection: &&Connection| connection.capabilities.has(Capabilities::READ);
            let Some(connection) = connections.get(id).filter(understands) else { continue };
            if connection.is_logged_in() && !backlog.awaits_welcome(id) {
                tell(cx, connections, id, notice);
            } else {
                self.reads.entry(id).or_default().hold(cx.limits.held_changes, notice);
            }
        }
    }

    /// The login answer of a session is out: it hears what was read meanwhile. Whether there was too much of it.
    pub(crate) fn release_reads(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
    ) -> bool {
        cx.enter();
        let HeldReads { notices, missed } = self.reads.remove(&id).unwrap_or_default();
        notices.into_iter().for_each(|notice| tell(cx, connections, id, notice));
        missed
    }
}

/// What one session is told later: of each reader in each conversation the last.
#[derive(Debug, Default)]
pub(super) struct HeldReads {
    notices: Vec<ReadNotice>,
    /// Whether some are forgotten, because there were too many.
    missed: bool,
}

impl HeldReads {
    fn hold(&mut self, most: usize, notice: ReadNotice) {
        let place = |held: &ReadNotice| (held.reader, held.conversation);
        self.notices.retain(|held| place(held) != place(&notice));
        if self.notices.len() < most {
            self.notices.push(notice);
        } else {
            self.missed = true;
        }
    }
}

/// Tells one session, if its user does not block whoever has read.
fn tell(cx: &mut Cx, connections: &mut Connections, id: ConnectionId, notice: ReadNotice) {
    let ReadNotice { reader, conversation, pos } = notice;
    if connections.get(id).is_some_and(|connection| !connection.refuses_from(reader)) {
        connections.reply(cx, id, sync::read(conversation, reader, pos));
    }
}
