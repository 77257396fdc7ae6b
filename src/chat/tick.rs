//! What time brings: deadlines, and everything that is done now and then.

use super::effect::Effect;
use super::hub::Hub;
use super::ping;

impl Hub {
    pub(super) fn tick(&mut self, utc_offset_s: i32, out: &mut Vec<Effect>) {
        self.time.utc_offset_s = utc_offset_s;
        self.expire_claims(out);
        self.continue_backlogs(out);
        self.ask_records(out);
        self.keep_overdue(self.now, out);
        self.presence_tick(out);
        if self.now >= self.next_notice {
            self.next_notice = self.now.plus(self.limits.stored_notice_ms);
            self.publish_stored(out);
        }
        if self.now >= self.next_probe {
            self.next_probe = self.now.plus(self.limits.probe_ms);
            self.probe_unacked(out);
            self.retry_orphans(out);
            self.retry_nudges(out);
            self.retry_backlogs(out);
            self.rejoin_groups(out);
        }
        if self.now >= self.next_ping {
            self.next_ping = self.now.plus(ping::LOOK_MS);
            self.ping_silent(out);
        }
        if self.now >= self.next_seen {
            self.next_seen = self.now.plus(self.limits.seen_ms);
            self.repeat_stored(out);
            self.recheck_groups(out);
            self.write_progress(out);
        }
    }
}
