//! After the bus was lost: who holds whom is settled again, and what was missed is taken.
//!
//! While a core was cut off, others could not hear of its users, and may have let them log in a
//! second time. So it claims again for each of its sessions. The older session keeps the name.

use super::effect::Effect;
use super::envelope::{Envelope, Kind};
use super::event::Channel;
use super::hub::Hub;
use super::ids::{CoreId, UserId};
use super::session::{Claim, Phase, Visit};
use super::wire::code::Code;

impl Hub {
    pub(super) fn rejoined(&mut self, core: CoreId, out: &mut Vec<Effect>) {
        self.core = core;
        self.clock.go_by(core);
        // Who is logging in may have missed that somebody objects.
        for id in self.entering_sessions() {
            self.refuse_login(id, Code::Busy, out);
        }
        for id in self.online_sessions() {
            let Some(online) = self.session(id).and_then(|session| session.online()) else { continue };
            out.push(reclaim(online.user, online.visit));
            self.take_again(id, out);
        }
        self.announce_again();
    }

    /// What was lost on its way here when the bus was may not have been stored yet when everybody
    /// looked: a while later, they look again.
    pub(super) fn take_once_more(&mut self, out: &mut Vec<Effect>) {
        for id in self.online_sessions() {
            self.take_again(id, out);
        }
    }

    /// A core is dead that may have stored something and told nobody: everybody looks. And what it
    /// heard of ours may have died with it, so that the reader is told once it is stored.
    pub(super) fn take_for_all(&mut self, out: &mut Vec<Effect>) {
        self.gone_after = self.clock.last();
        self.take_once_more(out);
    }

    /// A core that was cut off holds this user since `visit`.
    pub(super) fn reclaimed(&mut self, user: UserId, visit: Visit, out: &mut Vec<Effect>) {
        let Some(&id) = self.users.get(&user) else { return };
        let session = self.session(id).expect("users point to sessions");
        let own = match &session.phase {
            Phase::Online(online) => online.visit,
            Phase::Entering(entering) if matches!(entering.claim, Claim::Won) => entering.visit,
            // It is still asking, and this is an answer.
            Phase::Entering(_) => return self.refuse_login(id, Code::AlreadyOnline, out),
            Phase::Anonymous => unreachable!("an anonymous session is nobody's"),
        };
        match own.0.cmp(&visit.0) {
            std::cmp::Ordering::Less => out.push(reclaim(user, own)),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => {
                self.close_for(id, Code::Replaced, Code::Replaced.text(), out);
                // What this session changed, the other does not know.
                let envelope = Envelope::waiting(user);
                out.push(Effect::Publish { ticket: None, channel: Channel::User(user), envelope });
            }
        }
    }
}

pub(super) fn reclaim(user: UserId, visit: Visit) -> Effect {
    let envelope = Envelope::claim(Kind::Reclaim, user, visit.0);
    Effect::Publish { ticket: None, channel: Channel::User(user), envelope }
}
