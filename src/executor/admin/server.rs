//! Turns the connections of the admin address: one thread, `poll`, and nobody waits for anybody else.

use super::api::Door;
use super::connection::Connection;
use super::pages::Pages;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connections at one time. One more, and the oldest that has not said what it wants goes: whoever
/// asks at once is answered, however many say nothing.
pub(super) const CONNECTIONS: usize = 32;
/// How long nobody is taken in when the system has no descriptor or memory for a connection.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// The loop and what it turns.
pub(super) struct Server {
    listener: TcpListener,
    /// Readable when the thread is to end.
    wake: Arc<OwnedFd>,
    pages: Pages,
    /// Where those go who want the API, if there is one.
    api: Option<Door>,
    /// Oldest first.
    connections: Vec<Connection>,
    /// Nobody is taken in before then.
    pause: Option<Instant>,
}

impl Server {
    pub(super) fn new(listener: TcpListener, wake: Arc<OwnedFd>, pages: Pages, api: Option<Door>) -> Self {
        Self { listener, wake, pages, api, connections: Vec::new(), pause: None }
    }

    pub(super) fn run(mut self) {
        loop {
            let ready = self.wait();
            if ready.wake {
                return;
            }
            let now = Instant::now();
            for (connection, ready) in self.connections.iter_mut().zip(ready.connections) {
                if ready {
                    connection.go_on(now, |request| self.pages.answer(request));
                }
            }
            self.hand_over(now);
            // What was answered may have taken its time.
            let now = Instant::now();
            self.connections.retain(|connection| !connection.is_over() && now < connection.deadline);
            if ready.listener {
                self.accept(now);
            }
        }
    }

    /// Those who want the API are its business from now on, if there is one.
    fn hand_over(&mut self, now: Instant) {
        let Some(api) = &self.api else {
            let refused = self.connections.iter_mut().filter(|connection| connection.is_for_the_api());
            return refused.for_each(|connection| connection.refuse_api(now));
        };
        for connection in self.connections.extract_if(.., |connection| connection.is_for_the_api()) {
            let (stream, bytes) = connection.into_parts();
            api.hand(stream, bytes);
        }
    }

    /// Waits until something happens, or a deadline comes.
    fn wait(&mut self) -> Ready {
        let now = Instant::now();
        self.pause = self.pause.filter(|&pause| now < pause);
        let listening = if self.pause.is_none() { PollFlags::IN } else { PollFlags::empty() };
        let deadlines = self.connections.iter().map(|connection| connection.deadline);
        let deadline = deadlines.chain(self.pause).min();
        let timeout = deadline.map(|deadline| timespec(deadline.saturating_duration_since(now)));
        let fixed = [PollFd::new(&*self.wake, PollFlags::IN), PollFd::new(&self.listener, listening)];
        let others = self.connections.iter().map(|connection| PollFd::new(connection, connection.interest()));
        let mut descriptors: Vec<PollFd<'_>> = fixed.into_iter().chain(others).collect();
        if poll(&mut descriptors, timeout.as_ref()).is_err() {
            // Interrupted: nothing is known of anybody.
            descriptors.iter_mut().for_each(PollFd::clear_revents);
        }
        let mut ready = descriptors.iter().map(|descriptor| !descriptor.revents().is_empty());
        let (wake, listener) = (ready.next() == Some(true), ready.next() == Some(true));
        Ready { wake, listener, connections: ready.collect() }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..CONNECTIONS {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if stream.set_nonblocking(true).is_ok() {
                        self.make_room();
                        self.connections.push(Connection::new(stream, now));
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => return self.pause = Some(now + SHORTAGE_PAUSE),
                },
            }
        }
    }

    fn make_room(&mut self) {
        if self.connections.len() >= CONNECTIONS {
            let silent = self.connections.iter().position(Connection::is_asking);
            self.connections.remove(silent.unwrap_or(0));
        }
    }
}

struct Ready {
    wake: bool,
    listener: bool,
    connections: Vec<bool>,
}

fn timespec(duration: Duration) -> Timespec {
    // Rounded up: a deadline that is not quite there would turn the loop for nothing.
    let duration = duration + Duration::from_millis(1);
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}
