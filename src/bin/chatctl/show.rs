//! What people are shown of an answer: lines and tables. What others have written is made safe to show.

use super::acts::Asked;
use super::exit::Exit;
use super::visible::{short, visible};
use serde_json::Value;
use std::io::{ErrorKind, Write};
use unicode_width::UnicodeWidthStr;

/// Characters of a cell at most.
const CELL: usize = 60;
/// Fields that say nothing to people.
const UNSAID: [&str; 3] = ["errno", "msgid", "re"];

/// Prints an answer. One that is no success is left to [`refusal`], unless JSON is wanted.
///
/// # Errors
/// If standard output does not take it.
pub fn answer(asked: &Asked, answer: &Value, json: bool) -> Result<(), (Exit, String)> {
    let text = if json {
        format!("{answer}\n")
    } else if answer["errno"].as_i64() == Some(0) {
        lines(asked, answer)
    } else {
        return Ok(());
    };
    print(&text)
}

/// Prints a text. Whoever has closed a pipe wants no more of it, which is no failure.
///
/// # Errors
/// If standard output does not take it.
pub fn print(text: &str) -> Result<(), (Exit, String)> {
    write(&mut std::io::stdout().lock(), text.as_bytes()).map(drop)
}

/// Writes some of what is printed. Whether more is wanted: whoever has closed a pipe wants none.
///
/// # Errors
/// If it cannot be written.
pub fn write(out: &mut dyn Write, bytes: &[u8]) -> Result<bool, (Exit, String)> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err((Exit::Usage, format!("cannot write standard output: {error}"))),
    }
}

/// Why the server did not do it.
pub fn refusal(answer: &Value) -> String {
    let errno = answer["errno"].as_i64().unwrap_or(-1);
    let why = visible(answer["errmsg"].as_str().unwrap_or("it does not say why")).into_owned();
    match answer["retry_after_ms"].as_u64() {
        Some(after) => format!("refused, errno {errno}: {why}; again in {after} ms"),
        None => format!("refused, errno {errno}: {why}"),
    }
}

/// A line a field; a list of objects is a table.
fn lines(asked: &Asked, answer: &Value) -> String {
    let Value::Object(fields) = answer else { return format!("{answer}\n") };
    let mut out = String::new();
    let said: Vec<_> = fields.iter().filter(|(name, _)| !UNSAID.contains(&name.as_str())).collect();
    for (name, value) in &said {
        match value {
            Value::Array(rows) if rows.iter().all(Value::is_object) => out.push_str(&table(name, rows)),
            _ => out.push_str(&format!("{name:<10} {}\n", cell(value))),
        }
    }
    if said.is_empty() {
        out = format!("done: {}\n", asked.act);
    }
    out
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => visible(text).into_owned(),
        other => visible(&other.to_string()).into_owned(),
    }
}

/// The rows under the names of their fields.
fn table(name: &str, rows: &[Value]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for row in rows.iter().filter_map(Value::as_object) {
        columns
            .extend(row.keys().map(String::as_str).filter(|key| !columns.contains(key)).collect::<Vec<_>>());
    }
    if rows.is_empty() {
        return format!("no {name}\n");
    }
    let mut cells: Vec<Vec<String>> = vec![columns.iter().map(|&column| column.to_owned()).collect()];
    for row in rows {
        cells.push(columns.iter().map(|&column| short(&cell(&row[column]), CELL)).collect());
    }
    let widths: Vec<usize> =
        (0..columns.len()).map(|at| cells.iter().map(|row| row[at].width()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &cells {
        let padded = row.iter().zip(&widths).map(|(cell, width)| {
            let blanks = width.saturating_sub(cell.width());
            format!("{cell}{}", " ".repeat(blanks))
        });
        out.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(answer: &Value) -> String {
        lines(&Asked { act: "x".to_owned(), body: Value::Null, is_streamed: false }, answer)
    }

    #[test]
    fn a_table_has_what_is_wide_and_what_is_hostile_in_its_columns() {
        let rows =
            json!({"errno": 0, "users": [{"id": 1, "name": "你好"}, {"id": 22, "name": "a\u{1b}[2Jb\n"}]});
        assert_eq!(shown(&rows), "id  name\n1   你好\n22  a\\x1b[2Jb\\n\n");
        assert_eq!(shown(&json!({"errno": 0, "users": []})), "no users\n");
    }

    #[test]
    fn what_is_done_says_so() {
        assert_eq!(shown(&json!({"errno": 0})), "done: x\n");
        assert_eq!(refusal(&json!({"errno": 105, "errmsg": "no\u{7}"})), "refused, errno 105: no\\x07");
    }
}
