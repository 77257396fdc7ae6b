//! JSON text: strings and numbers written the way the original server writes them.
//!
//! `"` and `\` get a backslash, control characters their short form or `\u00xx` in lower case,
//! everything else (non-ASCII too) is written as it is.

/// For each byte: 0 if it is written as it is, `u` for `\u00xx`, else the letter after the backslash.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends the content of a JSON string (without the quotes around it).
pub fn escape(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut written = 0;
    for (at, &byte) in text.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&text[written..at]);
        written = at + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    out.extend_from_slice(&text[written..]);
}

/// How many bytes [`escape`] makes of `text`.
pub fn escaped_len(text: &[u8]) -> usize {
    let more = text.iter().map(|&byte| match ESCAPES[usize::from(byte)] {
        0 => 0,
        b'u' => 5,
        _ => 1,
    });
    text.len() + more.sum::<usize>()
}

/// Appends a JSON string with its quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text.as_bytes());
    out.push(b'"');
}

/// Appends a number in decimal.
pub fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// How many digits [`number`] writes.
pub fn number_len(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_the_original_server_does() {
        let mut out = Vec::new();
        string(&mut out, "a\"b\\c/\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f} 你好 🙂");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a\\\"b\\\\c/\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f} 你好 🙂\""
        );
    }

    #[test]
    fn what_is_escaped_reads_back_the_same() {
        use crate::wire::json::{Parser, Value};
        let all: String = (0..0x250u32).filter_map(char::from_u32).collect();
        let mut frame = b"{\"a\":".to_vec();
        string(&mut frame, &all);
        frame.push(b'}');
        let fields =
            Parser::new().parse(&mut frame, 2).map(|fields| fields.get("a") == Some(Value::Text(&all)));
        assert_eq!(fields, Ok(true));
    }

    #[test]
    fn numbers_are_decimal() {
        for n in [0, 7, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, n);
            assert_eq!(number_len(n), out.len());
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
    }

    #[test]
    fn the_length_is_known_before() {
        let all: String = (0..0x250u32).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"\n\u{1}\u{7f}é", &all] {
            let mut out = Vec::new();
            escape(&mut out, text.as_bytes());
            assert_eq!(escaped_len(text.as_bytes()), out.len(), "{text}");
        }
    }
}
