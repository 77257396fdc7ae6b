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
pub(super) enum Silence {
    /// Nothing yet.
    Fine,
    /// Ask, with this number.
    Ask(u64),
    /// Hang up.
    Dead,
}

/// Whether the server owes an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unanswered {
    /// Since this instant.
    Since(Instant),
    Nothing,
}

/// The silence on one connection to a server that answers when it is asked.
#[derive(Debug)]
pub(super) struct Keepalive {
    heard_at: Instant,
    asked_at: Option<Instant>,
    asked: u64,
}

impl Keepalive {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard_at: now, asked_at: None, asked: 0 }
    }

    /// Something was heard, whatever it was.
    pub(super) fn note_frame(&mut self, now: Instant) {
        (self.heard_at, self.asked_at) = (now, None);
    }

    pub(super) fn wake_at(&self, unanswered: Unanswered) -> Instant {
        match (self.asked_at, unanswered) {
            (Some(asked_at), _) => asked_at + ANSWER,
            (None, Unanswered::Since(since)) => self.heard_at.max(since) + IMPATIENCE,
            (None, Unanswered::Nothing) => self.heard_at + SILENCE,
        }
    }

    pub(super) fn check(&mut self, now: Instant, unanswered: Unanswered) -> Silence {
        match self.asked_at {
            _ if now < self.wake_at(unanswered) => Silence::Fine,
            Some(_) => Silence::Dead,
            None => {
                self.asked_at = Some(now);
                self.asked += 1;
                Silence::Ask(self.asked)
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
        let mut keepalive = Keepalive::new(now);
        let idle = |keepalive: &mut Keepalive, at| keepalive.check(at, Unanswered::Nothing);
        assert_eq!(idle(&mut keepalive, now), Silence::Fine);
        assert_eq!(idle(&mut keepalive, now + SILENCE), Silence::Ask(1));
        keepalive.note_frame(now + SILENCE);
        assert_eq!(idle(&mut keepalive, now + SILENCE + ANSWER), Silence::Fine);
        assert_eq!(idle(&mut keepalive, now + SILENCE * 2), Silence::Ask(2));
        assert_eq!(idle(&mut keepalive, now + SILENCE * 2), Silence::Fine);
        assert_eq!(idle(&mut keepalive, now + SILENCE * 2 + ANSWER), Silence::Dead);
    }

    #[test]
    fn one_that_owes_an_answer_is_asked_sooner() {
        let now = Instant::now();
        let mut keepalive = Keepalive::new(now);
        assert_eq!(keepalive.check(now + IMPATIENCE, Unanswered::Nothing), Silence::Fine);
        let said = Unanswered::Since(now + IMPATIENCE);
        assert_eq!(keepalive.check(now + IMPATIENCE, said), Silence::Fine, "it has only just been asked");
        assert_eq!(keepalive.check(now + IMPATIENCE * 2, said), Silence::Ask(1));
        assert_eq!(keepalive.wake_at(said), now + IMPATIENCE * 2 + ANSWER);
    }
}
