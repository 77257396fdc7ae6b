//! What is written while there is a connection and somebody is logged in.

use super::keepalive::Silence;
use super::outbox::Overdue;
use super::{Output, Session, resolved};
use crate::dialect::Saying;
use crate::event::Lost;
use crate::refusal::Failure;
use crate::request::Request;
use crate::roster::Spoken;
use std::time::Instant;
use zeroize::Zeroizing;

impl Session {
    /// Sees whether the server is still there.
    pub(super) fn check_keepalive(&mut self, now: Instant, out: &mut Vec<Output>) {
        let silence = match self.speaks_v2() {
            true => self.keepalive.check(now, self.outbox.unanswered()),
            false if self.account.is_kept_waiting(now) => Silence::Dead,
            false => Silence::Fine,
        };
        match silence {
            Silence::Fine => {}
            Silence::Ask(n) => self.write(Saying::Ping(n), out),
            Silence::Dead => {
                out.push(Output::HangUp);
                self.failover.doubted();
                self.lost(Lost::Silent, now, out);
            }
        }
    }

    /// Tells the server what has arrived.
    pub(super) fn confirm(&mut self, now: Instant, out: &mut Vec<Output>) {
        while self.speaks_v2()
            && let Some(mids) = self.arrived.take(now)
        {
            self.write(Saying::Confirm(&mids), out);
        }
    }

    pub(super) fn let_go_what_nobody_acknowledges(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(Overdue { entry, result }) = self.outbox.overdue(now) {
            out.push(resolved(entry.request_id, result));
            if entry.request == Request::Logout {
                self.forget_account(out);
            }
        }
    }

    pub(super) fn flush(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(speaker) = self.account.speaker() else { return };
        let (mut bytes, mut failed) = (Zeroizing::new(Vec::new()), Vec::new());
        while let Some(entry) = self.outbox.next(now) {
            let before = bytes.len();
            if entry.request.is_of_v2() && self.spoken == Spoken::Seed {
                failed.push((entry.request_id, Failure::NotSpoken));
                continue;
            }
            self.dialect.write(&mut bytes, Some(speaker), &entry.cid, Saying::Ask(&entry.request));
            if bytes.len() - before > self.dialect.request_bytes() {
                bytes.truncate(before);
                failed.push((entry.request_id, Failure::TooLarge));
            }
        }
        self.outbox.settle(|entry| failed.iter().any(|(request_id, _)| *request_id == entry.request_id));
        let again = !failed.is_empty();
        out.extend(failed.into_iter().map(|(request_id, failure)| resolved(request_id, Err(failure))));
        if !bytes.is_empty() {
            out.push(Output::Write(bytes));
        }
        if again {
            // They have made room for those behind them.
            self.flush(now, out);
        }
    }

    pub(super) fn write(&self, saying: Saying<'_>, out: &mut Vec<Output>) {
        self.write_as("", saying, out);
    }

    pub(super) fn write_as(&self, cid: &str, saying: Saying<'_>, out: &mut Vec<Output>) {
        // Large enough for a login: a buffer that grows leaves a copy of the password behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4_096));
        self.dialect.write(&mut bytes, self.account.speaker(), cid, saying);
        if !bytes.is_empty() {
            out.push(Output::Write(bytes));
        }
    }
}
