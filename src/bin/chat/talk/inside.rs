//! Lines of somebody who is logged in.

use super::seek::Then;
use super::{Next, Pending, Step, Talk, bad};
use crate::command::{self, Command};
use crate::show::Shown;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_client::{
    Conversation, Extras, Failure, Group, Member, Message, Named, Request, Span, Spoken, local_time,
};

/// Messages in a page of history: they fit a window, with what is around them.
const PAGE: u32 = 20;
/// Members in a page of them; a server gives fewer if it wants.
const MEMBERS: u32 = 200;

impl Talk {
    pub(super) fn inside(&mut self, line: &str, say: &mut Vec<Shown>) -> Next {
        if line.trim().is_empty() {
            return Next::Go;
        }
        match command::parse(line, self.open.is_some()) {
            Ok(command) => self.command(command, say).unwrap_or_else(|why| bad(say, &why)),
            Err(why) => bad(say, &why.to_string()),
        }
    }

    fn command(&mut self, command: Command<'_>, say: &mut Vec<Shown>) -> Result<Next, String> {
        let goes_on =
            matches!(command, Command::HistoryWith(_) | Command::HistoryIn(_) | Command::HistoryHere);
        self.paging = self.paging.filter(|_| goes_on);
        let searches = matches!(command, Command::Search(_) | Command::SearchHere(_));
        self.searching = self.searching.take().filter(|_| searches);
        let asked = match command {
            Command::Help => return Ok(show(say, Shown::Help)),
            Command::Groups => {
                let groups: Vec<Group> = self.directory.groups.values().cloned().collect();
                return Ok(show(say, Shown::Groups(groups)));
            }
            Command::Members(group) => return self.members(group, say),
            Command::Unread => return Ok(self.show_unread(say)),
            Command::Open(group) if group.starts_with('#') => {
                let group = self.group(group)?;
                return Ok(self.open(Conversation::In(group), say));
            }
            Command::Open(who) => return self.with_user(who, Then::Open, say),
            Command::Close => {
                self.open = None;
                return Ok(show(say, Shown::Closed));
            }
            Command::Wait(count) => return Ok(Next::Wait(count)),
            Command::Quit => return Ok(Next::Leave),
            Command::Logout => (Request::Logout, Pending::Logout),
            Command::Friends => (Request::ShowFriends, Pending::Friends),
            Command::Say(text) => {
                let to = self.open.ok_or("no conversation is open: /open WHO")?;
                return Ok(self.say(to, text, Extras::default()));
            }
            Command::Chat(who, text) => return self.with_user(who, Then::Chat(text.to_owned()), say),
            Command::GroupChat(group, text) => {
                return Ok(self.say(Conversation::In(self.group(group)?), text, Extras::default()));
            }
            Command::AddFriend(who) => return self.with_user(who, Then::AddFriend, say),
            Command::DelFriend(who) => return self.with_user(who, Then::DelFriend, say),
            Command::Block(who) => return self.with_user(who, Then::Block, say),
            Command::Unblock(who) => return self.with_user(who, Then::Unblock, say),
            Command::HistoryWith(who) => return self.with_user(who, Then::History, say),
            Command::HistoryIn(group) => return Ok(self.history(Conversation::In(self.group(group)?))),
            Command::HistoryHere => {
                let of = self.open.ok_or("no conversation is open: /history WHO")?;
                return Ok(self.history(of));
            }
            Command::Find(who) => {
                let name = crate::directory::bare(who);
                let user = crate::directory::number(who).and_then(UserId::new);
                let named = user.map_or_else(|| Named::from(&*name), Named::Id);
                (Request::Find(named), Pending::Find(name.into_owned()))
            }
            Command::Password if self.directory.spoken == Spoken::Seed => {
                return Err(Failure::NotSpoken.to_string());
            }
            Command::Password => {
                self.step = Step::OldPassword;
                return Ok(Next::Go);
            }
            Command::CreateGroup(name, desc) => create_group(name, desc),
            Command::AddGroup(group) => {
                let group = self.group(group)?;
                (Request::AddGroup(group), Pending::AddGroup(group))
            }
            Command::DelGroup(group) => {
                let group = self.group(group)?;
                (Request::DelGroup(group), Pending::DelGroup(group))
            }
            command => return self.command_of_v2(command, say),
        };
        Ok(Next::Ask(asked.0, asked.1))
    }

    /// Commands that only a server understands that speaks v2.
    fn command_of_v2(&mut self, command: Command<'_>, say: &mut Vec<Shown>) -> Result<Next, String> {
        match command {
            Command::Devices | Command::DropDevice(_) | Command::Read => self.device_command(&command),
            Command::Ask(..) | Command::Answer(..) | Command::Settings(_) => {
                self.people_command(command, say)
            }
            Command::Role(..)
            | Command::Kick(..)
            | Command::Unban(..)
            | Command::Mute(..)
            | Command::Unmute(..)
            | Command::SetGroup(..)
            | Command::Joins(_) => self.group_command(command, say),
            command => self.change_command(command, say),
        }
    }

    /// The line after the one with the old password.
    pub(super) fn change_password(&mut self, line: &str) -> Next {
        match std::mem::replace(&mut self.step, Step::Inside) {
            Step::ChangedPassword(old) => {
                Next::Ask(Request::ChangePassword { old, new: line.into() }, Pending::ChangePassword)
            }
            _ => Next::Go,
        }
    }

    pub(super) fn group(&self, text: &str) -> Result<GroupId, String> {
        self.directory.group(text).ok_or_else(|| format!("no group of yours is called {text}; an id will do"))
    }

    /// Whoever answers has read what was said.
    pub(super) fn say(&mut self, to: Conversation, text: &str, extras: Extras) -> Next {
        self.unread.remove(&to);
        let request = Request::Say { to, text: text.to_owned(), time: local_time(), extras };
        Next::Ask(request, Pending::Say(to, text.to_owned()))
    }

    pub(super) fn open(&mut self, conversation: Conversation, say: &mut Vec<Shown>) -> Next {
        self.open = Some(conversation);
        let label = self.directory.label(conversation);
        say.push(Shown::Opened(conversation, label.clone()));
        let unread = self.unread.remove(&conversation).unwrap_or_default();
        say.extend(unread.last.into_iter().map(|message| self.said(message, label.clone())));
        Next::Go
    }

    /// A message to be shown, with the first words of what it replies to.
    pub(super) fn said(&self, message: Message, label: String) -> Shown {
        let words = |pos| self.recent.words(message.conversation, pos).map(str::to_owned);
        let replies_to = message.extras.reply.and_then(words);
        Shown::Said(message, label, replies_to)
    }

    /// The last page of what was said; the same again: the page before the one that was shown.
    pub(super) fn history(&mut self, of: Conversation) -> Next {
        let span = match self.paging.take() {
            Some((shown, first)) if shown == of => Span::Before(first),
            _ => Span::Latest,
        };
        Next::Ask(Request::History { of, span, limit: PAGE }, Pending::History(of))
    }

    fn members(&self, group: Option<&str>, say: &mut Vec<Shown>) -> Result<Next, String> {
        let group = match (group, self.open) {
            (Some(group), _) => self.group(group)?,
            (None, Some(Conversation::In(group))) => group,
            (None, _) => return Err("which group? /members #GROUP".to_owned()),
        };
        if self.directory.spoken == Spoken::V2 {
            return Ok(members_page(group, Vec::new()));
        }
        let known = self.directory.groups.get(&group).ok_or("you are not in this group")?;
        let label = self.directory.label(Conversation::In(group));
        Ok(show(say, Shown::Members(label, known.members.clone(), Spoken::Seed)))
    }

    fn show_unread(&self, say: &mut Vec<Shown>) -> Next {
        let counts = self.unread.iter().map(|(to, unread)| (self.directory.label(*to), unread.count));
        show(say, Shown::Unread(counts.collect()))
    }
}

fn create_group(name: &str, desc: &str) -> (Request, Pending) {
    let (name, desc) = (name.to_owned(), desc.to_owned());
    (Request::CreateGroup { name: name.clone(), desc: desc.clone() }, Pending::CreateGroup(name, desc))
}

/// The page of members after those that are known already.
pub(super) fn members_page(group: GroupId, known: Vec<Member>) -> Next {
    let after = known.last().map(|member| member.person.id);
    Next::Ask(Request::Members { group, after, limit: MEMBERS }, Pending::Members(group, known))
}

fn show(say: &mut Vec<Shown>, shown: Shown) -> Next {
    say.push(shown);
    Next::Go
}
