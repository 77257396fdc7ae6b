//! Certificates: which one is shown, until when, and to whom clear text is refused.

use super::tunnel::{setup, start};
use crate::admin::watched;
use crate::common::cannot_run;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::Client;
use crate::common::services::certificates::Authority;
use crate::common::services::scratch::Scratch;
use chatd_client::secure::Security;
use chatd_client::{Address, Trust};
use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Instant;

/// Whether a server shows a certificate that this authority has issued.
fn is_believed(address: SocketAddr, authority: &Authority) -> Result<(), String> {
    let there = Address { host: "localhost".to_owned(), port: address.port(), tls: true };
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let begun = Security::new(Trust::File(authority.file())).begin(&there, stream);
    begun.map(drop).map_err(|error| error.to_string())
}

fn until_said(chatd: &Chatd, words: &str, times: usize) {
    let deadline = Instant::now() + crate::common::DEADLINE;
    while chatd.stderr_lines().iter().filter(|line| line.contains(words)).count() < times {
        assert!(Instant::now() < deadline, "waited for {words:?}: {:?}", chatd.stderr_lines());
        std::thread::yield_now();
    }
}

/// SIGHUP has the files read again: sessions go on, a bad file changes nothing, and what expires soon is said.
#[test]
fn a_certificate_is_read_again_and_nobody_is_cut() {
    let (authority, other) = (Authority::new(), Authority::new());
    let issued = authority.issue(&["localhost"]);
    let (chatd, admin) = watched(setup(&issued));
    let tunnel = super::tunnel::Tunnel::start(chatd.address, &authority);
    let (amy, ben) = (tunnel.connect().register("amy"), tunnel.connect().register("ben"));
    let (mut amys, mut bens) = (tunnel.enter(&amy), tunnel.enter(&ben));
    let mut talk = |text: &str| {
        amys.chat(&ben, text);
        bens.hear_msg(text);
    };
    let expires = || {
        let page = admin.body("/metrics");
        let line = page.lines().find(|line| line.starts_with("chatd_certificate_expires_in_seconds "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).expect("a gauge")
    };
    assert!(expires() > 86_400.0 * 365.0);
    is_believed(chatd.address, &authority).expect("the first");
    let renewed = other.issue(&["localhost"]);
    fs::write(&issued.certificate, "nothing").expect("a file");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "the certificate stays as it was", 1);
    is_believed(chatd.address, &authority).expect("the first, still");
    talk("after a bad one");
    fs::copy(&renewed.certificate, &issued.certificate).expect("a file");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "does not belong to the private key", 1);
    is_believed(chatd.address, &authority).expect("the first, still");
    fs::copy(&renewed.key, &issued.key).expect("a file");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "was read again", 1);
    is_believed(chatd.address, &other).expect("the second");
    let refused = is_believed(chatd.address, &authority).expect_err("the first is gone");
    assert!(refused.contains("issued by nobody who is trusted"), "{refused}");
    talk("after a good one");
    let old = other.issue_for(&["localhost"], 2020, 2021);
    fs::copy(&old.certificate, &issued.certificate).expect("a file");
    fs::copy(&old.key, &issued.key).expect("a file");
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "has expired: clients refuse it", 1);
    admin.until("the gauge", "/metrics", |page| {
        page.text().contains("chatd_certificate_expires_in_seconds -")
    });
    talk("and still");
}

#[test]
fn files_that_do_not_do_are_refused_at_the_start() {
    let authority = Authority::new();
    let (one, two) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let with = |certificate: &str, key: &str| {
        Setup::new(1).environment("CHATD_TLS_CERT", certificate).environment("CHATD_TLS_KEY", key).fail()
    };
    with(one.certificate(), two.key()).says(&["no TLS", "does not belong to the private key"]);
    with("/no/such/file", two.key()).says(&["no TLS", "/no/such/file cannot be read"]);
    with(one.key(), one.key()).says(&["no certificate in it"]);
    let expired = authority.issue_for(&["localhost"], 2020, 2021);
    let chatd = setup(&expired).start();
    assert!(chatd.printed().contains("has expired: clients refuse it"), "{}", chatd.printed());
}

/// An address of this machine that is not loopback.
fn outer() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: the system says by which way it would be.
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[test]
fn clear_text_from_beyond_this_machine_is_refused_where_it_is_to_be() {
    let Some(outer) = outer() else {
        return cannot_run("clear text from beyond", "this machine has no address but loopback");
    };
    let authority = Authority::new();
    let issued = authority.issue(&["localhost"]);
    let chatd = setup(&issued).argument("--require-tls").argument("--bind").argument("0.0.0.0").start();
    assert!(chatd.printed().contains("required from beyond this machine"), "{}", chatd.printed());
    let port = chatd.address.port();
    // Through loopback all is as it was.
    Client::connect(([127, 0, 0, 1], port).into()).register("amy");
    let from_beyond = SocketAddr::new(outer, port);
    let mut plain = Client::connect(from_beyond);
    plain.say_text("{\"msgid\":3,\"name\":\"ben\",\"password\":\"pw\"}");
    let error = plain.hear("a refusal");
    assert!(
        error["errno"] == 100 && error["errmsg"].as_str().is_some_and(|text| text.contains("TLS only")),
        "{error}"
    );
    plain.hear_end();
    let mut web = Client::connect(from_beyond);
    web.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut answer = String::new();
    web.stream.read_to_string(&mut answer).expect("an answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("TLS only"), "{answer}");
    is_believed(from_beyond, &authority).expect("TLS is welcome");
    let failure = Setup::new(1).argument("--require-tls").fail();
    assert!(failure.stderr.contains("--tls-cert"), "{failure:?}");
}

#[test]
fn a_certificate_to_try_it_with_is_made_by_the_program() {
    let scratch = Scratch::new();
    let directory = scratch.path().join("made");
    let make = || {
        let mut command = Command::new(crate::common::program("chatd"));
        command.arg("dev-cert").arg(&directory).output().expect("chatd runs")
    };
    let made = make();
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(
        made.status.success() && said.contains("chatd --tls-cert ") && said.contains("chat --ca "),
        "{made:?}"
    );
    let mode = |name: &str| fs::metadata(directory.join(name)).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode("key.pem"), 0o600);
    let again = make();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"));
    let file = |name: &str| directory.join(name).to_str().expect("a plain path").to_owned();
    let chatd = Setup::new(1).argument("--tls-cert").argument(&file("cert.pem")).argument("--tls-key");
    let chatd = chatd.argument(&file("key.pem")).start();
    assert!(!chatd.printed().contains("certificate"), "{}", chatd.printed());
    for host in ["localhost", "127.0.0.1", "::1"] {
        let there = Address { host: host.to_owned(), port: chatd.address.port(), tls: true };
        let stream = TcpStream::connect(chatd.address).expect("chatd listens");
        Security::new(Trust::File(file("ca.pem").into())).begin(&there, stream).expect("it is believed");
    }
}

#[test]
fn a_server_without_a_certificate_says_so() {
    let chatd = Chatd::start(1);
    let mut client = chatd.connect().with_newlines();
    client.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    client.hear_error_and_end(100);
    // SIGHUP has the other kind read its files again.
    let (chatd, _authority, _tunnel) = start();
    chatd.signal(libc::SIGHUP);
    until_said(&chatd, "was read again", 1);
}
