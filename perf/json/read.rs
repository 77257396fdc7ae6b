//! Reads JSON text: reports of earlier runs, and what a server says of its stages.

use super::Json;

impl Json {
    /// Reads a whole document.
    pub fn read(text: &str) -> Result<Json, String> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() { Err(reader.complaint("something after the end")) } else { Ok(value) }
    }
}

/// Nothing that is meant for this program nests deeper.
const DEPTH_MAX: u32 = 64;

/// `at ≤ bytes.len()`, and at a boundary of characters between values.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn complaint(&self, what: &str) -> String {
        format!("not JSON: {what} at byte {}", self.at)
    }

    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn skip(&mut self, wanted: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(wanted.as_bytes());
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: u32) -> Result<Json, String> {
        self.space();
        match self.bytes.get(self.at) {
            _ if depth > DEPTH_MAX => Err(self.complaint("too deep")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.skip("null") => Ok(Json::Null),
            // No report holds truth values; a server's document may.
            _ if self.skip("true") => Ok(Json::Integer(1)),
            _ if self.skip("false") => Ok(Json::Integer(0)),
            _ => Err(self.complaint("no value")),
        }
    }

    fn object(&mut self, depth: u32) -> Result<Json, String> {
        let mut fields = Vec::new();
        self.items('}', |reader| {
            reader.space();
            let key = reader.string()?;
            reader.space();
            if !reader.skip(":") {
                return Err(reader.complaint("no colon"));
            }
            fields.push((key, reader.value(depth + 1)?));
            Ok(())
        })?;
        Ok(Json::Object(fields))
    }

    fn list(&mut self, depth: u32) -> Result<Json, String> {
        let mut values = Vec::new();
        self.items(']', |reader| {
            values.push(reader.value(depth + 1)?);
            Ok(())
        })?;
        Ok(Json::List(values))
    }

    /// What stands between an opening bracket, which is here, and the closing one.
    fn items(
        &mut self,
        end: char,
        mut item: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let end = end.to_string();
        self.at += 1;
        self.space();
        if self.skip(&end) {
            return Ok(());
        }
        loop {
            item(self)?;
            self.space();
            if self.skip(&end) {
                return Ok(());
            }
            if !self.skip(",") {
                return Err(self.complaint("no comma"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|byte| b"+-.eE0123456789".contains(byte)) {
            self.at += 1;
        }
        let text = String::from_utf8_lossy(&self.bytes[start..self.at]);
        let integer = text.parse().map(Json::Integer).ok();
        integer
            .or_else(|| text.parse().map(Json::Number).ok())
            .ok_or_else(|| self.complaint("no number before this"))
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.skip("\"") {
            return Err(self.complaint("no string"));
        }
        let mut bytes = Vec::new();
        loop {
            let Some(&byte) = self.bytes.get(self.at) else { return Err(self.complaint("an open string")) };
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    let character = self.escape()?;
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).map_err(|_| self.complaint("no UTF-8 before this"))
    }

    fn escape(&mut self) -> Result<char, String> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        Ok(match byte {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => {
                let first = self.hex4()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let second = if self.skip("\\u") { self.hex4()? } else { 0 };
                let pair = 0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00);
                char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.complaint("a strange escape")),
        })
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        value.ok_or_else(|| "not JSON: a \\u without four digits".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;

    #[test]
    fn what_is_written_can_be_read() {
        let value = object([
            ("text", "a\"\\\n\u{1}é😀".into()),
            ("none", Json::Null),
            ("numbers", vec![1.5, -2.25, 1e-9].into()),
            ("empty", Json::List(vec![])),
            ("deep", object([("count", u64::MAX.into()), ("nothing", object([]))])),
        ]);
        assert_eq!(Json::read(&value.to_string()), Ok(value.clone()));
        assert_eq!(value.number_at("deep/count"), Some(u64::MAX as f64));
        assert_eq!(value.text_at("text").map(str::len), Some(11));
        assert_eq!(value.list_at("numbers").len(), 3);
        assert_eq!(value.at("deep/no/such"), None);
    }

    #[test]
    fn escapes_of_others() {
        assert_eq!(Json::read(r#""\u00e9\ud83d\ude00\/""#), Ok(Json::Text("é😀/".into())));
    }

    #[test]
    fn nonsense_is_refused_wherever_it_ends() {
        let text = r#"{"a":[1,{"b":"\u00e9"},-2.5e3],"c":null}"#;
        assert!(Json::read(text).is_ok());
        for end in 0..text.len() {
            assert!(Json::read(&text[..end]).is_err(), "{}", &text[..end]);
        }
        let deep = "[".repeat(1_000_000);
        for nonsense in ["", "x", "1 2", "[1,]", "{1:2}", "{\"a\" 1}", "\"\\x\"", "\"\\u12\"", "--", &deep] {
            assert!(Json::read(nonsense).is_err());
        }
    }
}
