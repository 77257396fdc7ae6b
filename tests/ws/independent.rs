//! WebSocket clients that are not ours.

use crate::common::chatd::Chatd;
use crate::common::services::install::packages_by_apt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Debian's own, which has its packages.
const PYTHON: &str = "/usr/bin/python3";

fn missing() -> Vec<&'static str> {
    let mut python = Command::new(PYTHON);
    python.args(["-c", "import websockets"]).stderr(Stdio::null());
    if python.status().is_ok_and(|status| status.success()) { Vec::new() } else { vec!["python3-websockets"] }
}

/// The cases of the Autobahn test suite, done again with Python's `websockets`: its frames, and its judgement of ours.
#[test]
fn the_cases_of_autobahn_pass_with_the_websockets_of_python() {
    packages_by_apt(missing);
    let chatd = Chatd::start(1);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ws/conformance.py");
    let mut python = Command::new(PYTHON);
    let output =
        python.arg(script).arg(format!("ws://{}/ws", chatd.address)).output().expect("Python can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaint}");
    let passed =
        said.lines().last().and_then(|line| line.strip_prefix("passed ")?.split(' ').next()?.parse().ok());
    assert!(passed.is_some_and(|passed: u32| passed > 250), "{said}");
}
