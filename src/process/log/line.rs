//! The form of a line: for people, or JSON for programs. One event is one line of at most [`LINE_BYTES`], whatever it says.

use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::{self, Display, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Bytes of a line at most, with its newline. What is longer is cut. The kernel writes so many into a pipe as one piece.
const LINE_BYTES: usize = 4_096;
/// Bytes that a cut and the escape of one character take.
const CUT_BYTES: usize = 16;
/// What every line for people begins with.
const WHO: &str = "chatd: ";
const CUT: &str = " …";

/// What a line looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Format {
    /// A sentence for people: whoever collects it knows the time.
    Human,
    /// An object: `ts` (RFC 3339, UTC), `level`, `target` (the module), `message`, and what else belongs to it.
    Json,
}

impl Format {
    pub(super) fn of(number: u8) -> Self {
        if number == Self::Json as u8 { Self::Json } else { Self::Human }
    }
}

/// What is said, at most so much of it that it fits into a line. No control characters: part of it may come from outside.
#[derive(Default)]
pub(super) struct Said {
    message: Text,
    fields: Map<String, Value>,
}

impl Said {
    /// A sentence.
    pub(super) fn of(what: impl Display) -> Self {
        let mut said = Self::default();
        // Fails where it is full.
        let _ = write!(said.message, "{what}");
        said
    }

    /// What an event says.
    pub(super) fn by(event: &Event<'_>) -> Self {
        let mut said = Self::default();
        event.record(&mut said);
        said
    }

    /// The line, with its newline.
    pub(super) fn line(self, format: Format, level: Level, module: &str) -> String {
        match format {
            Format::Human => self.human(level),
            Format::Json => self.json(level, module),
        }
    }

    fn human(self, level: Level) -> String {
        let mut line = Text::default();
        let _ = line.write_str(WHO);
        if level > Level::INFO {
            let _ = write!(line, "{}: ", name(level));
        }
        let _ = line.write_str(self.message.0.trim_end());
        for (name, value) in &self.fields {
            let _ = write!(line, " {name}={value}");
        }
        if self.message.is_full() && !line.is_full() {
            line.0.push_str(CUT);
        }
        line.0.push('\n');
        line.0
    }

    fn json(self, level: Level, module: &str) -> String {
        let mut message = self.message.0.trim_end();
        loop {
            let mut object = Map::new();
            object.insert("ts".to_owned(), format!("{:.3}", Timestamp::now()).into());
            object.insert("level".to_owned(), name(level).into());
            object.insert("target".to_owned(), module.into());
            object.insert("message".to_owned(), message.into());
            object.extend(self.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
            let line = Value::Object(object).to_string() + "\n";
            // What is escaped may take twice as much.
            if line.len() <= LINE_BYTES || message.is_empty() {
                return line;
            }
            message = &message[..message.floor_char_boundary(message.len() * 3 / 4)];
        }
    }
}

impl Visit for Said {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let mut text = Text::default();
            let _ = write!(text, "{value:?}");
            self.fields.insert(field.name().to_owned(), text.0.into());
        }
    }
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// A text without control characters that takes no more than a line has.
#[derive(Default)]
struct Text(String);

impl Text {
    fn is_full(&self) -> bool {
        self.0.ends_with(CUT)
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_full() {
            return Err(fmt::Error);
        }
        for character in text.chars() {
            if character.is_control() {
                self.0.extend(character.escape_default());
            } else {
                self.0.push(character);
            }
            if self.0.len() > LINE_BYTES - CUT_BYTES {
                self.0.push_str(CUT);
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn human(what: &str) -> String {
        Said::of(what).line(Format::Human, Level::INFO, "chatd")
    }

    #[test]
    fn a_line_is_one_line_and_not_too_long() {
        assert_eq!(human("Redis says:\r\n\u{1b}[2Jhello"), "chatd: Redis says:\\r\\n\\u{1b}[2Jhello\n");
        for long in ["é".repeat(4_000), "\u{1b}".repeat(4_000), "😀".repeat(1_023)] {
            let line = human(&long);
            assert!(line.len() <= LINE_BYTES && line.len() > LINE_BYTES - 40, "{}", line.len());
            assert!(line.ends_with(" …\n"));
        }
    }

    #[test]
    fn the_level_is_said_of_what_is_not_said_usually() {
        let line = |level| Said::of("it is so").line(Format::Human, level, "chatd");
        assert_eq!(line(Level::ERROR), "chatd: it is so\n");
        assert_eq!(line(Level::DEBUG), "chatd: debug: it is so\n");
    }

    #[test]
    fn an_object_is_one_line_and_not_too_long() {
        for text in ["a \"b\"\n".to_owned(), "\"".repeat(5_000), "\u{1b}".repeat(5_000), "😀".repeat(2_000)]
        {
            let line = Said::of(&text).line(Format::Json, Level::WARN, "chatd_storage::health");
            assert!(line.len() <= LINE_BYTES && line.ends_with("}\n"), "{}", line.len());
            let object: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(
                (&object["level"], &object["target"]),
                (&"warn".into(), &"chatd_storage::health".into())
            );
            let message = object["message"].as_str().unwrap();
            let said: String = message.chars().take(5).collect();
            assert!(human(&text).contains(&said) && !message.contains('\n'));
            assert!(object["ts"].as_str().unwrap().ends_with('Z'), "{line}");
        }
    }
}
