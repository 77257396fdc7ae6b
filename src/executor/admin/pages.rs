//! The pages: what is answered to whom, from a view that is at most a moment old.

use super::Sources;
use super::asker::{Form, Names, form};
use super::events;
use super::exposition;
use super::histograms;
use super::http::{Request, Response, TEXT};
use super::plain;
use super::process::Process;
use super::view::View;
use crate::metrics::Snapshot;
use crate::observer::Pulse;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How long a core may take to answer. One that takes longer is hung, or gone.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long what was seen is good enough: whoever asks in a loop costs the cores no more than this.
const FRESH: Duration = Duration::from_millis(100);
/// OpenMetrics 1.0, text.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The text format of Prometheus.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = "chatd: /metrics (text, or OpenMetrics for those who accept it), /histograms (?format=hlog|json|text|hdr), /debug/events (?session=, ?user=, ?mid=, ?core=), /healthz, /readyz\n";

/// Answers requests.
pub(super) struct Pages {
    sources: Sources,
    names: Names,
    began: Instant,
    started: SystemTime,
    /// The last view, with when it is not good enough any more.
    seen: Option<(Instant, Arc<View>)>,
    felt: Option<(Instant, Vec<Pulse>)>,
}

impl Pages {
    pub(super) fn new(sources: Sources, address: SocketAddr) -> Self {
        let names = Names::new(&sources.hosts, address);
        Self { sources, names, began: Instant::now(), started: SystemTime::now(), seen: None, felt: None }
    }

    pub(super) fn answer(&mut self, request: &Request) -> Response {
        if !request.hosts.iter().all(|host| self.names.have(host)) {
            let why = "the Host of this request is neither a loopback name nor one that --admin-host lists";
            return Response::refusal(421, why);
        }
        match request.path.as_str() {
            "/" => Response::new(TEXT, INDEX),
            "/metrics" => match exposition::text(self.view()) {
                Ok(text) if form(&request.accept) == Form::OpenMetrics => Response::new(OPENMETRICS, text),
                Ok(text) => Response::new(PROMETHEUS, plain::text(&text)),
                Err(error) => Response::refusal(500, format!("the metrics cannot be written: {error}")),
            },
            "/histograms" => match histograms::page(&self.view(), &request.query) {
                Ok(response) => response,
                Err(refusal) => refusal,
            },
            "/debug/events" => events::page(&self.sources.observer, &request.query),
            "/healthz" => Response::new(TEXT, "ok\n"),
            "/readyz" => match self.trouble() {
                None => Response::new(TEXT, "ready\n"),
                Some(trouble) => Response::refusal(503, trouble),
            },
            _ => Response::refusal(404, INDEX.trim_end()),
        }
    }

    fn trouble(&mut self) -> Option<String> {
        let Sources { health, observer, .. } = &self.sources;
        // The cores need no asking when they are about to go.
        if health.is_draining() {
            return health.trouble(&[], 0);
        }
        let now = Instant::now();
        if self.felt.as_ref().is_none_or(|(until, _)| now >= *until) {
            let pulses = observer.pulses(PATIENCE);
            self.felt = Some((Instant::now() + FRESH, pulses));
        }
        let pulses = self.felt.as_ref().map_or(&[][..], |(_, pulses)| pulses);
        health.trouble(pulses, observer.cores())
    }

    fn view(&mut self) -> Arc<View> {
        match &self.seen {
            Some((until, view)) if Instant::now() < *until => view.clone(),
            _ => {
                let view = Arc::new(self.look());
                self.seen = Some((Instant::now() + FRESH, view.clone()));
                view
            }
        }
    }

    fn look(&self) -> View {
        let Sources { observer, health, version, store_queue, identity, .. } = &self.sources;
        let snapshots = observer.snapshots(PATIENCE);
        let pulses: Vec<Pulse> = snapshots.iter().map(Snapshot::pulse).collect();
        View {
            version,
            started: self.started,
            uptime: self.began.elapsed(),
            cores: observer.cores(),
            merged: Snapshot::merged(&snapshots),
            store_up: health.store_trouble().is_none(),
            store_queue: *store_queue,
            passwords: (self.sources.passwords)(),
            store_unexpected: (self.sources.store_unexpected)(),
            webhook: (self.sources.webhook)(),
            draining: health.is_draining(),
            ready: health.trouble(&pulses, observer.cores()).is_none(),
            process: Process::look(),
            certificate_expires_in: identity.as_ref().map(|identity| identity.expires_in()),
            log_lines_lost: chatd_process::log::lost(),
            snapshots,
        }
    }
}
