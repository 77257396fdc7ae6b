//! The report of idle sessions: resident memory a session.

use std::path::Path;

use super::Machine;
use super::units::bytes_text;
use crate::json::object;

pub struct IdleReport {
    pub machine: Machine,
    pub description: String,
    pub users: u64,
    /// Before anybody came.
    pub rss_start_bytes: u64,
    /// All users registered, none logged in, no connection open.
    pub rss_registered_bytes: u64,
    /// All logged in and idle.
    pub rss_idle_bytes: u64,
    pub idle_s: f64,
    /// CPU that the server used while everybody idled.
    pub cpus_busy: Option<f64>,
    /// Connections that were not alive at the end.
    pub closed: u64,
}

impl IdleReport {
    /// The cost of being logged in.
    pub fn session_bytes(&self) -> f64 {
        (self.rss_idle_bytes as f64 - self.rss_registered_bytes as f64) / self.users as f64
    }

    /// The same with everything that registering left behind counted in: the gloomiest reading.
    pub fn session_bytes_from_start(&self) -> f64 {
        (self.rss_idle_bytes as f64 - self.rss_start_bytes as f64) / self.users as f64
    }

    pub fn text(&self) -> String {
        let busy = self.cpus_busy.map_or("unknown".into(), |busy| format!("{:.2} % of a CPU", busy * 100.0));
        let closed = match self.closed {
            0 => String::new(),
            count => format!("\n  FAULTY      {count} connections were closed by the server"),
        };
        format!(
            "idle: {} users\n  machine     {}\n  {}\n  RSS         {} at start, {} with all registered, {} with all \
             logged in and idle for {} s\n  a session   {:.0} bytes from logging in ({:.0} counted from the \
             start)\n  idle CPU    {busy}{closed}\n",
            self.users,
            self.machine.text(),
            self.description,
            bytes_text(self.rss_start_bytes),
            bytes_text(self.rss_registered_bytes),
            bytes_text(self.rss_idle_bytes),
            self.idle_s,
            self.session_bytes(),
            self.session_bytes_from_start(),
        )
    }

    pub fn write_json(&self, path: &Path) -> Result<(), String> {
        let json = object([
            ("scenario", "idle".into()),
            ("machine", self.machine.json()),
            ("description", self.description.as_str().into()),
            ("users", self.users.into()),
            ("rss_start_bytes", self.rss_start_bytes.into()),
            ("rss_registered_bytes", self.rss_registered_bytes.into()),
            ("rss_idle_bytes", self.rss_idle_bytes.into()),
            ("session_bytes", self.session_bytes().into()),
            ("session_bytes_from_start", self.session_bytes_from_start().into()),
            ("idle_s", self.idle_s.into()),
            ("cpus_busy", self.cpus_busy.into()),
            ("connections_closed", self.closed.into()),
        ]);
        super::write_json(path, &json)
    }
}
