//! Suspicion: of which watched users it is not known for sure whether they are online.

use super::Watched;
use crate::model::ids::CoreId;

/// Who is suspected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Suspicion {
    /// Everybody: the bus was lost.
    Everybody,
    /// Whom this core held, as far as is known: it is gone.
    Of(CoreId),
    /// Of whom nothing is known, or whom fewer looks than these found online and no notice told of.
    Unsure { looks: u8 },
}

impl Suspicion {
    /// Whether this one is.
    pub(super) fn is_of(self, watched: &Watched) -> bool {
        match self {
            Suspicion::Everybody => true,
            Suspicion::Of(core) => watched.holder.is_none_or(|holder| holder == core),
            Suspicion::Unsure { looks } => {
                let is_unsure = watched.holder.is_none() && watched.looks < looks;
                watched.online.is_none() || (watched.online == Some(true) && is_unsure)
            }
        }
    }
}
