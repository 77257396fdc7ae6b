//! What readers confirm: a message to a session of the second dialect is its reader's when the
//! reader says so, and not when its TCP does.
//!
//! Until then it waits here, within bounds. What a session has not confirmed at its end is its
//! reader's backlog again; clients know it by sender and cid.

use super::ask::Ask;
use super::effect::Effect;
use super::envelope::Kind;
use super::hub::{About, Hub};
use super::ids::{MessageId, SessionId, UserId};
use super::orphan::Orphan;
use super::pending::Change;
use super::session::{Debt, Phase, Sent, V2};
use super::wire::reply::{self, Outcome};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

impl V2 {
    /// TCP has delivered it: from now on it is for the reader to confirm.
    pub(super) fn wait_for(&mut self, sent: Sent) {
        self.unconfirmed_bytes += sent.envelope.bytes().len();
        self.unconfirmed.push_back(sent);
    }

    fn pop(&mut self) -> Option<Sent> {
        let sent = self.unconfirmed.pop_front()?;
        self.unconfirmed_bytes -= sent.envelope.bytes().len();
        Some(sent)
    }
}

impl Hub {
    /// The reader has these. What this session does not know of may lie in the backlog since an
    /// earlier one, or may be the other id of a message that was said again: the store is asked, and
    /// until it answers the session is not read from, so that nobody fills the queue with ids that mean
    /// nothing.
    pub(super) fn confirm(
        &mut self,
        about: About<'_>,
        user: UserId,
        mids: Vec<MessageId>,
        out: &mut Vec<Effect>,
    ) {
        let unknown = self.take_confirmed(about.session, user, mids, out);
        if !unknown.is_empty() {
            let ask = Ask::Settle { user, mids: unknown, progress: Vec::new() };
            self.roll(about, user, ask, Change::Confirm, out);
        } else if let Some(cid) = about.cid {
            self.reply(about.session, reply::ack(cid, about.re, Outcome::default()), out);
        }
    }

    /// The store knows under which ids messages are stored that were confirmed under others.
    pub(super) fn confirmed_as(&mut self, id: SessionId, mids: &[MessageId], out: &mut Vec<Effect>) {
        if let Some(user) = self.online_mut(id).map(|online| online.user) {
            self.take_confirmed(id, user, mids.to_vec(), out);
        }
    }

    /// Takes messages, and every other push of the same, out of what a session was sent. Gives back the
    /// ids that it was not sent.
    fn take_confirmed(
        &mut self,
        id: SessionId,
        user: UserId,
        mids: Vec<MessageId>,
        out: &mut Vec<Effect>,
    ) -> Vec<MessageId> {
        let session = self.session_mut(id).expect("looked at before");
        let (mut wanted, mut found) = (mids.iter().copied().collect(), Vec::new());
        let Phase::Online(online) = &mut session.phase else { unreachable!("only who is online confirms") };
        let (window, v2) = (&mut session.window, online.v2.as_mut());
        let waiting = v2.map(|v2| (&mut v2.unconfirmed, &mut v2.unconfirmed_bytes));
        if let Some((unconfirmed, unconfirmed_bytes)) = waiting {
            remove(unconfirmed, &mut wanted, &mut found);
            let acknowledged = found.len();
            remove(window, &mut wanted, &mut found);
            let mut repeats = remove_repeats(unconfirmed, &found);
            let gone = found[..acknowledged].iter().chain(&repeats);
            *unconfirmed_bytes -= gone.map(|sent| sent.envelope.bytes().len()).sum::<usize>();
            repeats.extend(remove_repeats(window, &found));
            found.append(&mut repeats);
        }
        let of_backlog = |sent: &&Sent| sent.debt == Debt::Owed;
        let settled = found.iter().filter(of_backlog).map(|sent| sent.envelope.mid()).collect();
        self.settle(id, user, settled, out);
        self.spare_rows(user, found, out);
        mids.into_iter().filter(|mid| wanted.contains(mid)).collect()
    }

    /// Sends word of what is confirmed to the cores that wait for it.
    fn spare_rows(&mut self, user: UserId, mut confirmed: Vec<Sent>, out: &mut Vec<Effect>) {
        confirmed.retain(|sent| sent.debt == Debt::Awaited);
        confirmed.sort_by_key(|sent| sent.envelope.sender());
        for of_one_sender in confirmed.chunk_by(|a, b| a.envelope.sender() == b.envelope.sender()) {
            let mids: Vec<MessageId> = of_one_sender.iter().map(|sent| sent.envelope.mid()).collect();
            self.send_word(of_one_sender[0].envelope.sender(), user, Kind::Confirmed, &mids, out);
        }
    }

    /// Above the bounds, the oldest of what waits counts as confirmed.
    pub(super) fn bound_unconfirmed(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let (most, most_bytes) = (self.limits.unconfirmed, self.limits.unconfirmed_bytes);
        let Some(online) = self.online_mut(id) else { return };
        let user = online.user;
        let Some(v2) = &mut online.v2 else { return };
        let mut settled: Vec<MessageId> = Vec::new();
        while v2.unconfirmed.len() > most || v2.unconfirmed_bytes > most_bytes {
            let sent = v2.pop().expect("there are too many");
            if matches!(sent.debt, Debt::Owed | Debt::Awaited) {
                settled.push(sent.envelope.mid());
            }
        }
        self.settle(id, user, settled, out);
    }

    /// Takes messages out of a user's backlog.
    pub(super) fn settle(
        &mut self,
        id: SessionId,
        user: UserId,
        mids: Vec<MessageId>,
        out: &mut Vec<Effect>,
    ) {
        if !mids.is_empty() {
            self.adopt_for(Some(id), Orphan::Settle { user, mids, progress: Vec::new() }, out);
        }
    }

    /// What a session that ends was sent and has not confirmed is its reader's backlog again. What
    /// lies there still is kept again, so that whoever holds the user by now is told.
    pub(super) fn keep_unconfirmed(&mut self, sent: impl Iterator<Item = Sent>, out: &mut Vec<Effect>) {
        for sent in sent {
            if !matches!(sent.debt, Debt::Behind(_)) {
                self.adopt(Orphan::Keep { envelope: sent.envelope }, out);
            }
        }
    }
}

/// Moves what is wanted from one queue to `found`. Readers confirm in the order sent, nearly always.
fn remove(queue: &mut VecDeque<Sent>, wanted: &mut FxHashSet<MessageId>, found: &mut Vec<Sent>) {
    while queue.front().is_some_and(|sent| wanted.remove(&sent.envelope.mid())) {
        found.extend(queue.pop_front());
    }
    if wanted.is_empty() || queue.is_empty() {
        return;
    }
    for sent in std::mem::take(queue) {
        if wanted.remove(&sent.envelope.mid()) {
            found.push(sent);
        } else {
            queue.push_back(sent);
        }
    }
}

/// Takes out of a queue what says the same as one of those that were confirmed. Where a core waits for
/// word on it, it is acknowledged by its own id, and stays.
fn remove_repeats(queue: &mut VecDeque<Sent>, confirmed: &[Sent]) -> Vec<Sent> {
    let mut labels: Vec<u32> = confirmed.iter().map(|sent| sent.label).filter(|&label| label != 0).collect();
    if labels.is_empty() || queue.is_empty() {
        return Vec::new();
    }
    labels.sort_unstable();
    if !queue.iter().any(|sent| labels.binary_search(&sent.label).is_ok()) {
        return Vec::new();
    }
    let repeats = |sent: &Sent| {
        labels.binary_search(&sent.label).is_ok()
            && sent.debt != Debt::Awaited
            && confirmed.iter().any(|confirmed| confirmed.envelope.repeats(&sent.envelope))
    };
    let (repeated, rest): (Vec<Sent>, Vec<Sent>) = std::mem::take(queue).into_iter().partition(repeats);
    *queue = rest.into();
    repeated
}
