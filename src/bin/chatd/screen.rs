//! The start-up screen: what this server is, on one screen.

use crate::settings::Settings;
use chatd::executor::boot::Delivery;
use std::net::SocketAddr;

/// Its text. `store` is what the store says of itself, `admin` where the metrics are.
pub fn text(settings: &Settings, address: SocketAddr, store: &str, admin: Option<SocketAddr>) -> String {
    let Settings { cpus, limits, cost, warnings, .. } = settings;
    let mut lines = vec![
        format!("chatd {}", env!("CARGO_PKG_VERSION")),
        format!("  address    {address}{}", reach(address)),
        match settings.site.page {
            true => format!("  web        http://{address}/ (a page to chat on), ws://{address}/ws"),
            false => format!("  web        ws://{address}/ws; the page is off (--web on)"),
        },
        match (&settings.secrecy.identity, settings.secrecy.required) {
            (None, _) => "  tls        off (--tls-cert, --tls-key)".to_owned(),
            (Some(_), true) => "  tls        on, and required from beyond this machine".to_owned(),
            (Some(_), false) => "  tls        on, beside clear text".to_owned(),
        },
        format!("  cores      {}, pinned to CPU {}", cpus.len(), list(cpus)),
        format!("  store      {store}"),
        format!("  delivery   {}", delivery(&settings.delivery)),
        format!("  passwords  argon2id, {cost}"),
        match admin {
            Some(admin) => format!("  admin      http://{admin}/ (metrics, histograms, health; chatd top)"),
            None => "  admin      off".to_owned(),
        },
        format!(
            "  limits     a core: {} connections, {} of them not logged in",
            limits.connections, limits.anonymous
        ),
        format!(
            "             a session: frame {}, message {}, unread {}",
            size(limits.frame_bytes),
            size(limits.msg_bytes),
            size(limits.outbox_bytes)
        ),
        format!(
            "             {} friends and {} groups a user, {} members a group",
            limits.friends, limits.groups, limits.members
        ),
    ];
    lines.extend(warnings.iter().map(|warning| format!("  warning    {warning}")));
    lines.iter().map(|line| line.clone() + "\n").collect()
}

fn delivery(delivery: &Delivery) -> String {
    match delivery {
        Delivery::InProcess => "in this process, over channels between the cores".to_owned(),
        Delivery::Redis(server) => {
            let how = if server.is_encrypted() { ", encrypted" } else { "" };
            format!("through Redis at {}{how}, with every server that uses it", server.at())
        }
    }
}

fn reach(address: SocketAddr) -> &'static str {
    if address.ip().is_loopback() {
        " (this machine only; --bind 0.0.0.0 opens it to the network)"
    } else {
        ""
    }
}

/// `0 1 2`, and with more than 16 entries how it goes on.
fn list(cpus: &[usize]) -> String {
    let shown: Vec<String> = cpus.iter().take(16).map(ToString::to_string).collect();
    format!("{}{}", shown.join(" "), if cpus.len() > 16 { " …" } else { "" })
}

fn size(bytes: usize) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}
