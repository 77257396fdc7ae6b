//! Lists of people, and of one: FIND, MEMBERS, SHOW_FRIENDS. The store knows who they are, the bus
//! knows who of them is online.

use super::ask::{Answer, Ask, Done, Member, Person, Who};
use super::effect::Effect;
use super::event::BusDown;
use super::hub::{About, Hub};
use super::ids::{GroupId, SessionId, UserId};
use super::pending::Pending;
use super::session::Pause;
use super::wire::code::Code;
use super::wire::found::{self, MembersPage};
use super::wire::reply::{self, Outcome};
use super::wire::request::{Dialect, Named};
use super::wire::{lists, msgid, welcome};

/// What the store is asked for, and what that answers.
#[derive(Debug)]
pub(super) struct People {
    pub(super) session: SessionId,
    pub(super) re: u32,
    /// Whose members are asked for, if they are.
    pub(super) group: Option<GroupId>,
    pub(super) cid: Option<Box<str>>,
}

/// A list whose entries' states are being found out, and what it answers.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) session: SessionId,
    pub(super) cid: Option<Box<str>>,
    pub(super) list: List,
    /// What was known of who is online when that was asked.
    pub(super) begun: u64,
}

/// Which list.
#[derive(Debug)]
pub(super) enum List {
    Found(Person),
    Friends(Vec<Person>),
    Members { group: GroupId, members: Vec<Member>, complete: bool },
}

impl List {
    fn people(&self) -> Vec<&Person> {
        match self {
            List::Found(person) => vec![person],
            List::Friends(people) => people.iter().collect(),
            List::Members { members, .. } => members.iter().map(|member| &member.person).collect(),
        }
    }

    fn ids(&self) -> Vec<UserId> {
        self.people().iter().map(|person| person.id).collect()
    }

    fn re(&self) -> u32 {
        match self {
            List::Found(_) => msgid::FIND,
            List::Friends(_) => msgid::SHOW_FRIENDS,
            List::Members { .. } => msgid::MEMBERS,
        }
    }
}

impl Hub {
    pub(super) fn show_friends(&mut self, about: About<'_>, user: UserId, out: &mut Vec<Effect>) {
        self.ask_people(about, Ask::Friends { user }, out);
    }

    pub(super) fn find(&mut self, about: About<'_>, who: Named<'_>, out: &mut Vec<Effect>) {
        let who = match who {
            Named::Id(user) => Who::Id(user),
            Named::Name(name) => Who::Name(name.to_owned()),
        };
        self.ask_people(about, Ask::Find { who }, out);
    }

    pub(super) fn members(
        &mut self,
        about: About<'_>,
        user: UserId,
        group: GroupId,
        after: Option<UserId>,
        members: Option<u64>,
        out: &mut Vec<Effect>,
    ) {
        let members = self.bounded_page(members);
        self.ask_people(about, Ask::Members { user, group, after, members }, out);
    }

    fn ask_people(&mut self, about: About<'_>, ask: Ask, out: &mut Vec<Effect>) {
        self.pause(about.session, Pause::Answering, out);
        let About { session, re, cid } = about;
        let group = match ask {
            Ask::Members { group, .. } => Some(group),
            _ => None,
        };
        let cid = cid.map(Into::into);
        let ticket = self.pending.insert(Pending::People(Box::new(People { session, re, group, cid })));
        out.push(Effect::Ask { ticket, ask });
    }

    pub(super) fn people_answered(&mut self, asked: People, answer: Answer, out: &mut Vec<Effect>) {
        let People { session, re, group, cid } = asked;
        let list = match (answer, group) {
            (Ok(Done::Found(person)), _) => List::Found(person),
            (Ok(Done::Friends(people)), _) => List::Friends(people),
            (Ok(Done::Members { members, complete }), Some(group)) => {
                List::Members { group, members, complete }
            }
            (Ok(_), _) => unreachable!("people are answered with people"),
            (Err(code), _) => {
                if (re, code) == (msgid::FIND, Code::NoSuchUser) {
                    self.reply(session, found::nobody(cid.as_deref()), out);
                } else {
                    self.refuse(About { session, re, cid: cid.as_deref() }, code, out);
                }
                return self.resume(session, Pause::Answering, out);
            }
        };
        let users = list.ids();
        let listed = Listed { session, cid, list, begun: self.presence.begin_look() };
        let ticket = self.pending.insert(Pending::Listed(Box::new(listed)));
        out.push(Effect::Look { ticket, users });
    }

    pub(super) fn people_looked(
        &mut self,
        listed: Listed,
        online: Result<Vec<bool>, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let Listed { session, cid, list, begun } = listed;
        let (re, cid) = (list.re(), cid.as_deref());
        match online {
            Ok(online) => {
                let ids = list.ids();
                self.saw(&ids, begun, &online, out);
                self.show(session, cid, &list, (&ids, &online), out);
            }
            Err(BusDown) => self.refuse(About { session, re, cid }, Code::Busy, out),
        }
        self.resume(session, Pause::Answering, out);
    }

    fn show(
        &mut self,
        session: SessionId,
        cid: Option<&str>,
        list: &List,
        (ids, online): (&[UserId], &[bool]),
        out: &mut Vec<Effect>,
    ) {
        let dialect = self.session(session).map_or(Dialect::Seed, |session| session.dialect);
        // Who is told of changes sees what it was told, this look among it: what a look alone has shown
        // may have been a login that comes to nothing, and no change would follow it.
        let told = |user| self.presence.state_of(user).filter(|_| dialect == Dialect::V2);
        let is_online = |user| {
            let at = ids.iter().position(|&id| id == user);
            told(user).unwrap_or_else(|| at.is_some_and(|at| online.get(at) == Some(&true)))
        };
        let bytes = self.limits.push_bytes;
        let frames = match list {
            List::Found(person) => vec![found::user(cid, person, &is_online)],
            &List::Members { group, ref members, complete } => {
                vec![found::members(MembersPage { cid, group, members, complete }, &is_online, bytes)]
            }
            List::Friends(people) => match dialect {
                Dialect::V2 => welcome::friend_list(people, &is_online, bytes),
                Dialect::Seed => vec![lists::friend_list(people, &is_online, bytes)],
            },
        };
        frames.into_iter().for_each(|frame| self.reply(session, frame, out));
        if let (List::Friends(_), Some(cid)) = (list, cid) {
            self.reply(session, reply::ack(cid, msgid::SHOW_FRIENDS, Outcome::default()), out);
        }
    }
}
