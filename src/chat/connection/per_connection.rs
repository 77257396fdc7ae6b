//! What a room above keeps of each connection.

use crate::model::ids::ConnectionId;

/// A value for each connection that has one, by slot and generation.
#[derive(Debug)]
pub(crate) struct PerConnection<T> {
    slots: Vec<Option<(u32, T)>>,
}

impl<T> Default for PerConnection<T> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

impl<T> PerConnection<T> {
    pub(crate) fn get(&self, id: ConnectionId) -> Option<&T> {
        match self.slots.get(id.index as usize)? {
            Some((generation, value)) if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        match self.slots.get_mut(id.index as usize)? {
            Some((generation, value)) if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// Slots there are, for a walk over all connections.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// What is in a slot, and whose it is.
    pub(crate) fn at(&self, slot: usize) -> Option<(ConnectionId, &T)> {
        let (generation, value) = self.slots.get(slot)?.as_ref()?;
        Some((ConnectionId { index: slot as u32, generation: *generation }, value))
    }

    /// Sets the value of a connection.
    pub(crate) fn insert(&mut self, id: ConnectionId, value: T) {
        let index = id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some((id.generation, value));
    }

    /// Takes the value of a connection out.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        slot.take_if(|(generation, _)| *generation == id.generation).map(|(_, value)| value)
    }
}
