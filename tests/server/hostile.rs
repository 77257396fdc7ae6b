//! Input that no honest client sends: each kind is answered or ends its connection, as protocol.md
//! says, and nobody else notices.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, chat};
use crate::common::{Random, seed};
use serde_json::json;

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Lives,
    Closes,
}
use Then::{Closes, Lives};

/// Two who talk to each other, whatever others do to the server.
struct Neighbours {
    clients: [Client; 2],
    users: [User; 2],
    turns: u64,
}

impl Neighbours {
    fn new(chatd: &Chatd) -> Self {
        let users = [chatd.register("first neighbour"), chatd.register("second neighbour")];
        let clients = [chatd.enter(&users[0]), chatd.enter(&users[1])];
        Self { clients, users, turns: 0 }
    }

    fn talk(&mut self) {
        let from = (self.turns % 2) as usize;
        self.turns += 1;
        let text = format!("turn {}", self.turns);
        self.clients[from].chat(&self.users[1 - from], &text);
        self.clients[1 - from].hear_msg(&text);
    }
}

/// A user that hostile frames may be from: number 3, after the neighbours.
fn mallory(chatd: &Chatd) -> User {
    let user = chatd.register("mallory");
    assert_eq!(user.id, 3);
    user
}

fn nested(depth: usize) -> String {
    format!("{{\"msgid\":13,\"id\":3,\"x\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

fn one_chat(field: &str) -> String {
    format!(r#"{{"msgid":6,"id":3,"toid":1,"msg":"m","time":"t",{field}}}"#)
}

/// Frames that are no requests, with what they are answered.
fn kinds() -> Vec<(Vec<u8>, u64, Then)> {
    let text = |frame: &str, errno, then| (frame.as_bytes().to_vec(), errno, then);
    let mut kinds = vec![
        // Not JSON, or not an object.
        text("hello", 100, Closes),
        text("get / http/1.1", 100, Closes),
        text("{", 100, Closes),
        text("}", 100, Closes),
        text("{}{}", 100, Closes),
        text("{} {}", 100, Closes),
        text("{\"msgid\":13,\"id\":3}}", 100, Closes),
        text("[]", 100, Closes),
        text("[{\"msgid\":13,\"id\":3}]", 100, Closes),
        text("null", 100, Closes),
        text("true", 100, Closes),
        text("7", 100, Closes),
        text("\"msgid\"", 100, Closes),
        text(" ", 100, Closes),
        text("{\"msgid\":13,}", 100, Closes),
        text("{\"msgid\":013,\"id\":3}", 100, Closes),
        text("{\"msgid\":+13,\"id\":3}", 100, Closes),
        text("{\"msgid\":.5}", 100, Closes),
        text("{\"msgid\":5.}", 100, Closes),
        text("{\"msgid\":0x0d,\"id\":3}", 100, Closes),
        text("{\"msgid\":13 \"id\":3}", 100, Closes),
        text("{msgid:13,id:3}", 100, Closes),
        text("{'msgid':13}", 100, Closes),
        text("{\"msgid\":13,\"id\":NaN}", 100, Closes),
        text("{\"msgid\":13,\"id\":3/*comment*/}", 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"x\":\"\t\"}", 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"x\":\"\\x41\"}", 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"x\":\"\\u12\"}", 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"x\":\"unended}", 100, Closes),
        text(&nested(17), 100, Closes),
        text(&nested(30_000), 100, Closes),
        text(&"[".repeat(60_000), 100, Closes),
        text(&"{\"a\":".repeat(12_000), 100, Closes),
        // Not UTF-8, or not a text.
        (b"{\"msgid\":13,\"id\":3,\"x\":\"\xff\xfe\"}".to_vec(), 100, Closes),
        (b"{\"msgid\":13,\"id\":3,\"x\":\"\xc3\"}".to_vec(), 100, Closes),
        (b"{\"msgid\":13,\"id\":3,\"x\":\"\xc0\xaf\"}".to_vec(), 100, Closes),
        (b"{\"msgid\":13,\"id\":3,\"x\":\"\xed\xa0\x80\"}".to_vec(), 100, Closes),
        (b"{\"msgid\":13,\"id\":3,\"x\":\"\xf4\x90\x80\x80\"}".to_vec(), 100, Closes),
        (b"\xef\xbb\xbf{\"msgid\":13,\"id\":3}".to_vec(), 100, Closes),
        (b"\xff\xfe{\"msgid\":13}".to_vec(), 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"x\":\"\\ud800\"}", 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"x\":\"\\udc00\"}", 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"x\":\"\\ud800\\u0041\"}", 100, Closes),
        text("{\"msgid\":13,\"id\":3,\"\\ud800\":1}", 100, Closes),
        // Well formed, and wrong in a field.
        text("{}", 102, Lives),
        text("{\"id\":3}", 102, Lives),
        text("{\"msgid\":null,\"id\":3}", 102, Lives),
        text("{\"msgid\":\"13\",\"id\":3}", 102, Lives),
        text("{\"msgid\":13.0,\"id\":3}", 102, Lives),
        text("{\"msgid\":1e1,\"id\":3}", 102, Lives),
        text("{\"msgid\":-13,\"id\":3}", 102, Lives),
        text("{\"msgid\":[13],\"id\":3}", 102, Lives),
        text("{\"msgid\":18446744073709551616,\"id\":3}", 102, Lives),
        text(&format!("{{\"msgid\":{},\"id\":3}}", "9".repeat(300)), 102, Lives),
        // Beyond any number that a parser has.
        text(&format!("{{\"msgid\":{},\"id\":3}}", "9".repeat(5_000)), 100, Closes),
        text("{\"msgid\":1e400,\"id\":3}", 100, Closes),
        text("{\"msgid\":0,\"id\":3}", 101, Lives),
        text("{\"msgid\":2,\"id\":3}", 101, Lives),
        text("{\"msgid\":5,\"id\":3}", 101, Lives),
        text("{\"msgid\":14,\"id\":3}", 101, Lives),
        text("{\"msgid\":21,\"id\":3}", 101, Lives),
        text("{\"msgid\":4294967302,\"id\":3,\"toid\":1,\"msg\":\"m\"}", 101, Lives),
        text("{\"msgid\":18446744073709551615,\"id\":3}", 101, Lives),
        text("{\"MSGID\":13,\"id\":3}", 102, Lives),
        text("{\"msgid\":13}", 102, Lives),
        text("{\"msgid\":13,\"id\":0}", 102, Lives),
        text("{\"msgid\":13,\"id\":3.0}", 102, Lives),
        text("{\"msgid\":13,\"id\":99.7}", 102, Lives),
        text("{\"msgid\":13,\"id\":\"3\"}", 102, Lives),
        text("{\"msgid\":13,\"id\":true}", 102, Lives),
        text("{\"msgid\":13,\"id\":-3}", 102, Lives),
        text("{\"msgid\":13,\"id\":4294967299}", 102, Lives),
        text("{\"msgid\":13,\"id\":18446744073709551619}", 102, Lives),
        text("{\"msgid\":13,\"id\":1}", 104, Lives),
        text("{\"msgid\":1,\"id\":3}", 102, Lives),
        text("{\"msgid\":1,\"password\":\"x\"}", 102, Lives),
        text("{\"msgid\":1,\"id\":3,\"password\":7}", 102, Lives),
        text("{\"msgid\":1,\"id\":3,\"password\":null}", 102, Lives),
        text("{\"msgid\":4,\"name\":\"x\"}", 102, Lives),
        text("{\"msgid\":4,\"name\":[],\"password\":{}}", 102, Lives),
        text("{\"msgid\":6,\"id\":3,\"msg\":\"m\",\"time\":\"t\"}", 102, Lives),
        text("{\"msgid\":6,\"id\":3,\"toid\":1,\"time\":\"t\"}", 102, Lives),
        text("{\"msgid\":6,\"id\":3,\"toid\":\"1\",\"msg\":\"m\"}", 102, Lives),
        text("{\"msgid\":6,\"id\":3,\"toid\":1,\"msg\":7}", 102, Lives),
        text("{\"msgid\":6,\"id\":3,\"toid\":1,\"msg\":null}", 102, Lives),
        text("{\"msgid\":6,\"id\":3,\"toid\":1,\"msg\":\"m\",\"time\":7}", 102, Lives),
        text("{\"msgid\":6,\"id\":3,\"toid\":0,\"to\":1,\"msg\":\"m\"}", 102, Lives),
        text("{\"msgid\":7,\"id\":3}", 102, Lives),
        text("{\"msgid\":8,\"id\":3,\"groupname\":\"g\"}", 102, Lives),
        text("{\"msgid\":8,\"id\":3,\"groupdesc\":\"g\"}", 102, Lives),
        text("{\"msgid\":9,\"id\":3,\"groupid\":1.5}", 102, Lives),
        text("{\"msgid\":10,\"id\":3,\"groupid\":1}", 102, Lives),
        text("{\"msgid\":11,\"id\":3,\"groupid\":null}", 102, Lives),
        text("{\"msgid\":12,\"id\":3,\"friendid\":\"\"}", 102, Lives),
        text(&one_chat("\"cid\":\"\""), 102, Lives),
        text(&one_chat("\"cid\":7"), 102, Lives),
        text(&one_chat(&format!("\"cid\":\"{}\"", "c".repeat(65))), 102, Lives),
        // A key twice, however it is spelled and wherever it stands.
        text("{\"msgid\":13,\"id\":3,\"id\":3}", 102, Lives),
        text("{\"id\":1,\"msgid\":13,\"id\":3}", 102, Lives),
        text("{\"msgid\":13,\"id\":3,\"msgid\":3}", 102, Lives),
        text(&one_chat("\"toid\":2"), 102, Lives),
        text(&one_chat("\"to\\u0069d\":2"), 102, Lives),
        text(&one_chat("\"\\u006dsg\":\"other\""), 102, Lives),
        text(&one_chat("\"x\":1,\"x\":1"), 102, Lives),
        text(&one_chat("\"\":1,\"\":2"), 102, Lives),
    ];
    // As many keys as fit, the first of them again at the end.
    let keys: String = (0..5_000).map(|number| format!("\"k{number}\":1,")).collect();
    kinds.push((one_chat(&format!("{keys}\"k0\":1")).into_bytes(), 102, Lives));
    kinds
}

fn try_kind(chatd: &Chatd, user: Option<&User>, kind: &(Vec<u8>, u64, Then), end: &'static [u8]) {
    let (frame, errno, then) = kind;
    let shown: String = String::from_utf8_lossy(frame).chars().take(100).collect();
    let mut client = chatd.connect();
    client.end = end;
    if let Some(user) = user {
        client.login(user);
    }
    client.write(&[frame, end].concat());
    let error = client.hear(&format!("the answer to {shown}"));
    assert_eq!((&error["msgid"], &error["errno"]), (&json!(21), &json!(errno)), "{shown}: {error}");
    match then {
        Closes => client.hear_end(),
        Lives if user.is_some() => {
            client.hear_nothing();
            client.logout();
            client.hear_until_logged_out();
        }
        Lives => {
            client.say(json!({"msgid": 13, "id": 3}));
            client.hear_error(103);
        }
    }
}

#[test]
fn every_malformed_kind() {
    for (cores, end) in [(1, &b"\0"[..]), (2, b"\n"), (8, b"\r\n")] {
        let chatd = Chatd::start(cores);
        let mut neighbours = Neighbours::new(&chatd);
        let user = mallory(&chatd);
        for kind in &kinds() {
            // Whether somebody is logged in makes a difference only for who it is.
            try_kind(&chatd, None, &anonymous(kind), end);
            chatd.until_offline(&user);
            try_kind(&chatd, Some(&user), kind, end);
            neighbours.talk();
        }
        for client in &mut neighbours.clients {
            client.hear_nothing();
        }
    }
}

/// The same before a login: what would be forbidden needs a login first.
fn anonymous((frame, errno, then): &(Vec<u8>, u64, Then)) -> (Vec<u8>, u64, Then) {
    (frame.clone(), if *errno == 104 { 103 } else { *errno }, *then)
}

#[test]
fn deep_nesting_is_fine_up_to_sixteen() {
    let chatd = Chatd::start(1);
    let _neighbours = Neighbours::new(&chatd);
    let mut client = chatd.enter(&mallory(&chatd));
    for depth in 2..=16 {
        client.say_text(&nested(depth));
        assert_eq!(client.hear("the friend list")["msgid"], 13, "{depth}");
    }
}

/// A frame of exactly so many bytes.
fn frame_of(bytes: usize) -> String {
    let shell = r#"{"msgid":13,"id":3,"x":""}"#;
    format!(r#"{{"msgid":13,"id":3,"x":"{}"}}"#, "x".repeat(bytes - shell.len()))
}

#[test]
fn frames_at_the_bound() {
    const BOUND: usize = 64 << 10;
    for end in [&b"\0"[..], b"\n", b"\r\n"] {
        let chatd = Chatd::start(1);
        let mut neighbours = Neighbours::new(&chatd);
        let user = mallory(&chatd);
        for (bytes, fits) in [(BOUND - 1, true), (BOUND, true), (BOUND + 1, false), (BOUND * 4, false)] {
            chatd.until_offline(&user);
            let mut client = chatd.connect();
            client.end = end;
            client.login(&user);
            let _ = client.try_write(&[frame_of(bytes).as_bytes(), end].concat());
            if fits {
                assert_eq!(client.hear("the friend list")["msgid"], 13, "{bytes}");
            } else {
                client.hear_error_and_end(111);
            }
            neighbours.talk();
        }
        // Without an end it is too large as soon as it is.
        let mut client = chatd.connect();
        let _ = client.try_write(&vec![b'x'; BOUND + 100]);
        client.hear_error_and_end(111);
        neighbours.talk();
    }
}

#[test]
fn messages_at_the_bound() {
    const BOUND: usize = 16 << 10;
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut reader = chatd.enter(&ben);
    let mut client = chatd.enter(&amy);
    for unit in ["x", "é", "\\", "\n"] {
        for extra in [-1, 0, 1] {
            let count = (BOUND / unit.len()).checked_add_signed(extra).unwrap();
            let text = unit.repeat(count);
            // What counts is the text itself, not how it is spelled.
            client.chat(&ben, &text);
            if text.len() <= BOUND {
                reader.hear_msg(&text);
            } else {
                assert_eq!(client.hear_error(111)["re"], 6);
            }
        }
    }
    reader.hear_nothing();
    client.hear_nothing();
}

/// A NUL or a newline ends a frame wherever it stands; escaped it is a part of the text.
#[test]
fn a_terminator_within_a_text_cuts_the_frame() {
    let chatd = Chatd::start(1);
    let mut neighbours = Neighbours::new(&chatd);
    mallory(&chatd);
    for end in ["\0", "\n"] {
        let mut client = chatd.connect();
        client.write(format!("{{\"msgid\":13,\"id\":3,\"x\":\"a{end}b\"}}{end}").as_bytes());
        client.hear_error_and_end(100);
        neighbours.talk();
    }
}

#[test]
fn what_follows_a_fatal_frame_is_not_looked_at() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut reader = chatd.enter(&ben);
        let mut client = chatd.enter(&amy);
        let after = chat(amy.id, ben.id, "after").to_string();
        client.write(format!("{}\0nonsense\0{after}\0", chat(amy.id, ben.id, "before")).as_bytes());
        let _ = client.try_write(format!("{after}\0").as_bytes());
        reader.hear_msg("before");
        client.hear_error_and_end(100);
        chatd.until_offline(&amy);
        reader.hear_nothing();
    }
}

/// Bytes from a seeded generator: noise, and honest frames with something changed.
#[test]
fn random_bytes() {
    let seed = seed();
    println!("CHATD_SEED={seed}");
    let mut random = Random(seed);
    let mut chatd = Chatd::start(2);
    let mut neighbours = Neighbours::new(&chatd);
    let user = mallory(&chatd);
    for round in 0..600 {
        let mut client = chatd.connect();
        if round % 3 == 0 {
            client.ask_login(&user);
        }
        let mut bytes = Vec::new();
        for _ in 0..random.below(8) {
            match random.below(4) {
                0 => bytes.extend((0..random.below(300)).map(|_| random.number() as u8)),
                1 => {
                    let alphabet = b"{}[]\",:\\u0123456789.eE+-\0\n\r truefalsn";
                    bytes.extend((0..random.below(200)).map(|_| alphabet[random.below(alphabet.len())]));
                }
                _ => {
                    let kinds = kinds_of_requests(user.id);
                    let mut frame = kinds[random.below(kinds.len())].clone().into_bytes();
                    for _ in 0..random.below(4) {
                        let at = random.below(frame.len());
                        match random.below(3) {
                            0 => frame[at] = random.number() as u8,
                            1 => drop(frame.remove(at)),
                            _ => frame.insert(at, b"\"\\{}[],:0\0"[random.below(10)]),
                        }
                    }
                    bytes.extend(frame);
                    bytes.push(0);
                }
            }
        }
        let mut at = 0;
        while at < bytes.len() {
            let next = (at + 1 + random.below(200)).min(bytes.len());
            if client.try_write(&bytes[at..next]).is_err() {
                break;
            }
            at = next;
        }
        if round % 2 == 0 {
            drop(client);
        } else {
            client.reset();
        }
        neighbours.talk();
        assert!(chatd.lives(), "round {round} of seed {seed}: {}", chatd.printed());
    }
}

fn kinds_of_requests(id: u64) -> Vec<String> {
    // Message 3 is left out of 6 and 10: the neighbours are not to hear what is not theirs.
    [
        json!({"msgid": 1, "id": id, "password": "x"}),
        json!({"msgid": 4, "name": "random", "password": "x"}),
        json!({"msgid": 6, "id": id, "toid": id, "msg": "m\u{1}\"", "time": "t", "cid": "c"}),
        json!({"msgid": 7, "id": id, "friendid": 1}),
        json!({"msgid": 8, "id": id, "groupname": "g", "groupdesc": "d"}),
        json!({"msgid": 9, "id": id, "groupid": 1}),
        json!({"msgid": 10, "id": id, "groupid": 1, "msg": "m", "time": "t"}),
        json!({"msgid": 11, "id": id, "groupid": 1}),
        json!({"msgid": 12, "id": id, "friendid": 1}),
        json!({"msgid": 13, "id": id}),
        json!({"msgid": 3, "id": id}),
    ]
    .iter()
    .map(ToString::to_string)
    .collect()
}

/// Hundreds who begin a frame and do not go on: they cost the others nothing.
/// Takes as long as a frame may take. Who says nothing at all in that time lives on.
#[test]
fn a_frame_that_does_not_end_is_told_so() {
    let chatd = Chatd::start(2);
    let mut silent: Vec<Client> = (0..4).map(|_| chatd.connect()).collect();
    let mut slow: Vec<Client> = (0..4).map(|_| chatd.connect()).collect();
    slow.iter_mut().for_each(|client| client.write(b"{\"msgid\":"));
    slow.iter_mut().for_each(|client| client.hear_error_and_end(100));
    for client in &mut silent {
        client.say(json!({"msgid": 13, "id": 1}));
        client.hear_error(103);
    }
}

#[test]
fn slow_loris() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let mut neighbours = Neighbours::new(&chatd);
        let user = mallory(&chatd);
        let mut lorises: Vec<Client> = (0..300).map(|_| chatd.connect()).collect();
        let frame = json!({"msgid": 1, "id": user.id, "password": "x"}).to_string();
        for byte in frame.bytes().take(30) {
            for loris in &mut lorises {
                loris.write(&[byte]);
            }
            neighbours.talk();
        }
        // They may still go on.
        let mut last = lorises.pop().expect("there are many");
        last.write(&frame.as_bytes()[30..]);
        last.write(b"\n");
        assert_eq!(last.hear("the answer to a slow login")["errno"], 1);
        drop(lorises);
        neighbours.talk();
    }
}

#[test]
fn who_goes_on_writing_after_an_error_that_closes_is_not_read_for_long() {
    let chatd = Chatd::start(1);
    let mut client = chatd.connect().with_newlines();
    client.write(b"not a frame\n");
    // A second of reading is far more than this; a bound in bytes is not.
    let block = vec![b'x'; 64 << 10];
    let mut taken = 0_usize;
    while client.try_write(&block).is_ok() {
        taken += block.len();
        assert!(taken < 64 << 20, "{taken} bytes were taken after the ERROR");
    }
}
