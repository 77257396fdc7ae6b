//! The way from one core to another: a ring of bounded size, and what waits for room in it.

use super::local::Parcel;
use crate::guard::spawn_service;
use glommio::channels::shared_channel::ConnectedSender;
use glommio::{GlommioError, ResourceType};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Parcels on their way to one other core.
pub(super) struct Way {
    ring: ConnectedSender<Parcel>,
    /// What the ring has no room for, first in, first out.
    waiting: RefCell<VecDeque<Parcel>>,
    /// Whether a task moves what waits into the ring. Until it is through, everything waits.
    draining: Cell<bool>,
}

impl Way {
    pub(super) fn new(ring: ConnectedSender<Parcel>) -> Self {
        Self { ring, waiting: RefCell::default(), draining: Cell::new(false) }
    }

    /// How many parcels wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    pub(super) fn send(self: &Rc<Self>, parcel: Parcel) {
        if self.draining.get() {
            return self.waiting.borrow_mut().push_back(parcel);
        }
        // Closed means that the other core is gone: then this process is stopping.
        if let Err(GlommioError::WouldBlock(ResourceType::Channel(parcel))) = self.ring.try_send(parcel) {
            self.waiting.borrow_mut().push_back(parcel);
            self.draining.set(true);
            spawn_service("the way between two cores", self.clone().drain());
        }
    }

    /// Moves what waits into the ring as it gets room.
    async fn drain(self: Rc<Self>) {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(parcel) = next else { break };
            if self.ring.send(parcel).await.is_err() {
                self.waiting.borrow_mut().clear();
            }
        }
        self.draining.set(false);
    }
}
