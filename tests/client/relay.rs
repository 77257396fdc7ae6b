//! What stands between a client and its server, and can be cut while the server goes on.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::{io, thread};

pub struct Relay {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// Nobody is let through.
    cut: bool,
    streams: Vec<TcpStream>,
}

impl Relay {
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (state, changed) = &*shared;
                let held = state.lock().expect("nobody panics here");
                let mut state = changed.wait_while(held, |state| state.cut).expect("nobody panics here");
                let Ok(far) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&client, &far), (&far, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    state.streams.push(from.try_clone().unwrap());
                    thread::spawn(move || pass_on(from, to));
                }
            }
        });
        Self { address, state }
    }

    /// Ends the connections that there are, and lets none through until [`mend`](Self::mend).
    pub fn cut(&self) {
        let mut state = self.state.0.lock().expect("nobody panics here");
        state.cut = true;
        for stream in state.streams.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.state.0.lock().expect("nobody panics here").cut = false;
        self.state.1.notify_all();
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    // However it ends, both sides are to see the end.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
