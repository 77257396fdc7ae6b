//! What must be true in the end, and at rest.

use super::people::{LIVE_US, seen_as};
use super::world::World;
use chatd::chat::model::envelope::Target;
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::MessageId;
use serde_json::Value;

impl World {
    pub fn check_place(&self, of: Conversation, mid: MessageId, pos: u64) {
        let (envelope, place) = self.store.messages.get(&mid).expect("(c) what is told is stored");
        let is_there = match of {
            Conversation::Group(group) => envelope.target() == Target::Group(group),
            Conversation::With(_) => matches!(envelope.target(), Target::User(_)),
        };
        assert!(is_there && *place == Some(pos), "(c) {mid:?} is at {place:?}, not at {pos} of {of:?}");
    }

    /// Whoever is there has been pushed everything.
    pub fn check_live(&mut self) {
        for device in 0..self.devices.len() {
            if !self.devices[device].synced || !self.devices[device].logged_in {
                continue;
            }
            let user = self.devices[device].id();
            for of in self.conversations(user) {
                // Of a group that another device has joined meanwhile, it learns a little later.
                if matches!(of, Conversation::Group(group) if !self.devices[device].groups.contains(&group)) {
                    continue;
                }
                for (pos, mid) in self.stored_for(device, of) {
                    if self.store.messages[&mid].0.ts().0 * 1_000 < self.devices[device].synced_us + LIVE_US {
                        continue;
                    }
                    if self.store.is_recalled(mid) {
                        continue;
                    }
                    let body = self.store.messages[&mid].0.body().to_vec();
                    let frame: Value = serde_json::from_slice(&body).expect("a frame");
                    let number = seen_as(&frame, mid);
                    assert!(
                        self.devices[device].seen.contains(&number),
                        "(d) device {device} of {user:?}, conn {:?}, there since {}, was not pushed text {number}, {mid:?} at {pos} of {of:?}",
                        self.devices[device].conn,
                        self.devices[device].synced_us
                    );
                }
            }
            self.count("live devices looked at");
        }
    }

    /// Everybody comes, and syncs until there is nothing more.
    pub fn come_and_sync(&mut self) {
        for round in 0..6 {
            if round == 3 {
                self.try_to_speak();
            }
            for device in 0..self.devices.len() {
                match self.devices[device].conn {
                    Some(conn) if self.devices[device].logged_in => {
                        if round == 5 {
                            self.look_for_something(device, conn);
                        }
                        self.write(conn, "{\"msgid\":36,\"cid\":\"heads\"}".to_owned());
                    }
                    Some(conn) if !self.devices[device].entering => self.log_in(device, conn),
                    Some(_) => {}
                    None => self.connect(device),
                }
            }
            self.rest();
        }
    }

    pub fn check_same(&mut self) {
        for device in 0..self.devices.len() {
            let user = self.devices[device].id();
            assert!(self.devices[device].logged_in, "(a) device {device} of {user:?} does not get in");
            for of in self.conversations(user) {
                let stored = self.stored_for(device, of);
                let joined = self.joined(user, of);
                let mut known = self.devices[device].known.get(&of).cloned().unwrap_or_default();
                // What it had of a group before it left it and came back is its own.
                known.retain(|pos, mid| {
                    *pos > joined
                        && (self.devices[device].knows_events || !self.store.messages[mid].0.is_event())
                });
                assert_eq!(known, stored, "(e) {of:?} of device {device} of {user:?}");
                let marker = self.store.marker(user, of).max(joined);
                let of_others = |(pos, mid): &(&u64, &MessageId)| {
                    let stored = &self.store.messages[mid].0;
                    **pos > marker
                        && stored.sender() != user
                        && !stored.is_event()
                        && !self.store.is_recalled(**mid)
                };
                let unread = stored.iter().filter(of_others).count() as u64;
                assert_eq!(self.devices[device].unread.get(&of), Some(&unread), "(g) {of:?} of {user:?}");
                self.check_states(device, of);
            }
            self.count("devices compared");
        }
        for mid in self.acked.values() {
            assert!(self.store.messages.contains_key(mid), "(f) {mid:?} was acknowledged");
        }
    }
}
