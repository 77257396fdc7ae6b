//! Who and what is known by name: friends, groups, and whoever was heard.
//!
//! Names that have come by are known here; for others a server that speaks v2 can be asked.

use chatd_chat::model::ids::{GroupId, UserId};
use chatd_client::{
    Conversation, Group, Joining, Member, Message, Person, Role, Somebody, Spoken, Until, Welcome,
};
use std::borrow::Cow;
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

    /// Takes in one name that an event has.
    pub fn meet_somebody(&mut self, somebody: &Somebody) {
        if !somebody.name.is_empty() {
            self.names.insert(somebody.id, somebody.name.clone());
        }
    }

    /// A friend more; the server says whether it is online.
    pub fn befriend(&mut self, id: UserId, name: &str) {
        if self.friends.iter().all(|friend| friend.id != id) {
            self.friends.push(Person { id, name: name.to_owned(), online: false });
        }
    }

    /// A group is otherwise now.
    pub fn set(&mut self, id: GroupId, name: Option<&str>, desc: Option<&str>, join: Option<Joining>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        name.into_iter().for_each(|name| name.clone_into(&mut group.name));
        desc.into_iter().for_each(|desc| desc.clone_into(&mut group.desc));
        group.join = join.or(group.join);
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
            group.members.push(Member { person, role: Role::Owner, muted: Until::Lifted });
        }
        self.groups.insert(id, group);
    }

    /// The user that a text means letter for letter: an id, or the name of somebody known.
    pub fn exactly(&self, text: &str) -> Option<UserId> {
        match number(text) {
            Some(number) => UserId::new(number),
            None => {
                let wanted = bare(text);
                self.user(text).filter(|user| self.names.get(user).is_some_and(|name| *name == wanted))
            }
        }
    }

    /// The user that a text means, as far as anybody known goes: capitals may be wrong.
    pub fn user(&self, text: &str) -> Option<UserId> {
        if let Some(number) = number(text) {
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
        let text = text.strip_prefix('#').unwrap_or(text);
        if let Some(number) = number(text) {
            return GroupId::new(number);
        }
        let wanted = unquoted(text).map_or(Cow::Borrowed(text), Cow::Owned);
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
        named.map(|(id, name)| typed(name, |text| self.user(text) == Some(*id), &id.to_string())).collect()
    }

    /// Names that can be typed for groups, without their `#`.
    pub fn typed_groups(&self) -> Vec<String> {
        let named = self.groups.values();
        named
            .map(|group| typed(&group.name, |text| self.group(text) == Some(group.id), &group.id.to_string()))
            .collect()
    }
}

/// A name as it was registered: without the quotes around it, or the `@` before it.
pub fn bare(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    match unquoted(text) {
        Some(name) => Cow::Owned(name),
        None => Cow::Borrowed(text.strip_prefix('@').unwrap_or(text)),
    }
}

/// The id that a text is. What is in quotes is a name, even if it is a number.
pub fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.trim().parse().ok()
}

/// The name in these quotes; a quote in a name is written twice.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let name = inner.replace("\"\"", "\"");
    let whole = inner.matches('"').count() == 2 * name.matches('"').count();
    (whole && !name.is_empty()).then_some(name)
}

/// A name with quotes around it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name that goes into the line being typed must be safe to show, and mean what it says: as it is, else in quotes.
fn typed(name: &str, is_meant: impl Fn(&str) -> bool, id: &str) -> String {
    let is_safe = crate::visible::visible(name) == name && !name.is_empty();
    let is_plain = !name.contains(':') && !name.starts_with(['#', '@', '/', '"']);
    match (is_safe, quoted(name)) {
        (true, _) if is_plain && is_meant(name) => name.to_owned(),
        (true, quoted) if is_meant(&quoted) => quoted,
        _ => id.to_owned(),
    }
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
        welcome.friends.extend([person(7, "@x"), person(9, "a \"b\""), person(8, "")]);
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
    fn what_is_in_quotes_is_a_name() {
        let known = known();
        for (text, user) in [
            ("\"42\"", 3),
            (" \"a:b\" ", 6),
            ("\"@x\"", 7),
            ("\"bob\"", 2),
            ("\"a \"\"b\"\"\"", 9),
            // No quotes around a name, but a name with quotes in it.
            ("a \"b\"", 9),
        ] {
            assert_eq!(known.user(text).map(UserId::get), Some(user), "{text}");
        }
        assert_eq!(known.exactly("\"42\"").map(UserId::get), Some(3));
        assert_eq!((known.user("\"2\""), known.exactly("\"bob\""), known.user("@x")), (None, None, None));
        assert_eq!(known.group("#\"dev\"").map(GroupId::get), Some(4));
        assert_eq!((known.group("\"4\""), unquoted("\"a\"b\""), unquoted("\"")), (None, None, None));
    }

    #[test]
    fn completions_are_safe_and_mean_what_they_say() {
        let users = ["Bob", "\"42\"", "5", "\"a:b\"", "\"@x\"", "8", "a \"b\""];
        assert_eq!(known().typed_users(), users);
        assert_eq!(known().typed_groups(), ["dev"]);
    }
}
