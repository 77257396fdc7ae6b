//! Puts a report into a file.

use std::path::Path;

use super::json::Json;

pub fn write_json(path: &Path, json: &Json) -> Result<(), String> {
    std::fs::write(path, format!("{json}\n"))
        .map_err(|error| format!("cannot write the report to {}: {error}", path.display()))
}
