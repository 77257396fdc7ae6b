//! Ten thousand who begin to say something and do not go on: what they cost, and whether others get in meanwhile.

use super::client::start;
use super::openmetrics::Metrics;
use crate::common::DEADLINE;
use crate::common::raise_open_files;
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

/// As many as that, where so many files may be open in both processes.
const CROWD: usize = 10_000;
/// What one may cost: resident memory of the server.
const BYTES_EACH: f64 = 2_048.0;

#[test]
fn ten_thousand_slow_sockets_cost_little_and_real_logins_go_on() {
    let crowd = CROWD.min(raise_open_files() as usize / 2 - 1_000);
    let (chatd, admin) = start(1);
    let look = || {
        let metrics = Metrics::read(&admin.body("/metrics"));
        (metrics.sum("process_resident_memory_bytes", &[]), metrics.sum("chatd_connections", &[]))
    };
    // What a first login takes once and for all.
    let users = chatd.register_many("real", 4);
    users.iter().for_each(|user| drop(chatd.enter(user)));
    let (before, _) = look();
    let mut slow: Vec<TcpStream> =
        (0..crowd).map(|_| TcpStream::connect(chatd.address).expect("chatd listens")).collect();
    let mut most: f64 = 0.0;
    let end = Instant::now() + DEADLINE;
    loop {
        let (bytes, connections) = look();
        most = most.max(bytes - before);
        if connections >= crowd as f64 {
            break;
        }
        assert!(Instant::now() < end, "{connections} of {crowd} have come");
    }
    // Half a frame of each: it has ten seconds for the other half.
    for socket in &mut slow {
        socket.write_all(b"{\"msgid\":1,\"id\":").expect("nobody was cut yet");
    }
    let (mut logins, mut left) = (0, crowd as f64);
    let end = Instant::now() + DEADLINE;
    while left > 0.0 {
        assert!(Instant::now() < end, "{left} of {crowd} are not cut");
        drop(chatd.enter_patiently(&users[logins % users.len()]));
        logins += 1;
        let (bytes, connections) = look();
        (most, left) = (most.max(bytes - before), (connections - 2.0).max(0.0));
    }
    assert!(most / crowd as f64 <= BYTES_EACH, "{} bytes each", most / crowd as f64);
    assert!(logins > 5, "{logins} logins while {crowd} were slow");
    println!("{crowd} slow sockets: {:.0} bytes each, {logins} logins meanwhile", most / crowd as f64);
}
