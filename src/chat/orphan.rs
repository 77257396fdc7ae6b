//! Things for the store that no client waits for: repeated until the store is not busy.

use super::ask::{Answer, Ask, Done, Progress, TokenId};
use super::effect::Effect;
use super::envelope::{Envelope, Kind};
use super::event::{BusDown, Channel};
use super::hub::Hub;
use super::ids::{MessageId, SessionId, UserId};
use super::pending::Pending;
use super::record::RECORDS;
use super::session::Online;
use super::wire::code::Code;

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Orphan {
    /// A message that its reader may not have got, or that no row is known of.
    Keep { envelope: Envelope },
    /// Messages for the history.
    Record { envelopes: Vec<Envelope> },
    /// What a reader has got.
    Settle { user: UserId, mids: Vec<MessageId>, progress: Vec<Progress> },
    /// The token of a session that logged out.
    Revoke { user: UserId, token: TokenId },
}

impl Hub {
    pub(super) fn adopt(&mut self, orphan: Orphan, out: &mut Vec<Effect>) {
        self.adopt_for(None, orphan, out);
    }

    /// Asks the store, and asks again while it is busy. `session` hears when it is done.
    pub(super) fn adopt_for(&mut self, session: Option<SessionId>, orphan: Orphan, out: &mut Vec<Effect>) {
        let ask = match orphan.clone() {
            Orphan::Keep { envelope } => Ask::Keep { envelope },
            Orphan::Record { envelopes } => Ask::Record { envelopes },
            Orphan::Settle { user, mids, progress } => Ask::Settle { user, mids, progress },
            Orphan::Revoke { user, token } => Ask::Revoke { user, token },
        };
        let ticket = self.pending.insert(Pending::Orphan { session, orphan });
        out.push(Effect::Ask { ticket, ask });
    }

    pub(super) fn orphan_answered(
        &mut self,
        session: Option<SessionId>,
        orphan: Orphan,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        if answer == Err(Code::Busy) {
            if let Some(id) = session.filter(|&id| self.is_greeted_next(id)) {
                self.refuse_login(id, Code::Busy, out);
            }
            return self.ask_later(session, orphan);
        }
        if answer == Err(Code::InvalidField) {
            // It can never be stored, so it is not asked again.
            self.counts.orphans_dropped += 1;
        }
        match orphan {
            Orphan::Keep { envelope } if envelope.kind() == Kind::Group => {
                if let Ok(Done::Kept { mid, pos: Some(pos), .. }) = answer {
                    self.group_kept(envelope.group(), mid, pos, out);
                }
            }
            Orphan::Keep { envelope } => {
                if let Some(id) = session {
                    self.spilled(id);
                }
                self.nudge(envelope.user(), out);
            }
            Orphan::Revoke { .. } | Orphan::Record { .. } => {}
            Orphan::Settle { mids, .. } => {
                let online =
                    session.and_then(|id| self.session_mut(id)).and_then(|session| session.online_mut());
                if let Some(online) = online {
                    for mid in mids {
                        online.owed.remove(&mid);
                    }
                }
            }
        }
    }

    /// The store is busy: it is asked with the next ones.
    pub(super) fn adopt_later(&mut self, orphan: Orphan) {
        self.ask_later(None, orphan);
    }

    fn ask_later(&mut self, session: Option<SessionId>, orphan: Orphan) {
        let most = match orphan {
            // Each is many messages.
            Orphan::Record { .. } => self.limits.orphans / RECORDS,
            _ => self.limits.orphans,
        };
        if self.orphans.len() < most {
            self.orphans.push_back((session, orphan));
        } else {
            self.counts.orphans_dropped += 1;
            if let (Some(id), Orphan::Keep { .. }) = (session, orphan) {
                // It will not be in the backlog, so its reader's session does not wait for it.
                self.spilled(id);
            }
        }
    }

    /// Whether a session waits for its login answer: the store has to be there for that.
    fn is_greeted_next(&self, id: SessionId) -> bool {
        let online = self.session(id).and_then(|session| session.online());
        online.is_some_and(Online::is_to_be_greeted)
    }

    /// Whoever holds the user is to take again.
    pub(super) fn nudge(&mut self, user: UserId, out: &mut Vec<Effect>) {
        match self.users.get(&user) {
            Some(&id) if self.session(id).is_some_and(|session| session.online().is_some()) => {
                self.take_again(id, out);
            }
            _ => {
                let ticket = self.pending.insert(Pending::Nudge { user });
                let envelope = Envelope::waiting(user);
                out.push(Effect::Publish { ticket: Some(ticket), channel: Channel::User(user), envelope });
            }
        }
    }

    pub(super) fn nudged(&mut self, user: UserId, heard: Result<u32, BusDown>) {
        if heard.is_err() {
            self.to_nudge.insert(user);
        }
    }

    pub(super) fn retry_nudges(&mut self, out: &mut Vec<Effect>) {
        for user in std::mem::take(&mut self.to_nudge) {
            self.nudge(user, out);
        }
    }

    pub(super) fn retry_orphans(&mut self, out: &mut Vec<Effect>) {
        for (session, orphan) in std::mem::take(&mut self.orphans) {
            self.adopt_for(session, orphan, out);
        }
    }
}
