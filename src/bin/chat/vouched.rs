//! Another application's word for the user: a file that somebody else keeps good.

use crate::show::Shown;
use crate::talk::{Pending, Talk};
use chatd_client::{Request, Secret};
use std::fs;
use std::path::PathBuf;

/// Where the word is, if there is one.
#[derive(Clone, Debug)]
pub struct Vouched(pub Option<PathBuf>);

impl Vouched {
    /// What to ask with what is in the file now.
    pub fn request(&self, talk: &Talk, say: &mut Vec<Shown>) -> Option<(Request, Pending)> {
        let file = self.0.as_ref()?;
        match fs::read_to_string(file) {
            Ok(jwt) => Some(talk.vouched(Secret::from(jwt.trim()))),
            Err(why) => {
                say.push(Shown::Bad(format!("{}: {why}", file.display())));
                None
            }
        }
    }
}
