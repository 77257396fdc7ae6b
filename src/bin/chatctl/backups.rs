//! Backups of the embedded store: they are files, and no server is asked.

use super::exit::Exit;
use super::options::{Backup, Restore, Verify};
use super::show::print;
use chatd_storage::embedded::backup::{self, BackupError, Contents};
use serde_json::json;
use std::path::Path;

type Failed = (Exit, String);

/// Makes one.
///
/// # Errors
/// If it is not made.
pub fn save(wanted: &Backup, json: bool) -> Result<(), Failed> {
    told("backup", &wanted.file, backup::save(&wanted.data, &wanted.file), json)
}

/// Looks at one.
///
/// # Errors
/// If it is not whole.
pub fn verify(wanted: &Verify, json: bool) -> Result<(), Failed> {
    told("whole", &wanted.file, backup::verify(&wanted.file), json)
}

/// Puts one back.
///
/// # Errors
/// If it is not put back.
pub fn restore(wanted: &Restore, json: bool) -> Result<(), Failed> {
    told("restored", &wanted.data, backup::restore(&wanted.file, &wanted.data), json)
}

fn told(what: &str, at: &Path, came: Result<Contents, BackupError>, json: bool) -> Result<(), Failed> {
    let contents = came.map_err(|error| (Exit::Refused, error.to_string()))?;
    let Contents { version, users, groups, messages, bytes } = contents;
    if json {
        let answer = json!({
            "errno": 0, "file": at.to_string_lossy(), "version": version, "users": users, "groups": groups,
            "messages": messages, "bytes": bytes,
        });
        return print(&format!("{answer}\n"));
    }
    print(&format!(
        "{what}: {} ({users} users, {groups} groups, {messages} messages; schema {version}, {bytes} bytes)\n",
        at.display()
    ))
}
