//! What cores are told while they run, from other threads.

use chatd_chat::model::rate::Rates;
use chatd_chat::model::registration::Registration;
use flume::Sender;

/// What a core is told while it runs.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Finish with every session, and end.
    Stop,
    /// From now on clients may do so much.
    Rates(Rates),
    /// From now on these may register.
    Registration(Registration),
}

/// Asks cores to stop, and tells them what else counts from now on, from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(pub(super) Vec<Sender<Order>>);

impl Stopper {
    /// Tells every core how often clients may do what from now on.
    pub fn set_rates(&self, rates: Rates) {
        for order in &self.0 {
            // A core that is gone needs no telling.
            let _ = order.try_send(Order::Rates(rates));
        }
    }

    /// Tells every core who may register from now on.
    pub fn set_registration(&self, registration: &Registration) {
        for order in &self.0 {
            let _ = order.try_send(Order::Registration(registration.clone()));
        }
    }

    /// Asks every core to finish with its sessions and to end; asked again, at once.
    pub fn stop(&self) {
        for stop in &self.0 {
            // A core that is gone needs no asking.
            let _ = stop.try_send(Order::Stop);
        }
    }
}
