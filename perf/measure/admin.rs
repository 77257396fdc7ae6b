//! Asks the admin address of a server. It knows no page of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a page at most: far more than a server of 1,024 cores says.
const PAGE_BYTES: u64 = 64 << 20;

/// The body of a page.
pub fn get(admin: SocketAddr, path: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut socket = TcpStream::connect_timeout(&admin, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(socket, "GET {path} HTTP/1.0\r\nHost: {admin}\r\n\r\n")?;
        let mut answer = Vec::new();
        socket.take(PAGE_BYTES).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| format!("cannot ask {admin} for {path}: {error}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        return Err(format!("{admin} has no {path}: {}", head.lines().next().unwrap_or_default()));
    }
    Ok(body.to_owned())
}

/// The sum of a metric over its series; 0 if there is none of that name.
pub fn metric(admin: SocketAddr, name: &str) -> Result<f64, String> {
    Ok(sum(&get(admin, "/metrics")?, name))
}

fn sum(page: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let is_it = rest.starts_with('{') || rest.starts_with(' ');
        is_it.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    };
    page.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_series_and_taken_for_no_other() {
        let page = "# TYPE a gauge\na{core=\"0\"} 2\na{core=\"1\"} 3.5\nab{core=\"0\"} 7\nc 1\n";
        assert_eq!((sum(page, "a"), sum(page, "ab"), sum(page, "c"), sum(page, "d")), (5.5, 7.0, 1.0, 0.0));
    }
}
