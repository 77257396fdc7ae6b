//! What a batch reads, on several connections at once.

use super::batch::{Batch, read};
use super::client::Client;
use super::fault::DbResult;
use crate::{Order, Outcome};
use chatd_chat::model::limits::Limits;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

/// What several connections work off together.
struct Todo<'a> {
    orders: &'a [Order],
    limits: &'a Limits,
    left: RefCell<VecDeque<usize>>,
    done: RefCell<Vec<(usize, Outcome)>>,
}

/// Reads what the batch has left to read. Connections that fail are let go, and what they had begun
/// is begun again by others. Returns what nobody could read.
pub async fn perform(
    batch: &mut Batch<'_>,
    orders: &[Order],
    limits: &Limits,
    readers: &mut Vec<Client>,
) -> VecDeque<usize> {
    let left = RefCell::new(batch.reads().into());
    let todo = Todo { orders, limits, left, done: RefCell::new(Vec::new()) };
    while !todo.left.borrow().is_empty() && !readers.is_empty() {
        let lost = together(&todo, readers).await;
        let mut lost = lost.into_iter();
        readers.retain(|_| !lost.next().unwrap_or(false));
    }
    for (index, outcome) in todo.done.into_inner() {
        batch.set(index, outcome);
    }
    todo.left.into_inner()
}

/// Lets all readers work until nothing is left, and says which of them were lost.
async fn together(todo: &Todo<'_>, readers: &mut [Client]) -> Vec<bool> {
    let mut at_work: Vec<Pin<Box<dyn Future<Output = DbResult<()>> + '_>>> = readers
        .iter_mut()
        .map(|reader| Box::pin(work(todo, reader)) as Pin<Box<dyn Future<Output = DbResult<()>> + '_>>)
        .collect();
    let mut ended: Vec<Option<DbResult<()>>> = at_work.iter().map(|_| None).collect();
    let all = pin!(poll_fn(|context| {
        for (ended, work) in ended.iter_mut().zip(&mut at_work) {
            if ended.is_none()
                && let Poll::Ready(end) = work.as_mut().poll(context)
            {
                *ended = Some(end);
            }
        }
        if ended.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    }));
    all.await;
    ended.into_iter().map(|ended| ended.is_some_and(|ended| ended.is_err())).collect()
}

async fn work(todo: &Todo<'_>, reader: &mut Client) -> DbResult<()> {
    loop {
        let Some(index) = todo.left.borrow_mut().pop_front() else { return Ok(()) };
        match read(reader, todo.limits, &todo.orders[index]).await {
            Ok(outcome) => todo.done.borrow_mut().push((index, outcome)),
            Err(fault) => {
                todo.left.borrow_mut().push_front(index);
                return Err(fault);
            }
        }
    }
}
