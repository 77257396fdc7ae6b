//! Headers that are, headers that are not, each cut at every byte, and a million of damaged ones.

use super::*;

/// A header of version 2.
fn binary(command: u8, family: u8, said: &[u8]) -> Vec<u8> {
    let length = (said.len() as u16).to_be_bytes();
    [SIGNATURE, &[command, family], &length, said].concat()
}

fn v6(text: &str) -> IpAddr {
    IpAddr::V6(text.parse().unwrap())
}

/// Headers, and whom they speak for.
fn good() -> Vec<(Vec<u8>, Option<IpAddr>)> {
    let line = |text: &str| text.as_bytes().to_vec();
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let (four, six) = ([192, 0, 2, 7, 10, 0, 0, 1, 1, 2, 3, 4], [0x20_u8; 36]);
    let extra = [&four[..], &[0x04, 0, 3, 1, 2, 3]].concat();
    vec![
        (line("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n"), Some(IpAddr::from([192, 0, 2, 7]))),
        (line("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n"), Some(v6("2001:db8::7"))),
        (line(&format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n")), Some(v6(longest))),
        (line("PROXY UNKNOWN\r\n"), None),
        (line(&format!("PROXY UNKNOWN {longest} {longest} 65535 65535\r\n")), None),
        (binary(0x21, 0x11, &four), Some(IpAddr::from([192, 0, 2, 7]))),
        (binary(0x21, 0x11, &extra), Some(IpAddr::from([192, 0, 2, 7]))),
        (binary(0x21, 0x21, &six), Some(IpAddr::from([0x20; 16]))),
        (binary(0x21, 0x31, &[1; 216]), None),
        (binary(0x20, 0x11, &four), None),
        (binary(0x20, 0x00, &[]), None),
        (binary(0x21, 0x00, &[9; 40]), None),
    ]
}

#[test]
fn a_header_is_read_and_cut_at_every_byte_it_goes_on() {
    for (header, from) in good() {
        let whole = Header::Whole(header.len(), from);
        for cut in 0..header.len() {
            assert_eq!(read(&header[..cut]), Header::Partial, "{cut} of {header:?}");
        }
        for after in [&b""[..], b"{\"msgid\":1}\0", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\n", b"PROXY "]
        {
            assert_eq!(read(&[&header, after].concat()), whole, "{header:?}");
        }
    }
}

#[test]
fn what_is_no_header_is_none() {
    for absent in
        [&b"{\"msgid\":1}\0"[..], b"GET / HTTP/1.1\r\n", b"POST", b"\x16", b"PROXYTCP4", b"proxy ", b"\r\n{"]
    {
        assert_eq!(read(absent), Header::Absent, "{absent:?}");
    }
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    for broken in [
        "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n",
        "PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 65536 2\r\n",
        "PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n",
        "PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n",
        "PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n",
        "PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY \u{ff}\r\n",
        &long,
        &"PROXY UNKNOWN".repeat(20),
    ] {
        assert_eq!(read(broken.as_bytes()), Header::Broken, "{broken:?}");
    }
    let four = [7; 12];
    for broken in [
        binary(0x22, 0x11, &four),
        binary(0x11, 0x11, &four),
        binary(0x21, 0x12, &four),
        binary(0x21, 0x41, &four),
        binary(0x21, 0x11, &four[..11]),
        binary(0x21, 0x21, &[7; 35]),
        binary(0x20, 0x31, &[7; 215]),
        binary(0x21, 0x11, &[7; HEADER_BYTES]),
    ] {
        assert_eq!(read(&broken), Header::Broken, "{broken:?}");
    }
}

/// Another reader of the same, as plain as can be: what a damaged header may be taken for.
fn is_plausible(bytes: &[u8], end: usize, from: Option<IpAddr>) -> bool {
    let header = &bytes[..end];
    match header.strip_prefix(SIGNATURE) {
        Some(rest) => {
            let length = usize::from(rest[2]) * 256 + usize::from(rest[3]);
            let told = match (rest[0], rest[1]) {
                (0x21, 0x11) => Some(IpAddr::from(<[u8; 4]>::try_from(&rest[4..8]).unwrap())),
                (0x21, 0x21) => Some(IpAddr::from(<[u8; 16]>::try_from(&rest[4..20]).unwrap())),
                _ => None,
            };
            length + 16 == end && told == from
        }
        None => {
            let text = core::str::from_utf8(header).expect("a line is text");
            let words: Vec<&str> = text.strip_suffix("\r\n").expect("it ends so").split(' ').collect();
            let ports = |words: &[&str]| words.iter().all(|word| word.parse::<u16>().is_ok());
            match (words[0], words[1], from) {
                ("PROXY", "UNKNOWN", None) => true,
                ("PROXY", "TCP4", Some(IpAddr::V4(from))) => {
                    words.len() == 6 && words[2] == from.to_string() && ports(&words[4..])
                }
                ("PROXY", "TCP6", Some(IpAddr::V6(from))) => {
                    words.len() == 6 && words[2].parse() == Ok(from) && ports(&words[4..])
                }
                _ => false,
            }
        }
    }
}

/// A generator of numbers that are the same for the same seed (splitmix64).
fn number(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Damaged a million times: never a panic, never taken for what it is not, and, cut anywhere, never for something else.
#[test]
fn damaged_headers_are_never_taken_for_what_they_are_not() {
    let good = good();
    let mut state = 7;
    let mut taken = 0;
    for _ in 0..1_000_000 {
        let mut bytes = good[number(&mut state) as usize % good.len()].0.clone();
        for _ in 0..1 + number(&mut state) % 3 {
            let (at, what) = (number(&mut state) as usize % bytes.len(), number(&mut state));
            match what % 4 {
                0 => bytes[at] = (what >> 8) as u8,
                1 => bytes[at] ^= 1 << (what >> 8 & 7),
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b" \r\n0:."[(what >> 8) as usize % 6]),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let read_whole = read(&bytes);
        if let Header::Whole(end, from) = read_whole {
            assert!(is_plausible(&bytes, end, from), "{bytes:?} is taken for {from:?}");
            taken += 1;
        }
        let cut = number(&mut state) as usize % (bytes.len() + 1);
        let read_part = read(&bytes[..cut]);
        assert!(read_part == Header::Partial || read_part == read_whole, "{cut} of {bytes:?}: {read_part:?}");
    }
    assert!((10_000..700_000).contains(&taken), "damage that does no harm: {taken}");
}

#[test]
fn the_last_address_that_is_not_believed_is_the_clients() {
    let believed = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(_) => false,
    };
    let of = |values: &[&str]| forwarded(values.iter().map(|value| value.as_bytes()), believed);
    let client = Some(IpAddr::from([192, 0, 2, 7]));
    assert_eq!(of(&["192.0.2.7"]), client);
    assert_eq!(of(&["203.0.113.9, 192.0.2.7"]), client, "what a client writes itself is left of it");
    assert_eq!(of(&["203.0.113.9, 192.0.2.7,10.0.0.1 , 10.9.9.9"]), client);
    assert_eq!(of(&["203.0.113.9", "192.0.2.7", "10.0.0.1"]), client, "several lines are one list");
    assert_eq!(of(&["192.0.2.7:5000"]), client);
    assert_eq!(of(&["[2001:db8::7]:5000"]), Some(v6("2001:db8::7")));
    assert_eq!(of(&["[2001:db8::7]"]), Some(v6("2001:db8::7")));
    assert_eq!(of(&["2001:db8::7"]), Some(v6("2001:db8::7")));
    assert_eq!(of(&["10.0.0.2, 10.0.0.1"]), Some(IpAddr::from([10, 0, 0, 2])));
    assert_eq!(of(&["192.0.2.7, unknown, 10.0.0.1"]), Some(IpAddr::from([10, 0, 0, 1])));
    for nobody in ["", "unknown", "192.0.2.7, ", "192.0.2.7, _hidden", "192.0.2.7:99999", "192.0.2.256"] {
        assert_eq!(of(&[nobody]), None, "{nobody}");
    }
}
