//! Suspicion: of which watched users it is not known for sure whether they are online, and who of those that told of them
//! will tell no more.

use super::Watched;
use crate::model::ids::CoreId;

/// Who is suspected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Suspicion {
    /// Everybody: the bus was lost, when so much was [learned](super::Presence::learned). Who will tell of a user is known
    /// only if that core has told of it since.
    Everybody { learned: u64 },
    /// Whom this core held, as far as is known: it is gone.
    Of(CoreId),
    /// Of whom nothing is known, or whom fewer looks than these found online and no notice told of.
    Unsure { looks: u8 },
}

impl Suspicion {
    /// Whether this one takes the place of another one.
    pub(super) fn replaces(self, other: Self) -> bool {
        let are_of_everybody =
            matches!((self, other), (Suspicion::Everybody { .. }, Suspicion::Everybody { .. }));
        are_of_everybody || self == other
    }

    /// Whether it falls on this one. Of whom it does, nobody is believed to tell who may not: that one may be found online
    /// where nobody has told of it, or where its login comes to nothing.
    pub(super) fn falls_on(self, watched: &mut Watched) -> bool {
        match self {
            Suspicion::Everybody { learned } => {
                if watched.learned <= learned {
                    watched.forget_holder();
                }
                true
            }
            Suspicion::Of(core) => {
                let falls = watched.holder.is_none_or(|holder| holder == core);
                if falls {
                    watched.forget_holder();
                }
                falls
            }
            Suspicion::Unsure { looks } => {
                let is_unsure = watched.holder.is_none() && watched.looks < looks;
                watched.online.is_none() || (watched.online == Some(true) && is_unsure)
            }
        }
    }
}
