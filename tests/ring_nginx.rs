//! `chat-ring` against a real nginx: every choice that it foretells is the one that nginx makes.
//!
//! Each test has an nginx with a configuration of its own, servers that only say who they are, and
//! thousands of clients with addresses of 127/8. The foretelling is done by the program, from the very
//! file that nginx reads.

use chatd_testing as common;

use common::scratch::Scratch;
use common::services::nginx::Nginx;
use common::services::{free_port, install};
use common::{DEADLINE, Random, cannot_run};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

/// Clients of a test, and how many of them are under way at once.
const CLIENTS: usize = 2_400;
const AT_ONCE: usize = 4;

/// Servers that say who they are, one byte each, and those that refuse.
#[derive(Default)]
struct Servers {
    /// What each is called in the configuration, by the byte that it says.
    names: Vec<String>,
    /// Ports on which nobody listens, and nobody else will.
    reserved: Vec<Socket>,
}

impl Servers {
    /// On these addresses of one port, which the name may resolve to.
    fn tcp(&mut self, host: &str, addresses: &[&str]) -> u16 {
        let mut port = 0;
        let said = self.names.len() as u8;
        for address in addresses {
            let listener = TcpListener::bind((*address, port)).expect("an address of this machine");
            port = listener.local_addr().expect("it is bound").port();
            thread::spawn(move || serve(listener.incoming().flatten(), said));
        }
        self.names.push(format!("{host}:{port}"));
        port
    }

    fn unix(&mut self, path: &str) {
        let listener = UnixListener::bind(path).expect("a socket in a directory of ours");
        // nginx's workers are somebody else where it is started by root.
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("it is ours");
        let said = self.names.len() as u8;
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.write_all(&[said]);
            }
        });
        self.names.push(format!("unix:{path}"));
    }

    /// A port of 127.0.0.1 that refuses connections.
    fn refusing(&mut self) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let port = socket.local_addr().expect("it is bound").as_socket().expect("of IPv4").port();
        self.names.push(format!("127.0.0.1:{port}"));
        self.reserved.push(socket);
    }

    /// `count` on 127.0.0.1.
    fn several(count: usize) -> Self {
        let mut servers = Self::default();
        for _ in 0..count {
            servers.tcp("127.0.0.1", &["127.0.0.1"]);
        }
        servers
    }
}

/// Says who it is, and closes. A client of HTTP is heard out first.
fn serve(clients: impl Iterator<Item = TcpStream>, said: u8) {
    for mut stream in clients {
        let _ = stream.write_all(&[said]);
    }
}

fn serve_http(listener: &TcpListener, said: usize) {
    for mut stream in listener.incoming().flatten() {
        let mut request = Vec::new();
        let mut part = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut part) {
                Ok(bytes) if bytes > 0 => request.extend(&part[..bytes]),
                _ => break,
            }
        }
        let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{said}").as_bytes());
    }
}

/// What was seen: the key, and who served it.
struct Seen {
    key: String,
    server: usize,
}

/// A configuration around an upstream called `tested`, listening on `address`.
fn stream(upstream: &str, address: SocketAddr) -> String {
    format!(
        "load_module {};\nworker_processes 1; pid nginx.pid; error_log error.log;\n\
         events {{ worker_connections 1024; }}\n\
         stream {{\n{upstream}\n server {{ listen {address}; proxy_connect_timeout 5s; proxy_pass tested; }}\n}}\n",
        install::find("ngx_stream_module.so").expect("it was installed").display(),
    )
}

/// Starts nginx with that configuration; files that it includes are there already.
fn start(upstream: &str, directory: Scratch) -> Nginx {
    install::by_apt();
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    Nginx::configured(&stream(upstream, address), address, directory).expect("nginx starts")
}

/// Connects from thousands of addresses, and asks who is there. What is hashed is made of the client's
/// address.
fn visit(nginx: &Nginx, clients: usize, key: impl Fn(SocketAddr) -> String + Sync) -> Vec<Seen> {
    let seed = common::seed();
    println!("CHATD_SEED={seed}");
    let one = |random: &mut Random| {
        let [a, b, c] = [random.below(255), random.below(256), 1 + random.below(254)].map(|part| part as u8);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let from = SocketAddr::from((Ipv4Addr::new(127, a, b, c), 0));
        socket.bind(&from.into()).expect("all of 127/8 is this machine");
        socket.connect(&nginx.address.into()).expect("nginx listens");
        socket.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let mut stream = TcpStream::from(socket);
        let mut said = [0];
        stream.read_exact(&mut said).expect("a server says who it is");
        let own = stream.local_addr().expect("it is connected");
        Seen { key: key(own), server: said[0].into() }
    };
    let part = |n: u64| {
        let mut random = Random(seed ^ (n << 32));
        (0..clients / AT_ONCE).map(|_| one(&mut random)).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let parts: Vec<_> = (0..AT_ONCE as u64).map(|n| scope.spawn(move || part(n))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("a client comes to its end")).collect()
    })
}

fn address(client: SocketAddr) -> String {
    client.ip().to_string()
}

/// What the program foretells: for each key the servers, in the order in which they are tried.
fn foretold(nginx: &Nginx, seen: &[Seen], more: &[&str]) -> Vec<Vec<String>> {
    let keys = nginx.conf().with_file_name("keys");
    let lines: String = seen.iter().map(|seen| format!("{} - - [a log]\n", seen.key)).collect();
    fs::write(&keys, lines).expect("written");
    let output = Command::new(chatd_testing::program("chat-ring"))
        .arg("--conf")
        .arg(nginx.conf())
        .args(["get", "--tsv", "--keys"])
        .arg(&keys)
        .args(more)
        .output()
        .expect("chat-ring runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let rows = text.lines().zip(seen).map(|(line, seen)| {
        let mut cells = line.split('\t').map(str::to_owned);
        assert_eq!(cells.next().as_ref(), Some(&seen.key));
        cells.collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    assert_eq!(rows.len(), seen.len());
    rows
}

/// Every choice is the one that was foretold, and every server of `expected` was chosen.
fn agree(nginx: &Nginx, servers: &Servers, seen: &[Seen], expected: &[usize]) {
    let foretold = foretold(nginx, seen, &[]);
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    for (seen, foretold) in seen.iter().zip(foretold) {
        assert_eq!(servers.names[seen.server], foretold[0], "key {}", seen.key);
        *times.entry(seen.server).or_default() += 1;
    }
    println!("{} choices, {times:?}", seen.len());
    assert_eq!(times.keys().copied().collect::<Vec<_>>(), expected, "who was chosen");
}

/// A test whose keys are addresses and whose upstream is these lines.
fn agree_on(servers: &Servers, lines: &str, expected: &[usize]) {
    let nginx = start(&format!("upstream tested {{ {lines} }}"), Scratch::new());
    let seen = visit(&nginx, CLIENTS, address);
    agree(&nginx, servers, &seen, expected);
}

#[test]
fn two_servers() {
    let servers = Servers::several(2);
    let [a, b] = &servers.names[..] else { unreachable!() };
    agree_on(&servers, &format!("hash $remote_addr consistent; server {a}; server {b};"), &[0, 1]);
}

#[test]
fn five_servers_of_different_weights_written_in_every_way() {
    let servers = Servers::several(5);
    let [a, b, c, d, e] = &servers.names[..] else { unreachable!() };
    let lines = format!(
        "server {a} weight=3 max_fails=2 fail_timeout=30s; # server 127.0.0.1:1;\n\
         server \"{b}\";\n  server\n'{c}' 'weight=2'\n;server {d} max_conns=1000;server {e} weight=7 ; # }}\n\
         hash   \"$remote_addr\"\tconsistent;"
    );
    agree_on(&servers, &lines, &[0, 1, 2, 3, 4]);
}

#[test]
fn one_that_is_down() {
    let servers = Servers::several(4);
    let [a, b, c, d] = &servers.names[..] else { unreachable!() };
    let lines = format!(
        "hash $remote_addr consistent; server {a}; server {b} weight=2 down; server {c}; server {d};"
    );
    agree_on(&servers, &lines, &[0, 2, 3]);
}

#[test]
fn a_host_name_by_its_name_and_addresses_of_every_kind() {
    let mut servers = Servers::several(1);
    // What localhost resolves to is for /etc/hosts to say; whichever is taken is the same server.
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    servers.tcp("localhost", if has_ipv6 { &["127.0.0.1", "::1"] } else { &["127.0.0.1"] });
    let directory = Scratch::new();
    servers.unix(&format!("{}/a.sock", directory.path().display()));
    if has_ipv6 {
        servers.tcp("[::1]", &["::1"]);
    } else {
        cannot_run("a server on IPv6", "this machine has no ::1");
    }
    let lines: String = servers.names.iter().map(|name| format!(" server {name};\n")).collect();
    let upstream = format!("upstream tested {{ hash $remote_addr consistent;\n{lines} }}");
    let nginx = start(&upstream, directory);
    let seen = visit(&nginx, CLIENTS, address);
    agree(&nginx, &servers, &seen, &(0..servers.names.len()).collect::<Vec<_>>());
}

/// Has this thread, and what it starts, see another /etc/hosts; whether it may.
fn sees_hosts(directory: &Scratch, text: &str) -> bool {
    let hosts = directory.path().join("hosts");
    fs::write(&hosts, text).expect("written");
    // SAFETY: a system call on numbers.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return false;
    }
    let mount = |arguments: &[&str]| {
        let status = Command::new("mount").args(arguments).status();
        status.is_ok_and(|status| status.success())
    };
    // Nothing of what follows is seen by anybody else.
    mount(&["--make-rprivate", "/"]) && mount(&["--bind", hosts.to_str().expect("UTF-8"), "/etc/hosts"])
}

/// A name with three addresses beside a server with one.
fn a_name_of_three_addresses(hash: &'static str, then: fn(&Nginx, &Servers, Vec<Seen>)) {
    let test = move || {
        let directory = Scratch::new();
        let addresses = ["127.0.0.5", "127.0.0.6", "127.0.0.7"];
        let lines: String = addresses.iter().map(|address| format!("{address} three.test\n")).collect();
        if !sees_hosts(&directory, &lines) {
            cannot_run(
                "a name of three addresses",
                "it takes root to give a thread an /etc/hosts of its own",
            );
            return;
        }
        let mut servers = Servers::several(1);
        let mut port = 0;
        for address in addresses {
            let listener = TcpListener::bind((address, port)).expect("an address of this machine");
            port = listener.local_addr().expect("it is bound").port();
            let said = servers.names.len() as u8;
            servers.names.push(format!("three.test:{port} ({address}:{port})"));
            thread::spawn(move || serve(listener.incoming().flatten(), said));
        }
        let lines = format!("server three.test:{port} weight=2; server {};", servers.names[0]);
        let nginx = start(&format!("upstream tested {{ hash $remote_addr{hash}; {lines} }}"), directory);
        let seen = visit(&nginx, CLIENTS, address);
        then(&nginx, &servers, seen);
    };
    thread::spawn(test).join().expect("every choice is the one that was foretold");
}

#[test]
fn every_address_of_a_name_counts_in_plain_hash() {
    a_name_of_three_addresses("", |nginx, servers, seen| agree(nginx, servers, &seen, &[0, 1, 2, 3]));
}

#[test]
fn the_addresses_of_a_name_take_turns_on_the_ring() {
    a_name_of_three_addresses(" consistent", |nginx, servers, mut seen| {
        let mut turns = [0; 4];
        for seen in &mut seen {
            turns[seen.server] += 1;
            // Whoever's turn it was, it was the turn of that name.
            seen.server = seen.server.min(1);
        }
        let three = servers.names[1].split(' ').next().expect("split gives one at least");
        let names = vec![servers.names[0].clone(), three.to_owned()];
        agree(nginx, &Servers { names, ..Servers::default() }, &seen, &[0, 1]);
        let (least, most) = (turns[1..].iter().min(), turns[1..].iter().max());
        assert!(most.unwrap() - least.unwrap() <= 1, "they take turns: {turns:?}");
    });
}

#[test]
fn a_key_of_address_and_port_in_a_file_that_is_included() {
    let servers = Servers::several(3);
    let directory = Scratch::new();
    fs::create_dir(directory.path().join("servers.d")).expect("a directory");
    for (n, name) in servers.names.iter().enumerate() {
        fs::write(directory.path().join(format!("servers.d/{n}.conf")), format!("server {name};\n"))
            .expect("written");
    }
    let upstream =
        "upstream tested { hash $remote_addr:$remote_port consistent; include servers.d/[0-9].conf; }";
    fs::write(directory.path().join("upstream.conf"), upstream).expect("written");
    let nginx = start("include upstream.conf;", directory);
    let seen = visit(&nginx, CLIENTS, |client| client.to_string());
    agree(&nginx, &servers, &seen, &[0, 1, 2]);
}

#[test]
fn a_key_of_bytes() {
    let servers = Servers::several(3);
    let lines: String = servers.names.iter().map(|name| format!(" server {name};")).collect();
    agree_on(&servers, &format!("hash $binary_remote_addr consistent; {lines}"), &[0, 1, 2]);
}

#[test]
fn plain_hash_with_weights_and_one_that_is_down() {
    let servers = Servers::several(4);
    let [a, b, c, d] = &servers.names[..] else { unreachable!() };
    let lines = format!(
        "hash $remote_addr; server {a} weight=2; server {b}; server {c} weight=5 down; server {d} weight=3;"
    );
    agree_on(&servers, &lines, &[0, 1, 3]);
}

#[test]
fn plain_hash_with_a_backup_server_and_text_around_the_key() {
    let servers = Servers::several(4);
    let [a, b, c, backup] = &servers.names[..] else { unreachable!() };
    // nginx takes `backup` where `hash` comes after it.
    let lines =
        format!("server {a}; server {b}; server {c}; server {backup} backup; hash v1-${{remote_addr}};");
    let nginx = start(&format!("upstream tested {{ {lines} }}"), Scratch::new());
    let seen = visit(&nginx, CLIENTS, |client| format!("v1-{}", client.ip()));
    agree(&nginx, &servers, &seen, &[0, 1, 2]);
}

#[test]
fn http_chooses_like_stream() {
    let mut names = Vec::new();
    for said in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        names.push(listener.local_addr().expect("it is bound").to_string());
        thread::spawn(move || serve_http(&listener, said));
    }
    let [a, b, c] = &names[..] else { unreachable!() };
    install::by_apt();
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let conf = format!(
        "worker_processes 1; pid nginx.pid; error_log error.log; events {{}}\n\
         http {{ access_log off; upstream tested {{ hash $arg_k consistent; server {a}; server {b} weight=2; server {c}; }}\n\
         server {{ listen {address}; location / {{ proxy_pass http://tested; }} }} }}\n"
    );
    let nginx = Nginx::configured(&conf, address, Scratch::new()).expect("nginx starts");
    let ask = |key: &str| {
        let mut stream = TcpStream::connect(address).expect("nginx listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let request = format!("GET /?k={key} HTTP/1.0\r\nHost: tested\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("nginx reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("nginx answers");
        let server = answer.rsplit("\r\n\r\n").next().and_then(|body| body.parse().ok());
        Seen {
            key: key.to_owned(),
            server: server.unwrap_or_else(|| panic!("not what was expected: {answer}")),
        }
    };
    let seen: Vec<Seen> = (0..400).map(|n| ask(&format!("user{n}"))).collect();
    agree(&nginx, &Servers { names, ..Servers::default() }, &seen, &[0, 1, 2]);
}

/// Where some servers refuse, each key goes to the first of its route that does not.
fn agree_on_the_next(hash: &str) {
    let mut servers = Servers::several(3);
    servers.refusing();
    servers.refusing();
    let lines: String = servers.names.iter().map(|name| format!(" server {name} fail_timeout=1h;")).collect();
    let nginx = start(&format!("upstream tested {{ hash $remote_addr{hash}; {lines} }}"), Scratch::new());
    let seen = visit(&nginx, CLIENTS, address);
    let refuses = |name: &str| servers.names[3..].iter().any(|other| other == name);
    let (mut seconds, mut in_turn) = (0, 0);
    for (seen, route) in seen.iter().zip(foretold(&nginx, &seen, &[])) {
        match route.iter().find(|name| !refuses(name)) {
            Some(next) => assert_eq!(servers.names[seen.server], *next, "key {}, route {route:?}", seen.key),
            // After 20 tries: whoever's turn it is.
            None => in_turn += 1,
        }
        seconds += usize::from(refuses(&route[0]));
    }
    println!("{} choices, {seconds} of them not the first one, {in_turn} in turn", seen.len());
    assert!(seconds > seen.len() / 5 && in_turn < seen.len() / 20);
    // And what is foretold for servers that are marked down is the same.
    let down: Vec<&str> = servers.names[3..].iter().flat_map(|name| ["--down", name.as_str()]).collect();
    for (seen, route) in seen.iter().zip(foretold(&nginx, &seen, &down)) {
        if route[0] != "round robin" {
            assert_eq!(servers.names[seen.server], route[0], "key {}", seen.key);
        }
    }
}

#[test]
fn where_a_key_goes_when_its_server_fails() {
    agree_on_the_next(" consistent");
}

#[test]
fn where_a_key_goes_by_plain_hash_when_its_server_fails() {
    agree_on_the_next("");
}

/// Where so much is down that 20 tries do not always find who is up, whoever is found is the one
/// foretold, and the rest take turns.
fn agree_on_twenty_tries(hash: &str) {
    let servers = Servers::several(3);
    let [down, b, c] = &servers.names[..] else { unreachable!() };
    let lines = format!("hash $remote_addr{hash}; server {down} weight=60 down; server {b}; server {c};");
    let nginx = start(&format!("upstream tested {{ {lines} }}"), Scratch::new());
    let seen = visit(&nginx, CLIENTS, address);
    let (mut found, mut turns) = (0, [0i32; 3]);
    for (seen, route) in seen.iter().zip(foretold(&nginx, &seen, &[])) {
        if route[0] == "round robin" {
            turns[seen.server] += 1;
        } else {
            assert_eq!(servers.names[seen.server], route[0], "key {}", seen.key);
            found += 1;
        }
    }
    println!("{found} choices, and in turn {turns:?}");
    // About half of them each. Would nginx try more often than foretold, or less, the turns were chance.
    assert!(found > CLIENTS / 4 && turns[1] > CLIENTS as i32 / 8 && turns[0] == 0);
    assert!((turns[1] - turns[2]).abs() <= 1, "they take turns: {turns:?}");
}

#[test]
fn after_twenty_tries_it_goes_round_robin() {
    agree_on_twenty_tries(" consistent");
}

#[test]
fn after_twenty_tries_of_plain_hash_it_goes_round_robin() {
    agree_on_twenty_tries("");
}

#[test]
fn what_is_emitted_is_what_nginx_reads() {
    let servers = Servers::several(3);
    let [a, b, c] = &servers.names[..] else { unreachable!() };
    let before = Scratch::new();
    let conf = format!(
        "stream {{ upstream \"tested\" {{ zone \"a b\" 64k; hash ${{remote_addr}} consistent; \
         server {a} max_fails=0; server 127.0.0.1:1; }} }}"
    );
    fs::write(before.path().join("nginx.conf"), conf).expect("written");
    let output = Command::new(chatd_testing::program("chat-ring"))
        .arg("--conf")
        .arg(before.path().join("nginx.conf"))
        .args([
            "emit",
            "--add",
            &format!("{b}:2"),
            "--add",
            c,
            "--del",
            "127.0.0.1:1",
            "--weight",
            &format!("{a}=3"),
        ])
        .output()
        .expect("chat-ring runs");
    let emitted = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && emitted.contains("zone \"a b\" 64k;"), "{emitted}");
    let nginx = start(&emitted, Scratch::new());
    let seen = visit(&nginx, CLIENTS / 4, address);
    agree(&nginx, &servers, &seen, &[0, 1, 2]);
}
