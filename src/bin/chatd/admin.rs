//! The admin address: what was asked for, whether it can be had, and what is shown there.

use crate::options::AdminAt;
use crate::settings::Settings;
use chatd::executor::admin::api::Api;
use chatd::executor::admin::health::Health;
use chatd::executor::admin::{self, Admin, Outbox, Sources};
use chatd::executor::observer::Observer;
use chatd::storage::health::{Condition, State};
use chatd::storage::outbox::Figures;
use chatd::storage::worker::Running;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Where it is if nobody says anything.
pub const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 6060);

/// An admin address that was asked for cannot be had.
#[derive(Debug)]
pub struct Taken(SocketAddr, io::Error);

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address, error) = self;
        write!(f, "cannot show metrics on {address}: {error} (choose another --admin, or off)")
    }
}

impl std::error::Error for Taken {}

/// Listens where it was asked for. On the default address another server of this machine may be the
/// first one: that is a warning.
///
/// # Errors
/// If the address was asked for, and cannot be had.
pub fn listen(
    at: Option<AdminAt>,
    hosts: &[String],
    warnings: &mut Vec<String>,
) -> Result<Option<TcpListener>, Taken> {
    match at {
        Some(AdminAt::Off) => Ok(None),
        Some(AdminAt::Address(address)) => {
            let listener = admin::bind(address).map_err(|error| Taken(address, error))?;
            if !address.ip().is_loopback() {
                warnings.push(format!("whoever reaches {address} sees this server's metrics"));
            }
            if address.ip().is_unspecified() && hosts.is_empty() {
                warnings.push(format!(
                    "{address} answers to loopback names only: --admin-host says to which others"
                ));
            }
            Ok(Some(listener))
        }
        None => match admin::bind(DEFAULT) {
            Ok(listener) => Ok(Some(listener)),
            Err(error) => {
                warnings
                    .push(format!("no metrics: {DEFAULT} cannot be had ({error}); --admin chooses another"));
                Ok(None)
            }
        },
    }
}

/// What is known of the health of the server, whoever asks.
pub fn health(store: State) -> Arc<Health> {
    let trouble = move || (store.now() == Condition::Down).then_some("the store is down");
    Arc::new(Health::new(Box::new(trouble)))
}

/// What is shown of the outbox.
fn outbox(figures: &Figures) -> Outbox {
    Outbox {
        posts: figures.posts(),
        waiting: figures.waiting(),
        lag: Duration::from_millis(figures.lag_ms()),
        posted: figures.posted(),
        failed: figures.failed(),
        dropped: figures.dropped(),
    }
}

/// Starts the thread.
///
/// # Errors
/// If the system gives none.
pub fn start(
    listener: TcpListener,
    observer: Observer,
    health: Arc<Health>,
    settings: &Settings,
    store: &Running,
    api: Option<&Api>,
) -> io::Result<Admin> {
    let (hosts, store_queue) = (settings.admin_hosts.clone(), settings.limits.store_queue);
    let identity = settings.secrecy.identity.clone();
    let (passwords, state, webhook) = (store.passwords(), store.state(), store.webhook());
    let passwords = Box::new(move || passwords.waiting());
    let store_unexpected = Box::new(move || state.unexpected());
    let webhook = Box::new(move || webhook.as_ref().map_or_else(Outbox::default, outbox));
    let version = env!("CARGO_PKG_VERSION");
    let sources = Sources {
        observer,
        health,
        hosts,
        version,
        store_queue,
        identity,
        passwords,
        store_unexpected,
        webhook,
    };
    admin::start(listener, sources, api)
}
