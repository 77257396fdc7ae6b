//! The setup of the bus: what each core's part of it is made of, on its way to the core's thread, and how it is put
//! together there.

use super::Bus;
use super::local::{self, Ends, LocalBus, Parcel};
use super::redis::{Greeted, RedisBus, RedisError, Server};
use crate::boot::Delivery;
use chatd_chat::model::ids::CoreId;
use flume::Receiver;
use std::sync::Arc;

/// What one core's part of the bus is made of.
pub(crate) enum BusSetup {
    Local(Ends),
    Redis(Arc<Server>, Greeted),
}

/// What other cores of this process send to this one, by core.
pub(crate) type Inbound = Vec<(usize, Receiver<Parcel>)>;

impl BusSetup {
    /// One setup for each of so many cores.
    ///
    /// # Errors
    /// If Redis cannot be used.
    pub(crate) fn of_all(delivery: &Delivery, cores: usize) -> Result<Vec<Self>, RedisError> {
        match delivery {
            Delivery::InProcess => Ok(local::channels(cores).into_iter().map(BusSetup::Local).collect()),
            Delivery::Redis(server) => (0..cores)
                .map(|_| server.greet(None).map(|greeted| BusSetup::Redis(server.clone(), greeted)))
                .collect(),
        }
    }

    /// On the core's own thread: its part of the bus, and the number that it goes by.
    pub(crate) fn connect(self, core: usize, bus_queue: usize) -> (Bus, Inbound, CoreId) {
        match self {
            BusSetup::Local(ends) => {
                let (bus, inbound) = LocalBus::new(core, ends, bus_queue);
                let id = CoreId(u16::try_from(core).expect("fewer cores than core ids"));
                (Bus::Local(bus), inbound, id)
            }
            BusSetup::Redis(server, greeted) => {
                let bus = RedisBus::new(server, greeted, core, bus_queue);
                let id = bus.core();
                (Bus::Redis(Box::new(bus)), Vec::new(), id)
            }
        }
    }
}
