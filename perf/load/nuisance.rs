//! Clients that are no good neighbours: one that says more than it may, and one that does not read.
//!
//! Each is a thread of its own with one connection, which it makes again whenever the server has ended it. What others feel
//! of that is measured elsewhere.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::door::Door;
use super::enlist::{Enlisted, login};
use crate::wire::{Dialect, Speaker, add_group, msgid};

/// How often somebody who shouts looks what is due.
const STEP: Duration = Duration::from_millis(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes that the kernel takes in for somebody who does not read: as few as it can.
const UNREAD_BYTES: usize = 4 << 10;

/// Who it is, and how it comes in.
pub struct Nuisance<'a> {
    pub door: &'a Door,
    /// The number by which the door chooses addresses.
    pub number: usize,
    pub speaker: &'a Speaker,
}

/// What came of it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Nuisances {
    /// Frames that the server's socket took.
    pub said: u64,
    /// Frames that were due while it took none.
    pub unsaid: u64,
    /// How often the server ended the connection.
    pub cut: u64,
}

impl Nuisance<'_> {
    /// Logs in; a server that does not want that now is asked again while nobody says that it is enough.
    fn come(&self, enough: &AtomicBool) -> Option<Enlisted> {
        while !enough.load(Ordering::Relaxed) {
            let come = || {
                let mut line = Enlisted::connect(self.door, self.number)?;
                line.ask(&login(self.speaker, Dialect::Seed), msgid::LOGIN_ACK).map(|_| line)
            };
            match come() {
                Ok(line) => return Some(line),
                Err(_) => std::thread::sleep(LOOK_EVERY),
            }
        }
        None
    }

    /// Says `frame` so many times a second until it is enough, whatever it hears.
    ///
    /// # Errors
    /// If its own socket cannot be used.
    pub fn shout(&self, frame: &[u8], rate_per_s: u64, enough: &AtomicBool) -> io::Result<Nuisances> {
        let mut done = Nuisances::default();
        while let Some(mut line) = self.come(enough) {
            line.stream.socket().set_nonblocking(true)?;
            let (began, mut due, mut waiting) = (Instant::now(), 0, Vec::new());
            let cut = loop {
                if enough.load(Ordering::Relaxed) {
                    break false;
                }
                let due_now = began.elapsed().as_micros() as u64 * rate_per_s / 1_000_000;
                let more = due_now - std::mem::replace(&mut due, due_now);
                if waiting.is_empty() {
                    waiting = frame.repeat(more as usize);
                } else {
                    done.unsaid += more;
                }
                match line.stream.write(&waiting) {
                    Ok(bytes) => {
                        waiting.drain(..bytes);
                        done.said += (bytes / frame.len()) as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => break true,
                }
                if is_over(&mut line) {
                    break true;
                }
                std::thread::sleep(STEP);
            };
            done.cut += u64::from(cut);
        }
        Ok(done)
    }

    /// Joins a group, once, and reads nothing until it is enough.
    ///
    /// # Errors
    /// If it cannot join.
    pub fn stall(&self, group: i64, enough: &AtomicBool) -> Result<Nuisances, String> {
        let mut done = Nuisances::default();
        while let Some(mut line) = self.come(enough) {
            // Again, it is a member already, which is no error.
            let join = add_group(self.speaker.id, group, "stalled");
            line.say(&join)?;
            let small = socket2::SockRef::from(line.stream.socket()).set_recv_buffer_size(UNREAD_BYTES);
            small.map_err(|error| format!("the socket of a reader who stalls: {error}"))?;
            while line.is_alive() && !enough.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
            }
            done.cut += u64::from(!line.is_alive());
        }
        Ok(done)
    }
}

/// Throws away what has come; whether the connection has ended.
fn is_over(line: &mut Enlisted) -> bool {
    let mut buffer = [0; 16 << 10];
    loop {
        match line.stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}
