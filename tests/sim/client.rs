//! The people: what they do with their connections, and what they understand of the answers.

use super::device::Phone;
use super::heard::Heard;
use super::oracle::Text;
use super::tcp::Reading;
use super::world::{Next, World};
use crate::trace;
use chatd::chat::model::envelope::Target;
use chatd::chat::model::ids::{GroupId, UserId};
use chatd::chat::wire::frame::Terminator;

/// Who sits behind a connection.
pub struct Person {
    pub user: usize,
    /// As far as the answers have told.
    pub online: bool,
    /// A login that is not answered.
    pub entering: bool,
    /// Only logs in, and waits.
    pub contestant: bool,
    /// Takes the place of another session of its user.
    pub replaces: bool,
    /// What a client of the second dialect knows.
    pub phone: Option<Phone>,
    /// What was answered with 110 and is to be said again under the same cid.
    pub again: Vec<Text>,
    /// As whom it has said LOGINOUT last: one that gets 110 is said again, since the session goes on.
    pub left_as: usize,
}

impl World {
    /// A person opens a connection.
    pub fn come(&mut self, user: usize) {
        if self.acting && self.health.iter().all(|health| health.dead) {
            let after = self.rng.delay(4 * self.plan.gap_us) + 1;
            self.later(after, Next::Come { user });
        } else if self.acting {
            self.connect(user, false, true);
        }
    }

    pub fn connect(&mut self, user: usize, contestant: bool, replaces: bool) -> usize {
        let alive: Vec<usize> = (0..self.cores.len()).filter(|&core| !self.health[core].dead).collect();
        let core = self.rng.pick(&alive);
        // Messages of a WebSocket are handed over as if they ended with a newline.
        let (terminator, is_websocket) = self.rng.pick(&[
            (Terminator::Nul, false),
            (Terminator::Newline, false),
            (Terminator::Newline, true),
        ]);
        let phone = self.phone();
        self.people.push(Person {
            user,
            online: false,
            entering: false,
            contestant,
            replaces,
            phone,
            again: Vec::new(),
            left_as: user,
        });
        let conn = self.open(core, terminator, is_websocket);
        let after = self.rng.delay(self.plan.gap_us);
        self.later(after, Next::Act(conn));
        conn
    }

    pub fn act(&mut self, conn: usize) {
        let person = &self.people[conn];
        if person.contestant {
            if !person.online && !person.entering && self.conns[conn].is_usable() {
                self.log_in(conn);
            }
            return;
        }
        if !self.acting {
            return;
        }
        if !self.conns[conn].is_usable() {
            if self.rng.chance(700) {
                let (user, after) = (self.people[conn].user, self.rng.delay(4 * self.plan.gap_us));
                self.later(after, Next::Come { user });
            }
            return;
        }
        self.fuss(conn);
        if self.conns[conn].is_usable() {
            if self.people[conn].online {
                self.be_online(conn);
            } else if !self.people[conn].entering {
                self.be_nobody(conn);
            }
        }
        let after = self.rng.delay(2 * self.plan.gap_us) + 1;
        self.later(after, Next::Act(conn));
    }

    /// What happens to connections, whoever uses them.
    fn fuss(&mut self, conn: usize) {
        if self.rng.chance(self.plan.breaks) {
            self.break_off(conn);
        } else if self.rng.chance(self.plan.leaves) {
            self.conns[conn].finished = true;
            trace!(self, "conn {conn} writes nothing more");
            self.come_to_server(conn, 0);
        } else if self.rng.chance(self.plan.stalls) {
            self.conns[conn].reading = self.rng.pick(&[Reading::NotAtAll, Reading::Slowly]);
        } else if self.conns[conn].reading != Reading::Fast && self.rng.chance(100) {
            self.read_on(conn);
        }
    }

    pub fn read_on(&mut self, conn: usize) {
        self.conns[conn].reading = Reading::Fast;
        self.go_to_client(conn);
    }

    /// The client vanishes; the server finds out sooner or later.
    pub fn break_off(&mut self, conn: usize) {
        trace!(self, "conn {conn} breaks");
        self.conns[conn].broken = true;
        let after = if self.rng.chance(500) { 0 } else { self.rng.delay(300_000) };
        self.later(after, Next::Gone(conn));
    }

    pub fn write(&mut self, conn: usize, text: &str) {
        let crlf = self.rng.chance(200);
        let conn_ = &mut self.conns[conn];
        if conn_.decoder.is_some() {
            let at = if crlf { Some(self.rng.index(text.len() + 1)) } else { None };
            conn_.write_message(text, at);
        } else {
            conn_.to_server.extend(text.as_bytes());
            match conn_.terminator {
                Terminator::Nul => conn_.to_server.push_back(0),
                Terminator::Newline if crlf => conn_.to_server.extend(b"\r\n"),
                Terminator::Newline => conn_.to_server.push_back(b'\n'),
            }
        }
        let after = self.rng.delay(self.plan.net_us);
        self.come_to_server(conn, after);
    }

    pub fn log_in(&mut self, conn: usize) {
        let user = self.people[conn].user;
        self.people[conn].entering = true;
        if self.people[conn].phone.is_some() {
            return self.log_in_modern(conn);
        }
        self.write(conn, &format!("{{\"msgid\":1,\"id\":{user},\"password\":\"p{user}\"}}"));
    }

    fn be_nobody(&mut self, conn: usize) {
        let user = self.people[conn].user;
        match self.rng.below(40) {
            0 => {
                self.people[conn].entering = true;
                let v = if self.people[conn].phone.is_some() { ",\"v\":2" } else { "" };
                self.write(conn, &format!("{{\"msgid\":1,\"id\":{user},\"password\":\"wrong\"{v}}}"));
            }
            1 => {
                let number = self.rng.below(40);
                let v = if self.people[conn].phone.is_some() { ",\"v\":2" } else { "" };
                self.write(conn, &format!("{{\"msgid\":4,\"name\":\"n{number}\",\"password\":\"p\"{v}}}"));
            }
            2 => self.nonsense(conn),
            3 => {
                self.log_in(conn);
                self.chat(conn);
                self.chat(conn);
            }
            _ => self.log_in(conn),
        }
    }

    fn be_online(&mut self, conn: usize) {
        if self.people[conn].phone.is_some() {
            let again =
                if self.rng.chance(300) { std::mem::take(&mut self.people[conn].again) } else { Vec::new() };
            again.into_iter().for_each(|text| self.say_text(conn, text));
            if self.rng.chance(200) {
                self.confirm_late(conn);
            }
            if self.rng.chance(self.plan.consents / 4) {
                return self.consent(conn);
            }
            if self.rng.chance(120) {
                return self.be_modern(conn);
            }
        } else if let Some(text) = self.people[conn].again.pop() {
            return self.say_text(conn, text);
        }
        let user = self.people[conn].user;
        match self.rng.below(100) {
            0..=64 => {
                let burst = if self.rng.chance(200) { self.rng.between(2, 8) } else { 1 };
                (0..burst).for_each(|_| self.chat(conn));
            }
            65..=67 => {
                let number = self.rng.below(6);
                self.request(conn, &format!("\"msgid\":8,\"groupname\":\"g{number}\",\"groupdesc\":\"d\""));
            }
            68..=77 => self.about_group(conn, 9),
            78..=80 => self.about_group(conn, 11),
            81..=86 => {
                let friend = self.rng.between(1, self.plan.users as u64 + 1);
                self.request(conn, &format!("\"msgid\":7,\"friendid\":{friend}"));
            }
            87..=88 => {
                let friend = self.rng.between(1, self.plan.users as u64);
                self.request(conn, &format!("\"msgid\":12,\"friendid\":{friend}"));
            }
            89..=91 => self.request(conn, "\"msgid\":13"),
            92 => self.nonsense(conn),
            93 => self.log_in(conn),
            94 if self.plan.leaves > 0 => {
                self.people[conn].online = false;
                self.people[conn].again.clear();
                self.people[conn].left_as = user;
                if self.rng.chance(800) && self.people[conn].phone.is_some() {
                    self.device(conn).token = None;
                }
                self.write(conn, &format!("{{\"msgid\":3,\"id\":{user}}}"));
                // The next user of this connection may be another one.
                if self.rng.chance(300) {
                    self.people[conn].user = self.rng.between(1, self.plan.users as u64) as usize;
                }
            }
            _ => {}
        }
    }

    fn request(&mut self, conn: usize, fields: &str) {
        let user = self.people[conn].user;
        let cid = if self.rng.chance(self.plan.cids) {
            format!(",\"cid\":\"r{}\"", self.rng.next())
        } else {
            String::new()
        };
        self.write(conn, &format!("{{{fields},\"id\":{user}{cid}}}"));
    }

    fn about_group(&mut self, conn: usize, msgid: u32) {
        let group = self.rng.between(1, self.store.groups.len() as u64 + 1);
        self.request(conn, &format!("\"msgid\":{msgid},\"groupid\":{group}"));
    }

    fn nonsense(&mut self, conn: usize) {
        let text = self.rng.pick(&[
            "{\"msgid\":99}",
            "{\"msgid\":6,\"id\":1,\"msg\":7,\"toid\":2}",
            "{\"msgid\":6,\"id\":1000,\"msg\":\"x\",\"toid\":2}",
            "{\"msgid\":\"6\"}",
            "{}",
        ]);
        let text = if self.rng.chance(50) { "[not a frame" } else { text };
        self.write(conn, text);
    }

    /// Says something to somebody.
    pub fn chat(&mut self, conn: usize) {
        let user = UserId::new(self.people[conn].user as u64).unwrap();
        let mine: Vec<GroupId> = self
            .store
            .groups
            .iter()
            .filter(|(_, group)| group.members.contains_key(&user))
            .map(|(&group, _)| group)
            .collect();
        let target = if !mine.is_empty() && self.rng.chance(400) {
            Target::Group(self.rng.pick(&mine))
        } else {
            Target::User(UserId::new(self.rng.between(1, self.plan.users as u64)).unwrap())
        };
        let modern = self.people[conn].phone.is_some();
        let wants_ack = self.rng.chance(if modern { 900 } else { self.plan.cids });
        let filler = ["", "", "x", "\\\"quoted\\\"", "\u{4f60}\u{597d} \u{1f642}", "\\u00e9\\n\\\\"];
        let (mut filler, times) = (self.rng.pick(&filler).to_owned(), self.rng.delay(60));
        filler = filler.repeat(times as usize).chars().take(100).collect();
        if filler.ends_with('\\') || filler.contains("\\u") {
            filler.clear();
        }
        let text = self.oracle.compose(user, target, wants_ack, filler);
        self.say_text(conn, text);
    }

    fn say_text(&mut self, conn: usize, text: Text) {
        let user = self.people[conn].user;
        if text.wants_ack && self.people[conn].phone.is_some() {
            self.device(conn).unanswered.insert(text.number, text.clone());
        }
        self.note_before(conn, text.number);
        let to = match text.target {
            Target::User(to) if text.number.is_multiple_of(2) => format!("\"msgid\":6,\"toid\":{to}"),
            Target::User(to) => format!("\"msgid\":6,\"to\":{to}"),
            Target::Group(group) => format!("\"msgid\":10,\"groupid\":{group}"),
        };
        let cid = if text.wants_ack { format!(",\"cid\":\"c{}\"", text.number) } else { String::new() };
        let (number, filler) = (text.number, &text.filler);
        let frame = format!("{{{to},\"id\":{user},\"msg\":\"~{number}~{filler}\",\"time\":\"t\"{cid}}}");
        self.write(conn, &frame);
    }

    /// A person understands an answer.
    pub fn understand(&mut self, conn: usize, heard: &Heard) {
        if self.people[conn].phone.is_some() {
            self.understand_modern(conn, heard);
        }
        let (msgid, errno) = (heard.msgid(), heard.errno());
        let person = &mut self.people[conn];
        match (msgid, errno) {
            (2, Some(0)) if person.phone.is_some() && heard.is_partial() => {}
            (2, Some(0)) => (person.online, person.entering) = (true, false),
            (2, _) => {
                person.entering = false;
                let forgotten = errno == Some(1) && person.phone.is_some();
                if person.contestant && (errno == Some(110) || forgotten) {
                    self.later(1_000, Next::Act(conn));
                }
            }
            (21, Some(110)) if heard.number("re") == Some(3) => {
                let left_as = person.left_as;
                self.write(conn, &format!("{{\"msgid\":3,\"id\":{left_as}}}"));
            }
            (21, Some(110)) => {
                if let Some((sender, text)) = heard.about().and_then(|number| self.oracle.text(number))
                    && sender.get() as usize == person.user
                {
                    person.again.push(text);
                }
            }
            (21, Some(113)) => person.online = false,
            _ => {}
        }
    }
}

impl World {
    pub fn ask_friends(&mut self, conn: usize, user: UserId) {
        self.write(conn, &format!("{{\"msgid\":13,\"id\":{user}}}"));
    }
}
