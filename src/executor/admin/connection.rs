//! One connection: a request that comes, an answer that goes, and an end in good time.

use super::http::{self, HEAD_BYTES, Head, Request};
use rustix::event::PollFlags;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long a request may take to come, and an answer to be read.
const REQUEST: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// How long the peer may take to close after the answer; what it still says is thrown away, because
/// bytes that nobody reads would make the kernel reset the connection under the answer.
const LINGER: Duration = Duration::from_secs(1);

/// One connection of the admin address.
pub(super) struct Connection {
    stream: TcpStream,
    stage: Stage,
    /// When it is closed, however far it is.
    pub(super) deadline: Instant,
}

enum Stage {
    Asking(Vec<u8>),
    Answering {
        bytes: Vec<u8>,
        written: usize,
    },
    Lingering,
    /// It is to be handed over to the API, with what has come of it.
    ForTheApi(Vec<u8>),
    Over,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, now: Instant) -> Self {
        Self { stream, stage: Stage::Asking(Vec::new()), deadline: now + REQUEST }
    }

    /// What it waits for.
    pub(super) fn interest(&self) -> PollFlags {
        match self.stage {
            Stage::Asking(_) | Stage::Lingering => PollFlags::IN,
            Stage::Answering { .. } => PollFlags::OUT,
            Stage::ForTheApi(_) | Stage::Over => PollFlags::empty(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether its request has not come yet.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.stage, Stage::Asking(_))
    }

    /// Goes on as far as the socket lets it.
    pub(super) fn go_on(&mut self, now: Instant, answer: impl FnOnce(&Request) -> http::Response) {
        match &mut self.stage {
            Stage::Asking(head) => match read(&mut self.stream, head) {
                Reading::More => {}
                Reading::End => self.stage = Stage::Over,
                Reading::Api => self.stage = Stage::ForTheApi(std::mem::take(head)),
                Reading::Request(head) => {
                    let bytes = match head {
                        Head::Whole(request) => answer(&request).bytes(request.head_only),
                        Head::Refused(response) => response.bytes(false),
                        Head::Partial | Head::Api => unreachable!("these are other readings"),
                    };
                    self.stage = Stage::Answering { bytes, written: 0 };
                    self.deadline = now + ANSWER;
                    self.write(now);
                }
            },
            Stage::Answering { .. } => self.write(now),
            Stage::Lingering => {
                let mut nobody = [0; 4 << 10];
                if !matches!(self.stream.read(&mut nobody), Ok(1..)) {
                    self.stage = Stage::Over;
                }
            }
            Stage::ForTheApi(_) | Stage::Over => {}
        }
    }

    /// Whether it wants the API.
    pub(super) fn is_for_the_api(&self) -> bool {
        matches!(self.stage, Stage::ForTheApi(_))
    }

    /// Its socket, and what has come of it.
    pub(super) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        match self.stage {
            Stage::ForTheApi(bytes) => (self.stream, bytes),
            _ => (self.stream, Vec::new()),
        }
    }

    /// Nobody answers the API here: says so.
    pub(super) fn refuse_api(&mut self, now: Instant) {
        let text = "this server has no API here: chatd --api-token-file gives it one";
        let bytes = http::Response::refusal(404, text).bytes(false);
        self.stage = Stage::Answering { bytes, written: 0 };
        self.deadline = now + ANSWER;
        self.write(now);
    }

    fn write(&mut self, now: Instant) {
        let Stage::Answering { bytes, written } = &mut self.stage else { return };
        while *written < bytes.len() {
            match self.stream.write(&bytes[*written..]) {
                Ok(count @ 1..) => *written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => return self.stage = Stage::Over,
            }
        }
        // Fails only if the connection is gone, which shows at once.
        let _ = self.stream.shutdown(Shutdown::Write);
        self.stage = Stage::Lingering;
        self.deadline = now + LINGER;
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

enum Reading {
    More,
    Request(Head),
    Api,
    End,
}

fn read(stream: &mut TcpStream, head: &mut Vec<u8>) -> Reading {
    let mut bytes = [0; HEAD_BYTES];
    match stream.read(&mut bytes) {
        Ok(0) => Reading::End,
        Ok(count) => {
            head.extend_from_slice(&bytes[..count]);
            match http::head(head) {
                Head::Partial => Reading::More,
                Head::Api => Reading::Api,
                head => Reading::Request(head),
            }
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Reading::More,
        Err(_) => Reading::End,
    }
}
