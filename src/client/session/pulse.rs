//! Whether the server is still there: TCP of a machine whose server hangs goes on acknowledging.

use std::time::{Duration, Instant};

/// A server that says nothing for so long is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(20);
/// How long it has to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// What is to be done about a silence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Beat {
    /// Nothing yet.
    Fine,
    /// Ask, with this number.
    Ask(u64),
    /// Hang up.
    Dead,
}

/// The silence on one connection to a server that answers when it is asked.
#[derive(Debug)]
pub(super) struct Pulse {
    heard_at: Instant,
    asked_at: Option<Instant>,
    asked: u64,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard_at: now, asked_at: None, asked: 0 }
    }

    /// Something was heard, whatever it was.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard_at, self.asked_at) = (now, None);
    }

    pub(super) fn wake_at(&self) -> Instant {
        self.asked_at.map_or(self.heard_at + SILENCE, |asked_at| asked_at + ANSWER)
    }

    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        match self.asked_at {
            _ if now < self.wake_at() => Beat::Fine,
            Some(_) => Beat::Dead,
            None => {
                self.asked_at = Some(now);
                self.asked += 1;
                Beat::Ask(self.asked)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_asked_and_one_that_does_not_answer_is_dead() {
        let now = Instant::now();
        let mut pulse = Pulse::new(now);
        assert_eq!(pulse.beat(now), Beat::Fine);
        assert_eq!(pulse.beat(now + SILENCE), Beat::Ask(1));
        pulse.heard(now + SILENCE);
        assert_eq!(pulse.beat(now + SILENCE + ANSWER), Beat::Fine);
        assert_eq!(pulse.beat(now + SILENCE * 2), Beat::Ask(2));
        assert_eq!(pulse.beat(now + SILENCE * 2), Beat::Fine);
        assert_eq!(pulse.beat(now + SILENCE * 2 + ANSWER), Beat::Dead);
    }
}
