//! Lines for people, coloured where that is wanted.

use super::{Deed, Shown};
use crate::command::COMMANDS;
use crate::visible::{short, visible};
use chatd_chat::model::ids::UserId;
use chatd_chat::wire::code::Code;
use chatd_client::{Conversation, Ending, Group, KnownDevice, Member, Message, Person, Role, Spoken, Until};

/// So much of a message says which one is meant, in characters.
pub(super) const QUOTE: usize = 40;
/// Longest name that is shown whole, in characters; the server's bound is 50.
pub(super) const NAME: usize = 50;

/// How lines are to look.
#[derive(Clone, Debug)]
pub struct Style {
    /// Whether colours may be used.
    pub colours: bool,
    /// For a person at a terminal: short times, no ids where a name will do.
    pub short: bool,
    /// `YYYY-MM-DD`: times of this day are shown without it.
    pub today: String,
}

pub(super) const DIM: &str = "2";
pub(super) const BOLD: &str = "1";
const RED: &str = "31";
pub(super) const GREEN: &str = "32";
/// Colours that are read on black and on white.
const NAMES: [&str; 6] = ["36", "35", "34", "33", "32", "31"];

impl Style {
    /// The lines, each with its newline.
    pub fn lines(&self, shown: &Shown) -> String {
        let mut out = String::new();
        for line in self.rows(shown) {
            out.push_str(&line);
            out.push('\n');
        }
        out
    }

    fn rows(&self, shown: &Shown) -> Vec<String> {
        match shown {
            Shown::Greeting => {
                vec![self.paint(DIM, "new here? 2 makes you an account, then 1 lets you in")]
            }
            Shown::Menu => {
                vec!["1. login".to_owned(), "2. register".to_owned(), "3. quit".to_owned()]
            }
            Shown::Help => self.help(),
            Shown::Welcome { id, name, friends, online, groups } => {
                let mut rows =
                    vec![format!("welcome, {}: your id is {id}; help shows the commands", short(name, NAME))];
                if friends + groups > 0 {
                    let (friend, group) = (plural(*friends, "friend"), plural(*groups, "group"));
                    rows.push(format!("{friends} {friend}, {online} online; {groups} {group}"));
                } else if self.short {
                    rows.push(self.paint(DIM, "/open NAME to talk to somebody, then just type"));
                }
                rows
            }
            Shown::Said(message, label, to) => vec![self.message(message, label, to.as_deref())],
            Shown::Friends(friends) => self.friends(friends),
            Shown::Groups(groups) => self.groups(groups),
            Shown::Members(label, members, spoken) => self.members(label, members, *spoken),
            Shown::History { label, rows, complete, me, by, .. } => {
                self.history(label, rows, *complete, (*me, by))
            }
            Shown::Devices(devices) => self.devices(devices),
            Shown::Found(who) => vec![self.person(who, "")],
            Shown::Presence(id, name, online) => {
                let state = if *online { "is online" } else { "is offline" };
                vec![format!("{} {}", self.name(*id, name), self.paint(DIM, state))]
            }
            Shown::Done(Deed::Sent { label, text, safe, numbered, .. }) => {
                let place = safe.as_ref().and_then(|mark| mark.pos).filter(|_| *numbered);
                let place = place.map(|pos| self.paint(DIM, &format!("  is {pos}"))).unwrap_or_default();
                vec![self.sent(label, text, safe.is_some()) + &place]
            }
            Shown::Unread(unread) if unread.is_empty() => vec![self.paint(DIM, "nothing is unread")],
            Shown::Unread(unread) => unread
                .iter()
                .map(|(label, count)| format!("{count} unread: {}", self.paint(BOLD, &short(label, NAME))))
                .collect(),
            Shown::Done(deed) => deed_line(deed).into_iter().map(|line| self.paint(GREEN, &line)).collect(),
            other => match self.happened(other) {
                Some(rows) => rows,
                None => sentence(other).into_iter().map(|(colour, line)| self.paint(colour, &line)).collect(),
            },
        }
    }

    fn help(&self) -> Vec<String> {
        let width = COMMANDS.iter().map(|(written, _)| written.len()).max().unwrap_or(0);
        let command = |(written, does): &(&str, &str)| {
            format!("{}{}  {does}", self.paint(BOLD, written), " ".repeat(width - written.len()))
        };
        let mut rows: Vec<String> = COMMANDS.iter().map(command).collect();
        rows.push(self.paint(DIM, "where an id is asked for, a name will do: chat:ben:hello"));
        rows
    }

    fn message(&self, message: &Message, label: &str, replies_to: Option<&str>) -> String {
        let (name, text) = (self.name(message.from, &message.name), self.words(message, replies_to));
        let name = if self.short { name } else { format!("[{}] {name}", message.from) };
        let place = match message.conversation {
            Conversation::With(_) => String::new(),
            Conversation::In(_) if self.short => format!("{} ", self.paint(BOLD, &short(label, NAME))),
            Conversation::In(group) => format!("{}[{group}] ", short(label, NAME)),
        };
        // Of what the user said elsewhere, the sender does not say to whom.
        let to = match message.conversation {
            Conversation::With(_) if message.own => format!(" to {}", short(label, NAME)),
            _ => String::new(),
        };
        format!("{} {place}{name}{to}: {text}", self.time(&message.time))
    }

    /// What was said, and to which message it replies, whose first words these are.
    pub(super) fn words(&self, message: &Message, replies_to: Option<&str>) -> String {
        let words = replies_to.map(|words| format!(": {words}")).unwrap_or_default();
        let reply = message.extras.reply.map(|pos| self.paint(DIM, &format!("(to {pos}{words}) ")));
        reply.unwrap_or_default() + &visible(&message.text)
    }

    fn devices(&self, devices: &[KnownDevice]) -> Vec<String> {
        let row = |(at, device): (usize, &KnownDevice)| {
            let state = if device.online { self.paint(GREEN, "online") } else { self.paint(DIM, "offline") };
            let this = if device.this { "  this one" } else { "" };
            let name = if device.name.is_empty() { "(no name)" } else { &device.name };
            format!("{:>5}  {}  {state}{this}", at + 1, self.paint(BOLD, &short(name, NAME)))
        };
        devices.iter().enumerate().map(row).collect()
    }

    /// A person sees the own line already, and is told what it has come to.
    fn sent(&self, label: &str, text: &str, safe: bool) -> String {
        match (self.short, safe) {
            (true, true) => {
                self.paint(GREEN, "✓ ") + &self.paint(DIM, &format!("safe: {}", short(text, QUOTE)))
            }
            (true, false) => {
                self.paint(DIM, &format!("sent, nobody says whether safe: {}", short(text, QUOTE)))
            }
            (false, true) => format!("sent to {}", short(label, NAME)),
            (false, false) => format!("sent to {}; nobody says whether it is safe", short(label, NAME)),
        }
    }

    /// Seconds are for programs, and the day is for what is not of today.
    pub(super) fn time(&self, time: &str) -> String {
        let shown = match time.split_once(' ') {
            Some((day, _)) if self.short && is_timestamp(time) && day == self.today => {
                time[11..16].to_owned()
            }
            Some(_) if self.short && is_timestamp(time) => time[..16].to_owned(),
            _ => short(time, 19),
        };
        self.paint(DIM, &shown)
    }

    pub(super) fn name(&self, id: UserId, name: &str) -> String {
        self.paint(NAMES[id.get() as usize % NAMES.len()], &short(name, NAME))
    }

    fn friends(&self, friends: &[Person]) -> Vec<String> {
        let online = friends.iter().filter(|friend| friend.online).count();
        let mut rows = vec![match friends.len() {
            0 => "no friends yet: addfriend:friendid".to_owned(),
            count => format!("{count} {}, {online} online", plural(count, "friend")),
        }];
        rows.extend(friends.iter().map(|friend| self.person(friend, "")));
        rows
    }

    pub(super) fn person(&self, person: &Person, what: &str) -> String {
        let state = if person.online { self.paint(GREEN, "online") } else { self.paint(DIM, "offline") };
        format!("{:>5}  {}  {state}{what}", person.id, self.name(person.id, &person.name))
    }

    fn groups(&self, groups: &[Group]) -> Vec<String> {
        let mut rows = vec![match groups.len() {
            0 => "no groups yet: creategroup:groupname:groupdesc, or addgroup:groupid".to_owned(),
            count => format!("{count} {}", plural(count, "group")),
        }];
        rows.extend(groups.iter().map(|group| {
            let name = match group.name.as_str() {
                "" => "(its name comes with the next login)".to_owned(),
                name => self.paint(BOLD, &format!("#{}", short(name, NAME))),
            };
            let size = match group.size {
                Some(size) => format!("  {size} {}", plural(size as usize, "member")),
                None => String::new(),
            };
            format!("{:>5}  {name}{size}  {}", group.id, visible(&group.desc)).trim_end().to_owned()
        }));
        rows
    }

    fn members(&self, label: &str, members: &[Member], spoken: Spoken) -> Vec<String> {
        let label = self.paint(BOLD, &short(label, NAME));
        let mut rows = vec![match (members.len(), spoken) {
            (0, Spoken::Seed) => format!("{label}: its members come with the next login"),
            (count, Spoken::Seed) => format!("{label}: {count} {}, as of the login", plural(count, "member")),
            (count, _) => format!("{label}: {count} {}", plural(count, "member")),
        }];
        rows.extend(members.iter().map(|member| {
            let role = match member.role {
                Role::Owner => "  owner",
                Role::Admin => "  admin",
                Role::Normal => "",
            };
            let muted = match member.muted {
                Until::Lifted => String::new(),
                until => format!("  muted{}", self.until(until)),
            };
            self.person(&member.person, &format!("{role}{muted}"))
        }));
        rows
    }

    /// `text` in a colour; `text` is safe already.
    pub fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours && !colour.is_empty() {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `YYYY-MM-DD HH:MM:SS`, all of it ASCII.
fn is_timestamp(text: &str) -> bool {
    let like = |pattern: u8, byte: u8| if pattern == b'0' { byte.is_ascii_digit() } else { pattern == byte };
    let pattern = b"0000-00-00 00:00:00";
    text.len() == pattern.len() && text.bytes().zip(pattern).all(|(byte, pattern)| like(*pattern, byte))
}

pub(super) fn plural(count: usize, what: &str) -> String {
    if count == 1 { what.to_owned() } else { format!("{what}s") }
}

fn deed_line(deed: &Deed) -> Option<String> {
    let name = |name: &str| short(name, NAME);
    Some(match deed {
        Deed::Sent { .. } => return None,
        Deed::Blocked(_, who) => format!("{} is blocked: nothing from there is heard any more", name(who)),
        Deed::Unblocked(_, who) => format!("{} is heard again", name(who)),
        Deed::DeviceDropped(device) => format!("{} has to log in again", name(device)),
        Deed::Read { label, .. } => format!("{} is read", name(label)),
        Deed::Edited { pos, text, .. } => format!("message {pos} is now: {}", short(text, QUOTE)),
        Deed::Recalled { pos, .. } => format!("message {pos} is taken back"),
        Deed::Reacted { pos, emoji, on, words, .. } => {
            let words = words.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
            let what = if *on { "to" } else { "no more to" };
            format!("{} {what} message {pos}{words}", short(emoji, QUOTE))
        }
        Deed::Asked(_, who) => format!("{} is asked to be your friend", name(who)),
        Deed::Refused(_, who) => format!("{} is not your friend", name(who)),
        Deed::PasswordChanged => "the password is changed".to_owned(),
        Deed::Befriended(id, who) if *who == id.to_string() => format!("{id} is a friend now"),
        Deed::Befriended(id, who) => format!("{} ({id}) is a friend now", name(who)),
        Deed::Unfriended(_, who) => format!("{} is no friend any more", name(who)),
        Deed::Made(id, group) => format!("group #{} is made: its id is {id}", name(group)),
        Deed::Joined(_, label) => format!("you are in {} now", name(label)),
        Deed::Left(_, label) => format!("you are in {} no more", name(label)),
    })
}

/// One sentence and its colour, where one sentence says it.
fn sentence(shown: &Shown) -> Option<(&'static str, String)> {
    Some(match shown {
        Shown::Connected(address) => (DIM, format!("connected to {}", short(&address.to_string(), 100))),
        Shown::Lost { reason, retrying, unsafe_yet } => {
            let then = match (retrying, unsafe_yet) {
                (false, _) => "the next login connects again".to_owned(),
                (true, 0) => "reconnecting, what you say is kept".to_owned(),
                (true, 1) => "reconnecting, 1 message is not safe yet and is kept".to_owned(),
                (true, count) => format!("reconnecting, {count} messages are not safe yet and are kept"),
            };
            (DIM, format!("connection lost ({}); {then}", short(&reason.to_string(), 200)))
        }
        Shown::Unreachable(address, reason) => {
            (DIM, format!("cannot reach {address} ({}); trying on", short(reason, 200)))
        }
        Shown::Delayed(refusal) => (DIM, format!("not let in yet ({}); trying on", said(refusal))),
        Shown::SignedOut(refusal) if refusal.ending() == Some(Ending::Revoked) => {
            (RED, "you are logged out: this device was sent away, or the password was changed".to_owned())
        }
        Shown::SignedOut(refusal)
            if [Code::Replaced.errno(), Code::AlreadyOnline.errno()].contains(&refusal.errno) =>
        {
            (RED, "you are logged out: somebody has logged in as you somewhere else".to_owned())
        }
        Shown::Elsewhere => {
            ("", "you are logged in somewhere else: yes ends that session, no leaves it".to_owned())
        }
        Shown::SignedOut(refusal) => (RED, format!("you are logged out: {}", said(refusal))),
        Shown::Announcement(text) => ("", format!("*** the server to everybody: {}", visible(text))),
        Shown::Notice(refusal) => (RED, format!("the server says: {}", said(refusal))),
        Shown::BadFrame => (RED, "the server said something that makes no sense; it is left out".to_owned()),
        Shown::TimedOut(seconds) => (RED, format!("no connection, or no answer, within {seconds} s")),
        Shown::Unsaid(count) => {
            let messages = if *count == 1 { "message was" } else { "messages were" };
            (RED, format!("{count} {messages} not said: the server did not answer"))
        }
        Shown::Back => (DIM, "logged in again".to_owned()),
        Shown::Registered(id, name) => {
            (GREEN, format!("{} is registered: the userid is {id}, log in with it", short(name, NAME)))
        }
        Shown::LoggedOut => ("", "logged out".to_owned()),
        Shown::Failed(what, why) => (RED, format!("{}: {}", visible(what), short(&why.to_string(), 300))),
        Shown::Opened(_, label) => (DIM, format!("talking to {}; /close ends it", short(label, NAME))),
        Shown::Closed => (DIM, "no conversation is open".to_owned()),
        Shown::Bad(why) => (RED, short(why, 300)),
        _ => return None,
    })
}

fn said(refusal: &chatd_client::Refusal) -> String {
    short(&refusal.to_string(), 300)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_chat::model::ids::GroupId;

    fn style(colours: bool, short: bool) -> Style {
        Style { colours, short, today: "2026-01-02".into() }
    }

    fn message(conversation: Conversation, time: &str) -> Shown {
        let from = UserId::new(2).unwrap();
        Shown::Said(
            Message::new(conversation, from, "bo\x1bb", "hi\x07 there", time),
            "#d\u{202e}ev".into(),
            None,
        )
    }

    #[test]
    fn messages_are_safe_and_short_for_people_and_whole_for_scripts() {
        let (direct, group) =
            (Conversation::With(UserId::new(2).unwrap()), Conversation::In(GroupId::new(1).unwrap()));
        let person = style(false, true);
        assert_eq!(person.lines(&message(direct, "2026-01-02 12:34:56")), "12:34 bo\\x1bb: hi\\x07 there\n");
        assert_eq!(
            person.lines(&message(group, "2026-01-01 12:34:56")),
            "2026-01-01 12:34 #d\\u{202e}ev bo\\x1bb: hi\\x07 there\n"
        );
        assert_eq!(person.lines(&message(direct, "\x1b[2J")), "\\x1b[2J bo\\x1bb: hi\\x07 there\n");
        let script = style(false, false);
        assert_eq!(
            script.lines(&message(group, "2026-01-02 12:34:56")),
            "2026-01-02 12:34:56 #d\\u{202e}ev[1] [2] bo\\x1bb: hi\\x07 there\n"
        );
    }

    #[test]
    fn colours_are_the_only_escapes_and_only_where_wanted() {
        let said = message(Conversation::With(UserId::new(2).unwrap()), "2026-01-02 12:34:56");
        assert_eq!(
            style(true, true).lines(&said),
            "\x1b[2m12:34\x1b[0m \x1b[34mbo\\x1bb\x1b[0m: hi\\x07 there\n"
        );
        for shown in [said, Shown::Help, Shown::Bad("\x1bx".into())] {
            assert!(!style(false, true).lines(&shown).contains('\x1b'));
        }
    }
}
