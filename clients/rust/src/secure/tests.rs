use super::*;
use chatd_testing::services::certificates::{Authority, Issued};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

type Served = StreamOwned<ServerConnection, TcpStream>;

/// Somebody who speaks TLS, to the first who connects.
fn serve<T: Send + 'static>(
    issued: &Issued,
    serve: impl FnOnce(Served) -> T + Send + 'static,
) -> (Address, JoinHandle<T>) {
    let chain = CertificateDer::pem_file_iter(&issued.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&issued.key).unwrap();
    let config = ServerConfig::builder_with_provider(chatd_tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    listen(move |stream| serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)))
}

fn listen<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (Address, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    (Address { host: "localhost".to_owned(), port, tls: true }, server)
}

fn connect(address: &Address, trust: Trust) -> io::Result<(Reading, Writing)> {
    let stream = TcpStream::connect(("127.0.0.1", address.port))?;
    Security::new(trust).begin(address, stream)
}

/// Both sides write more than the sockets hold before either reads what the other has written.
#[test]
fn neither_half_waits_for_the_other() {
    const BYTES: usize = 24 << 20;
    const PORTION: usize = 48 << 10;
    let authority = Authority::new();
    let (address, server) = serve(&authority.issue(&["localhost"]), |mut stream| {
        (0..BYTES / PORTION).for_each(|_| stream.write_all(&[b's'; PORTION]).unwrap());
        stream.flush().unwrap();
        let mut heard = vec![0; BYTES / PORTION * PORTION];
        stream.read_exact(&mut heard).unwrap();
        assert!(heard.iter().all(|&byte| byte == b'c'));
        // The client says that this is the end.
        stream.read(&mut [0; 1]).unwrap()
    });
    let (mut reading, mut writing) = connect(&address, Trust::File(authority.file())).unwrap();
    let writer = thread::spawn(move || {
        (0..BYTES / PORTION).for_each(|_| writing.write(&[b'c'; PORTION]).unwrap());
        writing
    });
    let mut heard = vec![0; BYTES / PORTION * PORTION];
    reading.read_exact(&mut heard).unwrap();
    assert!(heard.iter().all(|&byte| byte == b's'));
    writer.join().unwrap().end();
    assert_eq!(server.join().unwrap(), 0, "a last word, and not just the end of the connection");
}

#[test]
fn who_is_not_believed_is_named_in_a_sentence() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let refused = |issued: &Issued, host: &str, trust: Trust| {
        let (address, server) = serve(issued, |mut stream| stream.read(&mut [0; 1]).is_err());
        let address = Address { host: host.to_owned(), ..address };
        let why = connect(&address, trust).expect_err("it is not believed").to_string();
        assert!(server.join().unwrap(), "the server is told so");
        why
    };
    let ours = || Trust::File(authority.file());
    let good = authority.issue(&["localhost"]);
    let why = refused(&good, "localhost", Trust::File(stranger.file()));
    assert!(why.contains("issued by nobody who is trusted here"), "{why}");
    let why = refused(&good, "127.0.0.1", ours());
    assert!(why.contains("not made out to 127.0.0.1, but to localhost"), "{why}");
    let why = refused(&authority.issue_for(&["localhost"], 2020, 2021), "localhost", ours());
    assert!(why.contains("the certificate of localhost expired"), "{why}");
    let why = refused(&authority.issue_for(&["localhost"], 2119, 2120), "localhost", ours());
    assert!(why.contains("valid only in"), "{why}");
}

#[test]
fn who_does_not_speak_tls_is_no_server() {
    let authority = Authority::new();
    for says in [&b""[..], b"{\"msgid\":21}\n", b"\x15\x03\x01\x00\x02\x02\x46", b"\x16\x03\x03\xff\xff"] {
        let (address, server) = listen(move |mut stream: TcpStream| {
            stream.read_exact(&mut [0; 5]).unwrap();
            let _ = stream.write_all(says);
        });
        let why = connect(&address, Trust::File(authority.file())).expect_err("no TLS").to_string();
        assert!(why.contains("TLS"), "{says:?}: {why}");
        server.join().unwrap();
    }
    let (address, _) = listen(drop);
    let why = connect(&address, Trust::File("/no/such/file".into())).expect_err("nobody is trusted");
    assert!(why.to_string().contains("/no/such/file cannot be read"), "{why}");
}

/// An end without a last word is an end: each frame has its own.
#[test]
fn a_connection_that_just_ends_has_ended() {
    let authority = Authority::new();
    let (address, server) = serve(&authority.issue(&["localhost"]), |mut stream| {
        stream.write_all(b"half a fra").unwrap();
        stream.flush().unwrap();
        stream.sock.shutdown(Shutdown::Write).unwrap();
    });
    let (mut reading, _writing) = connect(&address, Trust::File(authority.file())).unwrap();
    let mut heard = String::new();
    assert_eq!(reading.read_to_string(&mut heard).unwrap(), 10);
    server.join().unwrap();
}
