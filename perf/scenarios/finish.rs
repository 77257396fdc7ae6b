//! The end of a run: its report, printed and written, and how it ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Ending;
use super::bench::Bench;
use super::settings::Settings;
use crate::report::{Compared, Machine, RunReport, SideFigures, Verdict, Written, all_faults};
use crate::target::niceness_words;

/// What the report says beside the figures, and where it goes.
pub struct Finish {
    pub is_pinned: bool,
    pub frame_bytes: usize,
    pub outputs: Written,
}

pub fn finish(
    settings: &Settings,
    bench: &Bench,
    finish_as: Finish,
    sides: Vec<SideFigures>,
    compared: Compared,
) -> Result<Ending, String> {
    let report = RunReport {
        machine: Machine::look(),
        began: bench.clock.epoch(),
        scenario: settings.name.clone(),
        what: settings.what.clone(),
        load_loop: settings.loop_words(),
        rate_asked_per_s: settings.rate_per_s(),
        placement: placement(bench, finish_as.is_pinned, !matches!(compared, Compared::Nothing)),
        crowd: settings.crowd_words(),
        frame_bytes: finish_as.frame_bytes as u64,
        text_bytes: settings.message.text_bytes as u64,
        seed: settings.seed,
        ramp_s: settings.ramp_ns as f64 / 1e9,
        warmup_s: settings.warmup_ns as f64 / 1e9,
        sides,
        compared,
    };
    finish_as.outputs.write(&report)?;
    // Whoever read it may have seen enough.
    let _ = io::stdout().write_all(report.text().as_bytes());
    Ok(ending(&report))
}

fn ending(report: &RunReport) -> Ending {
    if !all_faults(&report.sides).is_empty() {
        return Ending::Faulty;
    }
    match report.sides.iter().any(|side| matches!(side.verdict, Verdict::Invalid(_))) {
        true => Ending::Invalid,
        false => Ending::Fine,
    }
}

/// Where the server and the load threads ran.
fn placement(bench: &Bench, is_pinned: bool, is_interleaved: bool) -> String {
    let cpus = bench.cpus;
    let load = format!("{} load thread(s) on CPU {}", cpus.load.len(), list(&cpus.load));
    if !is_pinned {
        return format!("server not placed by this run, {load}");
    }
    let warning =
        if cpus.are_apart() { "" } else { ": THEY SHARE A CPU, so latencies hold the generator's work" };
    let rounds = if is_interleaved { "; rounds interleaved" } else { "" };
    format!("server on CPU {}, {load}, {}{warning}{rounds}", list(&cpus.server), niceness_words())
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// Where reports go, from what was typed: one base for all, or a path for each. None of them is changed yet.
///
/// # Errors
/// If one of them could not be written after the run.
pub fn outputs(typed: &crate::cli::Outputs) -> Result<Written, String> {
    let with = |path: &Option<PathBuf>, ending: &str| {
        let based = || {
            let base = typed.out.as_ref()?.as_os_str();
            let mut path = base.to_owned();
            path.push(ending);
            Some(PathBuf::from(path))
        };
        path.clone().or_else(based)
    };
    let written = Written {
        json: with(&typed.json, ".json"),
        html: with(&typed.html, ".html"),
        hlog: with(&typed.hlog, ".hlog"),
        hgrm: with(&typed.hgrm, ".hgrm"),
    };
    let paths = [&written.json, &written.html, &written.hlog, &written.hgrm];
    paths.into_iter().flatten().try_for_each(|path| writable(path))?;
    Ok(written)
}

/// Sees whether a file could be written, and leaves everything as it is.
///
/// # Errors
/// With a sentence, if not.
pub fn writable(path: &Path) -> Result<(), String> {
    let made = match File::create_new(path) {
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        Err(error) => Err(error),
    };
    made.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_found_before_the_run() {
        let directory = std::env::temp_dir().join(format!("chat-perf-writable-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (new, old) = (directory.join("new.json"), directory.join("old.json"));
        std::fs::write(&old, "a report").unwrap();
        assert_eq!((writable(&new), writable(&old)), (Ok(()), Ok(())));
        assert!(!new.exists(), "nothing is left of the look");
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "a report");
        for bad in [directory.join("nowhere/r.json"), directory.clone()] {
            let why = writable(&bad).unwrap_err();
            assert!(why.starts_with("cannot write ") && why.contains(&*bad.to_string_lossy()), "{why}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
