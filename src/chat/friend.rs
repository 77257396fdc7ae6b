//! Friends, and the requests that change who belongs to what.
//!
//! While such a request is being answered the session's later ones wait: whoever adds itself to a
//! group and writes to it in one breath is understood.

use super::ask::{Answer, Ask, Done};
use super::effect::Effect;
use super::hub::{About, Hub};
use super::ids::{GroupId, SessionId, UserId};
use super::pending::{Change, Pending, Roll};
use super::session::Pause;
use super::wire::code::Code;
use super::wire::reply::{self, Outcome, Refusal};

impl Hub {
    pub(super) fn add_friend(
        &mut self,
        about: About<'_>,
        user: UserId,
        friend: UserId,
        out: &mut Vec<Effect>,
    ) {
        if user == friend {
            return self.refuse_with(about, Code::InvalidField, "friendid is you", out);
        }
        self.roll(about, user, Ask::AddFriend { user, friend }, Change::Befriend { friend }, out);
    }

    pub(super) fn del_friend(
        &mut self,
        about: About<'_>,
        user: UserId,
        friend: UserId,
        out: &mut Vec<Effect>,
    ) {
        self.roll(about, user, Ask::DelFriend { user, friend }, Change::Unfriend { friend }, out);
    }

    /// Asks the store for a change of who belongs to what.
    pub(super) fn roll(
        &mut self,
        about: About<'_>,
        user: UserId,
        ask: Ask,
        change: Change,
        out: &mut Vec<Effect>,
    ) {
        self.pause(about.session, Pause::Answering, out);
        let cid = about.cid.map(Into::into);
        let (session, re) = (about.session, about.re);
        let roll = Roll { session, user, re, cid, change };
        let ticket = self.pending.insert(Pending::Roll(Box::new(roll)));
        out.push(Effect::Ask { ticket, ask });
    }

    pub(super) fn rolled(&mut self, roll: Roll, answer: Answer, out: &mut Vec<Effect>) {
        let Roll { session, user, re, cid, change } = roll;
        if self.session(session).is_none() && answer.is_ok() {
            if let (Change::Leave { group }, Ok(Done::Left { dissolved: true })) = (change, &answer) {
                self.dissolve_group(group, out);
            }
            // Wherever the user is now, it may have looked before this was done.
            return self.nudge(user, out);
        }
        let done = match answer {
            Ok(done) => done,
            Err(code) => {
                self.learn(session, change, code, out);
                if code == Code::Busy && matches!(change, Change::Join { .. } | Change::Leave { .. }) {
                    // It may have been done all the same: the next page names all groups.
                    self.take_again(session, out);
                }
                let about = About { session, re, cid: cid.as_deref() };
                match (change, code) {
                    (Change::Token, Code::TooFast) => {
                        let retry_after_ms = self.turned_away(session);
                        self.refuse_change_yet(about, retry_after_ms, out);
                    }
                    (_, Code::TooFast) => {
                        let text = "too many groups made, try again later";
                        let retry_after_ms = Some(self.limits.group_make_ms);
                        let refusal = Refusal { code, text, re: Some(re), cid: about.cid, retry_after_ms };
                        self.counts.error(code);
                        self.reply(session, reply::error(refusal), out);
                    }
                    _ => self.refuse(about, code, out),
                }
                return self.resume(session, Pause::Answering, out);
            }
        };
        let group = self.change(session, change, &done, out);
        if let Some(cid) = cid {
            let token = match &done {
                Done::Issued(token) => Some(&token.secret),
                _ => None,
            };
            self.reply(session, reply::ack(&cid, re, Outcome { group, token, ..Outcome::default() }), out);
        }
        self.resume(session, Pause::Answering, out);
    }

    /// A refusal tells what the store knows and this session does not: an earlier request was done
    /// although its answer was lost.
    pub(super) fn learn(&mut self, session: SessionId, change: Change, code: Code, out: &mut Vec<Effect>) {
        match (change, code) {
            (Change::Join { group: Some(group) }, Code::Exists) => self.join_group(session, group, 0, out),
            (Change::Leave { group }, Code::NotAMember | Code::NoSuchGroup) => {
                self.leave_group(session, group, out);
            }
            (Change::Befriend { friend }, Code::Exists) => self.befriend(session, friend, out),
            (Change::Unfriend { friend }, Code::NoSuchUser) => self.unfriend(session, friend),
            (Change::Token, Code::Refused) => self.guessed_wrong(session),
            _ => {}
        }
    }

    /// Does in the session what was done in the store; gives back the group that it was about.
    fn change(
        &mut self,
        session: SessionId,
        change: Change,
        done: &Done,
        out: &mut Vec<Effect>,
    ) -> Option<GroupId> {
        match (change, done) {
            (Change::Join { .. }, &Done::Joined { group, head }) => {
                self.join_group(session, group, head, out);
                Some(group)
            }
            (Change::Leave { group }, &Done::Left { dissolved }) => {
                if dissolved {
                    self.dissolve_group(group, out);
                } else {
                    self.leave_group(session, group, out);
                }
                Some(group)
            }
            (Change::Befriend { friend }, _) => {
                self.befriend(session, friend, out);
                None
            }
            (Change::Unfriend { friend }, _) => {
                self.unfriend(session, friend);
                None
            }
            (Change::Block { user }, _) => {
                self.online_mut(session)?.blocked.insert(user);
                None
            }
            (Change::Unblock { user }, _) => {
                self.online_mut(session)?.blocked.remove(&user);
                None
            }
            (Change::Confirm, Done::SettledAs(mids)) => {
                self.confirmed_as(session, mids, out);
                None
            }
            (Change::Token, Done::Issued(token)) => {
                self.guessed_right(session);
                self.online_mut(session)?.v2.as_mut()?.token = Some(token.id);
                None
            }
            _ => None,
        }
    }
}
