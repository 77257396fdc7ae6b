//! The worker and the index of a store that has it settled aside.

use super::tests::{Cores, config};
use super::*;
use crate::search::{Indexed, Question, Searcher};
use crate::{Committed, StoreError};
use chatd_chat::model::ids::MessageId;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::StoreResult;
use std::path::Path;
use std::pin::Pin;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Did {
    Step,
    Settle,
}

/// A store of which each step is to be settled, and that tells of them.
struct Stepping {
    left: usize,
    did: flume::Sender<Did>,
    /// Settled whenever something comes out of this one.
    settle: Option<flume::Receiver<()>>,
}

impl Store for Stepping {
    fn perform(&mut self, _batch: &[Order], _outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError> {
        Ok(Committed::Nothing)
    }

    fn probe_write(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn greatest_mid(&mut self) -> Result<MessageId, StoreError> {
        Ok(MessageId(0))
    }

    fn set_retention(&mut self, _retention: Retention) -> Result<(), StoreError> {
        Ok(())
    }

    fn indexes(&self) -> bool {
        true
    }

    fn index(&mut self) -> Result<Indexed, StoreError> {
        self.did.send(Did::Step).unwrap();
        self.left -= 1;
        Ok(if self.left == 0 { Indexed::All } else { Indexed::Partly })
    }

    fn is_to_settle(&mut self) -> bool {
        true
    }

    fn searcher(&mut self) -> Result<Option<Box<dyn Searcher>>, StoreError> {
        let settle = self.settle.take().expect("one searches");
        Ok(Some(Box::new(Settling { did: self.did.clone(), settle })))
    }

    fn wait(&mut self, work: Pin<&mut dyn Future<Output = ()>>) -> crate::health::News {
        future::block_on(work);
        crate::health::News::None
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }

    fn describe(&self) -> String {
        "one that steps".to_owned()
    }
}

struct Settling {
    did: flume::Sender<Did>,
    settle: flume::Receiver<()>,
}

impl Searcher for Settling {
    fn search(&mut self, _question: &Question) -> Result<StoreResult, StoreError> {
        Err(StoreError::Down("nobody searches".to_owned()))
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.settle.recv().unwrap();
        self.did.send(Did::Settle).unwrap();
        Ok(())
    }
}

#[test]
fn nothing_more_is_indexed_until_that_is_settled() {
    let ((did, told), (settle, settled)) = (flume::unbounded(), flume::unbounded());
    let store = Box::new(Stepping { left: 3, did, settle: Some(settled) });
    let (cores, calls, replies) = Cores::new();
    let config = config(Path::new("nowhere"), super::tests::CHEAP);
    let running = start(store, &config, calls, replies).unwrap();
    for _ in 0..3 {
        assert_eq!(told.recv(), Ok(Did::Step));
        // Whoever settles has not begun: were there another step, it would come before.
        settle.send(()).unwrap();
        assert_eq!(told.recv(), Ok(Did::Settle));
    }
    drop(cores);
    running.join().unwrap();
    assert!(told.is_empty(), "all is indexed");
}
