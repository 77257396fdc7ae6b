//! The rules of the hub, one scenario each: `tests/rules/*.txt`.
//!
//! A scenario is a heading (`== what it shows`), then steps at the left margin, each followed by
//! the effects that it must have, indented, all of them and in their order. `RULES_BLESS=1` writes
//! what happens into the files; read the difference before you commit it.

mod rules {
    pub mod act_steps;
    pub mod change_steps;
    pub mod consent_steps;
    pub mod device_steps;
    pub mod group_steps;
    pub mod rate_steps;
    pub mod script;
    pub mod search_steps;
    pub mod show;
}

use rules::script::Script;
use std::fs;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let entries = fs::read_dir(folder).expect("the folder of rules is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// Says where a scenario was when it panicked.
struct At<'a>(&'a str);

impl Drop for At<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("at the step: {}", self.0);
        }
    }
}

/// What a file would be if every step had the effects that it has.
fn replay(text: &str) -> String {
    let mut replayed = String::new();
    let mut script = Script::default();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("== ") {
            script = Script::named(heading);
        }
        // Effects are written anew.
        if line.starts_with(' ') {
            continue;
        }
        replayed.push_str(line);
        replayed.push('\n');
        if line.is_empty() || line.starts_with('#') || line.starts_with("== ") {
            continue;
        }
        let _at = At(line);
        for same in script.step(line).chunk_by(|a, b| a == b) {
            replayed.push_str("    ");
            replayed.push_str(same[0].trim_end());
            if same.len() > 1 {
                replayed.push_str(&format!("   ({} times)", same.len()));
            }
            replayed.push('\n');
        }
    }
    replayed
}

#[test]
fn every_step_has_the_effects_that_are_written_down() {
    let (mut scenarios, mut wrong) = (0, Vec::new());
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        scenarios += text.matches("\n== ").count() + usize::from(text.starts_with("== "));
        let replayed = replay(&text);
        if replayed == text {
            continue;
        }
        if std::env::var_os("RULES_BLESS").is_some() {
            fs::write(&path, replayed).unwrap();
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let lines = text.lines().zip(replayed.lines()).enumerate();
        let first = lines.filter(|(_, (is, should))| is != should).map(|(at, (is, should))| {
            format!("{name}:{}\n  written:  {}\n  happened: {}", at + 1, is.trim(), should.trim())
        });
        wrong.push(first.into_iter().next().unwrap_or_else(|| format!("{name}: one is longer")));
    }
    assert!(scenarios > 40, "only {scenarios} scenarios were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
