//! One look at a server: its metrics and histograms, as they are at one moment.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take to answer, and to send a page.
const PATIENCE: Duration = Duration::from_secs(5);
/// `/metrics` is read as OpenMetrics, whose end says that it is whole.
const ACCEPTED: &str = "application/openmetrics-text; version=1.0.0, */*; q=0.1";
/// Bytes of a page at most: far more than a server of 1,024 cores says.
const PAGE_BYTES: u64 = 64 << 20;

/// What a server said.
pub struct Look {
    /// How long it has been running.
    pub uptime: Duration,
    /// Why it is not ready, if it is not.
    pub trouble: Option<String>,
    metrics: HashMap<String, Vec<Series>>,
    /// Histograms of nanoseconds over all cores, with their tags, in the server's order.
    pub histograms: Vec<(String, Histogram<u64>)>,
}

/// One line of `/metrics`.
struct Series {
    labels: Vec<(String, String)>,
    value: f64,
}

/// A server cannot be looked at.
#[derive(Debug)]
pub enum LookError {
    /// It does not answer.
    Silent(SocketAddr, io::Error),
    /// It answers something else.
    Strange(SocketAddr, String),
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookError::Silent(address, error) => {
                write!(f, "no chatd shows its metrics on {address}: {error} (--admin says where)")
            }
            LookError::Strange(address, what) => {
                write!(f, "{address} is not a chatd's admin address: {what}")
            }
        }
    }
}

impl std::error::Error for LookError {}

impl Look {
    /// Looks at the server whose admin address this is.
    ///
    /// # Errors
    /// If there is none.
    pub fn at(address: SocketAddr) -> Result<Self, LookError> {
        let page = |path: &str| get(address, path).map_err(|error| LookError::Silent(address, error));
        let strange = |what: &str| LookError::Strange(address, what.to_owned());
        let (_, metrics) = page("/metrics")?;
        let (status, log) = page("/histograms?format=hlog&core=all")?;
        let (ready, why) = page("/readyz")?;
        let metrics = parse_metrics(&metrics).ok_or_else(|| strange("/metrics is not OpenMetrics"))?;
        if status != 200 || !metrics.contains_key("chatd_cores") {
            return Err(strange("it has no histograms"));
        }
        let (uptime, histograms) = parse_log(&log).ok_or_else(|| strange("its histograms cannot be read"))?;
        let trouble = (ready != 200).then(|| why.trim().to_owned());
        Ok(Self { uptime, trouble, metrics, histograms })
    }

    /// The sum of a metric's series that have this label, or of all.
    pub fn sum(&self, name: &str, with: &[(&str, &str)]) -> f64 {
        let series = self.metrics.get(name).into_iter().flatten();
        let has = |series: &&Series| {
            with.iter().all(|&(key, value)| series.labels.iter().any(|(k, v)| k == key && v == value))
        };
        series.filter(has).map(|series| series.value).sum()
    }

    /// What a metric says in this label.
    pub fn said(&self, name: &str, label: &str) -> Option<&str> {
        let labels = &self.metrics.get(name)?.first()?.labels;
        labels.iter().find(|(key, _)| key == label).map(|(_, value)| value.as_str())
    }
}

/// The status and the body of a page.
fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {ACCEPTED}\r\nConnection: close\r\n\r\n"
    )?;
    let mut page = String::new();
    stream.take(PAGE_BYTES).read_to_string(&mut page)?;
    let (head, body) = page.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// Every series by the name of its metric. Values of labels have neither quotes nor commas here.
fn parse_metrics(text: &str) -> Option<HashMap<String, Vec<Series>>> {
    let mut metrics: HashMap<String, Vec<Series>> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        let label = |label: &str| {
            let (key, value) = label.split_once('=')?;
            Some((key.to_owned(), value.trim_matches('"').to_owned()))
        };
        let labels = labels.map(label).collect::<Option<_>>()?;
        metrics.entry(name.to_owned()).or_default().push(Series { labels, value });
    }
    text.ends_with("# EOF\n").then_some(metrics)
}

type Tagged = Vec<(String, Histogram<u64>)>;

fn parse_log(text: &str) -> Option<(Duration, Tagged)> {
    let (mut uptime, mut histograms, mut deserializer) = (None, Vec::new(), Deserializer::new());
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.ok()? {
            let bytes = base64::Engine::decode(
                &base64::engine::general_purpose::STANDARD,
                interval.encoded_histogram(),
            );
            let histogram = deserializer.deserialize(&mut bytes.ok()?.as_slice()).ok()?;
            histograms.push((interval.tag()?.as_str().to_owned(), histogram));
            uptime = Some(interval.duration());
        }
    }
    Some((uptime?, histograms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_with_and_without_labels() {
        let text = "# HELP a A.\n# TYPE a counter\na_total{core=\"0\",errno=\"1\"} 3\na_total{core=\"1\"} 4.5\nb 1e-6\n# EOF\n";
        let metrics = parse_metrics(text).expect("well-formed");
        let histograms = Vec::new();
        let look = Look { uptime: Duration::ZERO, trouble: None, metrics, histograms };
        assert_eq!(look.sum("a_total", &[]), 7.5);
        assert_eq!(look.sum("a_total", &[("core", "0")]), 3.0);
        assert_eq!(look.sum("b", &[]), 1e-6);
        assert_eq!(look.sum("c", &[]), 0.0);
        assert_eq!(look.said("a_total", "errno"), Some("1"));
        assert!(parse_metrics("a 1\n").is_none() && parse_metrics("a\n# EOF\n").is_none());
    }
}
