//! What a device understands of what lies at places: what it lacked, what it was pushed, what it has said.

use super::people::{conversation, mid, number, seen_as, text};
use super::world::World;
use serde_json::Value;

impl World {
    pub fn on_sync(&mut self, device: usize, conn: usize, frame: &Value) {
        if frame.get("heads").is_some() {
            // Asked for so that all of them follow, or told unasked.
            let cid = text(frame, "cid");
            let unasked = cid.is_none() && !self.devices[device].wants_heads;
            if cid.as_deref() == Some("heads") || unasked {
                self.note_heads(device, conn, frame);
            }
            return;
        }
        for synced in frame["convs"].as_array().expect("convs") {
            let of = conversation(synced);
            let rows = synced["messages"].as_array().expect("messages");
            let places: Vec<u64> = rows.iter().map(|row| number(row, "pos").expect("pos")).collect();
            let is_for_it = |pos| self.devices[device].knows_events || !self.store.is_event_at(of, pos);
            let is_gap = |two: &[u64]| (two[0] + 1..two[1]).any(is_for_it) || two[0] >= two[1];
            assert!(!places.windows(2).any(is_gap), "(c) a gap in {places:?}");
            for row in rows {
                let (pos, mid) = (number(row, "pos").expect("pos"), mid(row));
                self.check_place(of, mid, pos);
                let before = self.devices[device].known.entry(of).or_default().insert(pos, mid);
                assert!(before.is_none_or(|before| before == mid), "(c) {before:?} was at {pos}");
                if row.get("msg").is_some() || number(row, "msgid") == Some(51) {
                    self.devices[device].seen.insert(seen_as(row, mid));
                }
            }
            self.note_synced(device, of, synced);
            if synced["complete"] == false {
                self.devices[device].to_sync.insert(of);
            }
        }
        if frame["complete"] == true {
            self.go_on_syncing(device, conn);
        }
    }

    pub fn on_error(&mut self, device: usize, conn: usize, frame: &Value) {
        self.on_rule_error(device, conn, frame);
        self.on_known(device, frame);
        match (number(frame, "errno"), number(frame, "re")) {
            (Some(113), _) => self.devices[device].logged_in = false,
            // The store or the bus is away, there is too much, or it is no member any more: asks again.
            (Some(103 | 104 | 109 | 110), Some(36)) if self.devices[device].logged_in => {
                self.devices[device].synced = false;
                self.write(conn, "{\"msgid\":36,\"cid\":\"heads\"}".to_owned());
            }
            _ => {}
        }
    }

    pub fn on_ack(&mut self, device: usize, frame: &Value) {
        self.on_known(device, frame);
        if let Some(number) = text(frame, "cid").and_then(|cid| cid.strip_prefix('c')?.parse::<u64>().ok()) {
            let mid = mid(frame);
            assert!(
                self.store.messages.contains_key(&mid),
                "(f) text {number} is acknowledged and not stored"
            );
            self.acked.insert(number, mid);
            self.devices[device].seen.insert(number);
        }
    }

    pub fn on_stored(&mut self, device: usize, conn: usize, frame: &Value) {
        let (of, user) = (conversation(frame), self.devices[device].id());
        for place in frame["places"].as_array().expect("places") {
            let (mid, pos) = (mid(place), number(place, "pos").expect("pos"));
            self.check_place(of, mid, pos);
            self.devices[device].known.entry(of).or_default().insert(pos, mid);
            self.count("places told");
        }
        // A gap before what it was pushed: the conversation has moved while it read page after page of heads.
        let joined = self.joined(user, of);
        let upto = self.contiguous(device, of, joined);
        let last = self.devices[device].known.get(&of).and_then(|known| known.keys().next_back().copied());
        if last.is_some_and(|last| last > upto) && self.devices[device].synced {
            self.count("gaps noticed");
            self.devices[device].to_sync.insert(of);
            self.devices[device].synced = false;
            self.go_on_syncing(device, conn);
        }
    }

    pub fn on_read(&mut self, device: usize, frame: &Value) {
        let reader = number(frame, "id").expect("who");
        if reader == self.devices[device].user as u64 {
            let (of, pos) = (conversation(frame), number(frame, "pos").expect("pos"));
            let marker = self.devices[device].markers.entry(of).or_default();
            *marker = pos.max(*marker);
        }
        self.count("markers pushed");
    }

    pub fn on_devices(&mut self, frame: &Value) {
        let devices = frame["devices"].as_array().expect("devices");
        let this = devices.iter().filter(|device| device["this"] == true).count();
        assert!(this <= 1, "one device asks: {frame}");
        self.count("device lists");
    }
}
