//! A value to its text and back.
//!
//! Each field of an object begins a line, so that two reports can be compared line by line; a number that has no
//! fraction is written without one.

use super::Json;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::ser::Formatter;
use std::fmt;
use std::io::{self, Write};

impl Json {
    /// Reads a whole document.
    pub fn read(text: &str) -> Result<Json, String> {
        serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, FieldALine);
        self.serialize(&mut serializer).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// How reports are laid out.
struct FieldALine;

impl Formatter for FieldALine {
    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"\n" } else { b",\n" })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write!(writer, "{value}")
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Integer(value) => serializer.serialize_u64(*value),
            Json::Number(value) => serializer.serialize_f64(*value),
            Json::Text(text) => serializer.serialize_str(text),
            Json::List(values) => serializer.collect_seq(values),
            Json::Object(fields) => serializer.collect_map(fields.iter().map(|(key, value)| (key, value))),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

/// Takes in whatever value there is.
struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    /// No report holds truth values; a server's document may.
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = object.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;

    #[test]
    fn every_kind_of_value_is_written() {
        let value = object([
            ("text", "a\"\\\n\u{1}é".into()),
            ("none", Option::<u64>::None.into()),
            ("not a number", f64::NAN.into()),
            ("list", vec![1.5, 2.0, 1e-9, 1e21].into()),
            ("count", 7.into()),
            ("empty", object([])),
        ]);
        let written = r#"{
"text": "a\"\\\n\u0001é",
"none": null,
"not a number": null,
"list": [1.5,2,0.000000001,1000000000000000000000],
"count": 7,
"empty": {}}"#;
        assert_eq!(value.to_string(), written);
    }

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
    fn what_others_write_is_read() {
        let read = Json::read(" {\"a\" : true, \"b\":[false,-3,2e3],\"c\":\"\\u00e9\\ud83d\\ude00\\/\"} ");
        let list = vec![Json::Integer(0), Json::Number(-3.0), Json::Number(2000.0)];
        let wanted = object([("a", 1.into()), ("b", Json::List(list)), ("c", "é😀/".into())]);
        assert_eq!(read, Ok(wanted));
    }

    /// Whatever writes them, the reports that are there are written again as they are.
    #[test]
    fn reports_that_are_kept_come_out_as_they_went_in() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/reports");
        let mut reports = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                let again = format!("{}\n", Json::read(&text).unwrap());
                assert!(again == text, "{}", path.display());
                reports += 1;
            }
        }
        assert!(reports > 10, "{reports}");
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
