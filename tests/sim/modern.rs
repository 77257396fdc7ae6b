//! People who speak the second dialect: they come back by token, say again what was not answered,
//! confirm what they get, read the history, and refuse to hear somebody now and then.

use super::device::{Confirms, Device, Phone};
use super::heard::Heard;
use super::oracle::Text;
use super::world::World;
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::{GroupId, MessageId, UserId};

impl World {
    /// Whether somebody who connects now speaks the second dialect, and how.
    pub fn phone(&mut self) -> Option<Phone> {
        let modern = self.rng.chance(self.plan.modern);
        let confirms = [Confirms::AtOnce, Confirms::AtOnce, Confirms::Late, Confirms::Never];
        modern.then(|| Phone::new(self.rng.pick(&confirms), self.rng.chance(self.plan.consents)))
    }

    pub fn device(&mut self, conn: usize) -> &mut Device {
        let user = self.people[conn].user;
        self.devices.entry(user).or_default()
    }

    /// Whose answers a connection reads: it may be about to be somebody else's.
    pub fn reader(&self, conn: usize) -> usize {
        self.oracle.reader(conn).map_or(self.people[conn].user, |user| user.get() as usize)
    }

    /// What the clients remember whose answers a connection reads.
    pub fn reading(&mut self, conn: usize) -> &mut Device {
        let user = self.reader(conn);
        self.devices.entry(user).or_default()
    }

    /// Logs in with a token, or with a password.
    pub fn log_in_modern(&mut self, conn: usize) {
        let user = self.people[conn].user;
        let replaces = self.people[conn].replaces;
        let resumes = replaces && self.rng.chance(800);
        if let Some(token) = self.device(conn).token.clone().filter(|_| resumes) {
            let caps = self.caps(conn);
            return self.write(conn, &format!("{{\"msgid\":25,\"token\":\"{token}\"{caps}}}"));
        }
        let takeover = if replaces && self.rng.chance(500) { ",\"takeover\":true" } else { "" };
        let who =
            if self.rng.chance(300) { format!("\"name\":\"u{user}\"") } else { format!("\"id\":{user}") };
        let caps = self.caps(conn);
        self.write(conn, &format!("{{\"msgid\":1,{who},\"password\":\"p{user}\",\"v\":2{takeover}{caps}}}"));
    }

    /// Something that only the second dialect has.
    pub fn be_modern(&mut self, conn: usize) {
        let user = self.people[conn].user;
        let other = self.rng.between(1, self.plan.users as u64);
        match self.rng.below(20) {
            0..=9 => self.read_history(conn),
            10 | 11 => {
                let who = if self.rng.chance(500) {
                    format!("\"id\":{other}")
                } else {
                    format!("\"name\":\"u{other}\"")
                };
                self.write(conn, &format!("{{\"msgid\":29,{who}}}"));
            }
            12 | 13 => {
                let group = self.rng.between(1, self.store.groups.len() as u64 + 1);
                let limit = self.rng.between(1, 6);
                self.write(conn, &format!("{{\"msgid\":34,\"groupid\":{group},\"limit\":{limit}}}"));
            }
            14 | 15 => self.write(conn, "{\"msgid\":22,\"n\":7}"),
            16 if self.plan.refuses && other != user as u64 => self.refuse(conn, 32, other),
            17 if self.plan.refuses => self.refuse(conn, 33, other),
            18 if self.plan.leaves > 0 => {
                // The same one again: every token is worthless after it.
                self.write(
                    conn,
                    &format!("{{\"msgid\":31,\"old\":\"p{user}\",\"new\":\"p{user}\",\"cid\":\"p\"}}"),
                );
            }
            _ => self.write(conn, "{\"msgid\":24,\"mids\":[\"1\",\"77\"]}"),
        }
    }

    fn refuse(&mut self, conn: usize, msgid: u64, sender: u64) {
        let asked = self.device(conn).ask_refusal(sender);
        self.write(conn, &format!("{{\"msgid\":{msgid},\"userid\":{sender},\"cid\":\"b{sender}.{asked}\"}}"));
    }

    /// Some page of some conversation.
    fn read_history(&mut self, conn: usize) {
        let user = UserId::new(self.people[conn].user as u64).unwrap();
        let mine = self.groups_of(user);
        let conversation = if !mine.is_empty() && self.rng.chance(500) {
            Conversation::Group(self.rng.pick(&mine))
        } else {
            Conversation::With(UserId::new(self.rng.between(1, self.plan.users as u64)).unwrap())
        };
        let last = self.last_place(conn, conversation);
        let (place, limit) = (self.rng.between(1, last + 3), self.rng.between(1, 9));
        let span = match self.rng.below(4) {
            0 => Asked::Newest,
            1 => Asked::Before(place),
            2 => Asked::After(place - 1),
            _ => Asked::After(last),
        };
        self.ask_history(conn, conversation, span, limit, "h");
    }

    /// The place up to which the user has read a conversation.
    pub fn last_place(&mut self, conn: usize, conversation: Conversation) -> u64 {
        let Some(rows) = self.device(conn).history.get(&conversation) else { return 0 };
        (1..).zip(rows.keys()).take_while(|&(next, &place)| place == next).count() as u64
    }

    pub fn groups_of(&self, user: UserId) -> Vec<GroupId> {
        let groups = self.store.groups.iter();
        groups.filter(|(_, group)| group.members.contains_key(&user)).map(|(&group, _)| group).collect()
    }

    pub fn ask_history(&mut self, conn: usize, of: Conversation, span: Asked, limit: u64, why: &str) {
        let of = match of {
            Conversation::With(user) => format!("\"with\":{user}"),
            Conversation::Group(group) => format!("\"groupid\":{group}"),
        };
        let (span, name) = match span {
            Asked::Newest => (String::new(), "n0".to_owned()),
            Asked::Before(place) => (format!(",\"before\":{place}"), format!("b{place}")),
            Asked::After(place) => (format!(",\"after\":{place}"), format!("a{place}")),
        };
        // The cid says what was asked.
        let cid = format!("{why}.{name}.{limit}");
        self.write(conn, &format!("{{\"msgid\":26,{of}{span},\"limit\":{limit},\"cid\":\"{cid}\"}}"));
    }

    /// A message is shown, unless it was, and is to be confirmed.
    pub fn show(&mut self, conn: usize, message: &Heard) {
        let mid = message.mid().expect("a push of v2 has one");
        let name = (message.number("id").expect("of somebody"), message.cid().to_owned());
        if !self.reading(conn).shown.insert(name) {
            self.oracle.tally.count("not shown again");
        }
        let phone = self.people[conn].phone.as_mut().expect("speaks v2");
        phone.unconfirmed.push(mid);
    }

    /// Says that what it got is safe.
    pub fn confirm(&mut self, conn: usize) {
        let Some(phone) = &mut self.people[conn].phone else { return };
        let mids = std::mem::take(&mut phone.unconfirmed);
        if mids.is_empty() || !self.conns[conn].is_usable() {
            return;
        }
        let mids: Vec<String> = mids.iter().map(|mid: &MessageId| format!("\"{}\"", mid.0)).collect();
        self.write(conn, &format!("{{\"msgid\":24,\"mids\":[{}]}}", mids.join(",")));
    }

    /// Those who take their time confirm now.
    pub fn confirm_late(&mut self, conn: usize) {
        if self.people[conn].phone.as_ref().is_some_and(|phone| phone.confirms == Confirms::Late) {
            self.confirm(conn);
        }
    }

    /// What was said and never answered, in the order said; now and then, what was.
    pub fn unanswered(&mut self, conn: usize) -> Vec<Text> {
        let answered: Vec<Text> = self.device(conn).answered.iter().cloned().collect();
        let mut texts: Vec<Text> = self.device(conn).unanswered.values().cloned().collect();
        if self.rng.chance(100) {
            texts.extend(answered);
        }
        texts
    }

    /// A person of the second dialect understands an answer.
    pub fn understand_modern(&mut self, conn: usize, heard: &Heard) {
        self.understand_consent(conn, heard);
        let phone = self.people[conn].phone.as_mut().expect("speaks v2");
        match (heard.msgid(), heard.errno()) {
            (2, Some(0)) | (13, _) => {
                if heard.msgid() == 2 && !std::mem::replace(&mut phone.greeted, heard.is_partial()) {
                    phone.friends.clear();
                }
                for friend in heard.list("friends") {
                    let online = friend.text("state") == Some("online");
                    let friend = friend.number("id").expect("a friend has one");
                    phone.friends.insert(friend, online);
                    phone.gone.remove(&friend);
                }
                if let Some(token) = heard.text("token") {
                    self.reading(conn).token = Some(token.to_owned());
                }
                if heard.msgid() == 2 && !heard.is_partial() {
                    assert!(heard.text("token").is_some(), "(c) a login without a token");
                    self.people[conn].again = self.unanswered(conn);
                }
            }
            // Neither a token nor a password that is wrong is tried again.
            (2, Some(1)) => self.reading(conn).token = None,
            (22, _) => {
                let n = heard.number("n").expect("a ping has a number");
                if self.conns[conn].is_usable() {
                    self.write(conn, &format!("{{\"msgid\":23,\"n\":{n}}}"));
                }
            }
            (28, _) => {
                let online = heard.text("state") == Some("online");
                let friend = heard.number("id").expect("of somebody");
                phone.friends.insert(friend, online);
                phone.gone.remove(&friend);
                self.oracle.tally.count("told who came or went");
            }
            (20, Some(0)) if heard.number("re") == Some(31) => {
                self.reading(conn).token = Some(heard.text("token").expect("a new one").to_owned());
            }
            (20 | 21, Some(errno)) if heard.cid().starts_with('b') => {
                let (sender, asked) = heard.cid()[1..].split_once('.').expect("as it was said");
                let (sender, asked) = (sender.parse().unwrap(), asked.parse().unwrap());
                let blocked = heard.number("re") == Some(32) && (errno == 0 || errno == 108);
                if errno != 110 {
                    self.reading(conn).refusal_answered(sender, asked, blocked);
                }
            }
            (20 | 21, Some(errno)) if errno != 110 => {
                if let Some(number) = heard.about() {
                    self.reading(conn).note_answered(number);
                }
            }
            (27, _) => self.check_page(conn, heard),
            _ => {}
        }
    }
}

/// Where a page lies that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    Newest,
    Before(u64),
    After(u64),
}
