//! Whether the server is still there: TCP of a machine whose server hangs goes on acknowledging.

use std::time::{Duration, Instant};

/// A server that says nothing for so long is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(20);
/// The same, where it owes an answer.
const IMPATIENCE: Duration = Duration::from_secs(5);
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

/// Whether the server owes an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owes {
    /// Since this instant.
    Something(Instant),
    Nothing,
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

    pub(super) fn wake_at(&self, owes: Owes) -> Instant {
        match (self.asked_at, owes) {
            (Some(asked_at), _) => asked_at + ANSWER,
            (None, Owes::Something(since)) => self.heard_at.max(since) + IMPATIENCE,
            (None, Owes::Nothing) => self.heard_at + SILENCE,
        }
    }

    pub(super) fn beat(&mut self, now: Instant, owes: Owes) -> Beat {
        match self.asked_at {
            _ if now < self.wake_at(owes) => Beat::Fine,
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
        let idle = |pulse: &mut Pulse, at| pulse.beat(at, Owes::Nothing);
        assert_eq!(idle(&mut pulse, now), Beat::Fine);
        assert_eq!(idle(&mut pulse, now + SILENCE), Beat::Ask(1));
        pulse.heard(now + SILENCE);
        assert_eq!(idle(&mut pulse, now + SILENCE + ANSWER), Beat::Fine);
        assert_eq!(idle(&mut pulse, now + SILENCE * 2), Beat::Ask(2));
        assert_eq!(idle(&mut pulse, now + SILENCE * 2), Beat::Fine);
        assert_eq!(idle(&mut pulse, now + SILENCE * 2 + ANSWER), Beat::Dead);
    }

    #[test]
    fn one_that_owes_an_answer_is_asked_sooner() {
        let now = Instant::now();
        let mut pulse = Pulse::new(now);
        assert_eq!(pulse.beat(now + IMPATIENCE, Owes::Nothing), Beat::Fine);
        let said = Owes::Something(now + IMPATIENCE);
        assert_eq!(pulse.beat(now + IMPATIENCE, said), Beat::Fine, "it has only just been asked");
        assert_eq!(pulse.beat(now + IMPATIENCE * 2, said), Beat::Ask(1));
        assert_eq!(pulse.wake_at(said), now + IMPATIENCE * 2 + ANSWER);
    }
}
