//! A core that sleeps whenever it may, and tasks that wake each other in every way there is.
//!
//! A wake-up that is slept over shows as a test that waits for a minute and fails: no timer runs on these cores but
//! those that a test is about.

use super::{NEVER, end, first, give_way, readable, run, sleep, spawn};
use crate::acts::lines;
use crate::boot::{Origins, Proxies, RingMode, Site};
use crate::bus::Bus;
use crate::bus::local::{LocalBus, channels};
use crate::clock::Origin;
use crate::flight_recorder::Recordings;
use crate::metrics::{LocalCores, Measuring, Metrics};
use crate::net::sockets::Sockets;
use crate::shard::{Parts, Shard};
use crate::store_link::StoreLink;
use chatd_chat::hub::Hub;
use chatd_chat::model::ids::{CoreId, Millis};
use chatd_chat::model::limits::Limits;
use flume::{Receiver, Sender};
use glommio::{LocalExecutorBuilder, Placement};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a task on a core with an event loop of this mode, and gives what it comes to.
fn on_a_core<T: Send + 'static, F: Future<Output = T> + 'static>(
    mode: Option<RingMode>,
    task: impl FnOnce() -> F + Send + 'static,
) -> Receiver<T> {
    on_a_core_that_polls(Duration::ZERO, mode, task)
}

/// The same, on one that looks around before it sleeps.
fn on_a_core_that_polls<T: Send + 'static, F: Future<Output = T> + 'static>(
    busy_poll: Duration,
    mode: Option<RingMode>,
    task: impl FnOnce() -> F + Send + 'static,
) -> Receiver<T> {
    let (tell, told) = flume::bounded(1);
    let core = async move || {
        let limits = Limits::default();
        let ends = channels(1).pop().expect("one core");
        let shard = Rc::new(RefCell::new(Shard::new(Parts {
            hub: Hub::new(CoreId(0), limits.clone()),
            bus: Bus::Local(LocalBus::new(0, ends, 1).0),
            store: StoreLink::new(0, flume::bounded(1).0),
            sockets: Sockets::new(&limits, mode).expect("a ring"),
            acting: lines(1).expect("an eventfd").1.remove(0).acting,
            metrics: Metrics::new(CoreId(0), LocalCores::default(), Measuring::Off),
            recorder: Recordings::new(1, Millis(0)).recorder(0),
            limits,
            secrecy: Default::default(),
            site: Site { page: false, origins: Origins::All },
            proxies: Proxies::default(),
            origin: Origin::now(),
        })));
        spawn(run(shard, busy_poll)).detach();
        let result = task().await;
        end();
        tell.send(result).expect("somebody waits");
    };
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(0).preempt_timer(NEVER);
    executor.spawn(move || first(core())).expect("a core can be had");
    told
}

fn within_a_minute<T>(told: Receiver<T>) -> T {
    told.recv_timeout(PATIENCE).expect("the core has slept over something")
}

/// Every mode that this kernel has.
fn modes() -> impl Iterator<Item = Option<RingMode>> {
    let has = |mode: &RingMode| crate::net::ring::Ring::new(Some(*mode)).is_ok();
    std::iter::once(None).chain(RingMode::LADDER.into_iter().filter(has).map(Some))
}

/// One word at a time between a core and a thread: the core sleeps before each.
#[test]
fn another_thread_wakes_a_sleeping_core() {
    const WORDS: u32 = 5_000;
    for mode in modes() {
        let (to, from_thread): (Sender<u32>, _) = flume::bounded(1);
        let (answer, answers) = flume::bounded(1);
        let told = on_a_core(mode, || async move {
            while let Ok(word) = from_thread.recv_async().await {
                answer.send_async(word).await.expect("it listens");
            }
        });
        for word in 0..WORDS {
            to.send(word).expect("it lives");
            assert_eq!(answers.recv_timeout(PATIENCE), Ok(word), "{mode:?}: it has slept over a word");
        }
        drop(to);
        within_a_minute(told);
    }
}

/// The same with a core that looks around before it sleeps: for too short a time, and long enough.
#[test]
fn another_thread_wakes_a_core_that_looks_around() {
    for busy_poll in [Duration::from_micros(5), Duration::from_millis(2)] {
        let (to, from_thread) = flume::bounded::<u32>(1);
        let (answer, answers) = flume::bounded(1);
        let told = on_a_core_that_polls(busy_poll, None, || async move {
            while let Ok(word) = from_thread.recv_async().await {
                sleep(Duration::from_micros(20)).await;
                answer.send_async(word).await.expect("it listens");
            }
        });
        for word in 0..500 {
            to.send(word).expect("it lives");
            assert_eq!(answers.recv_timeout(PATIENCE), Ok(word), "it has slept over a word");
        }
        drop(to);
        within_a_minute(told);
    }
}

/// Several threads at once, whose wake-ups meet a core that is just about to sleep.
#[test]
fn many_threads_wake_a_core() {
    const THREADS: u32 = 4;
    const WORDS: u32 = 20_000;
    let (to, words) = flume::bounded::<u32>(8);
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let to = to.clone();
            std::thread::spawn(move || (0..WORDS).for_each(|word| to.send(word).expect("it listens")))
        })
        .collect();
    drop(to);
    let told = on_a_core(None, || async move {
        let mut heard = 0;
        while words.recv_async().await.is_ok() {
            heard += 1;
        }
        heard
    });
    assert_eq!(within_a_minute(told), THREADS * WORDS);
    threads.into_iter().for_each(|thread| thread.join().expect("it has said all"));
}

/// Tasks that wake each other, make others, cancel others and wait for their end, with nothing that wakes the core.
#[test]
fn a_core_with_tasks_that_can_run_does_not_sleep() {
    const ROUNDS: usize = 2_000;
    let told = on_a_core(None, || async {
        for round in 0..ROUNDS {
            let (ping, pinged) = flume::bounded::<usize>(1);
            let (pong, ponged) = flume::bounded::<usize>(1);
            let partner = spawn(async move {
                while let Ok(word) = pinged.recv_async().await {
                    (0..word % 3).for_each(drop);
                    give_way().await;
                    pong.send_async(word).await.expect("it listens");
                }
            });
            ping.send_async(round).await.expect("it listens");
            assert_eq!(ponged.recv_async().await, Ok(round));
            // Its channel is dropped when it is cancelled, and that wakes whoever waits on it.
            let waits = spawn(async move { ponged.recv_async().await.is_err() });
            give_way().await;
            let held = ping;
            partner.cancel().await;
            assert!(waits.await, "the partner is gone");
            drop(held);
        }
        ROUNDS
    });
    assert_eq!(within_a_minute(told), ROUNDS);
}

#[test]
fn timers_go_off_in_their_order() {
    for mode in modes() {
        let told = on_a_core(mode, || async {
            let (begun, order) = (Instant::now(), Rc::new(RefCell::new(Vec::new())));
            let tasks: Vec<_> = [30_u64, 10, 20, 0]
                .map(|ms| {
                    let order = order.clone();
                    spawn(async move {
                        sleep(Duration::from_millis(ms)).await;
                        order.borrow_mut().push(ms);
                    })
                })
                .into();
            // One that is dropped does not go off, and holds up nobody.
            drop(spawn(sleep(PATIENCE)));
            for task in tasks {
                task.await;
            }
            (begun.elapsed(), order.take())
        });
        let (elapsed, order) = within_a_minute(told);
        assert!(elapsed >= Duration::from_millis(30) && order == [0, 10, 20, 30], "{mode:?}: {order:?}");
    }
}

#[test]
fn a_descriptor_wakes_who_waits_for_it() {
    for mode in modes() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let (waits, waiting) = flume::bounded(1);
        let told = on_a_core(mode, || async move {
            // Whoever gives up gets nothing, and takes nothing from the next.
            let given_up = readable(&ours);
            drop(futures_lite::future::poll_once(given_up).await);
            waits.send(()).expect("it listens");
            readable(&ours).await.is_ok()
        });
        waiting.recv_timeout(PATIENCE).expect("it waits");
        theirs.write_all(b"a word").expect("written");
        assert!(within_a_minute(told), "{mode:?}");
    }
}

/// Who can always run does not keep time from passing, nor other threads from being heard.
#[test]
fn a_busy_task_holds_up_nobody() {
    let (to, word) = flume::bounded(1);
    let told = on_a_core(None, || async move {
        let stop = Rc::new(Cell::new(false));
        let busy = {
            let stop = stop.clone();
            spawn(async move {
                while !stop.get() {
                    give_way().await;
                }
            })
        };
        sleep(Duration::from_millis(5)).await;
        let heard = word.recv_async().await;
        stop.set(true);
        busy.await;
        heard
    });
    to.send(7).expect("it listens");
    assert_eq!(within_a_minute(told), Ok(7));
}
