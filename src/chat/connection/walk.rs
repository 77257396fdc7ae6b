//! A walk: over all slots of a table, from tick to tick, so that no turn meets them all.

/// Where a walk is, and how many slots are left of it.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    at: usize,
    left: usize,
}

impl Walk {
    /// One that meets each of so many slots once.
    pub(crate) fn of(slots: usize) -> Self {
        Self { at: 0, left: slots }
    }

    /// Meets each of so many slots once from now on. One that is under way goes on from where it is.
    pub(crate) fn begin(&mut self, slots: usize) {
        if self.left == 0 {
            self.at = 0;
        }
        self.left = slots;
    }

    /// The next slot, if there is one left and the table has so many.
    pub(crate) fn next(&mut self, slots: usize) -> Option<usize> {
        if self.left == 0 || slots == 0 {
            self.left = 0;
            return None;
        }
        self.left -= 1;
        let slot = self.at % slots;
        self.at = slot + 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_begun_anew_meets_every_slot_once_from_where_it_is() {
        let mut walk = Walk::default();
        walk.begin(4);
        assert_eq!((walk.next(4), walk.next(4), walk.next(4)), (Some(0), Some(1), Some(2)));
        walk.begin(4);
        let all: Vec<usize> = std::iter::from_fn(|| walk.next(4)).collect();
        assert_eq!(all, [3, 0, 1, 2]);
        walk.begin(2);
        assert_eq!((walk.next(2), walk.next(2), walk.next(2)), (Some(0), Some(1), None));
    }
}
