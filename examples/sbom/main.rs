//! Writes what the programs of a release are made of: a bill of materials (CycloneDX 1.6), for whoever has to know whether
//! a fault that becomes known is in them.
//!
//! ```console
//! $ cargo run --example sbom -- FILE
//! ```
//!
//! What there is cargo says itself (`cargo tree`): what is compiled into chatd, chat and chat-ring, or runs while they are
//! compiled, and none of what only tests need. Checksums are those of Cargo.lock. The same sources give the same file: no
//! time of day is in it.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::{env, fs, io};

const PROGRAMS: [&str; 3] = ["chatd", "chat", "chat-ring"];
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// One package: what it may be used under, and what it needs.
#[derive(Default)]
struct Package {
    licence: String,
    needs: BTreeSet<String>,
}

fn main() -> io::Result<()> {
    let file = env::args_os().nth(1).ok_or_else(|| io::Error::other("where to?"))?;
    let packages = packages(&tree()?);
    let checksums = checksums(&fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"))?);
    let bill = bill(&packages, &checksums);
    fs::write(file, serde_json::to_string_pretty(&bill)? + "\n")
}

/// What `cargo tree` says: a package a line, its depth before it.
fn tree() -> io::Result<String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["tree", "--locked", "--edges", "normal,build", "--target", TARGET, "--prefix", "depth"]);
    cargo.args(["--format", "{p}|{l}"]).args(PROGRAMS.iter().flat_map(|name| ["--package", name]));
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The packages of a tree, by `name@version`.
fn packages(tree: &str) -> BTreeMap<String, Package> {
    let (mut packages, mut above) = (BTreeMap::<String, Package>::new(), Vec::<String>::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.split_once('|').expect("a package and its licence");
        let name_at = package.find(|c: char| !c.is_ascii_digit()).expect("a name");
        let depth: usize = package[..name_at].parse().expect("a depth");
        let mut words = package[name_at..].split(' ');
        let name = words.next().expect("a name");
        let version = words.next().and_then(|version| version.strip_prefix('v')).expect("a version");
        let name = format!("{name}@{version}");
        above.truncate(depth);
        if let Some(parent) = above.last() {
            packages.get_mut(parent).expect("it came before").needs.insert(name.clone());
        }
        // What came before is not said again.
        packages.entry(name.clone()).or_default().licence = licence.trim_end_matches(" (*)").to_owned();
        above.push(name);
    }
    packages
}

/// The SHA-256 of what was published, by `name@version`.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let lock: toml::Table = lock.parse().expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("packages");
    let text = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let checksum = |package| {
        let named = format!("{}@{}", text(package, "name")?, text(package, "version")?);
        Some((named, text(package, "checksum")?))
    };
    packages.iter().filter_map(checksum).collect()
}

fn bill(packages: &BTreeMap<String, Package>, checksums: &BTreeMap<String, String>) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let whole = format!("chatd@{version}");
    let mut components: Vec<Value> = Vec::new();
    for (named, package) in packages.iter().filter(|(named, _)| **named != whole) {
        let (name, version) = named.split_once('@').expect("a name and a version");
        let mut component = json!({
            "type": "library", "bom-ref": named, "name": name, "version": version,
            "licenses": [{ "expression": package.licence.replace('/', " OR ") }],
        });
        if let Some(checksum) = checksums.get(named) {
            component["purl"] = format!("pkg:cargo/{named}").into();
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        components.push(component);
    }
    // What no package manager knows of: libsqlite3-sys has its sources within.
    let sqlite = rusqlite::version();
    components.push(json!({
        "type": "library", "bom-ref": "sqlite", "name": "sqlite", "version": sqlite,
        "purl": format!("pkg:generic/sqlite@{sqlite}"), "licenses": [{ "license": { "name": "Public Domain" } }],
    }));
    let needs = |(named, package): (&String, &Package)| {
        let mut needs: Vec<&str> = package.needs.iter().map(String::as_str).collect();
        needs.extend(named.starts_with("libsqlite3-sys@").then_some("sqlite"));
        json!({ "ref": named, "dependsOn": needs })
    };
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": whole, "name": "chatd", "version": version,
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        } },
        "components": components,
        "dependencies": packages.iter().map(needs).collect::<Vec<_>>(),
    })
}
