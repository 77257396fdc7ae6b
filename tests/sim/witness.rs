//! What the oracle sees and hears: requests and answers at the server, frames at the client.

use super::device::{Confirms, Phone};
use super::heard::Heard;
use super::oracle::{Said, Stay, numbers};
use super::plan::Plan;
use super::world::World;
use chatd::chat::model::ids::UserId;
use chatd::chat::wire::request::{Body, Named, Request};
use std::collections::{HashMap, HashSet};

impl World {
    /// A request is about to be handed over.
    pub fn hear(&mut self, conn: usize, request: &Request<'_>) {
        let now_us = self.now_us;
        // A dead server may be taken for a listener for a while after the last fault.
        let may_be_lost = self.fault.is_some_and(Plan::loses) || self.heals > 0;
        let begins = match &request.body {
            Body::Login { who: Named::Id(user), .. } => Some(*user),
            Body::Login { .. } | Body::Resume { .. } => UserId::new(self.people[conn].user as u64),
            _ => None,
        };
        let oracle = &mut self.oracle;
        match (&request.body, oracle.online(conn)) {
            (Body::Login { .. } | Body::Resume { .. }, None) => {
                let user = begins.expect("a login is somebody's");
                let stay = Stay {
                    user,
                    conn,
                    begun_us: now_us,
                    online_us: None,
                    ended_us: None,
                    clean: true,
                    got: Vec::new(),
                    mids: HashSet::new(),
                    unconfirmed: HashMap::new(),
                };
                oracle.current.insert(conn, oracle.stays.len());
                oracle.stays.push(stay);
            }
            (Body::OneChat { msg, .. } | Body::GroupChat { msg, .. }, Some(stay)) if msg.starts_with('~') => {
                let number = numbers(msg.as_bytes())[0] as usize;
                if request.id != Some(oracle.stays[stay].user) {
                    return;
                }
                let written = &mut oracle.texts[number];
                let repeated = written.said.is_some();
                let busy = written.said.as_ref().is_some_and(|said| said.busy);
                let may_be_lost = may_be_lost || written.said.as_ref().is_some_and(|said| said.may_be_lost);
                let heard_twice = false;
                let order = oracle.tally.0.get("said").copied().unwrap_or(0);
                let stay = Some(stay);
                let said = Said { stay, order, at_us: now_us, repeated, busy, heard_twice, may_be_lost };
                written.said = Some(said);
                oracle.tally.count("said");
            }
            (Body::Confirm { mids }, Some(stay)) => {
                let user = oracle.stays[stay].user;
                oracle.confirmed.extend(mids.iter().map(|&mid| (user, mid)));
                let numbers = mids.iter().filter_map(|mid| oracle.told.get(mid));
                oracle.confirmed_texts.extend(numbers.map(|&number| (user, number)));
                oracle.stays[stay].unconfirmed.retain(|mid, _| !mids.contains(mid));
            }
            (Body::Logout, Some(_)) if request.id == Some(oracle.stays[oracle.current[&conn]].user) => {
                self.parted(conn);
            }
            _ => {}
        }
    }

    /// The stay on this connection is over.
    pub fn parted(&mut self, conn: usize) {
        let acknowledged = self.conns[conn].acked == self.conns[conn].out.len();
        if let Some(stay) = self.oracle.current.remove(&conn) {
            let user = self.oracle.stays[stay].user;
            let all = self.waiting(user).iter().all(|&number| self.oracle.received.contains(&(user, number)));
            let stored = self.oracle.stays[stay].got.iter().all(|&number| self.is_stored_or_direct(number));
            let safe = self.oracle.stays[stay].unconfirmed.is_empty();
            // Who has said its last word gives way to another login, before its core has looked at what TCP has acknowledged.
            let begun_us = self.oracle.stays[stay].begun_us;
            let is_later =
                |other: &Stay| other.user == user && other.conn != conn && other.begun_us > begun_us;
            let gave_way = self.conns[conn].finished && self.oracle.stays.iter().any(is_later);
            let stay = &mut self.oracle.stays[stay];
            let clean = acknowledged && all && stored && safe && !gave_way;
            (stay.ended_us, stay.clean) = (Some(self.now_us), clean);
            self.oracle.tally.count(match (acknowledged, all && stored) {
                (true, true) => "stays ended clean",
                (true, false) => "stays ended amid a backlog",
                (false, _) => "stays ended with bytes under way",
            });
        }
    }

    /// A hub answers.
    pub fn replied(&mut self, conn: usize, frame: &[u8]) {
        let heard = Heard::read(frame);
        self.check_friends_made(conn, &heard);
        match (heard.msgid(), heard.errno()) {
            (2, Some(0)) if self.people[conn].phone.is_some() && heard.is_partial() => {}
            (2, Some(0)) => {
                let token =
                    heard.text("token").map(|token| self.oracle.tokens.insert(conn, token.to_owned()));
                if token.is_none() {
                    self.oracle.tokens.remove(&conn);
                }
                self.logged_in(conn);
            }
            (2, Some(2)) if self.oracle.online(conn).is_some() => {}
            (2, Some(errno)) => {
                let stay = *self.oracle.current.get(&conn).expect("a login is answered once");
                if self.oracle.stays[stay].online_us.is_some() {
                    // A session asked for another login and was refused: it is over. What it confirmed since then
                    // may have met its end and come to nothing.
                    self.parted(conn);
                    self.oracle.stays[stay].clean = false;
                } else {
                    self.oracle.current.remove(&conn);
                    self.oracle.stays[stay].ended_us = Some(self.now_us);
                }
                self.oracle.tally.count(match errno {
                    1 => "logins refused: password",
                    2 => "logins refused: online",
                    _ => "logins refused: busy",
                });
            }
            (20, Some(0)) if matches!(heard.number("re"), Some(6 | 10)) => self.acknowledged(&heard),
            (20, Some(0)) if heard.number("re") == Some(31) => {
                let token = heard.text("token").expect("a new one").to_owned();
                self.oracle.tokens.insert(conn, token);
            }
            (21, Some(113)) => {
                let stay = self.oracle.current.get(&conn).copied();
                self.parted(conn);
                // It ends before its core has looked at what TCP has acknowledged.
                if let Some(stay) = stay {
                    self.oracle.stays[stay].clean = false;
                }
                self.oracle.tally.count("sessions replaced");
            }
            (21, Some(errno @ (100 | 115 | 116))) => {
                self.oracle.cut.insert(conn);
                if errno == 115 {
                    self.oracle.tally.count("cut for reading slowly");
                }
            }
            (21, Some(110)) => {
                self.oracle.told_busy.extend(heard.about());
                self.oracle.tally.count("requests refused: busy");
            }
            (21, Some(_)) => self.oracle.refused.extend(heard.about()),
            _ => {}
        }
    }

    fn logged_in(&mut self, conn: usize) {
        self.check_let_in(conn);
        let oracle = &mut self.oracle;
        let &number = oracle.current.get(&conn).expect("a login answer for a login");
        let user = oracle.stays[number].user;
        // Who is being closed already, or has said its last word, is not told that it is replaced.
        let ends = |at: usize| self.conns[at].closing || self.conns[at].told_ended;
        let closing = oracle.online_conns().find(|&(of, at)| of == user && ends(at));
        if let Some((_, at)) = closing {
            self.parted(at);
        }
        let oracle = &mut self.oracle;
        let other = oracle.online_stays().find(|stay| stay.user == user);
        // A core that nobody hears cannot object; who of the two stays is decided when it is back.
        assert!(other.is_none() || self.parted, "(c) {user:?} is online twice");
        // One that knows of the split lets nobody in who may be on the other side.
        let core = self.conns[conn].core;
        let knew =
            self.health[core].split_us.is_some_and(|since_us| oracle.stays[number].begun_us > since_us);
        let elsewhere = other.is_some_and(|stay| self.conns[stay.conn].core != core);
        assert!(!(knew && elsewhere), "(c) {user:?} is let in twice although the split is known");
        oracle.stays[number].online_us = Some(self.now_us);
        oracle.succeeded.entry(conn).or_default().push(number);
        oracle.tally.count("logins");
    }

    /// A client has got a frame.
    pub fn got(&mut self, conn: usize, frame: &[u8]) {
        let heard = Heard::read(frame);
        let msgid = heard.msgid();
        let modern = self.people[conn].phone.is_some();
        if msgid == 2 && heard.errno() == Some(0) && !(modern && heard.is_partial()) {
            *self.oracle.read.entry(conn).or_default() += 1;
        }
        if matches!(msgid, 6 | 10) {
            self.check_body(frame);
        }
        let messages = match msgid {
            2 if modern => heard.list("offlinemsg"),
            6 | 10 if modern => vec![Heard::read(frame)],
            2 | 6 | 10 => {
                numbers(frame).into_iter().for_each(|number| self.receive(conn, number, None));
                Vec::new()
            }
            _ => Vec::new(),
        };
        for message in &messages {
            self.receive(conn, message.said().expect("it was said"), message.mid());
            self.show(conn, message);
        }
        if (msgid, heard.errno()) == (20, Some(0))
            && let (Some(number), Some(mid)) = (heard.about(), heard.mid())
        {
            self.sees(conn, number, Some(mid));
        }
        if msgid == 13 {
            self.check_friends(conn, frame);
        }
        self.understand(conn, &heard);
        let at_once = |phone: &Phone| phone.confirms == Confirms::AtOnce;
        if self.people[conn].phone.as_ref().is_some_and(at_once) {
            self.confirm(conn);
        }
    }
}
