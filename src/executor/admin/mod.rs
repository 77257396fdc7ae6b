//! What the operator gets to see: metrics, histograms and health, over HTTP on an address of its own.
//!
//! One plain thread, never a core: it turns a bounded number of connections with `poll`, asks the cores for
//! what they have measured, and writes that down. Decides nothing and changes nothing.
//!
//! - [`server`] turns the connections, [`connection`] is one of them, [`http`] what is said on it.
//! - [`asker`] knows who may ask and which form of `/metrics` it wants.
//! - [`pages`] answers: [`exposition`] and [`catalogue`] make `/metrics`, [`buckets`] its histograms, [`plain`] its older
//!   form;
//!   [`histograms`] and [`json`] make `/histograms`; [`health`] knows whether the server is usable.
//!   [`events`] makes `/debug/events` of what the cores remember.
//! - [`api`] is the server's API, which has a thread of its own.
//! - [`view`] is what was seen at one moment, [`process`] what the system says of this process.

pub mod api;
mod asker;
mod buckets;
mod catalogue;
mod connection;
mod events;
mod exposition;
pub mod health;
mod histograms;
mod http;
mod json;
mod pages;
mod plain;
mod process;
mod server;
mod view;

use super::observer::Observer;
use api::Api;
use chatd_tls::Identity;
use health::Health;
use pages::Pages;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use server::Server;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::error;

/// What there is to be seen.
pub struct Sources {
    /// The cores.
    pub observer: Observer,
    /// Whether the server is usable.
    pub health: Arc<Health>,
    /// Names that it answers to, besides those of loopback and its own address.
    pub hosts: Vec<String>,
    /// Which version this is.
    pub version: &'static str,
    /// Questions that may wait for the store.
    pub store_queue: usize,
    /// Who the server is, where it speaks TLS.
    pub identity: Option<Arc<Identity>>,
    /// How many passwords wait to be hashed, from any thread and without waiting.
    pub passwords: Box<dyn Fn() -> usize + Send>,
    /// How many requests failed although the store works, from any thread and without waiting.
    pub store_unexpected: Box<dyn Fn() -> u64 + Send>,
    /// What waits for an application, from any thread and without waiting.
    pub webhook: Box<dyn Fn() -> Outbox + Send>,
}

/// What is to be posted to an application, as far as this server knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outbox {
    /// Whether this server is the one that posts.
    pub posts: bool,
    /// Rows that wait.
    pub waiting: u64,
    /// How old the oldest of them is.
    pub lag: Duration,
    /// Events that were taken.
    pub posted: u64,
    /// Requests that were not.
    pub failed: u64,
    /// Events that were dropped.
    pub dropped: u64,
}

/// The admin thread at work.
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    wake: Arc<OwnedFd>,
    thread: JoinHandle<()>,
}

/// Listens on the admin address; nothing is answered yet.
///
/// # Errors
/// If the address is taken or bad.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Starts the thread. Whoever asks for the API is handed over to it.
///
/// # Errors
/// If the system gives no thread or no descriptor.
pub fn start(listener: TcpListener, sources: Sources, api: Option<&Api>) -> io::Result<Admin> {
    let address = listener.local_addr()?;
    let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    let server = Server::new(listener, wake.clone(), Pages::new(sources, address), api.and_then(Api::door));
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || server.run())?;
    Ok(Admin { address, wake, thread })
}

impl Admin {
    /// Ends the thread; what is being answered is cut off.
    pub fn stop(self) {
        // The counter is at 0 or 1: there is always room.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        if self.thread.join().is_err() {
            error!("the admin thread has failed");
        }
    }
}
