//! Groups that are run: roles, bans, mutes, how one joins, and what is told of all that.

use super::seek::Then;
use super::{Next, Pending, Talk};
use crate::command::words::Term;
use crate::command::{Command, GroupSetting};
use crate::show::Shown;
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use chatd_client::{
    Answer, Conversation, GroupChange, GroupEvent, Mark, Muted, Request, Role, Somebody, Until, clock,
};

/// What is asked for, of a group that is run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruling {
    group: GroupId,
    /// To whom; nobody, where it is the group, or everybody in it.
    whom: Option<UserId>,
    what: GroupChange,
}

impl Ruling {
    /// The request for it.
    fn request(&self) -> Option<Request> {
        let group = self.group;
        Some(match (&self.what, self.whom) {
            (GroupChange::Role(role), Some(user)) => Request::SetRole { group, user, role: *role },
            (GroupChange::Kicked(ban) | GroupChange::Banned(ban), Some(user)) => {
                Request::Kick { group, user, ban: *ban }
            }
            (GroupChange::Muted(until), whom) => {
                Request::Mute { group, whom: whom.map_or(Muted::All, Muted::Member), until: *until }
            }
            (GroupChange::Set { name, desc, join }, None) => {
                Request::SetGroup { group, name: name.clone(), desc: desc.clone(), join: *join }
            }
            (GroupChange::Joined, Some(user)) => Request::AnswerJoin { group, user, yes: true },
            (GroupChange::Refused, Some(user)) => Request::AnswerJoin { group, user, yes: false },
            _ => return None,
        })
    }
}

/// Until when something holds that is typed so now.
fn until(term: Term) -> Until {
    match term {
        Term::Ever => Until::Ever,
        Term::For(time) => {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            Until::At(Millis(clock::now().0.saturating_add(millis)))
        }
        Term::At(hour, minute) => clock::next_at(hour, minute).map_or(Until::Ever, Until::At),
    }
}

impl Talk {
    pub(super) fn group_command(
        &mut self,
        command: Command<'_>,
        say: &mut Vec<Shown>,
    ) -> Result<Next, String> {
        let (group, who, what) = match command {
            Command::Role(group, who, role) => (group, who, GroupChange::Role(role)),
            Command::SetGroup(group, GroupSetting::Owner(who)) => {
                (group, who, GroupChange::Role(Role::Owner))
            }
            Command::Kick(group, who, term) => {
                (group, who, GroupChange::Kicked(term.map_or(Until::Lifted, until)))
            }
            Command::Unban(group, who) => (group, who, GroupChange::Banned(Until::Lifted)),
            Command::Mute(group, who, term) => {
                (group, who, GroupChange::Muted(term.map_or(Until::Ever, until)))
            }
            Command::Unmute(group, who) => (group, who, GroupChange::Muted(Until::Lifted)),
            Command::SetGroup(group, setting) => {
                let (mut name, mut desc, mut join) = (None, None, None);
                match setting {
                    GroupSetting::Name(text) => name = Some(text.to_owned()),
                    GroupSetting::Desc(text) => desc = Some(text.to_owned()),
                    GroupSetting::Join(how) => join = Some(how),
                    GroupSetting::Owner(_) => {}
                }
                let group = self.group_or_open(group)?;
                return Ok(rule(Ruling { group, whom: None, what: GroupChange::Set { name, desc, join } }));
            }
            Command::Joins(group) => {
                let group = self.group_or_open(group)?;
                return Ok(Next::Ask(Request::Joins(group), Pending::Joins(group)));
            }
            _ => return Ok(Next::Go),
        };
        let group = self.group_or_open(group)?;
        if who == "all" && matches!(what, GroupChange::Muted(_)) {
            return Ok(rule(Ruling { group, whom: None, what }));
        }
        self.with_user(who, Then::Rule(group, what), say)
    }

    /// The group that is named, or the open one.
    pub(super) fn group_or_open(&self, group: Option<&str>) -> Result<GroupId, String> {
        match (group, self.open) {
            (Some(group), _) => self.group(group),
            (None, Some(Conversation::In(group))) => Ok(group),
            (None, _) => Err("which group? name it first: #GROUP".to_owned()),
        }
    }

    pub(super) fn done_with_groups(&mut self, pending: Pending, answer: Answer) -> Option<Shown> {
        match (pending, answer) {
            (Pending::Rule(ruling), answer) => {
                let mark = match answer {
                    Answer::Ruled(mark) => mark,
                    _ => Mark::default(),
                };
                self.ruled(ruling, mark)
            }
            (Pending::Joins(group), Answer::Joins(users)) => {
                users.iter().for_each(|user| self.directory.meet(user));
                let label = self.directory.label(Conversation::In(group));
                Some(Shown::Joins { group, label, users })
            }
            (pending, answer) => self.done_with_people(pending, answer),
        }
    }

    /// What the user did to a group is told as others are told it.
    fn ruled(&mut self, ruling: Ruling, mark: Mark) -> Option<Shown> {
        let Ruling { group, whom, what } = ruling;
        let somebody = |id: UserId| Somebody { id, name: self.directory.label(Conversation::With(id)) };
        let by = somebody(self.me?);
        let event = GroupEvent::new(group, mark, by, whom.map(somebody), what);
        self.follow(&event);
        let label = self.directory.label(Conversation::In(group));
        Some(Shown::Group { event, label, me: self.me, asked: true })
    }

    /// Something happened to a group.
    pub(super) fn happened(&mut self, event: GroupEvent, say: &mut Vec<Shown>) {
        let at = Conversation::In(event.group);
        // What the group was called before.
        let label = self.directory.label(at);
        self.directory.meet_somebody(&event.by);
        event.whom.iter().for_each(|whom| self.directory.meet_somebody(whom));
        self.reaches(at, event.mark.pos);
        self.follow(&event);
        say.push(Shown::Group { event, label, me: self.me, asked: false });
    }

    /// Groups are as an event says.
    fn follow(&mut self, event: &GroupEvent) {
        let concerns_me = self.me == Some(event.concerns().id);
        match &event.what {
            GroupChange::Joined if concerns_me => self.directory.join(event.group, None),
            GroupChange::Left | GroupChange::Kicked(_) if concerns_me => self.is_out_of(event.group),
            GroupChange::Set { name, desc, join } => {
                self.directory.set(event.group, name.as_deref(), desc.as_deref(), *join);
            }
            _ => {}
        }
    }
}

/// Asks for it.
pub(super) fn rule(ruling: Ruling) -> Next {
    match ruling.request() {
        Some(request) => Next::Ask(request, Pending::Rule(ruling)),
        None => Next::Go,
    }
}

/// Asks for something that concerns a member.
pub(super) fn rule_over(group: GroupId, user: UserId, what: GroupChange) -> Next {
    rule(Ruling { group, whom: Some(user), what })
}

/// What was to be done, for whoever reads that it was not.
pub(super) fn not_ruled(ruling: &Ruling, label: &str, who: impl Fn(UserId) -> String) -> String {
    match (&ruling.what, ruling.whom) {
        (GroupChange::Role(_), Some(user)) => format!("{} has the same role as before", who(user)),
        (GroupChange::Kicked(_), Some(user)) => format!("{} is not sent away", who(user)),
        (GroupChange::Banned(_), Some(user)) => format!("the ban of {} is as before", who(user)),
        (GroupChange::Muted(_), Some(user)) => format!("{} may speak as before", who(user)),
        (GroupChange::Joined, Some(user)) => format!("{} is not let in", who(user)),
        (GroupChange::Refused, Some(user)) => format!("{} is not refused", who(user)),
        _ => format!("{label} is as before"),
    }
}
