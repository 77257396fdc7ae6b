//! What must be true of each message that a client gets: it is for its user, as it was said, in order,
//! and not again without a reason.

use super::oracle::numbers;
use super::world::World;
use chatd::chat::model::envelope::Target;
use chatd::chat::model::ids::MessageId;
use chatd::chat::wire::json::{Parser, Value};

impl World {
    /// What was said comes out as it went in.
    pub fn check_body(&self, frame: &[u8]) {
        let number = numbers(frame)[0] as usize;
        let written = &self.oracle.texts[number];
        let mut bytes = frame.to_vec();
        let fields = Parser::new().parse(&mut bytes, 2);
        let fields = fields.expect("a push is an object");
        let mut said = format!("{{\"m\":\"~{number}~{}\"}}", written.text.filler).into_bytes();
        let mut parser = Parser::new();
        let said = parser.parse(&mut said, 2).expect("what was said is an object");
        assert_eq!(fields.get("msg"), said.get("m"), "text {number}");
        assert_eq!(fields.get("id"), Some(Value::Number(written.sender.get().into())));
        assert_eq!(fields.get("time"), Some(Value::Text("t")));
    }

    pub fn receive(&mut self, conn: usize, number: u64, mid: Option<MessageId>) {
        self.check_stored_first(number, mid);
        self.check_refused(conn, number);
        self.check_wanted(conn, number);
        self.sees(conn, number, mid);
        let logins = self.oracle.read.get(&conn).copied().unwrap_or(0);
        assert!(logins > 0, "text {number} comes before any login answer");
        let stay = self.oracle.succeeded[&conn][logins - 1];
        let (user, got_before) =
            (self.oracle.stays[stay].user, self.oracle.stays[stay].got.contains(&number));
        let written = &self.oracle.texts[number as usize];
        match written.text.target {
            Target::User(to) => assert_eq!(to, user, "text {number} is not for {user:?}"),
            Target::Group(_) => assert_ne!(written.sender, user, "text {number} comes back to its sender"),
        }
        assert!(written.said.is_some(), "nobody gets what was not said");
        // Who leaves a group and joins it again begins anew.
        let anew =
            matches!(written.text.target, Target::Group(group) if self.store.left.contains(&(user, group)));
        if let Some(mid) = mid {
            self.oracle.told.insert(mid, number);
            let again = !self.oracle.stays[stay].mids.insert(mid);
            self.oracle.stays[stay].unconfirmed.insert(mid, number);
            if self.oracle.stays[stay].ended_us.is_some() {
                // What comes after the reader asked to go cannot be confirmed any more.
                self.oracle.stays[stay].clean = false;
            }
            let written = &self.oracle.texts[number as usize];
            let heard_twice = written.said.as_ref().is_some_and(|said| said.heard_twice);
            let excused = self.oracle.faulty || anew || heard_twice;
            assert!(!again || excused, "(f) {mid:?}, text {number}, comes twice in one session of {user:?}");
        }
        let written = &self.oracle.texts[number as usize];
        let said = written.said.as_ref().expect("looked at above");
        // However often an application says it, it is heard once.
        let once = !said.repeated || written.of_application;
        if once && !self.oracle.faulty && !anew {
            // The other core that heard it may have kept it so late that the session has forgotten it.
            let twice = got_before && !said.heard_twice;
            assert!(!twice, "(f) text {number} comes twice in one session of {user:?}");
            if !said.heard_twice {
                self.check_repeat(stay, number);
            }
            // What was refused for a while comes when it is not refused any more.
            let sender = self.oracle.texts[number as usize].sender;
            let was_refused = self.store.has_refused(user, sender) || self.store.has_restricted(user, sender);
            if !self.plan.is_skewed() && !was_refused {
                self.check_order(stay, number);
            }
        }
        self.oracle.tally.count("received");
        if !self.oracle.received.insert((user, number)) {
            self.oracle.tally.count("received again");
        }
        self.oracle.stays[stay].got.push(number);
    }

    /// A text may come in two sessions only if the first one was cut with bytes under way, or the
    /// second one followed at its heels.
    fn check_repeat(&self, stay: usize, number: u64) {
        let rest_us = self.plan.rest_us();
        let now = &self.oracle.stays[stay];
        for before in
            self.oracle.stays.iter().filter(|before| before.user == now.user && before.conn != now.conn)
        {
            if before.got.contains(&number) && before.begun_us < now.begun_us {
                let ended_us = before.ended_us.unwrap_or(u64::MAX);
                let long_ago = before.clean && ended_us.saturating_add(rest_us) < now.begun_us;
                assert!(
                    !long_ago,
                    "(f) text {number} comes again to {:?} by conn {}, without a reason: conn {}",
                    now.user, now.conn, before.conn
                );
            }
        }
    }

    /// One sender's texts to one conversation come in the order said, while both sessions and the
    /// way between them live.
    fn check_order(&self, stay: usize, number: u64) {
        let oracle = &self.oracle;
        let here = &oracle.stays[stay];
        let this = &oracle.texts[number as usize];
        let said = this.said.as_ref().unwrap();
        let trip_us = self.plan.round_trip_us();
        let elsewhere = oracle.stays.iter().enumerate().any(|(other, found)| {
            other != stay
                && found.user == here.user
                && found.ended_us.is_none_or(|ended_us| ended_us + trip_us > said.at_us)
        });
        if elsewhere {
            return;
        }
        let online_us = here.online_us.unwrap();
        for &later in &here.got {
            let that = &oracle.texts[later as usize];
            let Some(that_said) = &that.said else { continue };
            // With and without a cid go different ways while their reader catches up: through the
            // store and the bus, and through the bus alone.
            let same = said.stay.is_some()
                && that_said.stay == said.stay
                && that.text.target == this.text.target
                && that.text.wants_ack == this.text.wants_ack;
            if !same || that_said.repeated || that_said.order < said.order {
                continue;
            }
            let since_us = match this.text.target {
                Target::User(_) => online_us,
                Target::Group(group) => {
                    let member = oracle.member_since.get(&(here.user, group)).copied().unwrap_or(u64::MAX);
                    online_us.max(member.saturating_add(self.plan.rest_us()))
                }
            };
            let live = said.at_us >= since_us;
            // What was said to somebody who was away is in order if it was stored when its reader came.
            // Stored later, it may come to lie before the page that its reader has come to.
            let waited = said.at_us + self.plan.rest_us() < online_us;
            let apart = waited
                && matches!(this.text.target, Target::User(_))
                && said.at_us + trip_us < that_said.at_us;
            assert!(!live && !apart, "(d) text {number} comes to {:?} after {later}", here.user);
        }
    }
}
