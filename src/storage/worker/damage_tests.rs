//! A database that is damaged in one place: what meets it is refused for good, and all else goes on.

use super::tests::{Cores, config, user};
use super::*;
use crate::health::Condition;
use crate::password::Cost;
use crate::scratch::Scratch;
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::ids::{MessageId, Millis};
use chatd_chat::model::source::Source;
use chatd_chat::model::token::Password;
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;
use rusqlite::Connection;

const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

/// Messages of user 2 are refused, whatever they say.
const REFUSES_ONE: &str = "CREATE TRIGGER refuses BEFORE INSERT ON message WHEN NEW.sender = 2
    BEGIN SELECT RAISE(ABORT, 'a test refuses this'); END";
const REFUSES_ALL: &str = "CREATE TRIGGER refuses BEFORE INSERT ON message
    BEGIN SELECT RAISE(ABORT, 'a test refuses all'); END";

struct Trial {
    scratch: Scratch,
    cores: Cores,
    running: Running,
    said: u64,
}

impl Trial {
    /// A server with the users 1 to 3.
    fn new() -> Self {
        let scratch = Scratch::new();
        let (cores, calls, replies) = Cores::new();
        let store = crate::open(config(scratch.path(), CHEAP)).unwrap();
        let running = store.start(calls, replies).unwrap();
        let mut trial = Self { scratch, cores, running, said: 0 };
        for name in ["amy", "ben", "carl"] {
            let password = Password("secret".to_owned());
            trial.cores.request(StoreRequest::Register {
                name: name.to_owned(),
                password,
                from: Source::Proxy,
            });
            assert!(matches!(trial.cores.answer().1, Ok(StoreReply::Registered(_))));
        }
        trial
    }

    fn change(&self, sql: &str) {
        Connection::open(self.scratch.path().join("chatd.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn count(&self) -> i64 {
        let db = Connection::open(self.scratch.path().join("chatd.db")).unwrap();
        db.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap()
    }

    /// A message to user 3.
    fn message(&mut self, sender: u64) -> Envelope {
        self.said += 1;
        let target = Target::User(user(3));
        let (mid, ts, durability) = (MessageId(self.said), Millis(1), Durability::Always);
        let message = Message { sender: user(sender), target, mid, ts, cid: "", durability, body: b"{}" };
        Envelope::message(message, &mut Vec::new())
    }

    fn store(&mut self, sender: u64) -> Result<(), Code> {
        let envelope = self.message(sender);
        self.cores.request(StoreRequest::StoreMessage { envelope });
        self.cores.answer().1.map(drop)
    }

    fn state(&self) -> (Condition, u64) {
        (self.running.state().now(), self.running.state().unexpected())
    }

    fn end(self) {
        drop(self.cores);
        self.running.join().unwrap();
    }
}

#[test]
fn what_meets_the_damage_is_refused_for_good_and_all_else_is_stored() {
    let mut trial = Trial::new();
    trial.change(REFUSES_ONE);
    assert_eq!(trial.store(1), Ok(()));
    assert_eq!(trial.store(2), Err(Code::InvalidField));
    assert_eq!(trial.store(1), Ok(()));
    assert_eq!((trial.count(), trial.state()), (2, (Condition::Up, 1)));
    trial.change("DROP TRIGGER refuses");
    assert_eq!(trial.store(2), Ok(()));
    trial.end();
}

#[test]
fn of_messages_that_are_recorded_together_only_the_damaged_are_lost() {
    let mut trial = Trial::new();
    trial.change(REFUSES_ONE);
    let envelopes = [1, 2, 1, 2, 1].map(|sender| trial.message(sender)).into();
    trial.cores.request(StoreRequest::AppendHistory { envelopes });
    assert_eq!(trial.cores.answer().1, Ok(StoreReply::Done));
    assert_eq!((trial.count(), trial.state()), (3, (Condition::Up, 2)));
    trial.end();
}

#[test]
fn a_store_that_can_store_no_message_is_down_whatever_its_error() {
    let mut trial = Trial::new();
    for damage in [REFUSES_ALL, "ALTER TABLE friend RENAME TO enemy"] {
        trial.change(damage);
        let answer = match damage {
            REFUSES_ALL => trial.store(1),
            _ => {
                trial.cores.request(StoreRequest::AddFriend { user: user(1), friend: user(2) });
                trial.cores.answer().1.map(drop)
            }
        };
        assert_eq!(answer, Err(Code::Busy), "{damage}");
        assert_eq!(trial.state(), (Condition::Down, 0), "{damage}");
        trial.change("DROP TRIGGER IF EXISTS refuses");
        // It is well when it stores again, and has not failed for a while.
        while trial.state().0 == Condition::Down {
            assert_eq!(trial.store(1), Ok(()));
        }
    }
    trial.end();
}
