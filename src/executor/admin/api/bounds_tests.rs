//! What whoever asks is told when no core answers: the thread of the API with lines to a core that is not there.

use super::{Access, Api, Socket, Tokens, start};
use crate::acts::{ActLine, lines};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Acts that wait for a core.
const CALLS: usize = 256;
const REQUEST: &[u8] = b"POST /v1/users.put HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"name\":\"amy\"}";

/// The API at a socket, and the core's end of its line, which nobody reads.
fn api() -> (Api, PathBuf, Vec<ActLine>) {
    let path = std::env::temp_dir().join(format!("chatd-api-bounds-{}.sock", std::process::id()));
    let socket = Socket::bind(&path).expect("a socket");
    let (lines, ends) = lines(1).expect("a descriptor");
    let api = start(Access { tokens: Tokens::default(), socket: Some(socket) }, lines).expect("a thread");
    (api, path, ends)
}

fn ask(path: &PathBuf) -> UnixStream {
    let mut stream = UnixStream::connect(path).expect("it listens");
    stream.write_all(REQUEST).expect("it is read");
    stream
}

/// All that is answered until the connection ends.
fn answer(mut stream: UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it ends");
    text
}

#[test]
fn what_no_core_answers_is_refused_and_so_is_what_would_wait_with_it() {
    let (api, path, ends) = api();
    let waiting: Vec<UnixStream> = (0..CALLS).map(|_| ask(&path)).collect();
    let end = Instant::now() + Duration::from_secs(60);
    while ends[0].calls.waiting() < CALLS {
        assert!(Instant::now() < end, "{} acts wait", ends[0].calls.waiting());
        std::thread::yield_now();
    }
    // All connections are at work: one more is told so at once, before it has said what it wants.
    let told = answer(UnixStream::connect(&path).expect("it listens"));
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("too many are being answered"), "{told}");
    assert!(told.contains("Retry-After: "), "{told}");
    for stream in waiting {
        let told = answer(stream);
        assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("not answered in time"), "{told}");
    }
    // The core is as it was: as many acts wait for it as may.
    assert_eq!(ends[0].calls.waiting(), CALLS);
    // The thread may not have seen yet that those before have closed.
    let told = std::iter::repeat_with(|| {
        let (mut one_more, mut told) = (ask(&path), [0; 512]);
        let count = one_more.read(&mut told).expect("an answer");
        String::from_utf8_lossy(&told[..count]).into_owned()
    })
    .find(|told| !told.contains("too many are being answered"))
    .expect("there is always one more");
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("too much is asked for at once"), "{told}");
    api.stop();
}
