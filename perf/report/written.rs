//! Puts reports into files.

use std::path::{Path, PathBuf};

use super::{RunReport, hdr, page};
use crate::json::Json;

/// Where the forms of a report go.
pub struct Written {
    pub json: Option<PathBuf>,
    pub html: Option<PathBuf>,
    pub hlog: Option<PathBuf>,
    pub hgrm: Option<PathBuf>,
}

impl Written {
    pub fn write(&self, report: &RunReport) -> Result<(), String> {
        let document = report.json();
        if let Some(path) = &self.json {
            write_json(path, &document)?;
        }
        if let Some(path) = &self.html {
            write_text(path, &page::page(std::slice::from_ref(&document)))?;
        }
        if let Some(path) = &self.hlog {
            write_text(path, &hdr::interval_log(report)?)?;
        }
        if let Some(path) = &self.hgrm {
            write_text(path, &hdr::percentiles(report))?;
        }
        Ok(())
    }
}

pub fn write_json(path: &Path, json: &Json) -> Result<(), String> {
    write_text(path, &format!("{json}\n"))
}

pub fn write_text(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
