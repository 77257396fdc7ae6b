//! TLS as all programs of chatd speak it: rustls with ring, versions 1.2 and 1.3, and no way not to verify.
//!
//! - [`trust`]: whose certificates are believed, and what a client connects with.
//! - [`server`]: who a server is; `expiry`: until when.
//! - [`explain`]: what a failure means, in a sentence for whoever runs the program.
//!
//! Does no network I/O.

mod expiry;
pub mod explain;
pub mod server;
pub mod trust;

pub use explain::Refusal;
pub use server::Identity;
pub use trust::Trust;

use rustls::crypto::{CryptoProvider, ring};
use std::sync::Arc;

/// The cryptography that is used.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
