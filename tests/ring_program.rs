//! chat-ring as its user sees it: scripts, the terminal, and what it says of configurations.
//!
//! `ring_nginx` says whether it is right; this says whether it can be used.

use chatd_testing as common;

// The tests of chat use more of it.
#[allow(dead_code)]
#[path = "client/screen.rs"]
mod screen;

use common::scratch::Scratch;
use screen::{CTRL_C, CTRL_D, Setup, TAB};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

fn program() -> std::path::PathBuf {
    chatd_testing::program("chat-ring")
}

/// What a run says: its exit status, standard output, standard error.
type Said = (i32, String, String);

fn run(arguments: &[&str], input: &str) -> Said {
    let mut child = Command::new(program())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("chat-ring runs");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // A run that does not read its input closes it.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let _ = writer.join().expect("the writer ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

/// A configuration in a directory of its own.
struct Conf(Scratch);

impl Conf {
    fn new(text: &str) -> Self {
        let directory = Scratch::new();
        fs::write(directory.path().join("nginx.conf"), text).expect("written");
        Self(directory)
    }

    fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }

    fn ask(&self, arguments: &[&str]) -> Said {
        let (code, out, err) = run(&[&["--conf", &self.path("nginx.conf")], arguments].concat(), "");
        (code, out, err.replace(&self.path(""), ""))
    }

    /// What it says where it succeeds and has nothing to remark.
    fn told(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.ask(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        out
    }
}

const TWO: &str = "stream { upstream chatd { hash $remote_addr consistent; \
                   server 127.0.0.1:6000; server 127.0.0.1:6002; } }";

#[test]
fn a_script_puts_nginxs_ring_together_and_asks_it() {
    let script = "# two servers\nadd 127.0.0.1 6000 160\nadd 127.0.0.1 6002\n\nget 127.0.0.1 50000\n\
                  get 10.0.0.1 1\ngetRealNum\ngetAllNodeNum\nstatDist\ndel 127.0.0.1 6002\nget 127.0.0.1 50000\n";
    let (code, out, err) = run(&[], script);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "127.0.0.1:6000 has 160 virtual nodes\n127.0.0.1:6002 has 160 virtual nodes\n\
         127.0.0.1:50000 belongs to 127.0.0.1:6002 (by 127.0.0.1)\n\
         10.0.0.1:1 belongs to 127.0.0.1:6000 (by 10.0.0.1)\n2 servers\n320 points\n\
         server          virtual nodes   share  clients\n\
         127.0.0.1:6000            160  51.0 %        1  ████████████████████\n\
         127.0.0.1:6002            160  49.0 %        1  ███████████████████\n\
         127.0.0.1:6002 is gone\n127.0.0.1:50000 belongs to 127.0.0.1:6000 (by 127.0.0.1)\n"
    );
}

#[test]
fn the_seeds_ring_is_the_seeds() {
    let script = "add 127.0.0.1 6000 4\nadd Chat-A.example 6002 3\ngetVirNum 127.0.0.1 6000\nshowTime\n\
                  getAllNodeNum\nget Chat-A.example 6002\nq\nnot reached";
    let (code, out, err) = run(&["--ring", "seed"], script);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "127.0.0.1:6000 has 4 virtual nodes\nChat-A.example:6002 has 3 virtual nodes\n\
         127.0.0.1:6000 has 4 virtual nodes\n  c8bb50ca 5c767035 e84b127f 646b443b\n\
         1bb3fb29 127.0.0.1:6000\n33836421 Chat-A.example:6002\n5c767035 127.0.0.1:6000\n\
         646b443b 127.0.0.1:6000\n95a311eb Chat-A.example:6002\na356ef1e Chat-A.example:6002\n\
         c8bb50ca 127.0.0.1:6000\nd8fb1e9d Chat-A.example:6002\ne84b127f 127.0.0.1:6000\n9 points\n\
         Chat-A.example:6002 belongs to 127.0.0.1:6000\n"
    );
}

#[test]
fn what_the_original_died_of_gets_a_sentence() {
    let script = "get 10.0.0.1 1\nshowTime\nstatDist\ngetAllNodeNum\ndel 127.0.0.1 6000\nadd 127.0.0.1 6000\n\
                  add 127.0.0.1 6000\nadd 127.0.0.1 sixty\nfly\ngetVirNum a 1\nadd a 1 4000000000\nadd b 1 100";
    let (code, out, err) = run(&[], script);
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "0 points\n127.0.0.1:6000 has 160 virtual nodes\nb:1 has 100 virtual nodes\n  \
         (no weight gives as many: weight=1 gives 160)\n"
    );
    assert_eq!(
        err,
        "chat-ring: line 1: the ring is empty: add a server first\n\
         chat-ring: line 2: the ring is empty: add a server first\n\
         chat-ring: line 3: the ring is empty: add a server first\n\
         chat-ring: line 5: there is no server 127.0.0.1:6000; there is none\n\
         chat-ring: line 7: 127.0.0.1:6000 is there already: del it first\n\
         chat-ring: line 8: sixty is no port: those go from 1 to 65535\n\
         chat-ring: line 9: no such command: fly (h shows them)\n\
         chat-ring: line 10: there is no server a:1; there is 127.0.0.1:6000\n\
         chat-ring: line 11: 4000000000 are too many: a ring has 67,108,864 points at most\n"
    );
}

#[test]
fn any_bytes_are_a_script() {
    let mut random = common::Random(7);
    let pieces =
        ["add ", "del ", "get ", "a", " 1", "\u{1b}[2J", "\n", "é", "getVirNum ", "statDist", "  ", "99999"];
    let script: String = (0..4_000).map(|_| pieces[random.below(pieces.len())]).collect();
    let (code, out, err) = run(&[], &script);
    assert_eq!(code, 1);
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "nothing gets to the terminal as it came");
}

#[test]
fn on_a_terminal_it_edits_completes_remembers_and_ends_with_its_input() {
    let state = Scratch::new();
    let mut screen = Setup::of(program()).state(state.path()).start();
    screen.see("nginx's ring, by $remote_addr");
    screen.see_last("ring>");
    screen.line("add Chat.example 6000 160");
    screen.see("Chat.example:6000 has 160 virtual nodes");
    // What is pasted may be several lines.
    screen.type_text("\x1b[200~add b 1\rnonsense\x1b[201~");
    screen.see_last("nonsense");
    screen.line("");
    screen.see("b:1 has 160 virtual nodes");
    screen.see("no such command: nonsense (h shows them)");
    screen.see_last("ring>");
    screen.type_text(&format!("getV{TAB}"));
    screen.see_last("ring> getVirNum");
    screen.type_text(&format!(" ch{TAB}"));
    screen.see_last("ring> getVirNum Chat.example 6000");
    screen.line("");
    screen.see("Chat.example:6000 has 160 virtual nodes\n  b81d2709 c2c16f44");
    screen.see_last("ring>");
    screen.type_text("half a li");
    screen.see_last("ring> half a li");
    screen.type_text(CTRL_C);
    screen.see_last("ring>");
    screen.type_text(CTRL_D);
    assert_eq!(screen.end(), 0, "the end of the input is the end");
    let mut again = Setup::of(program()).state(state.path()).start();
    again.see_last("ring>");
    again.type_text("\x1b[A");
    again.see_last("ring> getVirNum Chat.example 6000");
    again.line("");
    again.see("there is no server Chat.example:6000; there is none");
    again.line("q");
    assert_eq!(again.end(), 0);
}

#[test]
fn get_says_where_and_where_next() {
    let conf = Conf::new(TWO);
    assert_eq!(
        conf.told(&["get", "127.0.0.1", "10.0.0.1", "2001:db8::1234:5678", ""]),
        "127.0.0.1        127.0.0.1:6002  then 127.0.0.1:6000\n\
         10.0.0.1         127.0.0.1:6000  then 127.0.0.1:6002\n\
         2001:db8::1234:5678  127.0.0.1:6000  then 127.0.0.1:6002\n\
         \u{20}                round robin\n"
    );
    assert_eq!(
        conf.told(&["get", "127.0.0.1", "--down", "127.0.0.1:6002"]),
        "127.0.0.1        127.0.0.1:6000\n"
    );
    let both = ["get", "127.0.0.1", "--down", "127.0.0.1:6002", "--down", "127.0.0.1:6000"];
    assert_eq!(conf.told(&both), "127.0.0.1        nobody\n");
    fs::write(conf.path("log"), "\n  10.0.0.1 - - [x] \"GET\"\n\n127.0.0.1\n").expect("written");
    assert_eq!(
        conf.told(&["get", "--tsv", "--keys", &conf.path("log")]),
        "10.0.0.1\t127.0.0.1:6000\t127.0.0.1:6002\n127.0.0.1\t127.0.0.1:6002\t127.0.0.1:6000\n"
    );
}

#[test]
fn share_says_who_has_how_much_and_draws_it() {
    let conf = Conf::new(TWO);
    let out = conf.told(&["share", "--svg", &conf.path("share.svg")]);
    let begins = "upstream chatd in stream: hash $remote_addr consistent, 2 servers, 320 points\n\n\
                  \u{20}  server          weight  points   share  of its due\n\
                  A  127.0.0.1:6000       1     160  51.0 %       102 %  ██████████████████████████████\n\
                  B  127.0.0.1:6002       1     160  49.0 %        98 %  ████████████████████████████\n\n";
    let picture = out.strip_prefix(begins).unwrap_or_else(|| panic!("{out}"));
    let letters = |letter: char| picture.matches(letter).count();
    assert_eq!(letters('A') + letters('B'), picture.chars().filter(|c| !c.is_whitespace()).count());
    assert!(letters('A').abs_diff(letters('B')) < 60, "{picture}");
    let svg = fs::read_to_string(conf.path("share.svg")).expect("drawn");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("51.0 %"));
    assert!(svg.matches("<path").count() > 100, "each part of the ring is there");
}

#[test]
fn moves_says_how_much_and_which_and_draws_it() {
    let conf = Conf::new(TWO);
    let out = conf.told(&["moves", "--add", "127.0.0.1:6004", "--svg", &conf.path("moves.svg")]);
    let begins = "upstream chatd in stream: hash $remote_addr consistent, 2 servers, 320 points\n  \
                  + 127.0.0.1:6004\n\n\
                  of the whole ring, 37.7 % moves; 33.3 % has to, for everybody to get their due\n  \
                  127.0.0.1:6000  →  127.0.0.1:6004  19.0 %\n  127.0.0.1:6002  →  127.0.0.1:6004  18.7 %\n\n";
    let picture = out.strip_prefix(begins).unwrap_or_else(|| panic!("{out}"));
    assert!(picture.ends_with("\n· stays   C goes to 127.0.0.1:6004\n"), "{picture}");
    assert!(fs::read_to_string(conf.path("moves.svg")).expect("drawn").contains("37.7 %"));
}

#[test]
fn moves_of_a_file_are_those_of_its_keys() {
    let conf = Conf::new(TWO);
    let keys: String = (0..500).map(|n| format!("10.0.{}.{}\n", n / 250, n % 250)).collect();
    fs::write(conf.path("log"), keys.repeat(2)).expect("written");
    let change = ["--add", "127.0.0.1:6004:2"];
    let listed = conf.told(&[&["moves", "--keys", &conf.path("log"), "--list"], &change[..]].concat());
    let get = |more: &[&str]| conf.told(&[&["get", "--tsv", "--keys", &conf.path("log")], more].concat());
    let first = |line: &str| line.split('\t').take(2).map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (get(&[]), get(&change));
    let moved =
        before.lines().zip(after.lines()).take(500).map(|(before, after)| (first(before), first(after)));
    let moved: String = moved
        .filter(|(before, after)| before[1] != after[1])
        .map(|(before, after)| format!("{}\t{}\t{}\n", before[0], before[1], after[1]))
        .collect();
    assert_eq!(listed, moved, "each once, in the order of the file");
    let count = moved.lines().count();
    let told = conf.told(&[&["moves", "--keys", &conf.path("log")], &change[..]].concat());
    let sentence = format!("of 500 different keys in {}, {count} move ", conf.path("log"));
    assert!(
        told.contains(&sentence) && told.contains(&format!("of its 1,000 lines, {} move ", 2 * count)),
        "{told}"
    );
}

#[test]
fn weights_and_servers_that_leave_are_changes_too() {
    let conf = Conf::new(TWO);
    let told = conf.told(&["moves", "--weight", "127.0.0.1:6000:3"]);
    assert!(told.contains("\n  127.0.0.1:6000 weight 1 → 3\n") && told.contains("25.0 % has to"), "{told}");
    let told = conf.told(&["moves", "--del", "127.0.0.1:6002"]);
    assert!(
        told.contains("\n  − 127.0.0.1:6002\n\nof the whole ring, 49.0 % moves; 50.0 % has to"),
        "{told}"
    );
    let told = conf.told(&["moves", "--down", "127.0.0.1:6000"]);
    assert!(told.contains("\n  127.0.0.1:6000 down\n\nof the whole ring, 51.0 % moves"), "{told}");
}

#[test]
fn plain_hash_has_no_ring_and_moves_nearly_all() {
    let conf = Conf::new(&TWO.replace(" consistent", ""));
    let told = conf.told(&["moves", "--add", "127.0.0.1:6004"]);
    assert!(told.contains("of 1,048,576 addresses, 66.7 % moves; 33.3 % has to"), "{told}");
    let (code, out, err) = conf.ask(&["share", "--svg", &conf.path("none.svg")]);
    assert!(out.contains("A  127.0.0.1:6000       1       –  50.0 %       100 %"), "{out}");
    assert_eq!(
        (code, err.as_str()),
        (1, "chat-ring: there is no ring to draw: this upstream has `hash` without `consistent`\n")
    );
}

#[test]
fn emit_keeps_what_is_not_changed() {
    let conf = Conf::new(
        "http { upstream a { zone z 64k; server a:1 max_fails=3 fail_timeout=30s; # first\n\
         server b:1 weight=5 max_fails=3 fail_timeout=30s down; server c:1 backup; hash \"$uri x\" consistent; } }",
    );
    assert_eq!(
        conf.told(&["emit", "--add", "d:1:2", "--weight", "a:1=4", "--up", "b:1"]),
        "upstream a {\n    zone z 64k;\n    server a:1 weight=4 max_fails=3 fail_timeout=30s;\n    \
         server b:1 weight=5 max_fails=3 fail_timeout=30s;\n    \
         server d:1 weight=2 max_fails=3 fail_timeout=30s;\n    server c:1 backup;\n    \
         hash \"$uri x\" consistent;\n}\n"
    );
}

#[test]
fn the_upstream_that_is_meant_is_found_or_asked_for() {
    let conf = Conf::new(
        "http { upstream one { server a:1; } upstream two { hash $uri; server b:1; } upstream both { server c:1; } }\n\
         stream { upstream both { hash $remote_addr consistent; server d:1; } }",
    );
    let get = |arguments: &[&str]| conf.ask(&[&["get", "k"], arguments].concat());
    let all = "There are http/one, http/two, http/both, stream/both";
    assert_eq!(get(&[]).2, format!("chat-ring: nginx.conf: which upstream, with --upstream? {all}\n"));
    assert_eq!(
        get(&["--upstream", "both"]).2,
        format!("chat-ring: nginx.conf: which upstream, with --upstream? {all}\n")
    );
    let none = "chat-ring: nginx.conf: there is no upstream three; there are";
    assert!(get(&["--upstream", "three"]).2.starts_with(none));
    assert_eq!(get(&["--upstream", "stream/both"]).1, "k                d:1\n");
    let (code, _, err) = get(&["--upstream", "one"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("chat-ring: nginx.conf:1: upstream one has no `hash`: no key decides"), "{err}");
    assert_eq!(get(&["--upstream", "one", "--hash", "$remote_addr consistent"]).1, "k                a:1\n");
}

#[test]
fn what_is_wrong_with_a_configuration_or_a_question_is_said() {
    for (conf, arguments, told) in [
        ("stream {", &["get", "k"][..], "nginx.conf:1: the file ends where \"}\" has to come"),
        ("events { }", &["get", "k"], "nginx.conf: there is no upstream"),
        (
            "stream { upstream a { hash $remote_addr; } }",
            &["get", "k"],
            "nginx.conf:1: upstream a: there is no server (backup servers do not count)",
        ),
        (
            "stream { upstream a { hash $k; server a:1 weight=0; } }",
            &["get", "k"],
            "nginx.conf:1: weight=0: a weight is a number from 1 on",
        ),
        (
            "stream { upstream a { hash $k x; server a:1; } }",
            &["get", "k"],
            "nginx.conf:1: not a line that nginx takes: hash $k x",
        ),
        (TWO, &["get"], "get what? Name keys, or a file of them with --keys"),
        (
            TWO,
            &["get", "--keys", "/nowhere"],
            "/nowhere cannot be read: No such file or directory (os error 2)",
        ),
        (TWO, &["moves"], "nothing changes: say what, with --add, --del, --weight, --down or --up"),
        (
            TWO,
            &["moves", "--add", "127.0.0.1:6000"],
            "127.0.0.1:6000 is there already: --weight 127.0.0.1:6000:N changes it",
        ),
        (TWO, &["moves", "--add", "name"], "--add name: it is written HOST:PORT or HOST:PORT:WEIGHT"),
        (
            TWO,
            &["moves", "--add", "::1:6004"],
            "::1:6004: an IPv6 address stands in brackets: [::1]:6000, [::1]:6000:2",
        ),
        (
            TWO,
            &["moves", "--del", "x:1"],
            "upstream chatd has no server x:1; it has 127.0.0.1:6000, 127.0.0.1:6002",
        ),
        (
            TWO,
            &["moves", "--weight", "127.0.0.1:6000"],
            "--weight 127.0.0.1:6000: it is written HOST:PORT:WEIGHT",
        ),
        (TWO, &["share", "--weight", "127.0.0.1:6000:0"], "weight=0: a weight is a number from 1 on"),
        (
            TWO,
            &["share", "--weight", "127.0.0.1:6000:4000000000"],
            "nginx.conf:1: upstream chatd: the weights are too large: more than 67 million points",
        ),
        (
            TWO,
            &["share", "--svg", "/nowhere/x.svg"],
            "/nowhere/x.svg cannot be written: No such file or directory (os error 2)",
        ),
        (TWO, &["get", "k", "--hash", "a b c"], "--hash 'a b c': it is written KEY or KEY consistent"),
        (
            TWO,
            &["get", "k\x1b[2J", "--hash", "$binary_remote_addr consistent"],
            "k\\u{1b}[2J: $binary_remote_addr takes an address",
        ),
    ] {
        let (code, _, err) = Conf::new(conf).ask(arguments);
        assert_eq!((code, err), (1, format!("chat-ring: {told}\n")), "{arguments:?}");
    }
    let noted = Conf::new(
        "stream { upstream a { hash $k consistent; server a; server b:1 backup resolve; hash $l; server c:1; } }",
    );
    let (code, out, err) = noted.ask(&["get", "k", "--hash", "$l consistent"]);
    assert_eq!((code, out.split_whitespace().next()), (0, Some("k")));
    assert_eq!(
        err,
        "chat-ring: nginx.conf:1: nginx refuses $k in stream: no such variable, unless a module brings it\n\
         chat-ring: nginx.conf:1: nginx refuses a in stream: it has no port\n\
         chat-ring: nginx.conf:1: resolve is nothing that chat-ring reckons with\n\
         chat-ring: nginx.conf:1: nginx refuses `backup` after `hash`\n\
         chat-ring: nginx.conf:1: a second `hash`: nginx takes this one\n\
         chat-ring: nginx.conf:1: nginx refuses $l in stream: no such variable, unless a module brings it\n"
    );
    assert_eq!(run(&["--conf", "x"], "").0, 2);
    assert_eq!(run(&["get", "k"], "").0, 2);
}

#[test]
fn who_has_read_enough_may_leave() {
    let conf = Conf::new(TWO);
    let keys: String = (0..100_000).map(|n| format!("key{n}\n")).collect();
    fs::write(conf.path("keys"), keys).expect("written");
    let shell = format!(
        "'{}' --conf '{}' get --keys '{}' | head -1",
        program().display(),
        conf.path("nginx.conf"),
        conf.path("keys")
    );
    let output = Command::new("bash").args(["-o", "pipefail", "-c", &shell]).output().expect("bash runs");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

/// The fenced blocks of the documentation in this language.
fn blocks(language: &str) -> Vec<String> {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/chat-ring.md")).expect("it is there");
    let begin = format!("```{language}\n");
    text.split(&begin)
        .skip(1)
        .map(|rest| rest.split("```").next().expect("split gives one").to_owned())
        .collect()
}

#[test]
fn what_the_documentation_shows_is_what_it_says() {
    let [conf] = &blocks("nginx")[..] else { panic!("one configuration") };
    let conf = Conf::new(conf);
    let shown = blocks("console");
    assert!(shown.len() >= 4);
    let program = program();
    let programs = program.parent().expect("a directory");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    for block in shown {
        let (command, output) = block.split_once('\n').expect("a command and its output");
        let command = command.strip_prefix("$ ").expect("a command");
        let mut shell = Command::new("bash");
        let ran = shell
            .args(["-c", command])
            .current_dir(conf.path(""))
            .env("PATH", &path)
            .output()
            .expect("bash runs");
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{command}");
        assert_eq!(String::from_utf8_lossy(&ran.stdout), output, "{command}");
    }
    // The picture is the one that is drawn.
    conf.told(&["moves", "--add", "127.0.0.1:6004", "--svg", &conf.path("moves.svg")]);
    let drawn = fs::read_to_string(conf.path("moves.svg")).expect("drawn");
    let shown =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/chat-ring.svg")).expect("it is there");
    assert!(drawn == shown, "docs/chat-ring.svg is not what `moves --svg` draws now");
}

#[test]
fn the_commands_of_the_documentation_are_those_of_the_shell() {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/chat-ring.md")).expect("it is there");
    let (_, section) = text.split_once("\n## The shell\n").expect("a section on the shell");
    let shown = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let shown: Vec<String> = shown
        .filter_map(|line| {
            let (command, rest) = line.split_once('`')?;
            let (_, what) = rest.split_once("| ")?;
            Some(format!("{command} {}", what.trim_end_matches(" |")))
        })
        .collect();
    let (_, help, _) = run(&[], "h\n");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(help.lines().map(words).collect::<Vec<_>>(), shown);
}
