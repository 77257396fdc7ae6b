//! What the documentation says is true: its conversations happen, its tables are those of the code.
//!
//! Reads the Markdown of the project and the sources that it speaks of; starts the real server on a
//! free port and in a directory of its own. Needs no network.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A chatd of this test's own. Killed and cleaned up after when dropped.
struct Server {
    child: Child,
    data: PathBuf,
    screen: Vec<String>,
    address: String,
}

impl Server {
    fn start(name: &str) -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&data);
        let mut child = Command::new(env!("CARGO_BIN_EXE_chatd"))
            .args(["--cores", "2", "--port", "0", "--admin", "127.0.0.1:0", "--data"])
            .arg(&data)
            .env_remove("CHATD_MYSQL")
            .env_remove("CHATD_REDIS")
            .stdout(Stdio::piped())
            .spawn()
            .expect("chatd starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (lines, shown) = mpsc::channel();
        // Ends with chatd, which has the other end of the pipe.
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
        let mut server = Self { child, data, screen: Vec::new(), address: String::new() };
        while server.address.is_empty() {
            let line = shown.recv_timeout(PATIENCE).expect("chatd says that it is ready");
            if let Some(address) = line.strip_prefix("ready ") {
                server.address = address.to_owned();
            }
            server.screen.push(line);
        }
        server
    }

    fn connect(&self) -> Terminal {
        let stream = TcpStream::connect(&self.address).expect("it says that it is ready");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Terminal(BufReader::new(stream))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// What `nc` is to a reader of the documentation.
struct Terminal(BufReader<TcpStream>);

impl Terminal {
    fn type_line(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("the server reads");
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer comes");
        line.trim_end_matches('\n').to_owned()
    }

    /// Says no more, and takes in what else there is until the server closes.
    fn rest(mut self) -> String {
        self.0.get_ref().shutdown(Shutdown::Write).expect("it is open");
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the server closes");
        rest
    }
}

/// The lines of all fenced blocks of `file`, without the fences, with their line numbers.
fn fenced(file: &str) -> Vec<(usize, String)> {
    let mut within = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text(file).lines()) {
        if line.starts_with("```") {
            within = !within;
        } else if within {
            lines.push((number, line.to_owned()));
        }
    }
    lines
}

/// What is another's every time: for each message id and token that a document shows, the real one.
#[derive(Default)]
struct Learned(HashMap<String, String>);

impl Learned {
    /// Where a frame has the ids of messages and devices, and tokens.
    fn values(frame: &str) -> Vec<&str> {
        let mut found: Vec<(usize, &str)> = Vec::new();
        for key in ["\"mid\":\"", "\"cid\":\"mid:", "\"token\":\"", "\"id\":\""] {
            for (at, _) in frame.match_indices(key) {
                let value = &frame[at + key.len()..];
                found.push((at, &value[..value.find('"').expect("a string ends")]));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// Learns from what was shown and what was heard instead. What is shown twice must be heard
    /// twice.
    fn learn(&mut self, shown: &str, heard: &str) {
        for (shown, heard) in Self::values(shown).into_iter().zip(Self::values(heard)) {
            let known = self.0.entry(shown.to_owned()).or_insert_with(|| heard.to_owned());
            assert_eq!(known, heard, "{shown} is shown for two different ones");
            assert!(!heard.is_empty(), "{shown} is nothing");
        }
    }

    /// What is shown, with what is real.
    fn real(&self, shown: &str) -> String {
        self.0.iter().fold(shown.to_owned(), |line, (shown, real)| line.replace(shown, real))
    }
}

/// Times are other ones every time too: their digits become `0`.
fn without_times(frame: &str) -> String {
    ["\"ts\":", "\"created\":", "\"used\":"]
        .iter()
        .fold(frame.to_owned(), |frame, key| without_time(&frame, key))
}

fn without_time(frame: &str, key: &str) -> String {
    let mut parts = frame.split(key);
    let mut plain = parts.next().expect("split gives one at least").to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        assert!(rest.len() < part.len(), "{key} without a number: {frame}");
        plain.push_str(key);
        plain.push('0');
        plain.push_str(rest);
    }
    plain
}

/// Has the conversation of a document with a fresh server: `who > what` is said, `who < what` is
/// heard, and nothing else is heard by anybody.
fn converse(file: &str, name: &str) {
    let server = Server::start(name);
    let mut terminals: HashMap<String, Terminal> = HashMap::new();
    let mut learned = Learned::default();
    let mut lines = 0;
    let mut said = String::new();
    for (number, line) in fenced(file) {
        let spoken = line.split_once(" > ").map(|(who, what)| (who, '>', what));
        let heard = line.split_once(" < ").map(|(who, what)| (who, '<', what));
        let word = |who: &str| !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_lowercase());
        let Some((who, way, what)) = spoken.or(heard).filter(|(who, ..)| word(who)) else { continue };
        lines += 1;
        let terminal = terminals.entry(who.to_owned()).or_insert_with(|| server.connect());
        if way == '>' {
            said = learned.real(what);
            terminal.type_line(&said);
        } else {
            let mut heard = terminal.next_line();
            let began = Instant::now();
            // What was said is found a little later.
            while heard.contains("\"msgid\":58")
                && without_times(&heard) != without_times(&learned.real(what))
            {
                assert!(began.elapsed() < PATIENCE, "{file}:{number}: {heard}");
                terminal.type_line(&said);
                heard = terminal.next_line();
            }
            learned.learn(what, &heard);
            assert_eq!(without_times(&heard), without_times(&learned.real(what)), "{file}:{number}");
        }
    }
    assert!(lines > 10, "{file} has a conversation");
    for (who, terminal) in terminals {
        assert_eq!(terminal.rest(), "", "{file}: what {who} hears besides");
    }
}

#[test]
fn the_conversation_of_the_readme_happens_as_written() {
    converse("README.md", "readme");
}

#[test]
fn the_examples_of_the_protocol_happen_as_written() {
    converse("docs/protocol.md", "protocol");
}

#[test]
fn the_start_up_screen_is_as_shown() {
    let server = Server::start("screen");
    let data = server.data.display().to_string();
    let plain = |line: &str| {
        let line = line.replace(&data, "./chatd-data");
        let digits = |c: char| c.is_ascii_digit();
        let mut plain = String::new();
        for c in line.chars() {
            if !digits(c) {
                plain.push(c);
            } else if !plain.ends_with('#') {
                plain.push('#');
            }
        }
        plain
    };
    let real: Vec<String> =
        server.screen.iter().filter(|line| !line.starts_with("  warning")).map(|line| plain(line)).collect();
    let shown: Vec<String> = fenced("README.md")
        .into_iter()
        .map(|(_, line)| line)
        .skip_while(|line| !line.starts_with("chatd "))
        .take_while(|line| line.starts_with("chatd ") || line.starts_with("  ") || line.starts_with("ready "))
        .collect();
    assert_eq!(shown.first().map(String::as_str), Some(concat!("chatd ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(shown.iter().map(|line| plain(line)).collect::<Vec<_>>(), real);
}

/// The rows of all tables of a document whose first cell begins with a name in backticks: that
/// name's first word, and all cells.
fn rows(file: &str) -> Vec<(String, Vec<String>)> {
    let text = text(file);
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let line = line.replace("\\|", "\0");
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().replace('\0', "|"));
        let cells: Vec<String> = cells.collect();
        let name = cells[0].trim_start_matches('`').split(['`', ' ']).next().unwrap_or_default();
        (name.to_owned(), cells)
    })
    .collect()
}

#[test]
fn the_options_of_the_readme_are_those_of_the_server() {
    let help = Command::new(env!("CARGO_BIN_EXE_chatd")).arg("--help").output().expect("chatd runs");
    let help = String::from_utf8(help.stdout).expect("help is UTF-8");
    let names = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let names: BTreeSet<&str> = names.filter(|name| !is_clap(name)).collect();
    let table = rows("README.md");
    let shown: BTreeMap<&str, &Vec<String>> =
        table.iter().filter_map(|(name, cells)| name.strip_prefix("--").map(|name| (name, cells))).collect();
    assert_eq!(shown.keys().copied().collect::<BTreeSet<_>>(), names, "options of README.md and --help");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, cells) in shown {
        let usage = cells[0].trim_matches('`');
        // What takes no value is off until it is said.
        let Some((_, value)) = usage.split_once(' ') else {
            assert!(cells[1] == "off" && help.contains(&format!("--{name} ")), "--{name} takes no value");
            assert!(!help.contains(&format!("--{name} <")), "--help has --{name} with a value");
            continue;
        };
        let told = help.split(&format!("--{name} <{value}>")).nth(1);
        let told = told.unwrap_or_else(|| panic!("--help has {usage} with another value"));
        let told = told.split(" --").next().expect("split gives one at least");
        let has_default = told.contains(&format!("[default: {}]", cells[1]));
        let has_none = cells[1] == "none" && !told.contains("[default");
        assert!(has_default || has_none, "the default of --{name} in --help: {told}");
    }
}

/// What every program has.
fn is_clap(name: &str) -> bool {
    matches!(name, "help" | "version")
}

/// The defaults of the limits, as the code writes them.
fn limits() -> BTreeMap<String, u64> {
    let code = text("src/chat/model/limits.rs");
    let (_, code) = code.split_once("impl Default for Limits").expect("limits have defaults");
    let value = |text: &str| -> u64 {
        let number = |text: &str| text.trim().replace('_', "").parse::<u64>().expect("a number");
        match text.split_once("<<") {
            Some((number_, shift)) => number(number_) << number(shift),
            None => number(text),
        }
    };
    code.lines()
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(": "))
        .map(|(name, text)| (name.to_owned(), value(text)))
        .collect()
}

/// `64 KiB`, `1,000`, `30 s` as the code's units have it: bytes, milliseconds, or just a number.
fn quantity(cell: &str, name: &str) -> u64 {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("{name}: {cell}"));
    number
        * match unit {
            "" | "ms" | "bytes" => 1,
            "s" => 1_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            other => panic!("{name}: the unit {other}"),
        }
}

#[test]
fn the_limits_are_those_of_the_code_and_all_of_them_are_written_down() {
    let real = limits();
    assert!(real.len() > 20, "limits.rs is read: {real:?}");
    let mut missing: BTreeSet<&String> = real.keys().collect();
    for file in ["docs/protocol.md", "docs/design/limits.md"] {
        for (name, cells) in rows(file) {
            let Some(value) = real.get(&name) else { continue };
            assert_eq!(quantity(&cells[1], &name), *value, "{file}: {name}");
            missing.remove(&name);
        }
    }
    assert!(missing.is_empty(), "limits that no document tells of: {missing:?}");
}

#[test]
fn every_errno_is_in_the_protocol() {
    let code = text("src/chat/wire/code.rs");
    let protocol = text("docs/protocol.md");
    let (_, table) = protocol.split_once("\n## errno\n").expect("a section on errno");
    let (table, _) = table.split_once("\n## ").expect("and another after it");
    let real = code.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "));
    let real: BTreeSet<&str> = real.map(|(_, number)| number).chain(["0"]).collect();
    let shown: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(' '))
        .map(|(number, _)| number)
        .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    assert_eq!(shown, real);
}

/// All documents of the project.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root().to_path_buf()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the project") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "chatd-data" {
                todo.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// A document without its fenced blocks and code spans.
fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a document");
    let outside = text.split("```").step_by(2).collect::<String>();
    outside.split('`').step_by(2).collect()
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn relative_links_lead_somewhere() {
    let documents = documents();
    assert!(documents.len() >= 5, "{documents:?}");
    for path in documents {
        for link in prose(&path).split("](").skip(1) {
            let link = link.split(')').next().expect("split gives one at least");
            if link.contains("://") {
                continue;
            }
            let (file, section) = link.split_once('#').map_or((link, None), |(file, to)| (file, Some(to)));
            let target =
                if file.is_empty() { path.clone() } else { path.parent().expect("a file").join(file) };
            assert!(target.exists(), "{}: a link to {link}", path.display());
            if let Some(section) = section {
                let text = fs::read_to_string(&target).expect("a section of a document");
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let found =
                    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|name| name == section);
                assert!(found, "{}: a link to {link}", path.display());
            }
        }
    }
}

#[test]
fn every_dependency_has_its_line_and_no_line_is_left_over() {
    let manifest = text("Cargo.toml");
    let mut real = BTreeSet::new();
    let mut within = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line == "[workspace.dependencies]";
        } else if let Some((name, _)) = line.split_once(" =").filter(|_| within && is_foreign(line)) {
            real.insert(name.to_owned());
        }
    }
    let architecture = text("ARCHITECTURE.md");
    let (_, section) = architecture.split_once("\n## Dependencies\n").expect("a section on dependencies");
    let section = section.split("\n## ").next().expect("split gives one at least");
    let shown: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(shown, real, "dependencies of ARCHITECTURE.md and Cargo.toml");
}

/// Not a comment, and not one of our own crates.
fn is_foreign(line: &str) -> bool {
    !line.starts_with('#') && !line.contains("path = ")
}

/// Whether a report is there, and says something.
fn is_report(name: &str) -> bool {
    fs::metadata(root().join("perf/reports").join(name)).is_ok_and(|file| file.len() > 0)
}

/// No report, no claim: what is said of performance names its report, and no report lies about unnamed.
#[test]
fn each_figure_has_a_report_that_says_something() {
    let document = text("docs/performance.md");
    let mut named = BTreeSet::new();
    // Files that are named, and those that are linked to.
    let spans = document.split('`').skip(1).step_by(2);
    let links = document.split("](../perf/reports/").skip(1).filter_map(|link| link.split(')').next());
    for name in spans.chain(links).map(|name| name.trim_start_matches("perf/reports/")) {
        let ending =
            name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty() && !stem.contains(['/', ' ', '…']));
        if ending.is_some_and(|(_, ending)| matches!(ending, "txt" | "json" | "html" | "hgrm" | "hlog")) {
            assert!(is_report(name), "docs/performance.md names {name}, which says nothing");
            named.insert(name.rsplit_once('.').expect("it has one").0.to_owned());
        }
    }
    let (_, targets) = document.split_once("\n## Targets\n").expect("a section on targets");
    let targets = targets.split("\n## ").next().expect("split gives one at least");
    for row in targets.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let place = row.trim_end_matches(" |").rsplit("| ").next().expect("a row has cells");
        let report = place.split('`').nth(1).unwrap_or_else(|| panic!("no report is named for: {row}"));
        let stem = report.trim_end_matches(".txt").trim_end_matches('…');
        assert!(named.iter().any(|name| name.starts_with(stem)), "no report for: {row}");
    }
    for report in fs::read_dir(root().join("perf/reports")).expect("reports") {
        let path = report.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let Some((stem, _)) = name.rsplit_once('.') else { continue };
        assert!(is_report(name), "perf/reports/{name} is empty");
        assert!(named.contains(stem), "docs/performance.md does not name perf/reports/{name}");
    }
}

/// Files and tests that these documents name are there.
#[test]
fn files_and_tests_that_are_named_exist() {
    let mut tests = 0;
    for file in [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/guarantees.md",
        "docs/design/invariants.md",
        "docs/design/files.md",
        "docs/design/login.md",
        "docs/design/backlog.md",
        "docs/design/groups.md",
        "docs/design/presence.md",
        "docs/design/bus.md",
        "docs/design/store.md",
        "docs/design/sockets.md",
        "docs/design/failures.md",
    ] {
        let mut last: Option<String> = None;
        for line in text(file).lines() {
            // A test is named after its file, in the same row, item of a numbered list, or paragraph.
            if line.is_empty() || line.starts_with(|first: char| first == '|' || first.is_ascii_digit()) {
                last = None;
            }
            for span in line.split('`').skip(1).step_by(2) {
                let is_path = span.contains('/') && !span.contains([' ', '*', '{', '<', '$', ':']);
                if is_path && span.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    assert!(root().join(span).exists(), "{file} names {span}");
                    last = span.ends_with(".rs").then(|| text(span));
                } else if let Some(source) = last.as_ref().filter(|_| is_test_name(span)) {
                    assert!(source.contains(&format!("fn {span}(")), "{file} names the test {span}: {line}");
                    tests += 1;
                }
            }
        }
    }
    assert!(tests > 10, "the invariants name their tests");
}

/// Tests are named by sentences. (Metrics are not, and look alike.)
fn is_test_name(span: &str) -> bool {
    !span.starts_with("chatd_")
        && span.matches('_').count() >= 2
        && span.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
