//! Every metric that there is: its name, its unit, what it means, and where it comes from.
//!
//! `docs/metrics.md` says the same; a test compares the two. Counters get `_total` at their end, and units
//! their name.

use super::exposition::{Number, Series};
use super::view::View;
use crate::bus::BusState;
use crate::metrics::{Counters, Snapshot};
use chatd_chat::hub::Census;
use std::time::UNIX_EPOCH;

/// One metric.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) unit: Option<&'static str>,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

/// What sort of metric it is, and its series.
pub(super) enum Kind {
    Counter(fn(&View, &mut Series)),
    Gauge(fn(&View, &mut Series)),
    Info(fn(&View, &mut Series)),
    /// The histograms of `stage` or `path`, over all cores: who wants them by core asks for
    /// `/histograms`, and a server of 64 cores does not have 40,000 series.
    Histogram(&'static str),
}

const fn metric(name: &'static str, help: &'static str, kind: Kind) -> Metric {
    Metric { name, unit: None, help, kind }
}

const fn with_unit(name: &'static str, unit: &'static str, help: &'static str, kind: Kind) -> Metric {
    Metric { name, unit: Some(unit), help, kind }
}

fn each<N: Into<Number>>(view: &View, series: &mut Series, value: impl Fn(&Snapshot) -> N) {
    view.snapshots.iter().for_each(|snapshot| series.core(snapshot.core, value(snapshot)));
}

/// A counter of every core.
macro_rules! counter {
    ($field:ident) => {
        Kind::Counter(|view, series| {
            each(view, series, |core| -> u64 {
                let Counters { $field, .. } = core.counters;
                $field
            })
        })
    };
}

/// What the hub of every core holds.
macro_rules! census {
    ($field:ident) => {
        Kind::Gauge(|view, series| {
            each(view, series, |core| {
                let Census { $field, .. } = core.gauges.census;
                $field
            })
        })
    };
}

/// In the order in which they are shown.
pub(super) const CATALOGUE: &[Metric] = &[
    metric(
        "chatd_build",
        "The version that runs.",
        Kind::Info(|view, series| series.said("version", view.version)),
    ),
    metric(
        "chatd_ready",
        "1 while the server is usable, as /readyz has it.",
        Kind::Gauge(|view, series| series.one(view.ready)),
    ),
    metric(
        "chatd_draining",
        "1 while the server finishes with its sessions, to stop.",
        Kind::Gauge(|view, series| series.one(view.draining)),
    ),
    metric(
        "chatd_cores",
        "Cores that the server was started with.",
        Kind::Gauge(|view, series| series.one(view.cores)),
    ),
    metric(
        "chatd_log_lines_lost",
        "Lines of the log that found no room in its queue or could not be written.",
        Kind::Counter(|view, series| series.one(view.log_lines_lost)),
    ),
    with_unit(
        "chatd_certificate_expires_in",
        "seconds",
        "How long the certificate is still valid; below 0 it has expired. Not there without TLS.",
        Kind::Gauge(|view, series| {
            view.certificate_expires_in.into_iter().for_each(|left| series.one(left as f64))
        }),
    ),
    metric("chatd_core_up", "1 if the core answered within half a second.", Kind::Gauge(core_up)),
    with_unit(
        "chatd_core_cpu",
        "seconds",
        "CPU time that the core's thread has used.",
        Kind::Counter(|view, series| each(view, series, |core| core.counters.cpu_ns as f64 / 1e9)),
    ),
    metric(
        "chatd_turns",
        "Turns of the core's socket ring: system calls that send and receive.",
        counter!(turns),
    ),
    metric(
        "chatd_connections",
        "Connections open.",
        Kind::Gauge(|view, series| each(view, series, |core| core.gauges.connections)),
    ),
    metric(
        "chatd_connections_websocket",
        "Of the connections, those that are WebSockets.",
        Kind::Gauge(|view, series| each(view, series, |core| core.gauges.websockets)),
    ),
    metric(
        "chatd_connections_tls",
        "Of the connections, those in TLS.",
        Kind::Gauge(|view, series| each(view, series, |core| core.gauges.encrypted)),
    ),
    metric("chatd_connections_accepted", "Connections taken in.", counter!(accepted)),
    metric(
        "chatd_connections_refused",
        "Connections refused because there were too many.",
        counter!(refused),
    ),
    metric("chatd_tls_handshakes_full", "Handshakes of TLS that were done in full.", counter!(tls_full)),
    metric(
        "chatd_tls_handshakes_resumed",
        "Handshakes of TLS that were done in short, with a ticket.",
        counter!(tls_resumed),
    ),
    metric(
        "chatd_tls_failures",
        "Connections in TLS that were broken off: handshakes that failed, and records that were wrong.",
        counter!(tls_failed),
    ),
    metric("chatd_connections_cut", "Connections closed by the server, by reason.", Kind::Counter(cuts)),
    metric(
        "chatd_sessions",
        "Connections by how far they are: anonymous (no login), entering (the password was right), online.",
        Kind::Gauge(sessions),
    ),
    metric(
        "chatd_logins",
        "Logins that worked.",
        Kind::Counter(|view, series| each(view, series, |core| core.counts.logins)),
    ),
    metric(
        "chatd_partings",
        "Users who left, by a logout, the end of their connection, or a login that failed after the password.",
        Kind::Counter(|view, series| each(view, series, |core| core.counts.partings)),
    ),
    with_unit("chatd_received", "bytes", "Received from clients.", counter!(received_bytes)),
    with_unit(
        "chatd_sent",
        "bytes",
        "Sent to clients, as far as the kernel has taken it.",
        counter!(sent_bytes),
    ),
    metric("chatd_requests", "Requests of clients that were understood.", counter!(requests)),
    metric("chatd_malformed", "Frames of clients that were not understood.", counter!(faults)),
    metric("chatd_errors", "Errors told to clients, by errno.", Kind::Counter(errors)),
    metric(
        "chatd_messages",
        "Messages taken in from clients, by kind: direct, group.",
        Kind::Counter(messages),
    ),
    metric(
        "chatd_pushes",
        "Messages written to the outboxes of their readers, one for each reader.",
        counter!(pushes),
    ),
    metric(
        "chatd_acks",
        "ACKs of stored messages.",
        Kind::Counter(|view, series| each(view, series, |core| core.counts.acks)),
    ),
    metric(
        "chatd_drops",
        "What was given up because a queue was full or its reader gone, by reason: store (asks that were refused), bus (publishes that were not taken; the messages are stored), orphan (changes of backlogs).",
        Kind::Counter(drops),
    ),
    metric(
        "chatd_bus_up",
        "1 while the core can hear of the others: 0 while it has lost Redis, or a server of the same database is not heard there.",
        Kind::Gauge(|view, series| each(view, series, |core| core.gauges.bus == BusState::Up)),
    ),
    metric(
        "chatd_bus_waiting",
        "Parcels that wait for room or for an answer on their way to other cores.",
        Kind::Gauge(|view, series| each(view, series, |core| core.gauges.bus_waiting)),
    ),
    metric("chatd_bus_published", "Parcels published on the bus.", counter!(published)),
    metric("chatd_bus_arrived", "Messages that came from other cores or servers.", counter!(arrived)),
    metric(
        "chatd_bus_not_understood",
        "What came on the bus and was dropped: of a kind or a version that this server does not know, or a stranger's.",
        counter!(foreign),
    ),
    metric(
        "chatd_store_up",
        "1 unless the store failed within the last seconds.",
        Kind::Gauge(|view, series| series.one(view.store_up)),
    ),
    metric(
        "chatd_store_waiting",
        "Questions that wait for the store.",
        Kind::Gauge(|view, series| series.one(store_waiting(view))),
    ),
    metric(
        "chatd_store_queue",
        "Questions that may wait for the store.",
        Kind::Gauge(|view, series| series.one(view.store_queue)),
    ),
    metric(
        "chatd_passwords_waiting",
        "Passwords that wait to be hashed.",
        Kind::Gauge(|view, series| series.one(view.passwords)),
    ),
    metric(
        "chatd_store_unexpected",
        "Requests that the store failed at although it works: each kind of error is in the log.",
        Kind::Counter(|view, series| series.one(view.store_unexpected)),
    ),
    metric("chatd_store_questions", "Questions to the store.", counter!(asked)),
    metric(
        "chatd_webhook_posts",
        "1 if this server is the one that posts events to the webhook.",
        Kind::Gauge(|view, series| series.one(view.webhook.posts)),
    ),
    metric(
        "chatd_webhook_waiting",
        "Rows of events that wait for the webhook, where this server posts them.",
        Kind::Gauge(|view, series| series.one(view.webhook.waiting)),
    ),
    with_unit(
        "chatd_webhook_lag",
        "seconds",
        "How old the oldest of those rows is.",
        Kind::Gauge(|view, series| series.one(view.webhook.lag.as_secs_f64())),
    ),
    metric(
        "chatd_webhook_posted",
        "Events that the webhook has taken.",
        Kind::Counter(|view, series| series.one(view.webhook.posted)),
    ),
    metric(
        "chatd_webhook_failed",
        "Requests that the webhook has not taken; what was in them waits.",
        Kind::Counter(|view, series| series.one(view.webhook.failed)),
    ),
    metric(
        "chatd_webhook_dropped",
        "Events that were dropped because too many waited, or for too long.",
        Kind::Counter(|view, series| series.one(view.webhook.dropped)),
    ),
    metric("chatd_groups", "Groups with a member on this core.", census!(groups)),
    metric("chatd_tickets", "Questions to the store and the bus that are not answered.", census!(in_flight)),
    metric(
        "chatd_late_users",
        "Users whose messages are on the detour through the store.",
        census!(store_first_users),
    ),
    metric("chatd_late_messages", "Messages that wait in those detours.", census!(store_first_messages)),
    metric(
        "chatd_held_messages",
        "Live messages that wait until their reader's backlog is through.",
        census!(buffered_messages),
    ),
    metric("chatd_orphans", "Changes of backlogs that wait for a busy store.", census!(store_retries)),
    metric("chatd_claims", "Logins whose name is being claimed.", census!(claims)),
    with_unit(
        "chatd_unacknowledged",
        "bytes",
        "Sent to clients and not acknowledged by their TCP, as far as was looked.",
        census!(unacked_bytes),
    ),
    metric(
        "chatd_unmeasured",
        "Durations left out of the histograms because too many were under way.",
        counter!(unmeasured),
    ),
    with_unit(
        "chatd_stage",
        "seconds",
        "How long the stages of the message path take, over all cores.",
        Kind::Histogram("stage"),
    ),
    with_unit(
        "chatd_path",
        "seconds",
        "From reading a message until the kernel has taken it for its reader, by path, over all cores.",
        Kind::Histogram("path"),
    ),
    with_unit(
        "process_cpu",
        "seconds",
        "CPU time that the process has used.",
        Kind::Counter(|view, series| series.one(view.process.cpu_seconds)),
    ),
    with_unit(
        "process_resident_memory",
        "bytes",
        "Memory of the process that is resident.",
        Kind::Gauge(|view, series| series.one(view.process.resident_bytes)),
    ),
    metric(
        "process_open_fds",
        "Open files of the process.",
        Kind::Gauge(|view, series| series.one(view.process.open_files)),
    ),
    with_unit(
        "process_start_time",
        "seconds",
        "When the server was started, since the Unix epoch.",
        Kind::Gauge(|view, series| series.one(started(view))),
    ),
];

fn core_up(view: &View, series: &mut Series) {
    for core in 0..view.cores {
        series.core(core, view.snapshots.iter().any(|snapshot| snapshot.core == core));
    }
}

fn cuts(view: &View, series: &mut Series) {
    for Snapshot { core, counts, .. } in &view.snapshots {
        for (cut, count) in counts.cuts() {
            series.kind(*core, "reason", cut.name().to_owned(), count);
        }
    }
}

fn sessions(view: &View, series: &mut Series) {
    for Snapshot { core, gauges, .. } in &view.snapshots {
        let Census { connections, users, logging_in, .. } = gauges.census;
        let phases = [
            ("anonymous", connections.saturating_sub(users)),
            ("entering", logging_in),
            ("online", users.saturating_sub(logging_in)),
        ];
        for (phase, count) in phases {
            series.kind(*core, "phase", phase.to_owned(), count);
        }
    }
}

fn errors(view: &View, series: &mut Series) {
    for Snapshot { core, counts, .. } in &view.snapshots {
        counts.errors().for_each(|(errno, count)| series.kind(*core, "errno", errno.to_string(), count));
    }
}

fn messages(view: &View, series: &mut Series) {
    for Snapshot { core, counts, .. } in &view.snapshots {
        series.kind(*core, "kind", "direct".to_owned(), counts.direct);
        series.kind(*core, "kind", "group".to_owned(), counts.group);
    }
}

fn drops(view: &View, series: &mut Series) {
    for Snapshot { core, counters, counts, .. } in &view.snapshots {
        let reasons =
            [("store", counters.store_busy), ("bus", counters.bus_down), ("orphan", counts.retries_dropped)];
        for (reason, count) in reasons {
            series.kind(*core, "reason", reason.to_owned(), count);
        }
    }
}

/// All cores share the queue, and look at it one after the other.
fn store_waiting(view: &View) -> u64 {
    view.snapshots.iter().map(|snapshot| snapshot.gauges.store_waiting).max().unwrap_or(0)
}

fn started(view: &View) -> f64 {
    view.started.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
