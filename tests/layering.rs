//! The house has one direction, and this test holds it: who may name whom, and what stands where.
//!
//! Reads the sources as text. What is in tests, comments and strings does not count where it could
//! be told apart; where it could not, the rule is written so that it does not matter.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below `folder`, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the house").map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "{folder} has files");
    found
}

/// Whether unit tests begin here.
fn is_tests(line: &str) -> bool {
    matches!(line.trim(), "#[cfg(test)]" | "#[cfg(any(test, feature = \"subprocess\"))]")
}

/// The lines of a file that are code and no test, with their numbers. Unit tests stand last.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a source file");
    let is_test_file = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    let lines = text.lines().take_while(|line| !is_tests(line) && !is_test_file);
    (1..)
        .zip(lines)
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at, line.into()))
        .collect()
}

/// Where `words` stand in the code below `folder`, but for the files that `may` names.
fn named(folder: &str, words: &[&str], may: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(folder) {
        if may.iter().any(|allowed| file.to_string_lossy().contains(allowed)) {
            continue;
        }
        for (at, line) in code(&file) {
            if let Some(word) = words.iter().find(|&&word| line.contains(word)) {
                found.push(format!("{}:{at} names {word}", file.display()));
            }
        }
    }
    found
}

fn nobody(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// What the crate in `folder` depends on: its `[dependencies]`, sorted.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("Cargo.toml");
    let manifest =
        fs::read_to_string(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let (_, section) = manifest.split_once("\n[dependencies]\n").expect("a crate depends on something");
    let section = section.split("\n[").next().expect("split gives one at least");
    let mut names: Vec<String> =
        section.lines().filter_map(|line| Some(line.split_once(['.', ' '])?.0.to_owned())).collect();
    names.sort();
    names
}

/// The crates are the walls: what is not depended on cannot be named.
#[test]
fn each_crate_depends_on_what_lies_below_it_and_on_nothing_beside_it() {
    let ours = [
        "chatd",
        "chatd-chat",
        "chatd-process",
        "chatd-tls",
        "chatd-executor",
        "chatd-storage",
        "chatd-client",
        "chat-perf",
    ];
    let may: [(&str, &[&str]); 7] = [
        ("src/chat", &[]),
        ("src/process", &[]),
        ("src/tls", &[]),
        ("src/executor", &["chatd-chat", "chatd-process", "chatd-tls"]),
        ("src/storage", &["chatd-chat", "chatd-process", "chatd-tls"]),
        ("clients/rust", &["chatd-chat", "chatd-tls"]),
        ("perf", &[]),
    ];
    for (folder, may) in may {
        let of_ours: Vec<String> =
            dependencies(folder).into_iter().filter(|name| ours.contains(&name.as_str())).collect();
        assert_eq!(of_ours, may, "{folder}/Cargo.toml");
    }
    let heavy = ["glommio", "io-uring", "rusqlite", "mysql_async", "tokio", "redis", "argon2"];
    for folder in ["src/chat", "clients/rust"] {
        let found = dependencies(folder).into_iter().find(|name| heavy.contains(&name.as_str()));
        assert_eq!(found, None, "{folder}/Cargo.toml");
    }
    for (folder, never) in
        [("src/executor", "rusqlite"), ("src/executor", "simd-json"), ("src/storage", "glommio")]
    {
        assert!(!dependencies(folder).iter().any(|name| name == never), "{folder}/Cargo.toml has {never}");
    }
}

/// The rooms of the core, from the top down. Rooms of one row are siblings.
const ROOMS: [&[&str]; 7] = [
    &["hub"],
    &["login", "direct", "group", "devices", "changes", "social"],
    &["backlog"],
    &["connection"],
    &["port"],
    &["wire"],
    &["model"],
];

/// The rooms that a line of code names: what follows `crate::`, also within braces.
fn rooms_named(line: &str) -> Vec<&str> {
    let paths = line.match_indices("crate::").flat_map(|(at, path)| {
        let rest = &line[at + path.len()..];
        let inside = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        inside.map_or_else(|| vec![rest], |inside| inside.split(',').collect())
    });
    let first = |path: &'_ str| {
        path.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().len()
    };
    paths.map(|path| path.trim()).map(|path| &path[..first(path)]).collect()
}

#[test]
fn no_room_names_one_above_it_or_beside_it() {
    for (row, rooms) in ROOMS.iter().enumerate() {
        for room in *rooms {
            let below: Vec<&str> = ROOMS[row + 1..].iter().flat_map(|rooms| rooms.iter().copied()).collect();
            for file in files(&format!("src/chat/{room}")) {
                for (at, line) in code(&file) {
                    for named in rooms_named(&line) {
                        let may = named == *room || below.contains(&named);
                        assert!(may, "{}:{at} names {named}: {line}", file.display());
                    }
                    let of_hub = line.contains("impl Hub {") && *room != "hub";
                    assert!(!of_hub, "{}:{at} is a method of the hub", file.display());
                }
            }
        }
    }
}

/// A room's state is its own: only `model`, `wire` and `port` are made of what everybody may see.
#[test]
fn rooms_own_their_state() {
    for (room, owner) in [
        ("hub", "Hub"),
        ("login", "Logins"),
        ("direct", "Direct"),
        ("group", "Groups"),
        ("devices", "Devices"),
        ("changes", "Changes"),
        ("social", "Social"),
        ("backlog", "Backlog"),
        ("connection", "Connections"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/chat/{room}/mod.rs"));
        let text = fs::read_to_string(&path).unwrap();
        let (_, fields) = text.split_once(&format!("struct {owner} {{")).expect("a room is a struct");
        let fields = fields.split("\n}").next().unwrap();
        assert!(!fields.lines().any(|line| line.trim_start().starts_with("pub")), "{}", path.display());
    }
}

/// The walk of a message through the rooms is told from these lines (`src/chat/hub/message_walk_tests.rs`).
#[test]
fn each_method_of_a_room_that_is_lent_a_cx_says_that_it_is_entered() {
    let mut doors = 0;
    for room in ["connection", "backlog", "changes", "devices", "direct", "group", "login", "social"] {
        for file in files(&format!("src/chat/{room}")) {
            let text: String = code(&file).into_iter().map(|(_, line)| line + "\n").collect();
            for method in text.split("\n    pub(crate) fn ").skip(1) {
                let (head, body) = method.split_once("{\n").expect("a method has a body");
                let head = head.split_whitespace().collect::<Vec<_>>().join(" ");
                let (_, arguments) = head.split_once('(').expect("a method has arguments");
                if arguments.trim_start().starts_with("&mut self, cx: &mut Cx") {
                    doors += 1;
                    let first = body.lines().next().unwrap_or_default().trim();
                    assert_eq!(first, "cx.enter();", "{}: fn {head}", file.display());
                }
            }
        }
    }
    assert!(doors > 100, "{doors} methods");
}

#[test]
fn the_core_does_no_io_and_knows_no_time() {
    let forbidden = [
        "std::net",
        "std::fs",
        "std::thread",
        "std::io",
        "Instant",
        "SystemTime",
        "println!",
        "eprintln!",
        "async fn",
        ".await;",
        ".await?",
        ".await)",
        "Mutex",
        "unsafe",
    ];
    nobody(named("src/chat", &forbidden, &[]));
}

#[test]
fn the_store_knows_no_session() {
    nobody(named("src/storage", &["ConnectionId", "unsafe"], &[]));
}

#[test]
fn the_client_knows_nothing_of_the_server_but_the_wire_and_ids() {
    nobody(named("clients/rust", &["chatd_chat::hub", "chatd_chat::port", "model::envelope"], &[]));
}

#[test]
fn what_is_chosen_is_named_in_one_place() {
    nobody(named("src", &["simd_json"], &["src/chat/wire/json.rs"]));
    nobody(named("src", &["glommio", "io_uring::"], &["src/executor/"]));
    nobody(named("src", &["rusqlite"], &["src/storage/"]));
    nobody(named("src", &["mysql_async"], &["src/storage/"]));
}

#[test]
fn every_unsafe_says_why_it_is_sound_and_stands_in_the_executor() {
    for file in files("src") {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in code(&file) {
            let word = line.contains("unsafe ") && !line.contains("pub(") && !line.contains("unsafe fn");
            if !word {
                continue;
            }
            let may = ["src/executor/", "src/process/", "src/bin/chat/terminal/"];
            let is_there = may.iter().any(|folder| file.to_string_lossy().contains(folder));
            assert!(is_there, "{}:{at} is unsafe", file.display());
            let above = &lines[at.saturating_sub(10)..at];
            assert!(
                above.iter().any(|line| line.contains("SAFETY:")),
                "{}:{at} does not say why",
                file.display()
            );
        }
    }
}

#[test]
fn nothing_unwraps_outside_tests() {
    nobody(named("src", &[".unwrap()"], &["storage/contract", "storage/scratch"]));
}

#[test]
fn what_the_server_says_goes_through_its_log() {
    let forbidden = ["println!", "eprint!", "print!(", "dbg!", "io::stderr()", "io::stdout()", "set_hook"];
    for folder in ["src/executor", "src/storage"] {
        nobody(named(folder, &forbidden, &[]));
    }
    // `chatd top` is a program in a terminal.
    nobody(named("src/bin/chatd", &forbidden, &["src/bin/chatd/top/"]));
}
