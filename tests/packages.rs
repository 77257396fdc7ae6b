//! The Debian package: built of what was compiled, installed into a directory of its own, run, upgraded, removed, purged.
//!
//! What systemd would do is not done here: where it is, its own tools look at the service.

use chatd_testing as common;

use common::chatd::Setup;
use common::scratch::Scratch;
use common::services::install::packages_by_apt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}\n{}", String::from_utf8_lossy(&output.stdout));
    output
}

/// A package of this version, of the programs that these tests run.
fn build(scratch: &Scratch, version: &str) -> PathBuf {
    let pages = scratch.path().join("pages");
    let program = common::program("chatd");
    let programs = program.parent().expect("a directory");
    run(Command::new(programs.join("examples/pages")).arg(&pages));
    run(Command::new(programs.join("examples/sbom")).arg(pages.join("chatd.cdx.json")));
    let out = scratch.path().join("out");
    let mut command = Command::new("ops/deb/build");
    command.arg(programs).arg(&pages).arg(&out).arg(version);
    // Packing well takes longer than all else, and is not what is looked at.
    run(command.env("DEB_COMPRESS", "-Znone").env("SOURCE_DATE_EPOCH", "1700000000"));
    let architecture = run(Command::new("dpkg").arg("--print-architecture")).stdout;
    out.join(format!("chatd_{version}_{}.deb", String::from_utf8(architecture).unwrap().trim()))
}

/// A machine, as far as dpkg goes: a directory.
struct Machine(Scratch);

impl Machine {
    fn new() -> Self {
        let root = Scratch::new();
        for directory in ["info", "updates", "triggers"] {
            fs::create_dir_all(root.path().join("var/lib/dpkg").join(directory)).unwrap();
        }
        fs::write(root.path().join("var/lib/dpkg/status"), "").unwrap();
        Self(root)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn dpkg(&self, arguments: &[&str]) {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", self.0.path().display()));
        command.args(["--force-script-chrootless", "--force-not-root", "--force-depends", "--force-confold"]);
        run(command.args(arguments));
    }

    fn install(&self, package: &Path) {
        self.dpkg(&["--install", package.to_str().expect("a path")]);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o777
}

#[test]
fn the_package_is_installed_run_upgraded_removed_and_purged() {
    let scratch = Scratch::new();
    let machine = Machine::new();
    machine.install(&build(&scratch, "0.1.0"));
    for (path, expected) in [
        ("usr/bin/chatd", 0o755),
        ("usr/bin/chat", 0o755),
        ("usr/bin/chat-ring", 0o755),
        ("usr/bin/chatctl", 0o755),
        ("lib/systemd/system/chatd.service", 0o644),
        ("usr/share/man/man1/chatd.1.gz", 0o644),
        ("usr/share/man/man1/chat.1.gz", 0o644),
        ("usr/share/man/man1/chatctl.1.gz", 0o644),
        ("usr/share/bash-completion/completions/chatd", 0o644),
        ("usr/share/zsh/vendor-completions/_chat", 0o644),
        ("usr/share/fish/vendor_completions.d/chat-ring.fish", 0o644),
        ("usr/share/bash-completion/completions/chatctl", 0o644),
        ("usr/share/zsh/vendor-completions/_chatctl", 0o644),
        ("usr/share/fish/vendor_completions.d/chatctl.fish", 0o644),
        ("usr/share/doc/chatd/copyright", 0o644),
        ("usr/share/doc/chatd/chatd.cdx.json", 0o644),
        // Passwords of databases are in it.
        ("etc/chatd/environment", 0o640),
    ] {
        assert_eq!(mode(&machine.path(path)), expected, "{path}");
    }
    let service = fs::read_to_string(machine.path("lib/systemd/system/chatd.service")).unwrap();
    assert!(service.contains("ExecStart=/usr/bin/chatd --bind 127.0.0.1"), "{service}");
    assert!(service.contains("ExecReload=/bin/kill -HUP $MAINPID"), "{service}");
    let installed = || Setup::new(1).program(&machine.path("usr/bin/chatd"));
    let chatd = installed().start();
    let (amy, data) = (chatd.register("amy"), chatd.data.clone());
    drop(chatd);
    // What was set stays, and so does what people wrote.
    fs::write(machine.path("etc/chatd/environment"), "CHATD_REGISTRATION=closed\n").unwrap();
    machine.install(&build(&scratch, "0.1.1"));
    let kept = fs::read_to_string(machine.path("etc/chatd/environment")).unwrap();
    assert_eq!(kept, "CHATD_REGISTRATION=closed\n");
    installed().data(&data).start().enter(&amy);
    for place in ["var/lib/chatd", "var/lib/private/chatd"] {
        fs::create_dir_all(machine.path(place)).unwrap();
        fs::write(machine.path(place).join("chatd.db"), "what people wrote").unwrap();
    }
    machine.dpkg(&["--remove", "chatd"]);
    assert!(!machine.path("usr/bin/chatd").exists());
    assert!(
        machine.path("var/lib/private/chatd/chatd.db").exists()
            && machine.path("etc/chatd/environment").exists()
    );
    machine.dpkg(&["--purge", "chatd"]);
    for gone in ["var/lib/chatd", "var/lib/private/chatd", "etc/chatd"] {
        assert!(!machine.path(gone).exists(), "{gone}");
    }
}

/// The commands of a program, or of one of its commands, as its own help has them.
fn commands(program: &str, of: &[String]) -> Vec<String> {
    let help = run(Command::new(common::program(program)).args(of).arg("--help")).stdout;
    let help = String::from_utf8(help).expect("text");
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What a long description goes on with stands further in.
    let named = listed.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    named.filter_map(|rest| rest.split_whitespace().next()).map(str::to_owned).collect()
}

/// How each shell is asked what it offers after some words: `$0` is the file that the package has for it.
const BASH: &str = r#"
source "$0"; of=$(complete -p "$1"); of=${of#*-F }; COMP_WORDS=("$@" ""); COMP_CWORD=$#
"${of%% *}" "$1" "" "${@: -1}"; printf '%s\n' "${COMPREPLY[@]}""#;
const FISH: &str = r#"source $argv[1]; complete -C (string join " " $argv[2..])" ""#;
/// What it describes it prints in the place of a menu, which only a terminal has.
const ZSH: &str = r#"compdef() { :; }; _describe() { print -rl -- ${${(P)4}%%:*}; }; source "$0"; "_${(j:__subcmd__:)@}_commands""#;

/// What a shell offers after a program and some words.
fn offered(shell: &str, script: &str, file: &Path, program: &str, of: &[String]) -> Vec<String> {
    let said = run(Command::new(shell).arg("-c").arg(script).arg(file).arg(program).args(of)).stdout;
    let said = String::from_utf8(said).expect("text");
    said.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn shells_complete_the_commands_of_each_program() {
    let is_missing = |shell: &&str| Command::new(shell).arg("--version").output().is_err();
    packages_by_apt(|| ["zsh", "fish"].into_iter().filter(is_missing).collect());
    let (scratch, machine) = (Scratch::new(), Machine::new());
    machine.install(&build(&scratch, "0.1.0"));
    for program in ["chatd", "chat-ring", "chatctl"] {
        let files = [
            ("bash", BASH, format!("usr/share/bash-completion/completions/{program}")),
            ("zsh", ZSH, format!("usr/share/zsh/vendor-completions/_{program}")),
            ("fish", FISH, format!("usr/share/fish/vendor_completions.d/{program}.fish")),
        ];
        let all = commands(program, &[]);
        assert!(all.len() > 1, "{program}: {all:?}");
        let each = all.iter().filter(|name| *name != "help").map(|name| vec![name.clone()]);
        for of in std::iter::once(Vec::new()).chain(each) {
            let expected = commands(program, &of);
            for (shell, script, file) in files.iter().filter(|_| !expected.is_empty()) {
                let offered = offered(shell, script, &machine.path(file), program, &of);
                let lacks: Vec<_> = expected.iter().filter(|name| !offered.contains(name)).collect();
                assert!(lacks.is_empty(), "{shell}: {program} {of:?} lacks {lacks:?}: {offered:?}");
            }
        }
    }
}

/// Whoever packs them, and wherever: under another umask, in another time zone and language, in a directory of another kind
/// of file system, of copies that are newer than what they were made of.
#[test]
fn the_same_programs_make_the_same_package() {
    let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
    let first = fs::read(build(&scratch, "0.1.0")).unwrap();
    let [programs, pages, out] = ["programs", "pages", "out"].map(|name| elsewhere.path().join(name));
    fs::create_dir(&programs).unwrap();
    for name in ["chatd", "chat", "chat-ring", "chatctl"] {
        fs::copy(common::program(name), programs.join(name)).unwrap();
    }
    fs::create_dir(&pages).unwrap();
    for page in fs::read_dir(scratch.path().join("pages")).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&page, pages.join(page.file_name().expect("a name"))).unwrap();
    }
    let mut packing = Command::new("bash");
    packing.args(["-c", "umask 077; exec ops/deb/build \"$@\"", "bash"]).args([&programs, &pages, &out]);
    packing.arg("0.1.0").env("DEB_COMPRESS", "-Znone").env("SOURCE_DATE_EPOCH", "1700000000");
    packing.env("TZ", "Asia/Kathmandu").env("LC_ALL", "C.UTF-8").env("TMPDIR", "/dev/shm");
    run(&mut packing);
    let second = fs::read(fs::read_dir(&out).unwrap().next().expect("a package").unwrap().path()).unwrap();
    assert!(first == second, "of {} and {} bytes", first.len(), second.len());
}

/// The bill of materials has what Cargo.lock has, by its checksums, and none of what only tests need.
#[test]
fn the_bill_of_materials_is_of_what_cargo_lock_has() {
    let scratch = Scratch::new();
    let file = scratch.path().join("chatd.cdx.json");
    let example = common::program("chatd").parent().expect("a directory").join("examples/sbom");
    run(Command::new(example).arg(&file));
    let bill: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let lock: toml::Table = fs::read_to_string("Cargo.lock").unwrap().parse().unwrap();
    let locked = lock["package"].as_array().unwrap();
    let mut names = Vec::new();
    for component in bill["components"].as_array().unwrap() {
        let text = |key: &str| component[key].as_str().unwrap();
        names.push(text("name"));
        if text("name") == "sqlite" {
            assert_eq!(text("version"), rusqlite::version());
            continue;
        }
        let is_this = |package: &&toml::Value| {
            package["name"].as_str() == Some(text("name"))
                && package["version"].as_str() == Some(text("version"))
        };
        let package = locked.iter().find(is_this).unwrap_or_else(|| panic!("{component} is not locked"));
        let checksum = package.get("checksum").and_then(toml::Value::as_str);
        assert_eq!(component["hashes"][0]["content"].as_str(), checksum, "{component}");
        assert!(!component["licenses"][0]["expression"].as_str().unwrap().is_empty(), "{component}");
    }
    assert!(names.len() > 200, "{} components", names.len());
    for compiled_in in
        ["chatd-chat", "ring", "rustls", "libsqlite3-sys", "glommio-ng", "mysql_async", "rustyline", "sqlite"]
    {
        assert!(names.contains(&compiled_in), "{compiled_in}");
    }
    for of_tests in ["chatd-testing", "chatd-fuzz", "vt100", "portable-pty", "chat-perf"] {
        assert!(!names.contains(&of_tests), "{of_tests}");
    }
}

/// What the profile of the container forbids.
#[test]
fn the_container_may_use_io_uring_and_little_that_a_chat_server_has_no_business_with() {
    let profile = fs::read_to_string("ops/container/seccomp.json").unwrap();
    let profile: serde_json::Value = serde_json::from_str(&profile).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ALLOW");
    let rule = &profile["syscalls"][0];
    assert_eq!(rule["action"], "SCMP_ACT_ERRNO");
    let forbidden: Vec<&str> =
        rule["names"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    for needed in [
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "sched_setaffinity",
        "sched_setattr",
        "setpriority",
    ] {
        assert!(!forbidden.contains(&needed), "{needed}");
    }
    for none_of_its_business in ["ptrace", "mount", "bpf", "kexec_load", "unshare", "init_module", "keyctl"] {
        assert!(forbidden.contains(&none_of_its_business), "{none_of_its_business}");
    }
    let compose = fs::read_to_string("ops/container/compose.yml").unwrap();
    assert!(compose.contains("seccomp=seccomp.json"));
}

#[test]
fn systemd_understands_the_service_and_finds_it_well_confined() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return common::cannot_run("systemd_understands_the_service", "there is no systemd-analyze here");
    }
    let scratch = Scratch::new();
    let service = fs::read_to_string("ops/systemd/chatd.service").unwrap();
    let program = common::program("chatd");
    let here = service.replace("/usr/local/bin/chatd", program.to_str().expect("a path"));
    let here: String = here
        .lines()
        .filter(|line| !line.starts_with("Documentation="))
        .flat_map(|line| [line, "\n"])
        .collect();
    let unit = scratch.path().join("chatd.service");
    fs::write(&unit, here).unwrap();
    let verified = run(Command::new("systemd-analyze").arg("verify").arg(&unit));
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(!said.contains("chatd.service:"), "{said}");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=25"]).arg(&unit);
    run(&mut security);
}
