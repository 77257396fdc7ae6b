//! Starting: the screen and the line that scripts wait for, and one clear sentence where it cannot.

use crate::common::cannot_run;
use crate::common::chatd::{Chatd, Setup};
use crate::common::scratch::Scratch;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

#[test]
fn the_screen_says_what_it_is_and_ends_with_ready() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let lines = chatd.stdout_lines();
        assert_eq!(lines.last(), Some(&format!("ready {}", chatd.address)), "{lines:#?}");
        assert!(lines.len() <= 24, "it fits a screen: {lines:#?}");
        assert!(lines[0].starts_with("chatd "), "{lines:#?}");
        let line = |word: &str| {
            let found = lines.iter().find(|line| line.trim_start().starts_with(word));
            found.unwrap_or_else(|| panic!("a line begins with {word}: {lines:#?}")).clone()
        };
        assert!(line("address").contains(&chatd.address.to_string()));
        assert!(line("address").contains("--bind"), "how to open it");
        assert!(line("cores").contains(&cores.to_string()));
        assert!(line("store").contains(chatd.data.path().to_str().expect("a plain path")));
        line("delivery");
        line("limits");
        assert!(line("passwords").contains("m=8,t=1,p=1"));
        assert!(lines.iter().any(|line| line.contains("warning") && line.contains("OWASP")), "{lines:#?}");
        let cpus = std::thread::available_parallelism().expect("a number").get();
        let shared = lines.iter().any(|line| line.contains("warning") && line.contains("share a CPU"));
        assert_eq!(shared, cores > cpus, "{lines:#?}");
        assert!(chatd.stderr_lines().is_empty(), "{:?}", chatd.stderr_lines());
    }
}

#[test]
fn open_to_the_network_it_warns() {
    let chatd = Setup::new(1).argument("--bind").argument("0.0.0.0").start();
    let lines = chatd.stdout_lines();
    assert!(lines.iter().any(|line| line.contains("warning") && line.contains("clear text")), "{lines:?}");
    assert_eq!(lines.last(), Some(&format!("ready {}", chatd.address)));
}

#[test]
fn ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        return cannot_run("ipv6", "this machine has no ::1");
    }
    let chatd = Setup::new(2).argument("--bind").argument("::1").start();
    let amy = chatd.register("amy");
    chatd.enter(&amy).hear_nothing();
}

/// Many executors on few CPUs come up every time.
#[test]
fn more_cores_than_cpus_start_again_and_again() {
    for _ in 0..10 {
        let mut chatd = Chatd::start(16);
        let amy = chatd.register("amy");
        chatd.enter(&amy).hear_nothing();
        chatd.end(libc::SIGTERM);
    }
}

/// What the rings use of the kernel: each that this kernel has serves, on one core and across several.
#[test]
fn every_mode_of_the_ring_serves() {
    for mode in ["deferred", "cooperative", "plain"] {
        let mut served = 0;
        for cores in [1, 4] {
            let setup = Setup::new(cores).argument("--ring").argument(mode);
            let chatd = match setup.start_or_fail() {
                Ok(chatd) => chatd,
                Err(failure) => {
                    cannot_run(mode, "this kernel is too old for it");
                    failure.says(&["core 0", "Invalid argument"]);
                    continue;
                }
            };
            served += 1;
            let names: Vec<String> = (0..8).map(|number| format!("user{number}")).collect();
            let users: Vec<_> = names.iter().map(|name| chatd.register(name)).collect();
            let mut clients: Vec<_> = users.iter().map(|user| chatd.enter(user)).collect();
            for round in 0..20 {
                for at in 0..clients.len() {
                    let next = (at + 1) % clients.len();
                    let text = format!("{mode} {round} {at}");
                    clients[at].chat_stored(&users[next], &text, &text);
                    clients[next].hear_msg(&text);
                }
            }
        }
        assert!(served == 2 || mode != "plain", "every kernel has it");
    }
}

#[test]
fn a_port_that_another_chatd_has() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let port = chatd.address.port();
        for other in [1, 2] {
            Setup::new(other).port(port).fail().says(&[&port.to_string(), "is taken", "--port"]);
        }
        let amy = chatd.register("amy");
        chatd.enter(&amy).hear_nothing();
    }
}

#[test]
fn a_port_that_another_program_has() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    Setup::new(2).port(port).fail().says(&[&port.to_string(), "is taken"]);
}

#[test]
fn an_address_that_this_machine_has_not() {
    let failure = Setup::new(1).argument("--bind").argument("192.0.2.1").fail();
    failure.says(&["cannot listen on 192.0.2.1"]);
}

#[test]
fn a_data_directory_that_another_chatd_has() {
    let chatd = Chatd::start(1);
    let failure = Setup::new(1).data(&chatd.data).fail();
    failure.says(&[chatd.data.path().to_str().expect("a plain path"), "in use by another chatd"]);
    let amy = chatd.register("amy");
    chatd.enter(&amy).hear_nothing();
}

#[test]
fn a_data_directory_that_is_a_file_or_lies_in_one() {
    let scratch = Scratch::new();
    let file = scratch.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    for path in [file.clone(), file.join("below"), "/proc/chatd".into(), "/dev/null".into()] {
        let failure = Setup::new(1).directory(&path).fail();
        failure.says(&[path.to_str().expect("a plain path"), "data directory"]);
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "not a directory");
}

/// Whether this process may become another user.
fn is_root() -> bool {
    // SAFETY: a system call without arguments.
    unsafe { libc::geteuid() == 0 }
}

/// Becomes nobody, who owns nothing and may do nothing.
fn become_nobody() -> io::Result<()> {
    const NOBODY: libc::uid_t = 65_534;
    // SAFETY: system calls on numbers.
    let became = unsafe {
        libc::setgroups(0, std::ptr::null()) == 0
            && libc::setresgid(NOBODY, NOBODY, NOBODY) == 0
            && libc::setresuid(NOBODY, NOBODY, NOBODY) == 0
    };
    if became { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A directory that everybody may write, and a chatd in it that everybody may run: where this one
/// was built may be closed to others.
fn for_nobody(setup: Setup, data: &Arc<Scratch>) -> Setup {
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = data.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_chatd"), &program).unwrap();
    setup.program(&program)
}

#[test]
fn a_data_directory_that_may_not_be_written() {
    if !is_root() {
        return cannot_run("a_data_directory_that_may_not_be_written", "it needs root, to become nobody");
    }
    let data = Arc::new(Scratch::new());
    let closed = data.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    let setup = for_nobody(Setup::new(1), &data).before(become_nobody).directory(&closed);
    setup.fail().says(&[closed.to_str().unwrap(), "cannot write"]);
}

#[test]
fn an_unprivileged_user_is_served_as_well() {
    if !is_root() {
        return cannot_run("an_unprivileged_user_is_served_as_well", "it needs root, to become nobody");
    }
    let data = Arc::new(Scratch::new());
    let mine = data.path().join("mine");
    let chatd = for_nobody(Setup::new(2), &data).before(become_nobody).directory(&mine).start();
    let amy = chatd.register("amy");
    chatd.enter(&amy).hear_nothing();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&mine), 0o700, "nobody else reads it");
    assert_eq!(mode(&mine.join("chatd.db")), 0o600);
}

#[test]
fn too_little_locked_memory() {
    if !is_root() {
        return cannot_run("too_little_locked_memory", "it needs root, to become nobody");
    }
    let data = Arc::new(Scratch::new());
    let limit = libc::rlimit { rlim_cur: 64 << 10, rlim_max: 64 << 10 };
    let little = move || {
        // SAFETY: a system call on plain numbers.
        match unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } {
            0 => become_nobody(),
            _ => Err(io::Error::last_os_error()),
        }
    };
    let failure = for_nobody(Setup::new(2), &data).before(little).fail();
    failure.says(&["locked memory", "64 KiB", "ulimit -l", "LimitMEMLOCK"]);
}

#[test]
fn too_few_open_files() {
    let limit = libc::rlimit { rlim_cur: 70, rlim_max: 70 };
    let few = move || {
        // SAFETY: a system call on plain numbers.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    Setup::new(1).before(few).fail().says(&["70 files", "ulimit -n"]);
}

/// At every limit of open files it either runs or says why not: it never panics for want of one.
#[test]
fn every_number_of_open_files() {
    for (cores, files) in [(1, 20), (1, 40), (1, 64), (1, 80), (1, 95), (1, 96), (2, 128), (8, 250), (8, 320)]
    {
        let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
        let few = move || {
            // SAFETY: a system call on plain numbers.
            match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        let outcome = Setup::new(cores).before(few).start_or_fail();
        match outcome {
            Ok(chatd) => {
                let amy = chatd.register("amy");
                chatd.enter(&amy).hear_nothing();
            }
            Err(failure) => failure.says(&["files"]),
        }
    }
}

#[test]
fn a_database_of_a_newer_chatd() {
    let mut chatd = Chatd::start(1);
    chatd.register("amy");
    chatd.end(libc::SIGTERM);
    let path = chatd.data.path().join("chatd.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    db.close().unwrap();
    let failure = Setup::new(1).data(&chatd.data).fail();
    failure.says(&["chatd.db", "version 99", "newer chatd"]);
}

#[test]
fn a_database_of_another_program_and_no_database_at_all() {
    let data = Arc::new(Scratch::new());
    let path = data.path().join("chatd.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE other (x)").unwrap();
    db.close().unwrap();
    Setup::new(1).data(&data).fail().says(&["chatd.db", "another program"]);
    std::fs::write(&path, "this is a letter to my aunt\n".repeat(100)).unwrap();
    Setup::new(1).data(&data).fail().says(&["chatd.db", "not a chatd database"]);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a letter"), "left as it was");
    // A directory in its place.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    Setup::new(1).data(&data).fail().says(&["chatd.db", "cannot write"]);
}

#[test]
fn options_that_cannot_be_meant() {
    Setup::new(0).fail().says(&["--cores 0", "1 to"]);
    Setup::new(100_000).fail().says(&["--cores 100000"]);
    Setup::new(usize::MAX).fail().says(&["--cores 18446744073709551615"]);
    for cost in ["nonsense", "m=8", "m=8,t=1,p=1,m=8", "m=1,t=1,p=1", "m=8,t=0,p=1", "m=-8,t=1,p=1", ""] {
        let failure = Setup::new(1).default_cost().argument("--password-cost").argument(cost).fail();
        assert!(failure.stderr.contains("--password-cost"), "{failure:?}");
        assert!(failure.stderr.contains("password cost"), "what it should be: {failure:?}");
        assert!(!failure.stderr.contains("panicked") && failure.status.code() == Some(2), "{failure:?}");
    }
    for argument in ["--port=65536", "--port=x", "--bind=nowhere", "--cores=-1", "--what", "extra"] {
        let failure = Setup::new(1).argument(argument).fail();
        assert!(failure.status.code() == Some(2) && failure.stderr.starts_with("error: "), "{failure:?}");
    }
}

/// Makes every later io_uring_setup of this process fail with `errno`.
fn refuse_io_uring(errno: i32) -> io::Result<()> {
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let give = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        // The number of the call lies at the front of what the filter sees.
        step(load, 0, 0, 0),
        step(equal, 0, 1, libc::SYS_io_uring_setup as u32),
        step(give, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        step(give, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its filter live through the calls, which copy them.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if refused { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn io_uring_is_refused_or_absent() {
    for (errno, words) in [
        (libc::EPERM, ["io_uring is refused", "EPERM", "io_uring_disabled", "seccomp"]),
        (libc::EACCES, ["io_uring is refused", "EACCES", "io_uring_disabled", "seccomp"]),
        (libc::ENOSYS, ["no io_uring", "ENOSYS", "Linux", "container"]),
        (libc::ENOMEM, ["io_uring has no memory", "ENOMEM", "ulimit -l", "LimitMEMLOCK"]),
    ] {
        Setup::new(2).before(move || refuse_io_uring(errno)).fail().says(&words);
    }
}

/// As a container may run it: the group of processes that it belongs to has no number in there.
#[test]
fn it_starts_in_a_pid_namespace_of_its_own() {
    let apart = ["-rpf", "--kill-child"];
    if !Command::new("unshare").args(apart).arg("true").status().is_ok_and(|status| status.success()) {
        return cannot_run("it_starts_in_a_pid_namespace_of_its_own", "`unshare -rpf` is not allowed here");
    }
    let scratch = Scratch::new();
    let script = scratch.path().join("apart");
    let line = format!("exec unshare {} {} \"$@\"", apart.join(" "), env!("CARGO_BIN_EXE_chatd"));
    // Written by another process: what this one has open for writing, no fork of it could start.
    let written = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    assert!(Command::new("sh").arg("-c").arg(written).arg(&script).arg(line).status().unwrap().success());
    Setup::new(1).program(&script).start().register("amy");
}
