//! The link from one core to another of the same process: a channel of bounded size, and the parcels that wait for room
//! in it.

use super::local::Parcel;
use crate::guard::spawn_service;
use flume::{Sender, TrySendError};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Parcels on their way to one other core.
pub(super) struct CoreLink {
    channel: Sender<Parcel>,
    /// What the channel has no room for, first in, first out.
    waiting: RefCell<VecDeque<Parcel>>,
    /// Whether a task moves what waits into the channel. Until it is through, everything waits.
    draining: Cell<bool>,
}

impl CoreLink {
    pub(super) fn new(channel: Sender<Parcel>) -> Self {
        Self { channel, waiting: RefCell::default(), draining: Cell::new(false) }
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
        if let Err(TrySendError::Full(parcel)) = self.channel.try_send(parcel) {
            self.waiting.borrow_mut().push_back(parcel);
            self.draining.set(true);
            spawn_service("the link between two cores", self.clone().drain());
        }
    }

    /// Moves what waits into the channel as it gets room.
    async fn drain(self: Rc<Self>) {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(parcel) = next else { break };
            if self.channel.send_async(parcel).await.is_err() {
                self.waiting.borrow_mut().clear();
            }
        }
        self.draining.set(false);
    }
}
