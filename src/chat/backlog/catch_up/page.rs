//! A page of a backlog: fetched, looked through when it comes, and pushed as far as there is room.

use super::Stage;
use crate::backlog::Backlog;
use crate::backlog::live_buffer::stored_as;
use crate::backlog::reader::Reader;
use crate::connection::{Connections, StoredAs, UnackedPush};
use crate::model::capabilities::Capabilities;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, GroupId, MessageId, SessionEpoch};
use crate::port::cx::Cx;
use crate::port::in_flight::BacklogFlow;
use crate::port::store::{BacklogMessage, BacklogPage, StoreRequest};
use crate::wire::code::Code;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// What a page leaves to be done.
#[derive(Debug)]
pub(crate) enum PageOutcome {
    /// It is for nobody.
    Nothing,
    /// It is here: the login answer goes out with it where it is waited for, then the catch-up goes on.
    Arrived {
        awaits_welcome: bool,
        /// Groups that it was fetched for and does not name: they were dissolved before their channel was joined.
        absent: Vec<GroupId>,
        /// Groups that it names and that are new here: they were joined by another connection.
        new: Vec<GroupId>,
    },
    /// It is not to be used: the catch-up goes on.
    Stale,
    /// There is none, and the login comes to nothing for it.
    RefuseLogin(Code),
}

impl Backlog {
    /// Pushes what is left of a page; whether that is all. A client that reads one frame at a time gets some of it, and
    /// more when its TCP has acknowledged these.
    pub(super) fn push_rest(&mut self, cx: &mut Cx, connections: &mut Connections, id: ConnectionId) -> bool {
        let most = match connections.get(id) {
            Some(connection) if connection.reads_single_frames() => cx.limits.paced_backlog,
            Some(_) | None => usize::MAX,
        };
        let Some(catch_up) = self.catch_up_of_mut(id) else { return false };
        let mut rest = std::mem::take(&mut catch_up.rest);
        while connections.get(id).is_some_and(|connection| connection.window.unacked() < most)
            && let Some(message) = rest.pop_front()
        {
            self.push_from_page(cx, connections, id, message);
        }
        let through = rest.is_empty();
        if let Some(catch_up) = self.catch_up_of_mut(id) {
            catch_up.rest = rest;
        }
        through
    }

    /// The groups stand where what was sent of the page has left them.
    pub(in crate::backlog) fn finish_page(&mut self, id: ConnectionId) {
        let Some(reader) = self.readers.get_mut(id) else { return };
        let Stage::CatchingUp(catch_up) = &mut reader.stage else { return };
        for (&group, upto) in reader.notes.get_mut().into_iter().flat_map(|notes| &mut notes.upto) {
            *upto = catch_up.reached(group, *upto);
            catch_up.buffer.advance(group, *upto);
        }
        catch_up.heads.clear();
    }

    pub(crate) fn on_page(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        epoch: SessionEpoch,
        page: Result<BacklogPage, Code>,
    ) -> PageOutcome {
        cx.enter();
        let Some(reader) = self.readers.get_mut(id).filter(|reader| reader.epoch == epoch) else {
            return PageOutcome::Nothing;
        };
        let (user, notes) = (reader.user, reader.notes.get());
        let Stage::CatchingUp(catch_up) = &mut reader.stage else { return PageOutcome::Nothing };
        catch_up.fetching = false;
        if std::mem::take(&mut catch_up.stale) && page.is_ok() {
            return PageOutcome::Stale;
        }
        let page = match page {
            Ok(page) => page,
            Err(code) if catch_up.awaits_welcome => return PageOutcome::RefuseLogin(code),
            Err(code) => {
                if code != Code::Busy {
                    catch_up.refuse(cx.now);
                }
                self.fetch_later(cx, connections, id);
                return PageOutcome::Nothing;
            }
        };
        catch_up.refusals = 0;
        if let Some(last) = page.messages.iter().rfind(|message| message.pos.is_none()) {
            catch_up.after = last.envelope.mid();
        }
        let mut fresh = VecDeque::from(page.messages);
        let connection = connections.get(id);
        let mut refused: Vec<MessageId> = Vec::new();
        let (sent, buffer) = (&catch_up.sent, &mut catch_up.buffer);
        let knows_events = connection.is_some_and(|session| session.capabilities.has(Capabilities::GROUP));
        fresh.retain_mut(|message| {
            if message.envelope.is_event() && !place_event(message, knows_events) {
                // Where groups go on is for the heads to say.
                refused.extend(message.pos.is_none().then(|| message.envelope.mid()));
                return false;
            }
            let refuses = connection.is_some_and(|connection| connection.refuses(&message.envelope));
            refused.extend(refuses.then(|| message.envelope.mid()));
            !refuses && (sent.contains(&message.envelope.mid()) || !buffer.takes(message))
        });
        let named: FxHashSet<GroupId> = page.heads.iter().map(|&(group, _)| group).collect();
        let absent = catch_up.fetched_for.iter().copied().filter(|group| !named.contains(group)).collect();
        let new = named
            .into_iter()
            .filter(|group| !notes.is_some_and(|notes| notes.upto.contains_key(group)))
            .collect();
        (catch_up.rest, catch_up.complete, catch_up.heads) = (fresh, page.complete, page.heads);
        let awaits_welcome = catch_up.awaits_welcome;
        self.ack_delivered(cx, Some(id), user, refused);
        PageOutcome::Arrived { awaits_welcome, absent, new }
    }

    fn push_from_page(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        message: BacklogMessage,
    ) {
        let mid = message.envelope.mid();
        let Some(reader) = self.readers.get_mut(id) else { return };
        reader.miss_no_more(mid);
        let is_in_backlog = reader.has_in_backlog(mid);
        let Stage::CatchingUp(catch_up) = &mut reader.stage else { return };
        if catch_up.sent.contains(&mid) {
            if message.pos.is_none() && !is_in_backlog {
                self.ack_sent(cx, connections, id, mid);
            }
        } else if !catch_up.buffer.takes(&message) {
            catch_up.note_sent(mid);
            // It may be so since the page came.
            if connections.get(id).is_some_and(|connection| connection.refuses(&message.envelope)) {
                return;
            }
            reader.notes.or_default().from_pages.note(mid);
            let stored_as = stored_as(&message);
            self.push(cx, connections, id, message.envelope, stored_as);
        }
    }

    /// A message was pushed live and came to lie in the backlog all the same: somebody else heard it too, and
    /// could not deliver it.
    fn ack_sent(&mut self, cx: &mut Cx, connections: &mut Connections, id: ConnectionId, mid: MessageId) {
        let in_window = connections.get_mut(id).and_then(|connection| connection.window.find_mut(mid));
        let arrived = in_window.map(|push| push.stored_as = StoredAs::Backlog).is_none();
        let Some(reader) = self.readers.get_mut(id) else { return };
        reader.notes.or_default().in_backlog.insert(mid);
        let user = reader.user;
        if arrived {
            self.ack_delivered(cx, Some(id), user, vec![mid]);
        }
    }

    /// The first page, for the login answer; whether more follows it.
    pub(crate) fn first_page(&self, id: ConnectionId) -> impl Iterator<Item = &Envelope> + '_ {
        let messages = self.catch_up_of(id).into_iter().flat_map(|catch_up| &catch_up.rest);
        messages.map(|message| &message.envelope)
    }

    /// The login answer holds so many messages of the first page, and will end at `end`: when it is acknowledged,
    /// all of them are.
    pub(crate) fn welcome(
        &mut self,
        connections: &mut Connections,
        id: ConnectionId,
        messages: usize,
        end: u64,
    ) {
        let Some(reader) = self.readers.get_mut(id) else { return };
        let Stage::CatchingUp(catch_up) = &mut reader.stage else { return };
        catch_up.awaits_welcome = false;
        let answered: Vec<BacklogMessage> = catch_up.rest.drain(..messages).collect();
        for message in answered {
            let (mid, stored_as) = (message.envelope.mid(), stored_as(&message));
            catch_up.sent.insert(mid);
            let notes = reader.notes.or_default();
            notes.from_pages.note(mid);
            notes.missing.remove(&mid);
            if stored_as == StoredAs::Backlog {
                notes.in_backlog.insert(mid);
            }
            if let Some(connection) = connections.get_mut(id) {
                let envelope = message.envelope;
                connection.window.note(UnackedPush::new(end, reader.user, envelope, stored_as));
            }
        }
    }
}

/// Fetches the next page.
pub(super) fn fetch_page(cx: &mut Cx, id: ConnectionId, reader: &mut Reader) {
    let (messages, bytes) = (cx.limits.page_messages, cx.limits.page_bytes);
    let upto = reader.notes.get().into_iter().flat_map(|notes| &notes.upto);
    let mut have: Vec<(GroupId, u64)> = upto.map(|(&group, &upto)| (group, upto)).collect();
    have.sort_unstable();
    let (user, epoch) = (reader.user, reader.epoch);
    let Some(catch_up) = reader.catch_up_mut() else { return };
    if catch_up.complete {
        // From the front, for what came to lie before the pages of the last round.
        catch_up.after = MessageId(0);
    }
    if catch_up.after == MessageId(0) {
        catch_up.again = false;
    }
    (catch_up.fetching, catch_up.complete) = (true, false);
    let after = catch_up.after;
    catch_up.fetched_for = have.iter().map(|&(group, _)| group).collect();
    let request = StoreRequest::FetchBacklog { user, after, have, messages, bytes };
    let moment = cx.hearing.moment();
    cx.request(request, BacklogFlow::Page { connection: id, epoch, moment });
}

/// An event has its place with it; whether it is for this reader.
fn place_event(event: &mut BacklogMessage, is_known: bool) -> bool {
    if let Some(pos) = event.pos {
        event.envelope = event.envelope.placed(pos);
    }
    is_known
}
