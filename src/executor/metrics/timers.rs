//! When the requests that are being timed left.
//!
//! A table as the hub's own: request ids are small numbers that are used again, so a timer is found by
//! its index, and its generation tells it from the request that had the index before.

use chatd_chat::model::ids::RequestId;

/// Requests whose duration is measured at most; those above are not.
const REQUESTS: usize = 65_536;

/// What a request is timed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timed {
    /// A publish, until it is counted.
    Publish,
    /// A message that is to be kept, until it is.
    StoreMessage,
    /// A page of a backlog, until it is there.
    FetchBacklog,
}

/// The timers of one core.
#[derive(Debug, Default)]
pub struct Timers(Vec<Option<Timer>>);

#[derive(Clone, Copy, Debug)]
struct Timer {
    generation: u32,
    timed: Timed,
    began_ns: u64,
}

impl Timers {
    /// A request leaves. Whether it is timed: not if too many are.
    pub fn begin(&mut self, timed: Timed, id: RequestId, began_ns: u64) -> bool {
        let index = id.index as usize;
        if index >= REQUESTS {
            return false;
        }
        if index >= self.0.len() {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some(Timer { generation: id.generation, timed, began_ns });
        true
    }

    /// The answer has come: what was timed, and since when.
    pub fn end(&mut self, id: RequestId) -> Option<(Timed, u64)> {
        let slot = self.0.get_mut(id.index as usize)?;
        let timer = slot.take_if(|timer| timer.generation == id.generation)?;
        Some((timer.timed, timer.began_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_once_and_a_stale_one_never() {
        let mut timers = Timers::default();
        let (first, next) = (RequestId { index: 7, generation: 0 }, RequestId { index: 7, generation: 1 });
        assert!(timers.begin(Timed::StoreMessage, first, 5));
        assert_eq!(timers.end(next), None);
        assert_eq!(timers.end(first), Some((Timed::StoreMessage, 5)));
        assert_eq!(timers.end(first), None);
        assert!(timers.begin(Timed::FetchBacklog, next, 6));
        assert_eq!(timers.end(first), None);
        assert_eq!(timers.end(next), Some((Timed::FetchBacklog, 6)));
        assert!(!timers.begin(Timed::StoreMessage, RequestId { index: 1 << 20, generation: 0 }, 7));
    }
}
