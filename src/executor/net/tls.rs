//! TLS under a connection: ciphertext in and plaintext out, plaintext in and ciphertext out.
//!
//! Does no I/O. Records are deciphered where they were received; what of one is not there yet is kept. What TLS has to
//! say itself (handshakes, tickets, alerts) leaves in the order it was made in, with what the connection sends.
//! Only a connection that is encrypted has one.

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeTlsData, EncryptError, UnbufferedStatus};
use rustls::{Error, HandshakeKind, ServerConfig};
use std::collections::VecDeque;
use std::sync::Arc;

/// What one record holds at most.
const RECORD_BYTES: usize = 16 << 10;
/// Ciphertext that is kept until its record, or the message of a handshake, is whole. A record has 18,437 bytes at most.
const PARTIAL_BYTES: usize = 24 << 10;
/// Room for what a record adds to its content. If that is not enough, the library says how much is.
const RECORD_ROOM: usize = 64;
/// Runs of ciphertext that are told apart until they are acknowledged; with more than that, small ones are joined.
const RUNS: usize = 32;
/// Records that are ciphered with one key of TLS 1.3: a quarter of what AES-GCM is safe for.
const RECORDS_A_KEY: u32 = 1 << 22;

/// The encryption of one connection.
///
/// Invariants: `submitted` does not change while the kernel sends it; `taken_bytes ≤ submitted.len()`.
pub(super) struct Tls {
    session: UnbufferedServerConnection,
    /// Ciphertext of which something is missing.
    received: Vec<u8>,
    /// What TLS has to say itself, behind what is on its way.
    own: Vec<u8>,
    /// Ciphertext on its way.
    submitted: Vec<u8>,
    /// How much of it the socket has taken.
    taken_bytes: usize,
    /// Ciphertext that the socket has taken since the connection was opened.
    sent: u64,
    /// Ciphertext that may not be acknowledged, with what of it is plaintext.
    runs: VecDeque<Run>,
    /// Bytes of all runs that were taken off, as ciphertext and as plaintext.
    acked: (u64, u64),
    /// Records since the keys were last changed.
    records: u32,
    stage: Stage,
    /// Whether it has said its last word.
    has_ended: bool,
    /// Whether its client has.
    pub(super) is_ended_by_client: bool,
    /// Whether it waits for a turn in which a handshake may begin.
    pub(super) is_put_off: bool,
}

/// Ciphertext, and the plaintext in it.
struct Run {
    ciphertext: u64,
    plaintext: u64,
}

/// How far the handshake has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Nothing was answered: the dear part is to come.
    Hello,
    /// The client is to finish.
    Finishing,
    /// It is done.
    Open,
    /// It is broken off.
    Broken,
}

impl Tls {
    /// Nothing was received yet.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self {
            session: UnbufferedServerConnection::new(config)?,
            received: Vec::new(),
            own: Vec::new(),
            submitted: Vec::new(),
            taken_bytes: 0,
            sent: 0,
            runs: VecDeque::new(),
            acked: (0, 0),
            records: 0,
            stage: Stage::Hello,
            has_ended: false,
            is_ended_by_client: false,
            is_put_off: false,
        })
    }

    /// Whether the dear part of the handshake is still to come.
    pub(super) fn is_new(&self) -> bool {
        self.stage == Stage::Hello
    }

    /// Whether frames go through it.
    pub(super) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// How the handshake was done, once it is.
    pub(super) fn kind(&self) -> Option<HandshakeKind> {
        self.session.handshake_kind().filter(|_| self.is_open())
    }

    /// Whether something of a record or of a handshake is missing.
    pub(super) fn is_within(&self) -> bool {
        !self.is_open() || !self.received.is_empty()
    }

    /// Memory of ciphertext that is half received.
    pub(super) fn held(&self) -> usize {
        self.received.capacity()
    }

    /// Keeps received bytes for later.
    pub(super) fn put_off(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        self.is_put_off = true;
    }

    /// Takes in received bytes, which it changes, and appends to `plain` what they say. After an error nothing more is
    /// taken in, and what the client is to be told of it is ready to be sent.
    pub(super) fn take_in(&mut self, bytes: &mut [u8], plain: &mut Vec<u8>) -> Result<(), Error> {
        self.is_put_off = false;
        let mut received = std::mem::take(&mut self.received);
        let done = if received.is_empty() {
            let done = self.decipher(bytes, plain);
            if let Ok(used) = done {
                received.extend_from_slice(&bytes[used..]);
            }
            done
        } else {
            received.extend_from_slice(bytes);
            let done = self.decipher(&mut received, plain);
            match done {
                Ok(used) if used == received.len() => received = Vec::new(),
                Ok(used) => drop(received.drain(..used)),
                Err(_) => received = Vec::new(),
            }
            done
        };
        let done = done.and_then(|_| match received.len() {
            ..=PARTIAL_BYTES => Ok(()),
            _ => Err(Error::General("a message of a handshake is too long".to_owned())),
        });
        match done {
            Ok(()) => self.received = received,
            Err(_) => self.stage = Stage::Broken,
        }
        done
    }

    /// Deciphers what is whole; how much that was.
    fn decipher(&mut self, bytes: &mut [u8], plain: &mut Vec<u8>) -> Result<usize, Error> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.session.process_tls_records(&mut bytes[used..]);
            let mut is_done = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    if self.stage == Stage::Hello {
                        self.stage = Stage::Finishing;
                    }
                    append(data, &mut self.own);
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.is_ended_by_client = true,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.stage = Stage::Open;
                    is_done = true;
                }
                // Early data is never accepted, so none comes. The kinds that there may be one day are no reason to wait.
                Ok(_) => is_done = true,
                Err(error) => {
                    used += discard;
                    // Once: what is queued is given out before anything is looked at, and nothing may be after an error.
                    if let Ok(ConnectionState::EncodeTlsData(data)) =
                        self.session.process_tls_records(&mut bytes[used..]).state
                    {
                        append(data, &mut self.own);
                    }
                    return Err(error);
                }
            }
            used += discard;
            if self.is_ended_by_client {
                // What follows a last word is said by nobody.
                return Ok(bytes.len());
            }
            if is_done {
                return Ok(used);
            }
        }
    }

    /// Whether there is something to be sent, besides what the connection has to send.
    pub(super) fn has_own(&self) -> bool {
        !self.own.is_empty() || self.taken_bytes < self.submitted.len()
    }

    /// Whether the socket has taken all that was on its way.
    pub(super) fn all_taken(&self) -> bool {
        self.taken_bytes == self.submitted.len()
    }

    /// Begins with what TLS has to say itself, in this memory. Gives back the memory of what the socket has taken.
    pub(super) fn begin_send(&mut self, mut memory: Vec<u8>) -> Vec<u8> {
        debug_assert!(self.all_taken(), "what the kernel sends stays where it is");
        memory.clear();
        let before = std::mem::replace(&mut self.submitted, memory);
        self.taken_bytes = 0;
        self.submitted.append(&mut self.own);
        self.own = Vec::new();
        self.note_run(self.submitted.len(), 0);
        before
    }

    /// Encrypts `plain` behind what is submitted already; false if that cannot be.
    pub(super) fn cipher(&mut self, plain: &[u8]) -> bool {
        plain.chunks(RECORD_BYTES).all(|record| {
            if !self.is_open() {
                return false;
            }
            let before = self.submitted.len();
            let done = self.cipher_record(record);
            self.note_run(self.submitted.len() - before, if done { record.len() } else { 0 });
            done
        })
    }

    /// The library is shown each time what of a record is there already: it remembers the parts of a handshake's message
    /// by their places in it.
    fn cipher_record(&mut self, record: &[u8]) -> bool {
        if self.records >= RECORDS_A_KEY {
            self.records = 0;
            if let Ok(ConnectionState::WriteTraffic(traffic)) =
                self.session.process_tls_records(&mut self.received).state
            {
                // TLS 1.2 cannot; there the library ends the connection when it must.
                let _ = traffic.refresh_traffic_keys();
            }
        }
        self.records += 1;
        let mut room = record.len() + RECORD_ROOM;
        loop {
            match self.session.process_tls_records(&mut self.received).state {
                Ok(ConnectionState::EncodeTlsData(data)) => append(data, &mut self.submitted),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let before = self.submitted.len();
                    self.submitted.resize(before + room, 0);
                    let done = traffic.encrypt(record, &mut self.submitted[before..]);
                    self.submitted.truncate(before + done.as_ref().map_or(0, |&bytes| bytes));
                    match done {
                        Ok(_) => return true,
                        Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                            room = size.required_size;
                        }
                        Err(_) => return false,
                    }
                }
                _ => return false,
            }
        }
    }

    /// What is submitted and the socket has not taken.
    pub(super) fn rest(&self) -> &[u8] {
        &self.submitted[self.taken_bytes..]
    }

    /// The socket has taken so many bytes. Whether it has all.
    pub(super) fn taken(&mut self, bytes: usize) -> bool {
        self.taken_bytes += bytes;
        self.sent += bytes as u64;
        self.all_taken()
    }

    /// Ciphertext that the socket has taken.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How much plaintext is in so many bytes that the client's TCP has acknowledged. Never too much.
    pub(super) fn acked(&mut self, ciphertext: u64) -> u64 {
        while let Some(run) = self.runs.front()
            && self.acked.0 + run.ciphertext <= ciphertext
        {
            self.acked.0 += run.ciphertext;
            self.acked.1 += run.plaintext;
            self.runs.pop_front();
        }
        if self.runs.is_empty() {
            self.runs = VecDeque::new();
        }
        self.acked.1
    }

    fn note_run(&mut self, ciphertext: usize, plaintext: usize) {
        if ciphertext == 0 {
            return;
        }
        if self.runs.len() >= RUNS {
            self.join_smallest_runs();
        }
        self.runs.push_back(Run { ciphertext: ciphertext as u64, plaintext: plaintext as u64 });
    }

    /// Makes one of the two neighbours that are smallest together: so none gets much larger than the others.
    fn join_smallest_runs(&mut self) {
        let together = |at: &usize| self.runs[at - 1].ciphertext + self.runs[*at].ciphertext;
        let Some(at) = (1..self.runs.len()).min_by_key(together) else { return };
        if let Some(run) = self.runs.remove(at) {
            let before = &mut self.runs[at - 1];
            before.ciphertext += run.ciphertext;
            before.plaintext += run.plaintext;
        }
    }

    /// Says that this is the end, once; whether there is something to be sent for it.
    pub(super) fn end(&mut self) -> bool {
        if std::mem::replace(&mut self.has_ended, true) || self.stage != Stage::Open {
            return false;
        }
        let ConnectionState::WriteTraffic(mut traffic) =
            (match self.session.process_tls_records(&mut self.received).state {
                Ok(state) => state,
                Err(_) => return false,
            })
        else {
            return false;
        };
        let before = self.own.len();
        self.own.resize(before + RECORD_ROOM, 0);
        let done = traffic.queue_close_notify(&mut self.own[before..]);
        self.own.truncate(before + done.as_ref().map_or(0, |&bytes| bytes));
        done.is_ok()
    }
}

/// Appends what TLS has to say.
fn append<T>(mut data: EncodeTlsData<'_, T>, out: &mut Vec<u8>) {
    let before = out.len();
    let mut room = 0;
    loop {
        out.resize(before + room, 0);
        match data.encode(&mut out[before..]) {
            Ok(bytes) => return out.truncate(before + bytes),
            Err(rustls::unbuffered::EncodeError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(_) => return out.truncate(before),
        }
    }
}

#[cfg(test)]
mod tests;
