//! A stand-in for chatd: as much of both dialects as the harness speaks, one thread a connection. Who logs in with v2 is
//! pinged at once, and resumes with its id as its token.
//!
//! It can misbehave on purpose, which a real chatd cannot be asked to.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::wire::{Answer, Frames, msgid};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    Good,
    /// Of every four messages one is dropped, one refused and one said twice.
    Bad,
    /// Every other message is refused, and that is said when the next one is acknowledged.
    Late,
    /// Registers nobody.
    Closed,
}

#[derive(Default)]
struct House {
    registered: i64,
    online: HashMap<i64, TcpStream>,
    messages: u64,
    /// A refusal that is still to be said.
    held: Option<String>,
    pongs: Arc<AtomicUsize>,
}

/// Serves until the test process ends.
pub fn start(manners: Manners) -> SocketAddr {
    start_counting(manners).0
}

/// The same, with how many pings were answered.
pub fn start_counting(manners: Manners) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let house = Arc::new(Mutex::new(House::default()));
    let pongs = house.lock().unwrap().pongs.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let house = house.clone();
            std::thread::spawn(move || serve(socket, &house, manners));
        }
    });
    (address, pongs)
}

fn serve(mut socket: TcpStream, house: &Mutex<House>, manners: Manners) {
    socket.set_nodelay(true).unwrap();
    let (mut frames, mut buffer) = (Frames::default(), [0; 4096]);
    loop {
        let Ok(bytes @ 1..) = socket.read(&mut buffer) else { return };
        frames.take(&buffer[..bytes], |frame| {
            house.lock().unwrap().hear(frame, &socket, manners);
        });
    }
}

impl House {
    fn hear(&mut self, frame: &[u8], socket: &TcpStream, manners: Manners) {
        let request = Answer::read(frame);
        match request.msgid {
            Some(msgid::REGISTER) if manners == Manners::Closed => {
                say(socket, r#"{"errmsg":"draining","errno":114,"msgid":21}"#);
            }
            Some(msgid::REGISTER) => {
                self.registered += 1;
                say(socket, &format!(r#"{{"errno":0,"id":{},"msgid":5}}"#, self.registered));
            }
            Some(msgid::LOGIN) if frame.ends_with(b",\"v\":2}") => {
                let id = request.id.unwrap();
                self.online.insert(id, socket.try_clone().unwrap());
                say(socket, &format!(r#"{{"errno":0,"msgid":2,"token":"t{id}"}}"#));
                say(socket, r#"{"msgid":22,"n":7}"#);
            }
            Some(msgid::RESUME) => {
                let known = request.token.is_some_and(|token| token.starts_with('t'));
                say(socket, if known { r#"{"errno":0,"msgid":2}"# } else { r#"{"errno":1,"msgid":2}"# });
            }
            Some(msgid::PONG) => {
                assert_eq!(request.n, Some(7));
                self.pongs.fetch_add(1, Ordering::Relaxed);
            }
            Some(msgid::LOGIN) => {
                self.online.insert(request.id.unwrap(), socket.try_clone().unwrap());
                say(socket, r#"{"errno":0,"friends":[],"groups":[],"msgid":2,"offlinemsg":["{\"id\":9}"]}"#);
            }
            Some(msgid::ONE_CHAT) => self.pass_on(frame, socket, manners),
            other => panic!("the harness never says {other:?}"),
        }
    }

    fn pass_on(&mut self, frame: &[u8], socket: &TcpStream, manners: Manners) {
        let text = std::str::from_utf8(frame).unwrap();
        let (_, to) = text.split_once("\"toid\":").unwrap();
        let reader = &self.online[&to.trim_end_matches('}').parse().unwrap()];
        self.messages += 1;
        match (manners, self.messages % 4) {
            (Manners::Bad, 0) => {}
            (Manners::Bad, 1) => say(socket, r#"{"errmsg":"busy","errno":110,"msgid":21}"#),
            (Manners::Bad, 2) => {
                say(reader, text);
                say(reader, text);
            }
            (Manners::Late, number) => {
                say(reader, text);
                let (_, cid) = text.split_once("\"cid\":\"").unwrap();
                let (cid, _) = cid.split_once('"').unwrap();
                if number % 2 == 1 {
                    let refusal =
                        format!(r#"{{"cid":"{cid}","errmsg":"busy","errno":110,"msgid":21,"re":6}}"#);
                    self.held = Some(refusal);
                } else {
                    say(socket, &self.held.take().unwrap());
                    say(socket, &format!(r#"{{"cid":"{cid}","errno":0,"msgid":20,"re":6}}"#));
                }
            }
            _ => say(reader, text),
        }
    }
}

fn say(mut socket: &TcpStream, text: &str) {
    // A test that has ended has closed its sockets, and nobody minds.
    let _ = socket.write_all(format!("{text}\0").as_bytes());
}
