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

/// The lines of a file that are code and no test, with their numbers. Unit tests stand last.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a source file");
    let is_test_file = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]" && !is_test_file);
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

#[test]
fn the_core_knows_no_executor_no_store_and_does_no_io() {
    let forbidden = [
        "crate::executor",
        "crate::storage",
        "crate::client",
        "crate::log",
        "crate::panic_policy",
        "glommio",
        "io_uring",
        "rusqlite",
        "mysql_async",
        "redis::",
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
fn the_store_knows_no_executor_and_no_session() {
    nobody(named(
        "src/storage",
        &["crate::executor", "crate::client", "glommio", "SessionId", "unsafe"],
        &[],
    ));
}

#[test]
fn the_executor_knows_no_store_no_sql_and_no_json() {
    let forbidden = ["crate::storage", "crate::client", "rusqlite", "mysql_async", "simd_json", "argon2"];
    nobody(named("src/executor", &forbidden, &[]));
}

#[test]
fn the_client_knows_nothing_of_the_server_but_the_wire_and_ids() {
    let forbidden =
        ["crate::executor", "crate::storage", "chat::hub", "chat::envelope", "chat::ask", "chat::event"];
    nobody(named("src/client", &forbidden, &[]));
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
            assert!(file.to_string_lossy().contains("src/executor/"), "{}:{at} is unsafe", file.display());
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

#[test]
fn the_harness_shares_no_code_with_the_server_but_the_wire() {
    let forbidden = ["chatd::executor", "chatd::storage", "chatd::client", "chatd::chat::hub"];
    nobody(named("perf", &forbidden, &[]));
}
