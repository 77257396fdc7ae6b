//! The bus of a cluster by itself: two cores without clients, one Redis, on loopback.
//!
//! `cargo bench --bench bus` starts a redis-server of its own on a free port, and measures:
//! messages published and received by one core each, pipelined, with the CPU time of either side;
//! and one message under way, beside a bare PUBLISH → push on the same Redis.

use chatd::chat::model::ids::UserId;
use chatd::executor::bus::bench::{BareCore, Side};
use chatd::executor::bus::redis::Server;
use hdrhistogram::Histogram;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
const PIPELINED: u64 = 400_000;
const UNDER_WAY: u64 = 2_048;
const SINGLE: u64 = 5_000;

fn main() {
    let redis = Redis::start();
    let server = Arc::new(
        Server::new(&format!("redis://127.0.0.1:{}", redis.port), "bench:", &chatd_tls::Trust::System)
            .expect("a URL"),
    );
    println!(
        "{:>6} {:>14} {:>14} {:>16} {:>16}",
        "round", "published/s", "received/s", "publisher µs", "receiver µs"
    );
    for round in 1..=ROUNDS {
        let (published, received, _) = run(&server, PIPELINED, UNDER_WAY);
        println!(
            "{round:>6} {:>14.0} {:>14.0} {:>16.2} {:>16.2}",
            rate(published),
            rate(received),
            cpu_us(published),
            cpu_us(received)
        );
    }
    println!("\none message under way, {SINGLE} of them a round: p50 and p99 in µs");
    println!("{:>6} {:>10} {:>10} {:>10} {:>10} {:>7}", "round", "chatd", "", "bare", "", "ratio");
    for round in 1..=ROUNDS {
        let (_, _, chatd) = run(&server, SINGLE, 1);
        let bare = bare(redis.port, SINGLE);
        let us = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        println!(
            "{round:>6} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>7.2}",
            us(&chatd, 0.5),
            us(&chatd, 0.99),
            us(&bare, 0.5),
            us(&bare, 0.99),
            us(&chatd, 0.5) / us(&bare, 0.5)
        );
    }
}

fn run(server: &Arc<Server>, messages: u64, under_way: u64) -> (Side, Side, Histogram<u64>) {
    let user = UserId::new(7).expect("an id");
    let (ready, readied) = std::sync::mpsc::channel();
    let receiving = server.clone();
    let receiver = std::thread::spawn(move || {
        let mut core = BareCore::new(&receiving).expect("Redis is there");
        core.join(user);
        ready.send(()).expect("the main thread waits");
        let mut latencies = Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("three digits");
        let side = core.receive(messages, |ns| latencies.saturating_record(ns));
        (side, latencies)
    });
    readied.recv().expect("the receiver joins");
    let published = BareCore::new(server).expect("Redis is there").publish(user, messages, under_way);
    let (received, latencies) = receiver.join().expect("the receiver ends well");
    (published, received, latencies)
}

/// PUBLISH on one plain blocking socket to the push on another.
fn bare(port: u16, messages: u64) -> Histogram<u64> {
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("Redis is there");
        stream.set_nodelay(true).expect("a socket");
        stream
    };
    let (mut publisher, mut subscriber) = (connect(), connect());
    let mut buffer = [0; 4096];
    subscriber.write_all(b"SUBSCRIBE bare\r\n").expect("written");
    let _ = subscriber.read(&mut buffer).expect("an answer");
    let (sent, to_send) = std::sync::mpsc::channel::<Instant>();
    let (heard, hears) = std::sync::mpsc::channel::<()>();
    let listener = std::thread::spawn(move || {
        let mut latencies = Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("three digits");
        for _ in 0..messages {
            let bytes = subscriber.read(&mut buffer).expect("a push");
            let at = Instant::now();
            assert!(bytes > 160, "a push comes whole on loopback");
            let since: Instant = to_send.recv().expect("sent before it was heard");
            latencies.saturating_record((at - since).as_nanos() as u64);
            heard.send(()).expect("the publisher waits");
        }
        latencies
    });
    let command = format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nbare\r\n$160\r\n{}\r\n", "x".repeat(160));
    let mut answer = [0; 64];
    for _ in 0..messages {
        sent.send(Instant::now()).expect("the listener lives");
        publisher.write_all(command.as_bytes()).expect("written");
        let _ = publisher.read(&mut answer).expect("a count");
        hears.recv().expect("the listener lives");
    }
    listener.join().expect("the listener ends well")
}

fn rate(side: Side) -> f64 {
    side.messages as f64 / side.wall.as_secs_f64()
}

fn cpu_us(side: Side) -> f64 {
    side.cpu.as_secs_f64() * 1e6 / side.messages as f64
}

/// A redis-server of our own.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start() -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed (Debian package redis-server)");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Some(Ok(line)) = lines.next() {
            assert!(Instant::now() < deadline, "redis-server takes too long to start");
            if line.contains("Ready to accept connections") {
                break;
            }
        }
        Self { child, port }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
