//! Friends, and the requests that change who belongs to what.
//!
//! While such a request is being answered the session's later ones wait: whoever adds itself to a
//! group and writes to it in one breath is understood.

use super::ask::{Answer, Ask, Done, Person};
use super::effect::Effect;
use super::event::BusDown;
use super::hub::{About, Hub};
use super::ids::{GroupId, SessionId, UserId};
use super::pending::{Change, Pending, Roll};
use super::session::Pause;
use super::wire::code::Code;
use super::wire::reply::{self, Outcome};
use super::wire::{lists, msgid};

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
        self.roll(about, user, Ask::AddFriend { user, friend }, Change::None, out);
    }

    pub(super) fn del_friend(
        &mut self,
        about: About<'_>,
        user: UserId,
        friend: UserId,
        out: &mut Vec<Effect>,
    ) {
        self.roll(about, user, Ask::DelFriend { user, friend }, Change::None, out);
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
                self.refuse(About { session, re, cid: cid.as_deref() }, code, out);
                return self.resume(session, Pause::Answering, out);
            }
        };
        let group = self.change(session, change, &done, out);
        if let Some(cid) = cid {
            self.reply(session, reply::ack(&cid, re, Outcome { group, ..Outcome::default() }), out);
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
            _ => None,
        }
    }

    pub(super) fn show_friends(&mut self, about: About<'_>, user: UserId, out: &mut Vec<Effect>) {
        self.pause(about.session, Pause::Answering, out);
        let cid = about.cid.map(Into::into);
        let ticket = self.pending.insert(Pending::Friends { session: about.session, cid });
        out.push(Effect::Ask { ticket, ask: Ask::Friends { user } });
    }

    pub(super) fn friends_answered(
        &mut self,
        session: SessionId,
        cid: Option<Box<str>>,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        let people = match answer {
            Ok(Done::Friends(people)) => people,
            Ok(_) => unreachable!("Friends is answered with Friends"),
            Err(code) => return self.no_friends(session, cid, code, out),
        };
        let users: Vec<UserId> = people.iter().map(|person| person.id).collect();
        let ticket = self.pending.insert(Pending::FriendsLook { session, people, cid });
        out.push(Effect::Look { ticket, users });
    }

    pub(super) fn friends_looked(
        &mut self,
        session: SessionId,
        people: Vec<Person>,
        cid: Option<Box<str>>,
        online: Result<Vec<bool>, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let Ok(online) = online else { return self.no_friends(session, cid, Code::Busy, out) };
        let is_online = |user| {
            let at = people.iter().position(|person| person.id == user);
            at.is_some_and(|at| online.get(at) == Some(&true))
        };
        self.reply(session, lists::friend_list(&people, &is_online, self.limits.push_bytes), out);
        if let Some(cid) = cid {
            self.reply(session, reply::ack(&cid, msgid::SHOW_FRIENDS, Outcome::default()), out);
        }
        self.resume(session, Pause::Answering, out);
    }

    fn no_friends(&mut self, session: SessionId, cid: Option<Box<str>>, code: Code, out: &mut Vec<Effect>) {
        self.refuse(About { session, re: msgid::SHOW_FRIENDS, cid: cid.as_deref() }, code, out);
        self.resume(session, Pause::Answering, out);
    }
}
