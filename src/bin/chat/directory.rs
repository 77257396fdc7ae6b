//! Who and what is known by name: friends, groups, and whoever was heard.
//!
//! Names that have come by are known here; for others a server that speaks v2 can be asked.

use chatd::chat::ids::{GroupId, UserId};
use chatd::client::{Conversation, Group, Member, Message, Person, Role, Spoken, Welcome};
use std::collections::BTreeMap;

/// The names that this user has come across.
#[derive(Debug, Default)]
pub struct Directory {
    me: Option<(UserId, String)>,
    /// Friends, as last told by the server.
    pub friends: Vec<Person>,
    /// Groups that the user is a member of.
    pub groups: BTreeMap<GroupId, Group>,
    names: BTreeMap<UserId, String>,
    /// What the server speaks.
    pub spoken: Spoken,
}

impl Directory {
    /// Takes in what the server told at the login.
    pub fn welcome(&mut self, welcome: Welcome) {
        self.spoken = welcome.spoken;
        self.names.insert(welcome.id, welcome.name.clone());
        self.me = Some((welcome.id, welcome.name));
        self.learn_friends(welcome.friends);
        for member in welcome.groups.iter().flat_map(|group| &group.members) {
            self.names.insert(member.person.id, member.person.name.clone());
        }
        self.groups = welcome.groups.into_iter().map(|group| (group.id, group)).collect();
    }

    /// Takes in a friend list.
    pub fn learn_friends(&mut self, friends: Vec<Person>) {
        self.names.extend(friends.iter().map(|friend| (friend.id, friend.name.clone())));
        self.friends = friends;
    }

    /// Takes in whoever says something.
    pub fn learn(&mut self, message: &Message) {
        self.names.insert(message.from, message.name.clone());
    }

    /// Takes in one name.
    pub fn meet(&mut self, person: &Person) {
        self.names.insert(person.id, person.name.clone());
    }

    /// A friend has come or gone: what the friend is called, if that is news.
    pub fn learn_presence(&mut self, user: UserId, online: bool) -> Option<String> {
        let friend = self.friends.iter_mut().find(|friend| friend.id == user)?;
        let before = std::mem::replace(&mut friend.online, online);
        (before != online).then(|| friend.name.clone())
    }

    /// A group that the user has made, or joined without being told its name.
    pub fn join(&mut self, id: GroupId, made: Option<(String, String)>) {
        if self.groups.contains_key(&id) {
            return;
        }
        let (name, desc) = made.clone().unwrap_or_default();
        let mut group = Group::new(id, &name, &desc);
        if let (Some((id, name)), true) = (&self.me, made.is_some()) {
            let person = Person { id: *id, name: name.clone(), online: true };
            group.members.push(Member { person, role: Role::Creator });
        }
        self.groups.insert(id, group);
    }

    /// The user that a text means letter for letter: an id, or the name of somebody known.
    pub fn exactly(&self, text: &str) -> Option<UserId> {
        let text = text.trim();
        match text.parse() {
            Ok(number) => UserId::new(number),
            Err(_) => {
                self.user(text).filter(|user| self.names.get(user).is_some_and(|name| name == bare(text)))
            }
        }
    }

    /// The user that a text means, as far as anybody known goes: capitals may be wrong.
    pub fn user(&self, text: &str) -> Option<UserId> {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return UserId::new(number);
        }
        let wanted = bare(text);
        let called = |same: &dyn Fn(&str) -> bool| {
            let mut found = self.names.iter().filter(|(_, name)| same(name)).map(|(id, _)| *id);
            found.next().filter(|_| found.next().is_none())
        };
        called(&|name| name == wanted)
            .or_else(|| called(&|name| name.to_lowercase() == wanted.to_lowercase()))
    }

    /// The group that a text means: an id, or the name of one of the user's groups, with `#` or not.
    pub fn group(&self, text: &str) -> Option<GroupId> {
        let text = text.trim();
        let wanted = text.strip_prefix('#').unwrap_or(text);
        if let Ok(number) = wanted.parse() {
            return GroupId::new(number);
        }
        let called = |same: &dyn Fn(&str) -> bool| {
            let mut found = self.groups.values().filter(|group| same(&group.name)).map(|group| group.id);
            found.next().filter(|_| found.next().is_none())
        };
        called(&|name| name == wanted)
            .or_else(|| called(&|name| name.to_lowercase() == wanted.to_lowercase()))
    }

    /// What a conversation is called: not safe to show as it is.
    pub fn label(&self, conversation: Conversation) -> String {
        match conversation {
            Conversation::With(user) => self.names.get(&user).cloned().unwrap_or_else(|| user.to_string()),
            Conversation::In(group) => match self.groups.get(&group) {
                Some(known) if !known.name.is_empty() => format!("#{}", known.name),
                _ => format!("#{group}"),
            },
        }
    }

    /// Names that can be typed for users: those that mean what they say, else ids.
    pub fn typed_users(&self) -> Vec<String> {
        let named = self.names.iter().filter(|(id, _)| self.me.as_ref().is_none_or(|(me, _)| me != *id));
        named.map(|(id, name)| typed(name, self.user(name) == Some(*id), &id.to_string())).collect()
    }

    /// Names that can be typed for groups, without their `#`.
    pub fn typed_groups(&self) -> Vec<String> {
        let named = self.groups.values();
        named
            .map(|group| typed(&group.name, self.group(&group.name) == Some(group.id), &group.id.to_string()))
            .collect()
    }
}

/// A name as it was registered.
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('@').unwrap_or(text)
}

/// A name that goes into the line being typed must be safe to show, and mean what it says.
fn typed(name: &str, is_found: bool, id: &str) -> String {
    let safe =
        crate::visible::visible(name) == name && !name.contains(':') && !name.starts_with(['#', '@', '/']);
    if safe && is_found && !name.is_empty() { name.to_owned() } else { id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Directory {
        let id = |n| UserId::new(n).unwrap();
        let person = |n, name: &str| Person { id: id(n), name: name.into(), online: true };
        let group = GroupId::new(4).unwrap();
        let mut welcome = Welcome::new(id(1), "amy".into());
        welcome.friends =
            vec![person(2, "Bob"), person(3, "42"), person(5, "e\u{202e}vil"), person(6, "a:b")];
        welcome.groups = vec![Group::new(group, "dev", "")];
        let mut directory = Directory::default();
        directory.welcome(welcome);
        directory
    }

    #[test]
    fn names_and_ids_mean_the_same_people() {
        let known = known();
        for text in ["Bob", "bob", "@Bob", "2", " 2 "] {
            assert_eq!(known.user(text).map(UserId::get), Some(2), "{text}");
        }
        assert_eq!(known.user("42").map(UserId::get), Some(42), "a number is an id");
        assert_eq!(known.exactly(" @Bob").map(UserId::get), Some(2));
        assert_eq!((known.exactly("bob"), known.exactly("9").map(UserId::get)), (None, Some(9)));
        assert_eq!(known.user("nobody"), None);
        for text in ["#dev", "dev", "#4", "4", "#DEV"] {
            assert_eq!(known.group(text).map(GroupId::get), Some(4), "{text}");
        }
        assert_eq!(known.label(Conversation::In(GroupId::new(9).unwrap())), "#9");
    }

    #[test]
    fn completions_are_safe_and_mean_what_they_say() {
        assert_eq!(known().typed_users(), ["Bob", "3", "5", "6"]);
        assert_eq!(known().typed_groups(), ["dev"]);
    }
}
