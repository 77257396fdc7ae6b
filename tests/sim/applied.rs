//! What must be true of what is done through the API: a message is one message however often it is said, nobody hears it
//! before it is stored, and whom an application shuts out is not there.

use super::heard::Heard;
use super::oracle::numbers;
use super::world::World;
use chatd::chat::model::envelope::Kind;
use chatd::chat::model::ids::MessageId;
use chatd::chat::port::effect::{Effect, Frame};
use std::collections::HashMap;

impl World {
    /// Under which id a text of the application's is stored.
    fn stored_of_application(&self, number: u64) -> Option<MessageId> {
        let sender = self.oracle.texts[number as usize].sender;
        self.store.cids.get(&(sender, format!("c{number}"))).copied()
    }

    /// What a core pushes or publishes is stored, as what it says that it is.
    pub fn check_effect(&self, effect: &Effect) {
        let envelope = match effect {
            _ if !self.application.is_there => return,
            Effect::Publish { envelope, .. } if matches!(envelope.kind(), Kind::Direct | Kind::Group) => {
                envelope
            }
            Effect::Send {
                frame: Frame::Push(envelope) | Frame::PushV2(envelope) | Frame::PushOwn(envelope),
                ..
            } => envelope,
            _ => return,
        };
        let Some(&number) = numbers(envelope.body()).first() else { return };
        if self.oracle.texts[number as usize].of_application {
            let stored = self.stored_of_application(number);
            assert_eq!(
                stored,
                Some(envelope.mid()),
                "(p) text {number} goes to somebody before it is stored"
            );
        }
    }

    /// A reader has got something, perhaps with its id.
    pub fn check_stored_first(&mut self, number: u64, mid: Option<MessageId>) {
        if !self.oracle.texts[number as usize].of_application {
            return;
        }
        let stored = self.stored_of_application(number);
        assert!(
            stored.is_some() && mid.is_none_or(|mid| stored == Some(mid)),
            "(p) text {number} is heard as {mid:?}, and stored as {stored:?}"
        );
        self.oracle.tally.count("received of an application");
    }

    /// A call is answered with an id and a place: those of the one message that it is.
    pub fn check_sent(&mut self, number: u64, heard: &Heard) {
        let mid = heard.mid().expect("a message has an id");
        let stored = self.stored_of_application(number);
        assert_eq!(
            stored,
            Some(mid),
            "(p) text {number} is answered with an id, and stored under another one"
        );
        let pos = self.store.messages[&mid].1;
        assert_eq!(heard.number("pos"), pos, "(p) the place of text {number}");
        if let Some(before) = self.oracle.acked.insert(number, mid) {
            assert_eq!(before, mid, "(p) text {number} is answered as another message than before");
            self.oracle.tally.count("answered again through the API");
        }
    }

    /// There is one message of each.
    pub fn check_application(&mut self) {
        let mut stored: HashMap<u64, usize> = HashMap::new();
        for (envelope, _) in self.store.messages.values() {
            if let Some(&number) = numbers(envelope.body()).first() {
                *stored.entry(number).or_default() += 1;
            }
        }
        for written in self.oracle.texts.iter().filter(|written| written.of_application) {
            let number = written.text.number;
            let times = stored.get(&number).copied().unwrap_or(0);
            let was_acked = self.oracle.acked.contains_key(&number);
            assert!(times == 1 || (times == 0 && !was_acked), "(p) text {number} is {times} messages");
        }
    }

    /// Somebody is let in.
    pub fn check_let_in(&self, conn: usize) {
        let stay = &self.oracle.stays[self.oracle.current[&conn]];
        if let Some(&Some(since_us)) = self.application.out.get(&stay.user) {
            assert!(stay.begun_us <= since_us, "(q) {:?} is shut out, and let in on conn {conn}", stay.user);
        }
    }

    /// Nothing is under way: nobody is there who is shut out, or whose token is worthless.
    pub fn check_shut_out(&mut self) {
        let online: Vec<_> = self.oracle.online_conns().collect();
        for (user, conn) in online {
            let is_out = self.application.out.get(&user).is_some_and(Option::is_some);
            assert!(!is_out, "(q) {user:?} is shut out, and online on conn {conn}");
            let token = self.oracle.tokens.get(&conn);
            let remembered = &self.store.remembered;
            let is_good =
                |token: &String| remembered.id_of(token).is_some() || remembered.displaced.contains(token);
            assert!(token.is_none_or(is_good), "(q) the token of {user:?} on conn {conn} is worthless");
        }
        let out = self.application.out.values().flatten().count() as u64;
        *self.oracle.tally.0.entry("shut out at a rest").or_default() += out;
    }
}
