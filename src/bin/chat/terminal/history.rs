//! The history: what was typed in earlier runs, in a file that only its user can read.
//!
//! Only lines of somebody who is logged in get here: no choices of the menu, no names, no passwords.

use super::editor::LineEditor;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// Lines that are kept.
pub const LINES: usize = 1_000;

/// The file, or nothing where there is no place for it.
#[derive(Debug)]
pub struct HistoryFile(Option<PathBuf>);

impl HistoryFile {
    /// Reads the file into the editor. What cannot be read is no history.
    pub fn load(editor: &mut LineEditor) -> Self {
        let path = place();
        if let Some(path) = &path {
            let _ = editor.history().load_history(path);
        }
        Self(path)
    }

    /// Adds a line, to the file too. What cannot be written is not kept.
    pub fn add(&self, editor: &mut LineEditor, line: &str) {
        let added = editor.history().add_history_entry(line).unwrap_or(false);
        if let (true, Some(path)) = (added, &self.0) {
            // rustyline makes the file with mode 0600.
            let _ = editor.history().append_history(path);
        }
    }
}

/// `$XDG_STATE_HOME/chatd/history`, or what XDG says where that is not set; its directory is made.
fn place() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))?;
    let directory = state.join("chatd");
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
    Some(directory.join("history"))
}
