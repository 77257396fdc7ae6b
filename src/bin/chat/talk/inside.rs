//! Lines of somebody who is logged in.

use super::{Next, Pending, Talk, bad};
use crate::command::{self, Command};
use crate::show::Shown;
use chatd::chat::ids::{GroupId, UserId};
use chatd::client::{Conversation, Group, Request, local_time};

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
        let asked = match command {
            Command::Help => return Ok(show(say, Shown::Help)),
            Command::Groups => {
                let groups: Vec<Group> = self.directory.groups.values().cloned().collect();
                return Ok(show(say, Shown::Groups(groups)));
            }
            Command::Members(group) => return self.members(group, say),
            Command::Unread => return Ok(self.show_unread(say)),
            Command::Open(who) => return self.open(who, say),
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
                return Ok(self.say(to, text));
            }
            Command::Chat(who, text) => return Ok(self.say(Conversation::With(self.user(who)?), text)),
            Command::GroupChat(group, text) => {
                return Ok(self.say(Conversation::In(self.group(group)?), text));
            }
            Command::AddFriend(who) => {
                let user = self.user(who)?;
                (Request::AddFriend(user), Pending::AddFriend(user))
            }
            Command::DelFriend(who) => {
                let user = self.user(who)?;
                (Request::DelFriend(user), Pending::DelFriend(user))
            }
            Command::CreateGroup(name, desc) => {
                let (name, desc) = (name.to_owned(), desc.to_owned());
                (
                    Request::CreateGroup { name: name.clone(), desc: desc.clone() },
                    Pending::CreateGroup(name, desc),
                )
            }
            Command::AddGroup(group) => {
                let group = self.group(group)?;
                (Request::AddGroup(group), Pending::AddGroup(group))
            }
            Command::DelGroup(group) => {
                let group = self.group(group)?;
                (Request::DelGroup(group), Pending::DelGroup(group))
            }
        };
        Ok(Next::Ask(asked.0, asked.1))
    }

    fn user(&self, text: &str) -> Result<UserId, String> {
        self.directory
            .user(text)
            .ok_or_else(|| format!("nobody that you know is called {text}; an id will do"))
    }

    fn group(&self, text: &str) -> Result<GroupId, String> {
        self.directory.group(text).ok_or_else(|| format!("no group of yours is called {text}; an id will do"))
    }

    /// Whoever answers has read what was said.
    fn say(&mut self, to: Conversation, text: &str) -> Next {
        self.unread.remove(&to);
        let request = Request::Say { to, text: text.to_owned(), time: local_time() };
        Next::Ask(request, Pending::Say(to, text.to_owned()))
    }

    fn open(&mut self, who: &str, say: &mut Vec<Shown>) -> Result<Next, String> {
        let conversation = match who.starts_with('#') {
            true => Conversation::In(self.group(who)?),
            false => Conversation::With(self.user(who)?),
        };
        self.open = Some(conversation);
        let label = self.directory.label(conversation);
        say.push(Shown::Opened(conversation, label.clone()));
        let unread = self.unread.remove(&conversation).unwrap_or_default();
        say.extend(unread.last.into_iter().map(|message| Shown::Said(message, label.clone())));
        Ok(Next::Go)
    }

    fn members(&self, group: Option<&str>, say: &mut Vec<Shown>) -> Result<Next, String> {
        let group = match (group, self.open) {
            (Some(group), _) => self.group(group)?,
            (None, Some(Conversation::In(group))) => group,
            (None, _) => return Err("which group? /members #GROUP".to_owned()),
        };
        let known = self.directory.groups.get(&group).ok_or("you are not in this group")?;
        let label = self.directory.label(Conversation::In(group));
        Ok(show(say, Shown::Members(label, known.members.clone())))
    }

    fn show_unread(&self, say: &mut Vec<Shown>) -> Next {
        let counts = self.unread.iter().map(|(to, unread)| (self.directory.label(*to), unread.count));
        show(say, Shown::Unread(counts.collect()))
    }
}

fn show(say: &mut Vec<Shown>, shown: Shown) -> Next {
    say.push(shown);
    Next::Go
}
