//! Finds the process that listens on a local port, for servers that were not started here.
//!
//! Reads `/proc/net/tcp*` and `/proc/*/fd`. Processes of other users stay invisible without privilege, and then
//! the answer is none.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;

/// The kernel's number for the LISTEN state.
const LISTEN: &str = "0A";

/// The process that listens where `address` leads, if it is on this machine and can be seen.
pub fn pid_listening_on(address: SocketAddr) -> Option<u32> {
    if !address.ip().is_loopback() {
        return None;
    }
    let mut sockets = HashSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        sockets.extend(listening_inodes(&text, address.port()).map(|inode| format!("socket:[{inode}]")));
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| holds_any(*pid, &sockets))
}

fn holds_any(pid: u32, sockets: &HashSet<String>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut targets = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|name| sockets.contains(name)))
}

/// The inodes of the sockets that listen on `port`, from the text of a `/proc/net/tcp` table.
fn listening_inodes(table: &str, port: u16) -> impl Iterator<Item = &str> {
    let port = format!("{port:04X}");
    table.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        (state == LISTEN && local.rsplit(':').next() == Some(&port)).then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(pid_listening_on(listener.local_addr().unwrap()), Some(std::process::id()));
    }

    #[test]
    fn reads_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1770 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0\n\
            1: 0100007F:1770 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0\n";
        assert_eq!(listening_inodes(table, 6000).collect::<Vec<_>>(), ["4242"]);
        assert_eq!(listening_inodes(table, 6001).count(), 0);
    }
}
