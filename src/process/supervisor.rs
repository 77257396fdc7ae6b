//! What systemd is told of this process (sd_notify): that it is ready, that it reads again, that it is stopping, that it lives.
//!
//! Owns nothing. Without `NOTIFY_SOCKET` in the environment nobody is told anything.

use rustix::time::{ClockId, clock_gettime};
use std::borrow::Cow;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, io};

/// What there is to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// Clients are served from now on; or what was to be read again was.
    Ready,
    /// It reads again what can be. [`News::Ready`] follows.
    Reloading,
    /// It was asked to stop.
    Stopping,
    /// It lives: said more often than [`watchdog`] says, or systemd ends it.
    Alive,
}

impl News {
    fn text(self) -> Cow<'static, str> {
        match self {
            News::Ready => "READY=1".into(),
            // The time tells systemd which of its wishes this is the answer to (`Type=notify-reload`).
            News::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).into()
            }
            News::Stopping => "STOPPING=1".into(),
            News::Alive => "WATCHDOG=1".into(),
        }
    }
}

/// Tells it to whoever started this process, if that is somebody who wants to know.
///
/// # Errors
/// If nobody hears it at the address that was given.
pub fn tell(news: News) -> io::Result<()> {
    match env::var_os("NOTIFY_SOCKET") {
        Some(path) => UnixDatagram::unbound()?
            .send_to_addr(news.text().as_bytes(), &address(path.as_encoded_bytes())?)
            .map(drop),
        None => Ok(()),
    }
}

/// A path, or a name of the abstract kind, which begins with `@`.
fn address(text: &[u8]) -> io::Result<SocketAddr> {
    match text.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(std::path::Path::new(
            std::str::from_utf8(text).map_err(io::Error::other)?,
        )),
    }
}

/// Within what time it has to be told [`News::Alive`] again, if somebody waits for it.
pub fn watchdog() -> Option<Duration> {
    let is_ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
    let micros = env::var("WATCHDOG_USEC").ok()?.parse().ok().filter(|&micros| micros > 0)?;
    is_ours.then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_addresses_are_heard() {
        let name = format!("chatd-test-{}", std::process::id());
        let abstract_one = SocketAddr::from_abstract_name(&name).unwrap();
        let heard = UnixDatagram::bind_addr(&abstract_one).unwrap();
        let to = address(format!("@{name}").as_bytes()).unwrap();
        UnixDatagram::unbound().unwrap().send_to_addr(b"READY=1", &to).unwrap();
        let mut bytes = [0; 16];
        assert_eq!(heard.recv(&mut bytes).unwrap(), 7);
        assert_eq!(
            address(b"/run/systemd/notify").unwrap().as_pathname().unwrap().to_str(),
            Some("/run/systemd/notify")
        );
    }
}
