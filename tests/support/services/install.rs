//! Whether the programs are there, and having apt install them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Each program that is needed, and the Debian packages that have it.
const PROGRAMS: [(&str, &str); 4] = [
    ("redis-server", "redis-server"),
    ("mariadbd", "mariadb-server"),
    ("nginx", "nginx"),
    ("ngx_stream_module.so", "libnginx-mod-stream"),
];

const PLACES: [&str; 6] =
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/libexec", "/usr/lib/nginx/modules"];

/// Where a program lies.
pub fn find(program: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(program)).find(|path| path.exists())
}

/// The packages of programs that are not there.
pub fn missing() -> Vec<&'static str> {
    let absent = PROGRAMS.iter().filter(|(program, _)| find(program).is_none());
    absent.map(|(_, package)| *package).collect()
}

/// What is to be typed to get `packages`.
pub fn advice(packages: &[&str]) -> String {
    format!("apt-get install {} (their services need not run)", packages.join(" "))
}

/// Has apt install what is not there. Panics where that does not work.
pub fn by_apt() {
    packages_by_apt(missing);
}

/// Has apt install the packages that `missing` gives. Panics if it still gives some then.
pub fn packages_by_apt(missing: impl Fn() -> Vec<&'static str>) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let packages = missing();
    if packages.is_empty() {
        return;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        // Another test may be at it.
        command.args(["-o", "DPkg::Lock::Timeout=300", "-qq"]).args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat();
    let _ = apt(&install) || (apt(&["update"]) && apt(&install));
    assert!(missing().is_empty(), "these tests need: {}", advice(&packages));
}
