//! `chat-ring` beside `nginx -t`, over hundreds of configurations that a seed makes: what nginx accepts is answered, and
//! of what nginx refuses it is said that it does, or it is refused.
//!
//! Nothing is looked up for a ring, so no host names are among them but localhost.

use chatd_testing as common;

use common::Random;
use common::scratch::Scratch;
use common::services::install;
use std::fs;
use std::path::Path;
use std::process::Command;

const CONFIGURATIONS: usize = 400;

/// Names of servers: those that nginx takes, and those that it does not.
const GOOD_NAMES: [&str; 8] = [
    "127.0.0.1:6000",
    "127.0.0.2:1",
    "127.0.0.1:65535",
    "[::1]:6004",
    "localhost:6000",
    "unix:/tmp/chat-ring.sock",
    "127.0.0.1:06000",
    "UNIX:/tmp/a:b",
];
const OTHER_NAMES: [&str; 23] = [
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:99999999999999999999",
    "127.0.0.1:",
    "127.0.0.1:6000x",
    "127.0.0.1:-1",
    "127.0.0.1:+1",
    "127.0.0.1:6000-6002",
    "127.0.0.1:6002-6000",
    ":6000",
    "\"\"",
    "http://127.0.0.1:6000",
    "127.0.0.1:6000/",
    "127.0.0.1/x",
    "127.0.0.1:6000?x",
    "::1:6004",
    "::1",
    "[::1",
    "[::1]6000",
    "[]:6000",
    "[::g]:6000",
    "unix:",
    // Without a port: for http it is 80.
    "127.0.0.1",
];
const PARAMETERS: [&str; 26] = [
    "weight=1",
    "weight=7",
    "weight=0",
    "weight=",
    "weight=-1",
    "weight=x",
    "weight=2 weight=3",
    "max_fails=0",
    "max_fails=x",
    "max_fails=",
    "fail_timeout=30s",
    "fail_timeout=1m30s",
    "fail_timeout=10",
    "fail_timeout=0",
    "fail_timeout=x",
    "fail_timeout=10ms",
    "fail_timeout=1s1m",
    "fail_timeout=",
    "max_conns=10",
    "max_conns=x",
    "down",
    "down=1",
    "backup",
    "slow_start=10s",
    "nonsense",
    "\"weight=2\"",
];
const HASHES: [&str; 26] = [
    "hash $remote_addr consistent",
    "hash $remote_addr",
    "hash ${remote_addr}x consistent",
    "hash $remote_addr:$remote_port consistent",
    "hash $binary_remote_addr",
    "hash $mapped consistent",
    "hash $named consistent",
    "hash $nosuch consistent",
    "hash $uri consistent",
    "hash $arg_k consistent",
    "hash $http_host consistent",
    "hash $cookie_x",
    "hash $protocol consistent",
    "hash $bytes_received",
    "hash $server_port consistent",
    "hash $REMOTE_ADDR consistent",
    "hash ${remote_addr consistent",
    "hash a$ consistent",
    "hash $ consistent",
    "hash ${} consistent",
    "hash $1 consistent",
    "hash constant",
    "hash",
    "hash $remote_addr inconsistent",
    "hash $remote_addr consistent more",
    "hash \"\" consistent",
];
const DIRECTIVES: [&str; 24] = [
    "least_conn",
    "least_conn x",
    "random",
    "random two",
    "random two least_conn",
    "random three",
    "ip_hash",
    "ip_hash x",
    "zone z 64k",
    "zone y 1k",
    "zone",
    "zone x x",
    "keepalive 10",
    "keepalive 0",
    "keepalive x",
    "keepalive 1; keepalive 2",
    "keepalive_timeout 10s",
    "keepalive_timeout x",
    "keepalive_requests 10",
    "keepalive_requests x",
    "nonsense 1",
    "listen 80",
    "least_conn {}",
    "server 127.0.0.1:1 {}",
];

fn pick<'a>(random: &mut Random, of: &[&'a str]) -> &'a str {
    of[random.below(of.len())]
}

/// One in so many.
fn seldom(random: &mut Random, times: usize) -> bool {
    random.below(times) == 0
}

fn server(random: &mut Random) -> String {
    let name = if seldom(random, 6) { pick(random, &OTHER_NAMES) } else { pick(random, &GOOD_NAMES) };
    let mut line = format!("server {name}");
    while seldom(random, 3) {
        line.push(' ');
        line.push_str(pick(random, &PARAMETERS));
    }
    line
}

/// The lines of an upstream's block, in an order of their own.
fn upstream(random: &mut Random) -> String {
    let count = if seldom(random, 20) { 0 } else { 1 + random.below(3) };
    let mut lines: Vec<String> = (0..count).map(|_| server(random)).collect();
    let hash = if seldom(random, 2) { pick(random, &HASHES) } else { HASHES[random.below(2)] };
    lines.insert(random.below(lines.len() + 1), hash.to_owned());
    if seldom(random, 4) {
        let line = pick(random, &DIRECTIVES).to_owned();
        lines.insert(random.below(lines.len() + 1), line);
    }
    let ended = |line: String| if line.ends_with('}') { line } else { format!("{line};") };
    lines.into_iter().map(ended).collect::<Vec<_>>().join(" ")
}

/// A configuration, and the upstream to ask about.
fn configuration(random: &mut Random) -> (String, String) {
    let module = if seldom(random, 3) { "http" } else { "stream" };
    let mut blocks = vec![format!("upstream asked {{ {} }}", upstream(random))];
    if seldom(random, 5) {
        let name = pick(random, &["other", "asked", "ASKED"]);
        blocks.push(format!("upstream {name} {{ {} }}", upstream(random)));
    }
    if seldom(random, 30) {
        blocks.push(
            pick(random, &["upstream x;", "upstream { }", "upstream a b { server 127.0.0.1:1; }"]).to_owned(),
        );
    }
    let named = match module {
        "http" => "map $uri $other { ~^(?<named>.) 1; }",
        _ => "map $remote_addr $other { ~^(?<named>.) 1; }",
    };
    let defined = format!("map $remote_addr $mapped {{ default 1; }} {named}");
    let mut conf = format!(
        "load_module {};\npid nginx.pid; error_log stderr; events {{}}\n{module} {{ {defined}\n{}\n}}\n",
        install::find("ngx_stream_module.so").expect("it was installed").display(),
        blocks.join("\n"),
    );
    if seldom(random, 30) {
        conf.push_str(&format!("{module} {{ }}\n"));
    }
    (conf, format!("{module}/asked"))
}

/// Whether nginx takes a configuration, and what it says.
fn nginx(directory: &Path) -> (bool, String) {
    let output = Command::new("nginx")
        .args(["-t", "-p"])
        .arg(directory)
        .args(["-c", "nginx.conf"])
        .output()
        .expect("nginx was installed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

/// Whether chat-ring answers, and what it notes.
fn foretell(directory: &Path, upstream: &str) -> (bool, String) {
    let output = Command::new(chatd_testing::program("chat-ring"))
        .arg("--conf")
        .arg(directory.join("nginx.conf"))
        .args(["--upstream", upstream, "get", "127.0.0.1"])
        .output()
        .expect("chat-ring runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What is wrong between the two, if anything is.
fn compare(directory: &Path, conf: &str, upstream: &str) -> (bool, Option<String>) {
    fs::write(directory.join("nginx.conf"), conf).expect("written");
    let (accepts, said) = nginx(directory);
    let (answers, notes) = foretell(directory, upstream);
    let wrong = match (accepts, answers) {
        (true, true) if notes.contains("nginx refuses") => {
            Some("chat-ring says that nginx refuses what it takes")
        }
        // Which key decides is not known where no `hash` does; that is no refusal.
        (true, false) if !notes.contains("has no `hash`") => {
            Some("chat-ring does not answer for what nginx takes")
        }
        (false, true) if notes.is_empty() => {
            Some("chat-ring answers for what nginx refuses, and notes nothing")
        }
        _ => None,
    };
    (accepts, wrong.map(|wrong| format!("{wrong}\n{conf}nginx: {said}chat-ring: {notes}")))
}

#[test]
fn what_nginx_refuses_is_refused_or_noted_and_what_it_takes_is_answered() {
    install::by_apt();
    let seed = common::seed();
    println!("CHATD_SEED={seed}");
    let mut random = Random(seed);
    let directory = Scratch::new();
    let (mut accepted, mut wrong) = (0, Vec::new());
    for _ in 0..CONFIGURATIONS {
        let (conf, upstream) = configuration(&mut random);
        let (accepts, what) = compare(directory.path(), &conf, &upstream);
        accepted += usize::from(accepts);
        wrong.extend(what);
    }
    println!("{accepted} of {CONFIGURATIONS} are taken by nginx");
    assert!(wrong.is_empty(), "{} of {CONFIGURATIONS}, seed {seed}:\n\n{}", wrong.len(), wrong.join("\n\n"));
    // A generator that makes only one sort shows nothing.
    assert!((CONFIGURATIONS / 10..CONFIGURATIONS * 9 / 10).contains(&accepted), "{accepted}");
}

/// Each part of them by itself, so that none hides behind another.
#[test]
fn every_name_parameter_key_and_directive_alone() {
    install::by_apt();
    let directory = Scratch::new();
    let module_file = install::find("ngx_stream_module.so").expect("it was installed");
    let mut wrong = Vec::new();
    for module in ["stream", "http"] {
        let mut check = |lines: &str| {
            let conf = format!(
                "load_module {};\npid nginx.pid; error_log stderr; events {{}}\n\
                 {module} {{ map $remote_addr $mapped {{ ~^(?<named>.) 1; }}\nupstream asked {{ {lines} }} }}\n",
                module_file.display()
            );
            wrong.extend(compare(directory.path(), &conf, "asked").1);
        };
        let hash = HASHES[0];
        for name in GOOD_NAMES.iter().chain(&OTHER_NAMES) {
            check(&format!("{hash}; server {name};"));
            check(&format!("{}; server {name};", HASHES[1]));
        }
        for parameter in PARAMETERS {
            check(&format!("{hash}; server 127.0.0.1:1; server 127.0.0.1:2 {parameter};"));
            check(&format!("server 127.0.0.1:1; server 127.0.0.1:2 {parameter}; {hash};"));
        }
        for hash in HASHES {
            check(&format!("{hash}; server 127.0.0.1:1;"));
        }
        for directive in DIRECTIVES {
            let end = if directive.ends_with('}') { "" } else { ";" };
            check(&format!("{directive}{end} {hash}; server 127.0.0.1:1; server 127.0.0.1:2 backup;"));
            check(&format!("{hash}; {directive}{end} server 127.0.0.1:1;"));
        }
        check(&format!("{hash};"));
        check(&format!("server 127.0.0.1:1 backup; {hash};"));
    }
    assert!(wrong.is_empty(), "{}:\n\n{}", wrong.len(), wrong.join("\n\n"));
}
