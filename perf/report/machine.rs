//! What the figures were measured on: they mean little without it.

use std::fs;
use std::process::Command;

use crate::json::{Json, object};

pub struct Machine {
    pub kernel: String,
    pub cpu_model: String,
    pub cpu_count: u64,
    /// `None` where the kernel manages no frequencies, as in most virtual machines.
    pub governor: Option<String>,
    /// Of the sources that this program lies among, if it lies among any.
    pub commit: Option<String>,
    /// The exact command.
    pub command: String,
}

impl Machine {
    pub fn look() -> Machine {
        let cpu_info = read("/proc/cpuinfo").unwrap_or_default();
        let model = cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let cpu_count = cpu_info.lines().filter(|line| line.starts_with("processor")).count() as u64;
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Machine {
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into()),
            cpu_model: model.map_or_else(|| "unknown".into(), |(_, name)| name.trim().to_owned()),
            cpu_count,
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            commit: commit(),
            command: format!("chat-perf {}", arguments.join(" ")),
        }
    }

    pub fn text(&self) -> String {
        let commit = self.commit.as_deref().unwrap_or("unknown");
        format!("Linux {}, {} × {}, commit {commit}", self.kernel, self.cpu_count, self.cpu_model)
    }

    pub fn json(&self) -> Json {
        object([
            ("kernel", self.kernel.as_str().into()),
            ("cpu_model", self.cpu_model.as_str().into()),
            ("cpu_count", self.cpu_count.into()),
            ("governor", self.governor.clone().into()),
            ("commit", self.commit.clone().into()),
            ("command", self.command.as_str().into()),
        ])
    }
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `git describe`, so that a tree with changes says `-dirty`.
fn commit() -> Option<String> {
    let own = std::env::current_exe().ok()?;
    let git = Command::new("git")
        .current_dir(own.parent()?)
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .output()
        .ok()?;
    let text = String::from_utf8(git.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| git.status.success() && !text.is_empty())
}
