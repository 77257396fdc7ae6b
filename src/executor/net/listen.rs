//! The listening sockets of one address: one a core, spread by the kernel (SO_REUSEPORT).

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// How long somebody else may still listen, and how often to look.
const PATIENCE: Duration = Duration::from_secs(1);
const PATIENCE_STEP: Duration = Duration::from_millis(10);
/// Connections that the kernel holds for a core until it accepts them.
const BACKLOG: i32 = 4_096;
/// Silence of the peer's TCP after which it is asked whether it lives, and how often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the peer is taken for dead.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Listens on `address` with one socket for each of `cores`. Port 0 picks one port for all.
///
/// # Errors
/// `AddrInUse` if anybody listens there already, another process with SO_REUSEPORT included; and
/// whatever else the system says about the address.
pub fn listen(address: SocketAddr, cores: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        wait_for_predecessor(address)?;
    }
    let first = socket(address)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..cores {
        listeners.push(socket(address)?);
    }
    Ok(listeners)
}

/// Refuses company, but not at once: the kernel keeps the sockets of a chatd that was killed open
/// until it has taken its rings apart, a moment after the process is gone.
fn wait_for_predecessor(address: SocketAddr) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match refuse_company(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(PATIENCE_STEP);
            }
            result => return result,
        }
    }
}

/// SO_REUSEPORT would let this server share the port with another one of the same user, and each
/// would get half of the connections. A socket without it is refused if anybody listens.
fn refuse_company(address: SocketAddr) -> io::Result<()> {
    let probe = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Lets the probe pass over connections of a former server that linger in TIME_WAIT.
    probe.set_reuse_address(true)?;
    probe.bind(&SockAddr::from(address))?;
    probe.listen(1)
}

/// Connections inherit these options from their listener.
fn socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
