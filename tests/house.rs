//! What the house holds of itself: its words, the sizes of its files and functions, what it depends on, how commits are
//! called. Reads the sources and asks cargo and git; starts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How often each public type is declared in the files below `folder`.
fn declared(folder: &Path, found: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).expect("a folder of the core").map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            declared(&entry, found);
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            for line in fs::read_to_string(&entry).unwrap().lines() {
                let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
                if let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) {
                    let name = rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap();
                    *found.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
    }
}

/// How often each name in backquotes stands in the first column of the glossary's tables.
fn explained() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/glossary.md")).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix('|')) {
        let terms = line.split('|').next().unwrap();
        for name in terms.split('`').skip(1).step_by(2) {
            *found.entry(name.to_owned()).or_default() += 1;
        }
    }
    found
}

/// What is wrong with a dictionary: a type that is not explained, or declared twice, so that it stands for two things; a
/// term that is explained twice, or that no type has.
fn wrong(types: &BTreeMap<String, usize>, terms: &BTreeMap<String, usize>) -> Vec<String> {
    let names: BTreeSet<&String> = types.keys().chain(terms.keys()).collect();
    (names.into_iter())
        .filter(|&name| types.get(name) != Some(&1) || terms.get(name) != Some(&1))
        .map(|name| format!("{name}: declared {:?}, explained {:?}", types.get(name), terms.get(name)))
        .collect()
}

#[test]
fn every_public_type_of_the_core_is_in_the_glossary_once() {
    let mut types = BTreeMap::new();
    declared(&Path::new(ROOT).join("src/chat"), &mut types);
    assert!(types.len() > 50, "the core has public types: {types:?}");
    let terms = explained();
    let found = wrong(&types, &terms);
    assert!(found.is_empty(), "{found:#?}");
    // The same with a type that nobody explains, one that stands for two things, and a term of nothing.
    types.insert("Gadget".to_owned(), 1);
    types.insert("Hub".to_owned(), 2);
    types.remove("Event");
    let found = wrong(&types, &terms);
    assert_eq!(found.len(), 3, "{found:#?}");
}

/// Files that are longer than 400 lines, how long they may be, and the one idea that needs it.
const LONG_FILES: &[(&str, usize, &str)] = &[
    ("src/executor/bus/redis/mod.rs", 490, "one connection of the bus, and what keeps it alive"),
    ("src/chat/port/store.rs", 520, "what may be asked of a store, and what that means, a request a variant"),
    ("src/storage/embedded.rs", 460, "one transaction a batch, and what each request is in it"),
    ("src/storage/mysql/messages.rs", 500, "one statement stores many messages: claim, insert, give back"),
    ("src/storage/mysql.rs", 440, "the link to the database, and what is done over it"),
    ("src/storage/worker/tests.rs", 465, "the worker against a store that does what the test says"),
    ("benches/store.rs", 510, "one program measures both stores"),
    ("src/chat/model/limits.rs", 435, "every bound of the core, in one page"),
    ("src/storage/embedded.rs", 460, "a request an arm"),
    ("src/storage/contract/group_rules.rs", 415, "what it means to run a group, a case each"),
    ("tests/device_sim/people.rs", 510, "a device: what it does and what it makes of what it hears"),
    ("tests/device_sim/world.rs", 520, "the loop, and all that it moves"),
    ("tests/docs.rs", 560, "each claim of the documents, and the program that checks it"),
    ("tests/mysql.rs", 600, "one MariaDB serves all of these tests"),
    ("tests/ring_nginx.rs", 505, "one nginx serves all of these tests"),
    ("tests/ring_program.rs", 485, "one program, a test a question"),
    ("tests/rules/script.rs", 760, "the language of the rules, a verb an arm"),
    ("tests/server/hostile.rs", 455, "what a client can do wrong"),
    ("tests/server/v2_hostile.rs", 460, "the same in v2"),
    ("tests/server/v2_safe.rs", 425, "what v2 promises, against the real server"),
    ("tests/sim/store.rs", 440, "the simulated store: a request an arm"),
    ("tests/wire/replies_v2.rs", 440, "each reply of v2, byte for byte"),
    ("tests/support/chatd.rs", 505, "a server for a test: start, watch, stop"),
    ("tests/support/client.rs", 440, "a client for a test"),
];

/// Functions that are longer than 60 lines, how long they may be, and the one idea that needs it.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[
    ("src/bin/chat/command.rs", "parse", 61, "a command an arm"),
    ("src/bin/chat/talk/hear.rs", "settled", 66, "an answer an arm"),
    ("src/bin/chat/talk/inside.rs", "command", 75, "a command an arm"),
    ("src/bin/chatd/settings.rs", "new", 100, "each option is checked and taken"),
    ("src/chat/hub/requests.rs", "on_session_request", 95, "a request an arm"),
    ("src/chat/hub/mutations.rs", "on_mutated", 72, "what came of a change, for whom, in this order"),
    ("src/executor/admin/api/server.rs", "continue_work", 75, "what is next for an act, an arm each"),
    ("tests/admin/api/openapi.rs", "wrong", 80, "a word of JSON Schema an arm"),
    (
        "tests/admin/api/openapi.rs",
        "the_document_is_what_the_server_does",
        75,
        "a table, and what holds for each line",
    ),
    ("src/storage/mysql/touched.rs", "rows", 95, "a request an arm"),
    ("src/storage/mysql/touched.rs", "order_keys", 70, "a request an arm"),
    ("src/chat/model/limits.rs", "default", 130, "a bound a line"),
    ("src/storage/embedded.rs", "request", 95, "a request an arm"),
    ("clients/rust/src/dialect/v2.rs", "the_server_understands_every_request", 65, "a request a line"),
    ("src/storage/mysql/batch.rs", "change", 85, "a request an arm"),
    ("perf/scenarios/bench.rs", "measure", 75, "one round: the order of its steps is what it is"),
    ("perf/report/page/timeline.rs", "charts", 80, "a chart a paragraph"),
    ("benches/store.rs", "main", 66, "a scenario a line"),
    ("benches/store.rs", "backlog", 114, "one scenario"),
    ("tests/admin/metrics.rs", "they_move_with_what_happens_and_with_nothing_else", 74, "one server's life"),
    ("tests/cluster/mysql.rs", "mysql_is_killed_and_comes_back", 71, "one story"),
    ("tests/cluster/groups.rs", "a_group_is_run_on_two_servers", 75, "one story"),
    (
        "tests/cluster/groups.rs",
        "nothing_of_somebody_muted_comes_after_the_ack_while_he_shouts_on_another_server",
        70,
        "one story",
    ),
    ("tests/rules/group_steps.rs", "answer_of_groups", 75, "a reply an arm"),
    ("tests/rules/show.rs", "show_envelope", 85, "an envelope an arm"),
    ("tests/mysql.rs", "what_waits_for_a_lock_waits_alone", 65, "one story"),
    ("tests/ring_program.rs", "what_is_wrong_with_a_configuration_or_a_question_is_said", 85, "a table"),
    ("tests/rules/script.rs", "answer", 110, "a reply an arm"),
    ("tests/rules/script.rs", "arrives", 80, "an envelope an arm"),
    ("tests/rules/script.rs", "happen", 85, "an event an arm"),
    ("tests/server/hostile.rs", "kinds", 119, "a table"),
    ("tests/rules/show.rs", "show_ask", 125, "a request an arm"),
    ("tests/sim/rest.rs", "check_rest", 83, "a promise a paragraph"),
    ("tests/sim/store.rs", "answer", 150, "a request an arm"),
];

const FOLDERS: [&str; 6] = ["src", "clients/rust", "perf", "benches", "tests", "examples"];

/// Each Rust file of the project, by its path, and its lines.
fn sources() -> BTreeMap<String, Vec<String>> {
    fn walk(folder: &Path, found: &mut BTreeMap<String, Vec<String>>) {
        for entry in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() && entry.file_name().is_some_and(|name| name != "target") {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                let path = entry.strip_prefix(ROOT).unwrap().to_string_lossy().into_owned();
                let lines = fs::read_to_string(&entry).unwrap().lines().map(str::to_owned).collect();
                found.insert(path, lines);
            }
        }
    }
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        walk(&Path::new(ROOT).join(folder), &mut found);
    }
    assert!(found.len() > 300, "{} files", found.len());
    found
}

/// The functions of a file, and how many lines each has, from `fn` to the brace that closes it: rustfmt puts that
/// where the function began.
fn functions(lines: &[String]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let mut words = line.trim_start().split(' ').skip_while(|word| {
            matches!(*word, "async" | "const" | "unsafe" | "extern" | "\"C\"") || word.starts_with("pub")
        });
        if words.next() != Some("fn") || line.ends_with([';', '}']) {
            continue;
        }
        let name = words.next().unwrap_or_default();
        let name = name.split(['(', '<']).next().unwrap_or_default().to_owned();
        let close = format!("{}}}", " ".repeat(indent));
        let end = lines[at..].iter().position(|line| {
            *line == close || line.ends_with(';') && line.starts_with(&format!("{})", " ".repeat(indent)))
        });
        found.push((name, end.unwrap_or(0) + 1));
    }
    found
}

#[test]
fn no_file_is_longer_than_its_idea_needs() {
    let mut wrong = Vec::new();
    let sources = sources();
    for (path, lines) in &sources {
        let may = LONG_FILES.iter().find(|(long, ..)| long == path).map_or(400, |(_, may, _)| *may);
        if lines.len() > may {
            wrong.push(format!("{path} has {} lines, {may} at most", lines.len()));
        }
    }
    for (path, ..) in LONG_FILES {
        if sources.get(*path).is_none_or(|lines| lines.len() <= 400) {
            wrong.push(format!("{path} is not long any more"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_function_is_longer_than_its_idea_needs() {
    let mut wrong = Vec::new();
    let mut long = Vec::new();
    for (path, lines) in &sources() {
        for (name, length) in functions(lines).into_iter().filter(|(_, length)| *length > 60) {
            let known = LONG_FUNCTIONS.iter().find(|known| known.0 == path && known.1 == name);
            if known.is_none_or(|known| length > known.2) {
                wrong.push(format!("{path}: {name} has {length} lines"));
            }
            long.push((path.clone(), name));
        }
    }
    for (path, name, ..) in LONG_FUNCTIONS {
        if !long.iter().any(|(file, function)| file == path && function == name) {
            wrong.push(format!("{path}: {name} is not long any more"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What `cargo metadata` says of everything that is built for this system.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages").clone();
    assert!(packages.len() > 100, "{} packages", packages.len());
    packages
}

/// Whether a licence may be used: one of each choice is allowed, and all that must be kept together are.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let licence = licence.replace('/', " OR ").replace(['(', ')'], "");
    // Where both occur it is `(A OR B) AND C`: what the parentheses say is what this does.
    let knows = |one: &str| allowed.iter().any(|name| name == one.trim().trim_end_matches('+'));
    licence.split(" AND ").all(|part| part.split(" OR ").any(knows))
}

/// `deny.toml`, as cargo-deny reads it: what stands in the list of this name, a string a line.
fn listed(name: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join("deny.toml")).unwrap();
    let (_, list) =
        text.split_once(&format!("\n{name} = [\n")).unwrap_or_else(|| panic!("deny.toml lists {name}"));
    let list = list.split("\n]").next().unwrap();
    list.lines()
        .filter_map(|line| Some(line.trim().strip_prefix('"')?.split('"').next()?.to_owned()))
        .collect()
}

/// What `cargo deny check licenses bans sources` checks, where cargo-deny is not at hand.
#[test]
fn what_is_depended_on_may_be_used_and_comes_from_one_place() {
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT".into(), "Unicode-3.0".into()]));
    assert!(!is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT".into()]));
    assert!(!is_allowed("GPL-3.0-only", &["MIT".into()]) && is_allowed("MIT/GPL-3.0", &["MIT".into()]));
    let (allowed, banned) = (listed("allow"), listed("deny"));
    assert!(allowed.len() > 5 && banned.len() > 3, "{allowed:?} {banned:?}");
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_allowed(licence, &allowed) {
            wrong.push(format!("{name}: the licence {licence}"));
        }
        if banned.iter().any(|banned| banned == name) {
            wrong.push(format!("{name} is banned"));
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index") {
            wrong.push(format!("{name} comes from {source:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A version, without what comes after a `-` or `+`: major, minor, patch.
fn version(text: &str) -> [u64; 3] {
    let text = text.trim().split(['-', '+']).next().unwrap();
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or_else(|_| panic!("the version {text}")));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

/// Whether a version is in a range as RustSec writes it: comparisons with commas in between, all of which hold.
fn is_in(range: &str, found: [u64; 3]) -> bool {
    range.split(',').map(str::trim).all(|part| {
        let at =
            part.find(|letter: char| letter.is_ascii_digit()).unwrap_or_else(|| panic!("the range {range}"));
        let than = version(&part[at..]);
        match part[..at].trim() {
            ">=" => found >= than,
            "<=" => found <= than,
            ">" => found > than,
            "<" => found < than,
            "=" => found == than,
            // Up to the next change of the first number that is not 0.
            "^" | "" => {
                let same = than.iter().position(|part| *part > 0).unwrap_or(2);
                found >= than && found[..=same] == than[..=same]
            }
            other => panic!("the comparison {other}"),
        }
    })
}

/// What `cargo deny check advisories` checks, from a copy of what is known.
#[test]
fn nothing_is_known_against_what_is_depended_on() {
    let versions = [(">= 0.6.8", true), ("^0.7.1", false), ("^ 0.6.2", true), ("< 0.6.9, >= 0.6.10", false)];
    for (range, is) in versions {
        assert_eq!(is_in(range, [0, 6, 9]), is, "{range}");
    }
    let known = fs::read_to_string(Path::new(ROOT).join("ops/advisories.txt")).unwrap();
    let ignored = listed("ignore");
    let (mut wrong, mut met, mut looked_at) = (Vec::new(), Vec::new(), 0);
    let packages = packages();
    for line in known.lines().filter(|line| !line.starts_with('#')) {
        let [id, name, kind, fine] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        for package in packages.iter().filter(|package| package["name"] == name) {
            looked_at += 1;
            let found = package["version"].as_str().unwrap();
            let ranges = fine.split('|').filter(|range| !range.trim().is_empty());
            if !ranges.into_iter().any(|range| is_in(range, version(found))) {
                met.push(id.to_owned());
                if !ignored.iter().any(|ignored| ignored == id) {
                    wrong.push(format!("{id}, {kind}: {name} {found}"));
                }
            }
        }
    }
    assert!(looked_at > 20, "{looked_at} advisories are about what is here");
    wrong.extend(
        ignored.into_iter().filter(|id| !met.contains(id)).map(|id| format!("{id} is ignored in vain")),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// No older compiler than the manifest says is enough, and no newer one is needed as far as others say.
#[test]
fn the_oldest_compiler_is_the_one_that_the_dependencies_need() {
    let version = |package: &serde_json::Value| -> Option<Vec<u32>> {
        let mut parts: Vec<u32> =
            package["rust_version"].as_str()?.split('.').map(|part| part.parse().unwrap()).collect();
        parts.resize(3, 0);
        Some(parts)
    };
    let packages = packages();
    let (ours, theirs): (Vec<_>, Vec<_>) = packages.iter().partition(|package| package["source"].is_null());
    let needed = theirs.into_iter().filter_map(version).max().expect("somebody says it");
    for package in ours {
        assert_eq!(version(package).as_ref(), Some(&needed), "rust-version of {}", package["name"]);
    }
}

/// The last commits' first lines; where there is no repository, as in a tarball, there is nothing to look at.
#[test]
fn subjects_of_commits_are_short() {
    let output = Command::new("git").args(["log", "--format=%h %s", "-50"]).current_dir(ROOT).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        eprintln!("SKIPPED subjects_of_commits_are_short: no git repository here");
        return;
    };
    let log = String::from_utf8(output.stdout).expect("UTF-8");
    let long: Vec<&str> = log
        .lines()
        .filter(|line| line.split_once(' ').is_some_and(|(_, subject)| subject.chars().count() > 72))
        .collect();
    assert!(long.is_empty(), "more than 72 characters: {long:#?}");
}
