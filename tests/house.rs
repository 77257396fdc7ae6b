//! The words of the house: each public type of the core has its line in docs/glossary.md, once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How often each public type is declared in the files below `folder`.
fn declared(folder: &Path, found: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).expect("a folder of the core").map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            declared(&entry, found);
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            for line in fs::read_to_string(&entry).unwrap().lines() {
                let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
                if let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) {
                    let name = rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap();
                    *found.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
    }
}

/// How often each name in backquotes stands in the first column of the glossary's tables.
fn explained() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/glossary.md")).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix('|')) {
        let terms = line.split('|').next().unwrap();
        for name in terms.split('`').skip(1).step_by(2) {
            *found.entry(name.to_owned()).or_default() += 1;
        }
    }
    found
}

#[test]
fn every_public_type_of_the_core_is_in_the_glossary_once() {
    let mut types = BTreeMap::new();
    declared(&Path::new(ROOT).join("src/chat"), &mut types);
    assert!(types.len() > 50, "the core has public types: {types:?}");
    let terms = explained();
    let wrong: Vec<String> = (types.keys().chain(terms.keys()))
        .filter(|&name| types.get(name) != Some(&1) || terms.get(name) != Some(&1))
        .map(|name| format!("{name}: declared {:?}, explained {:?}", types.get(name), terms.get(name)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
