//! What a core's part of the bus is made of, on its way to the core's thread, and how it is put together there.

use super::Bus;
use super::local::{self, Ends, LocalBus, Parcel};
use super::redis::{Greeted, RedisBus, RedisError, Server};
use crate::alarm::sleep;
use crate::boot::Delivery;
use chatd_chat::model::ids::CoreId;
use glommio::channels::shared_channel::ConnectedReceiver;
use std::sync::Arc;
use std::time::Duration;

/// How often a core that connects to the others looks up.
const HEARTBEAT: Duration = Duration::from_millis(1);

/// One core's.
pub(crate) enum Wires {
    Local(Ends),
    Redis(Arc<Server>, Greeted),
}

/// The ways from other cores to this one, if parcels come over rings.
pub(crate) type Rings = Vec<(usize, ConnectedReceiver<Parcel>)>;

impl Wires {
    /// Those of all cores.
    pub(crate) fn lay(delivery: &Delivery, cores: usize) -> Result<Vec<Self>, RedisError> {
        match delivery {
            Delivery::InProcess => Ok(local::rings(cores).into_iter().map(Wires::Local).collect()),
            Delivery::Redis(server) => (0..cores)
                .map(|_| server.greet(None).map(|greeted| Wires::Redis(server.clone(), greeted)))
                .collect(),
        }
    }

    /// On the core's own thread: its part of the bus, and the number that it goes by.
    pub(crate) async fn connect(self, core: usize, bus_queue: usize) -> (Bus, Rings, CoreId) {
        match self {
            Wires::Local(ends) => {
                // An executor of glommio that is preempted at the wrong moment goes to sleep with tasks
                // that could run, and sleeps until something happens to it (`run_task_queues` says that
                // there was nothing to run). Before the cores know each other nothing does, so time
                // must; later the clock ticks.
                let heartbeat = glommio::spawn_local(async {
                    loop {
                        sleep(HEARTBEAT).await;
                    }
                });
                let (bus, rings) = LocalBus::connect(core, ends, bus_queue).await;
                heartbeat.cancel().await;
                let id = CoreId(u16::try_from(core).expect("fewer cores than core ids"));
                (Bus::Local(bus), rings, id)
            }
            Wires::Redis(server, greeted) => {
                let bus = RedisBus::new(server, greeted, core, bus_queue);
                let id = bus.core();
                (Bus::Redis(Box::new(bus)), Vec::new(), id)
            }
        }
    }
}
