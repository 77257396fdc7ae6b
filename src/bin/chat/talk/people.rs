//! Friendships that are asked for, settings, and who is typing or has read.

use super::groups::rule_over;
use super::seek::Then;
use super::{Next, Pending, Talk};
use crate::command::Command;
use crate::show::{Deed, Shown};
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_client::{
    Answer, Asking, Conversation, FriendChange, FriendEvent, GroupChange, OwnDeed, Person, Request,
};
use std::time::{Duration, Instant};

impl Talk {
    pub(super) fn people_command(
        &mut self,
        command: Command<'_>,
        say: &mut Vec<Shown>,
    ) -> Result<Next, String> {
        match command {
            Command::Ask(who, note) => self.with_user(who, Then::Ask(note.to_owned()), say),
            Command::Answer(group, who, yes) => {
                let group = group.map(|group| self.group(group)).transpose()?;
                let here = match self.open {
                    Some(Conversation::In(group)) => Some(group),
                    _ => None,
                };
                let asks = self.directory.user(who).is_some_and(|user| self.asking.contains(&user));
                let group = group.or(here.filter(|_| !asks));
                self.with_user(who, Then::Answer(group, yes), say)
            }
            Command::Settings(settings) => Ok(Next::Ask(Request::Settings(settings), Pending::Settings)),
            _ => Ok(Next::Go),
        }
    }

    /// Lets somebody in, or is friends with somebody; or not.
    pub(super) fn answer(&self, group: Option<GroupId>, user: UserId, yes: bool) -> Next {
        match group {
            Some(group) => {
                rule_over(group, user, if yes { GroupChange::Joined } else { GroupChange::Refused })
            }
            None => Next::Ask(Request::AnswerFriend { user, yes }, Pending::AnswerFriend(user, yes)),
        }
    }

    pub(super) fn done_with_people(&mut self, pending: Pending, answer: Answer) -> Option<Shown> {
        let label = |id| self.directory.label(Conversation::With(id));
        Some(match (pending, answer) {
            (Pending::Ask(id), _) => Shown::Done(Deed::Asked(id, label(id))),
            (Pending::AnswerFriend(id, yes), _) => {
                let name = label(id);
                self.asking.remove(&id);
                if yes {
                    self.directory.befriend(id, &name);
                }
                Shown::Done(if yes { Deed::Befriended(id, name) } else { Deed::Refused(id, name) })
            }
            (Pending::Settings, Answer::Settings(settings)) => Shown::Settings(settings),
            (pending, answer) => return self.done_with_devices(pending, answer),
        })
    }

    /// Somebody wants to be a friend, and has asked before this login or just now.
    pub(super) fn is_asked_by(&mut self, asking: Asking, say: &mut Vec<Shown>) {
        let Asking { id, name, note } = asking;
        self.directory.meet(&Person { id, name: name.clone(), online: false });
        self.asking.insert(id);
        say.push(Shown::Friend {
            label: name.clone(),
            event: FriendEvent::new(id, Some(&name), FriendChange::Asks(note)),
            news: true,
        });
    }

    pub(super) fn befriends(&mut self, event: FriendEvent, say: &mut Vec<Shown>) {
        let id = event.id;
        if let Some(name) = event.name.clone() {
            self.directory.meet(&Person { id, name, online: false });
        }
        let label = self.directory.label(Conversation::With(id));
        match &event.what {
            FriendChange::Asks(note) => {
                return self.is_asked_by(Asking { id, name: label, note: note.clone() }, say);
            }
            FriendChange::Accepted | FriendChange::Own(OwnDeed::Added) => {
                self.asking.remove(&id);
                self.directory.befriend(id, &label);
            }
            FriendChange::Gone | FriendChange::Own(OwnDeed::Gone) => {
                self.directory.friends.retain(|friend| friend.id != id);
            }
            FriendChange::Own(OwnDeed::Refused | OwnDeed::Blocked) => {
                self.asking.remove(&id);
            }
            _ => {}
        }
        // Whoever says yes is told so by the answer.
        let says_yes = self.pending.values().any(|pending| *pending == Pending::AnswerFriend(id, true));
        let news = event.what != FriendChange::Accepted || !says_yes;
        say.push(Shown::Friend { event, label, news });
    }

    /// Somebody is typing, or does so no more. A person is told once, until it ends.
    pub(super) fn types(&mut self, to: Conversation, by: UserId, on: bool, expires: Duration) -> Shown {
        let now = Instant::now();
        self.typing.retain(|_, ends| *ends > now);
        let begins = match on {
            true => self.typing.insert((to, by), now + expires).is_none(),
            false => {
                self.typing.remove(&(to, by));
                false
            }
        };
        let news = begins && self.open == Some(to);
        Shown::Typing { to, label: self.directory.label(to), by, name: self.called(by), on, news }
    }

    /// What somebody is called, for a person; safe to show after the usual care only.
    pub(super) fn called(&self, id: UserId) -> String {
        match self.me {
            Some(me) if me == id => "you".to_owned(),
            _ => self.directory.label(Conversation::With(id)),
        }
    }
}
