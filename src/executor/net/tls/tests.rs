use super::*;
use chatd_tls::{Identity, Trust, trust};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion};
use std::io::{Read, Write};

/// A client, and the other end of its connection.
struct Pair {
    client: ClientConnection,
    tls: Tls,
    /// What the server was told.
    plain: Vec<u8>,
}

struct Made {
    identity: Identity,
    config: ClientConfig,
    directory: std::path::PathBuf,
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn made(name: &str) -> Made {
    let directory = std::env::temp_dir().join(format!("chatd-net-tls-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let files = [directory.join("cert.pem"), directory.join("key.pem")];
    std::fs::write(&files[0], certificate.pem()).unwrap();
    std::fs::write(&files[1], key.serialize_pem()).unwrap();
    let [certificate, key] = files;
    let config = (*Trust::File(certificate.clone()).client().unwrap()).clone();
    Made { identity: Identity::read(certificate, key).unwrap(), config, directory }
}

impl Pair {
    fn new(made: &Made) -> Self {
        let name = trust::name_of("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(made.config.clone()), name).unwrap();
        Self { client, tls: Tls::new(made.identity.config()).unwrap(), plain: Vec::new() }
    }

    /// Carries what the client has to say, in portions of `step` bytes.
    fn carry_up(&mut self, step: usize) -> Result<(), Error> {
        let mut said = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut said).unwrap();
        }
        said.chunks_mut(step).try_for_each(|portion| self.tls.take_in(portion, &mut self.plain))
    }

    /// Carries what the server has to say, of it `plain`; how many bytes that were.
    fn carry_down(&mut self, plain: &[u8]) -> usize {
        self.tls.begin_send(Vec::new());
        assert!(self.tls.cipher(plain));
        let bytes = self.tls.rest().to_vec();
        self.tls.taken(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets().unwrap();
        }
        bytes.len()
    }

    fn shake_hands(&mut self, step: usize) {
        while self.client.is_handshaking() || !self.tls.is_open() {
            self.carry_up(step).unwrap();
            self.carry_down(b"");
        }
    }

    fn heard(&mut self) -> Vec<u8> {
        let mut heard = vec![0; 1 << 20];
        let count = self.client.reader().read(&mut heard).unwrap_or(0);
        heard.truncate(count);
        heard
    }
}

#[test]
fn bytes_come_through_however_they_are_cut_in_both_versions() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut made = made(&format!("cut{:?}", version.version));
        made.config = ClientConfig::builder_with_provider(chatd_tls::provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots(&made))
            .with_no_client_auth();
        for step in [1, 2, 7, 100, 5_000] {
            let mut pair = Pair::new(&made);
            assert!(pair.tls.is_new() && pair.tls.is_within());
            pair.shake_hands(step);
            assert_eq!(pair.client.protocol_version(), Some(version.version));
            for text in [&b"a"[..], &[b'x'; 3_000], &[b'y'; 40_000]] {
                pair.client.set_buffer_limit(None);
                pair.client.writer().write_all(text).unwrap();
                pair.carry_up(step).unwrap();
                assert_eq!(std::mem::take(&mut pair.plain), text);
                assert!(!pair.tls.is_within() && pair.tls.held() == 0);
                let mut heard = Vec::new();
                for part in text.chunks(9_000) {
                    pair.carry_down(part);
                    heard.extend(pair.heard());
                }
                assert_eq!(heard, text);
            }
        }
    }
}

fn roots(made: &Made) -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    let file = Trust::File(made.directory.join("cert.pem"));
    roots.add_parsable_certificates(file.certificates().unwrap());
    roots
}

#[test]
fn a_client_that_comes_back_shakes_hands_in_short() {
    let made = made("resumed");
    let mut first = Pair::new(&made);
    first.shake_hands(1_000);
    assert_eq!(first.tls.kind(), Some(HandshakeKind::Full));
    first.carry_down(b"the ticket has come");
    let mut second = Pair::new(&made);
    second.shake_hands(1_000);
    assert_eq!(second.tls.kind(), Some(HandshakeKind::Resumed));
    made.identity.read_again().unwrap();
    let mut third = Pair::new(&made);
    third.shake_hands(1_000);
    assert_eq!(third.tls.kind(), Some(HandshakeKind::Full), "a new certificate, and new tickets");
}

#[test]
fn plaintext_is_acknowledged_with_the_last_byte_of_its_record_and_not_before() {
    let made = made("acked");
    let mut pair = Pair::new(&made);
    pair.shake_hands(1_000);
    let before = pair.tls.sent();
    assert_eq!(pair.tls.acked(before), 0, "a handshake is no frame");
    let (mut ends, mut plain) = (Vec::new(), 0_u64);
    for number in 0..1_000_u64 {
        let bytes = 1 + (number as usize * 37) % 1_500;
        plain += bytes as u64;
        pair.carry_down(&vec![b'x'; bytes]);
        pair.heard();
        ends.push((pair.tls.sent(), plain));
    }
    let (mut last, mut steps) = (0, 0);
    for ciphertext in before..=pair.tls.sent() {
        let acked = pair.tls.acked(ciphertext);
        let most =
            ends.iter().take_while(|(end, _)| *end <= ciphertext).last().map_or(0, |(_, plain)| *plain);
        assert!(acked >= last && acked <= most, "{acked} of {most}");
        steps += u32::from(acked > last);
        // An eighth of all is the most that is not known.
        assert!(most - acked <= plain / 8, "{acked} of {most}");
        last = acked;
    }
    assert_eq!(last, plain);
    assert!(steps >= 8 && pair.tls.runs.capacity() == 0, "{steps}");
}

#[test]
fn the_keys_change_before_they_are_worn() {
    let made = made("keys");
    let mut pair = Pair::new(&made);
    pair.shake_hands(1_000);
    for _ in 0..3 {
        pair.tls.records = RECORDS_A_KEY;
        pair.carry_down(b"with new keys");
        assert_eq!(pair.heard(), b"with new keys");
        pair.client.writer().write_all(b"and the other way").unwrap();
        pair.carry_up(1_000).unwrap();
        assert_eq!(std::mem::take(&mut pair.plain), b"and the other way");
    }
}

#[test]
fn each_side_hears_the_last_word_of_the_other() {
    let made = made("ends");
    let mut pair = Pair::new(&made);
    assert!(!pair.tls.end(), "there is nobody to say it to");
    let mut pair = Pair { tls: Tls::new(made.identity.config()).unwrap(), ..pair };
    pair.shake_hands(1_000);
    pair.client.writer().write_all(b"good-bye").unwrap();
    pair.client.send_close_notify();
    pair.carry_up(3).unwrap();
    assert!(pair.tls.is_ended_by_client && pair.plain == b"good-bye");
    pair.tls.take_in(&mut b"nobody says this".to_vec(), &mut pair.plain).unwrap();
    assert_eq!(pair.plain, b"good-bye");
    // The other way is still open.
    pair.carry_down(b"an answer");
    assert_eq!(pair.heard(), b"an answer");
    assert!(pair.tls.end() && !pair.tls.end());
    pair.carry_down(b"");
    assert!(pair.client.process_new_packets().unwrap().peer_has_closed());
}

/// What is no TLS ends with an alert, or waits for more, and never with a panic or much memory.
#[test]
fn garbage_is_no_tls() {
    let made = made("garbage");
    let mut pair = Pair::new(&made);
    let mut hello = Vec::new();
    pair.client.write_tls(&mut hello).unwrap();
    let mut random = 7_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let (mut refused, mut plain) = (0, Vec::new());
    for round in 0..4_000 {
        let mut mutated = hello.clone();
        for _ in 0..1 + next() % 3 {
            let at = next() % mutated.len();
            mutated[at] = next() as u8;
        }
        if round % 4 == 0 {
            mutated.truncate(1 + next() % mutated.len());
        }
        let mut tls = Tls::new(made.identity.config()).unwrap();
        let ended =
            mutated.chunks_mut(1 + next() % 600).find_map(|portion| tls.take_in(portion, &mut plain).err());
        if ended.is_some() {
            refused += 1;
            assert!(!tls.is_open() && !tls.cipher(b"secret"));
        }
        assert!(tls.held() <= 2 * PARTIAL_BYTES && plain.is_empty() && !tls.is_open());
    }
    assert!(refused > 500, "{refused}");
    // A record of any length, and a message of a handshake that does not end.
    for (first, then) in
        [(&[0x16, 3, 1, 0xff, 0xff][..], 0x41), (&[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff], 0)]
    {
        let mut tls = Tls::new(made.identity.config()).unwrap();
        let mut first = first.to_vec();
        let mut ended = tls.take_in(&mut first, &mut plain).is_err();
        for _ in 0..64 {
            ended = ended || tls.take_in(&mut vec![then; 8 << 10], &mut plain).is_err();
        }
        assert!(ended && tls.held() == 0);
    }
}

#[test]
fn the_newest_version_is_spoken_and_one_protocol_within_it() {
    let made = made("version");
    let mut pair = Pair::new(&made);
    pair.shake_hands(1_000);
    assert_eq!(pair.client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(pair.client.alpn_protocol(), None, "it named none");
    let mut made = made;
    made.config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut pair = Pair::new(&made);
    pair.shake_hands(1_000);
    assert_eq!(pair.client.alpn_protocol(), Some(&b"http/1.1"[..]));
    made.config.alpn_protocols = vec![b"h2".to_vec()];
    let mut pair = Pair::new(&made);
    assert!(pair.carry_up(1_000).is_err() && pair.tls.has_own(), "an alert says so");
}
