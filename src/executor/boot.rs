//! Starts the cores, waits until every one of them accepts, and waits for them to end.

use super::acts::{self, ActLine, ActLines};
use super::bus::local;
use super::bus::redis::{RedisError, Server};
use super::bus::setup::BusSetup;
use super::clock::Origin;
use super::event_loop::{self, sleep};
use super::flight_recorder::Recordings;
use super::guard::{self, spawn_service};
use super::memory::give_back_large_blocks;
use super::metrics::{LocalCores, Measuring, Metrics};
use super::net::accept::accept;
use super::net::listen::listen;
pub use super::net::mode::RingMode;
pub use super::net::proxied::{Network, Proxies};
pub use super::net::secure_reader::Secrecy;
pub use super::net::site::{Origins, Site};
use super::net::sockets::Sockets;
use super::observer::{self, Observer};
use super::orders::Order;
pub use super::orders::Stopper;
use super::rest::AtRest;
use super::shard::{self, Shard, SharedShard};
use super::store_link::{self, StoreLink};
use chatd_chat::hub::Hub;
use chatd_chat::model::ids::MessageId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::rate::Rates;
use chatd_chat::model::registration::Registration;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::event::Event;
use chatd_chat::port::store::{StoreCall, StoreReturn};
use chatd_process::precedence::run_when_woken;
use flume::{Receiver, Sender};
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Orders that wait for a core.
const ORDERS: usize = 64;
/// How often time passes for a hub.
const TICK: Duration = Duration::from_millis(50);

/// What the cores need to start.
pub struct Config {
    /// Where to listen. Port 0 picks one.
    pub address: SocketAddr,
    /// The CPU of each core: one executor for each entry.
    pub cpus: Vec<usize>,
    /// The bounds of each core.
    pub limits: Limits,
    /// How this port is encrypted.
    pub secrecy: Secrecy,
    /// What HTTP gives on this port.
    pub site: Site,
    /// Who is believed when it says whom it speaks for.
    pub proxies: Proxies,
    /// How often clients may do what.
    pub rates: Rates,
    /// Which messages the cores have stored.
    pub keep: Retention,
    /// Who may register.
    pub registration: Registration,
    /// The greatest id of a message that is stored: ids are given after it.
    pub after: MessageId,
    /// Whether latencies are measured.
    pub measuring: Measuring,
    /// What the rings use of the kernel; the most that it has, if that is not said.
    pub ring: Option<RingMode>,
    /// How long a core looks for something to do before it sleeps.
    pub busy_poll: Duration,
    /// How the cores hear of each other.
    pub delivery: Delivery,
    /// Where questions to the store go.
    pub questions: Sender<StoreCall>,
    /// Where the answers for each core come from.
    pub answers: Vec<Receiver<Vec<StoreReturn>>>,
}

/// How cores hear of each other.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// Within this process.
    InProcess,
    /// Through Redis, with every server that uses the same one.
    Redis(Arc<Server>),
}

/// Why the cores did not start.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// Redis cannot be used.
    Redis(RedisError),
    /// An executor did not come up.
    Core(usize, String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is taken: another server listens there (choose another --port, or stop it)"
            ),
            StartError::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            StartError::Redis(error) => error.fmt(f),
            StartError::Core(core, error) => write!(f, "core {core} did not start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Cores at work.
pub struct Cores {
    /// Where they listen.
    pub address: SocketAddr,
    /// Sees what they measure.
    pub observer: Observer,
    /// Has them do what the API is asked for.
    pub acts: ActLines,
    stops: Vec<Sender<Order>>,
    handles: Vec<ExecutorJoinHandle<()>>,
}

/// What is the same for all cores.
#[derive(Clone)]
struct OfAll {
    local_cores: LocalCores,
    recordings: Recordings,
    origin: Origin,
    at_rest: AtRest,
}

impl OfAll {
    fn new(cores: usize) -> Self {
        let origin = Origin::now();
        let recordings = Recordings::of_server(cores, origin.wall());
        Self { local_cores: LocalCores::default(), recordings, origin, at_rest: AtRest::new(cores) }
    }
}

/// What one core is made of, on its way to its thread.
struct Parts {
    core: usize,
    listener: TcpListener,
    limits: Limits,
    secrecy: Secrecy,
    site: Site,
    proxies: Proxies,
    rates: Rates,
    keep: Retention,
    registration: Registration,
    after: MessageId,
    measuring: Measuring,
    ring: Option<RingMode>,
    busy_poll: Duration,
    bus: BusSetup,
    questions: Sender<StoreCall>,
    answers: Receiver<Vec<StoreReturn>>,
    stop: Receiver<Order>,
    asked: Receiver<observer::Question>,
    acts: ActLine,
    of_all: OfAll,
    ready: Sender<Result<(), StartError>>,
}

/// Starts one executor for each CPU of `config`, and returns when all of them accept.
///
/// # Errors
/// If the address is taken or bad, or an executor fails.
pub fn start(config: Config) -> Result<Cores, StartError> {
    let cores = config.cpus.len();
    give_back_large_blocks();
    let listeners =
        listen(config.address, cores).map_err(|error| StartError::Listen(config.address, error))?;
    let address = listeners[0].local_addr().map_err(|error| StartError::Listen(config.address, error))?;
    let (ready, readied) = flume::bounded(cores);
    let (mut stops, mut asks, mut handles) = (Vec::new(), Vec::new(), Vec::new());
    let buses = BusSetup::of_all(&config.delivery, cores).map_err(StartError::Redis)?;
    let (acts, act_lines) = acts::lines(cores).map_err(|error| StartError::Core(0, error.to_string()))?;
    let of_all = OfAll::new(cores);
    let each = listeners.into_iter().zip(buses).zip(config.answers).zip(act_lines);
    for (core, (((listener, bus), answers), act_line)) in each.enumerate() {
        let ((stop, stopped), (ask, asked)) = (flume::bounded(ORDERS), observer::line());
        stops.push(stop);
        asks.push(ask);
        let parts = Parts {
            core,
            listener,
            limits: config.limits.of_each(cores),
            secrecy: config.secrecy.clone(),
            site: config.site.clone(),
            proxies: config.proxies.clone(),
            rates: config.rates,
            keep: config.keep,
            registration: config.registration.clone(),
            after: config.after,
            measuring: config.measuring,
            ring: config.ring,
            busy_poll: config.busy_poll,
            bus,
            questions: config.questions.clone(),
            answers,
            stop: stopped,
            asked,
            acts: act_line,
            of_all: of_all.clone(),
            ready: ready.clone(),
        };
        let handle = LocalExecutorBuilder::new(Placement::Fixed(config.cpus[core]))
            .name(&format!("chatd-core-{core}"))
            // TCP never touches the memory that glommio would register for files.
            .io_memory(0)
            .preempt_timer(event_loop::NEVER)
            .spawn(move || event_loop::first(guard::vital("a core", run(parts))))
            .map_err(|error| StartError::Core(core, error.to_string()))?;
        handles.push(handle);
    }
    drop(ready);
    let readied: Result<Vec<()>, StartError> = readied.iter().take(cores).collect();
    match readied {
        Ok(readied) if readied.len() == cores => {
            Ok(Cores { address, acts, stops, observer: Observer::new(asks, of_all.recordings), handles })
        }
        Ok(_) => Err(why_not_ready(handles, stops)),
        Err(error) => Err(error),
    }
}

/// An executor that failed shows only when it is joined; the others end when they are let go.
fn why_not_ready(handles: Vec<ExecutorJoinHandle<()>>, stops: Vec<Sender<Order>>) -> StartError {
    drop(stops);
    for (core, handle) in handles.into_iter().enumerate() {
        if let Err(error) = handle.join() {
            return StartError::Core(core, error.to_string());
        }
    }
    StartError::Core(0, "it ended before it was ready".into())
}

impl Cores {
    /// Asks them to stop.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stops.clone())
    }

    /// Waits until all have ended.
    ///
    /// # Errors
    /// With a sentence, if one has failed.
    pub fn join(self) -> Result<(), String> {
        let mut result = Ok(());
        for (core, handle) in self.handles.into_iter().enumerate() {
            if let Err(error) = handle.join() {
                result = Err(format!("core {core} has failed: {error}"));
            }
        }
        result
    }
}

async fn run(parts: Parts) {
    run_when_woken();
    let Parts {
        core, listener, limits, measuring, ring, bus, questions, answers, stop, ready, of_all, ..
    } = parts;
    let (bus, inbound, id) = bus.connect(core, limits.bus_queue);
    let sockets = match Sockets::new(&limits, ring) {
        Ok(sockets) => sockets,
        Err(error) => {
            let _ = ready.send(Err(StartError::Core(core, error.to_string())));
            return;
        }
    };
    let shard = Rc::new(RefCell::new(Shard::new(shard::Parts {
        hub: Hub::new(id, limits.clone())
            .retaining(parts.keep)
            .registering(parts.registration.clone())
            .after(parts.after, of_all.origin.wall()),
        bus,
        store: StoreLink::new(core, questions),
        sockets,
        acting: parts.acts.acting,
        metrics: Metrics::new(id, of_all.local_cores, measuring),
        recorder: of_all.recordings.recorder(core),
        limits: limits.clone(),
        secrecy: parts.secrecy,
        site: parts.site,
        proxies: parts.proxies,
        origin: of_all.origin,
    })));
    shard.borrow_mut().set_rates(parts.rates);
    spawn_service("the event loop", event_loop::run(shard.clone(), parts.busy_poll));
    for (from, parcels) in inbound {
        spawn_service("the bus", local::receive(shard.clone(), from, parcels));
    }
    spawn_service("the line to the store", store_link::receive(shard.clone(), answers));
    spawn_service("the API", acts::receive(shard.clone(), parts.acts.calls));
    spawn_service("the observer", observer::answer(shard.clone(), core, parts.asked));
    spawn_service("the pacing of frames", write_paced(shard.clone()));
    spawn_service("the clock", tick(shard.clone(), limits.frame_ms));
    let accepting = guard::spawn("accepting", accept(shard.clone(), listener));
    // Nobody waits for this any more only if another core has failed.
    let _ = ready.send(Ok(()));
    drop(ready);
    loop {
        match stop.recv_async().await {
            Ok(Order::Rates(rates)) => shard.borrow_mut().set_rates(rates),
            Ok(Order::Registration(registration)) => shard.borrow_mut().set_registration(registration),
            Ok(Order::Stop) | Err(_) => break,
        }
    }
    accepting.cancel().await;
    drain(shard, core, of_all.at_rest, stop, &limits).await;
    event_loop::end();
}

/// Time passes.
async fn tick(shard: SharedShard, frame_ms: u64) {
    /// All connections are looked at for overdue frames in so many ticks, a part in each.
    const TICKS_A_SWEEP: usize = 20;
    let mut ticks = 0;
    loop {
        sleep(TICK).await;
        let mut shard = shard.borrow_mut();
        shard.begin_turn();
        shard.tick();
        ticks = (ticks + 1) % TICKS_A_SWEEP;
        for connection in shard.sockets.with_overdue_frame(frame_ms, ticks, TICKS_A_SWEEP) {
            shard.feed(Event::FrameTimeout { connection });
        }
    }
}

/// Writes what is held back for clients that read one frame at a time, when its time has come.
async fn write_paced(shard: SharedShard) {
    /// Between two looks: frames of many connections are written together.
    const LOOK: Duration = Duration::from_millis(1);
    loop {
        let until = poll_fn(|cx| shard.borrow_mut().sockets.next_write(cx)).await;
        sleep(until.max(LOOK)).await;
        let mut shard = shard.borrow_mut();
        shard.begin_turn();
        shard.sockets.write_due();
    }
}

/// Finishes with every session, and waits until all that they left is in the store, and until the other
/// cores have come as far: what they publish on channels whose home is here is answered here. Asked again,
/// it finishes with all at once.
async fn drain(shard: SharedShard, core: usize, at_rest: AtRest, again: Receiver<Order>, limits: &Limits) {
    shard.borrow_mut().drain();
    let mut deadline = Instant::now() + Duration::from_millis(limits.drain_close_ms + limits.drain_ms);
    let mut drained = false;
    while !at_rest.tell(core, shard.borrow().is_idle()) && Instant::now() < deadline {
        sleep(Duration::from_millis(2)).await;
        if let Ok(Order::Stop) = again.try_recv() {
            shard.borrow_mut().drain();
        }
        if !drained && shard.borrow().is_drained() {
            drained = true;
            deadline = deadline.min(Instant::now() + Duration::from_millis(limits.drain_ms));
        }
    }
    shard.borrow_mut().hang_up();
}
