//! Files to a tree of directives, with what they include in its place.
//!
//! Knows two directives: `include`, and Lua blocks, which are not nginx's language.

use super::glob;
use super::words::{End, Words};
use std::cell::Cell;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Files within files, and blocks within blocks, at most. nginx knows no bound, and ends badly.
const DEPTH: usize = 64;
/// Files in all, at most: one that includes itself twice would be read for ever.
const FILES: u32 = 100_000;

/// A directive and its block, if it has one.
#[derive(Clone, Debug)]
pub struct Directive {
    /// Its name first; never empty.
    pub words: Vec<String>,
    /// What is within its braces.
    pub block: Option<Vec<Directive>>,
    /// Where it stands.
    pub place: Place,
}

impl Directive {
    /// What it is called.
    pub fn name(&self) -> &str {
        &self.words[0]
    }

    /// What follows its name.
    pub fn arguments(&self) -> &[String] {
        &self.words[1..]
    }
}

/// A line of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file as it was named.
    pub file: Rc<Path>,
    /// From 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a configuration cannot be read.
#[derive(Debug)]
pub enum ConfError {
    /// A file cannot be read; who includes it.
    File(PathBuf, Option<Place>, io::Error),
    /// A line that nginx would refuse.
    Line(Place, String),
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfError::File(path, Some(place), error) => {
                write!(f, "{place}: {} cannot be read: {error}", path.display())
            }
            ConfError::File(path, None, error) => write!(f, "{} cannot be read: {error}", path.display()),
            ConfError::Line(place, what) => write!(f, "{place}: {what}"),
        }
    }
}

impl std::error::Error for ConfError {}

/// Reads a configuration. What it includes is looked for beside it, as nginx does.
///
/// # Errors
/// If a file cannot be read, or nginx could not read it either.
pub fn read(path: &Path) -> Result<Vec<Directive>, ConfError> {
    let beside = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut directives = Vec::new();
    Reading { beside: &beside, depth: 0, files: &Cell::new(0) }.file(path, None, &mut directives)?;
    Ok(directives)
}

struct Reading<'a> {
    beside: &'a Path,
    depth: usize,
    /// How many files were read.
    files: &'a Cell<u32>,
}

impl Reading<'_> {
    fn file(&self, path: &Path, from: Option<Place>, into: &mut Vec<Directive>) -> Result<(), ConfError> {
        self.files.set(self.files.get() + 1);
        if let Some(place) = from.as_ref().filter(|_| self.depth > DEPTH || self.files.get() > FILES) {
            let what = format!("files are included {DEPTH} deep, or {FILES} times: is this one its own?");
            return Err(ConfError::Line(place.clone(), what));
        }
        let bytes = fs::read(path).map_err(|error| ConfError::File(path.to_path_buf(), from, error))?;
        // Comments may be in any encoding.
        let text = String::from_utf8_lossy(&bytes);
        let file: Rc<Path> = path.into();
        self.block(&mut Words::new(&text), &file, 0, into)
    }

    /// Reads up to the end of a block; at level 0, of the file.
    fn block(
        &self,
        words: &mut Words<'_>,
        file: &Rc<Path>,
        level: usize,
        into: &mut Vec<Directive>,
    ) -> Result<(), ConfError> {
        let fault = |line, what| ConfError::Line(Place { file: file.clone(), line }, what);
        loop {
            let statement = words.next().map_err(|found| fault(found.line, found.what))?;
            let line = statement.line;
            let place = Place { file: file.clone(), line };
            let mut directive = Directive { words: statement.words, block: None, place };
            match statement.end {
                End::File if level == 0 => return Ok(()),
                End::Close if level > 0 => return Ok(()),
                End::File => return Err(fault(line, "the file ends where \"}\" has to come".to_owned())),
                End::Close => return Err(fault(line, "unexpected \"}\"".to_owned())),
                End::Semicolon if directive.name() == "include" => {
                    self.include(&directive, into)?;
                    continue;
                }
                End::Semicolon => {}
                End::Open if directive.name().ends_with("_by_lua_block") => {
                    words.skip_block().map_err(|found| fault(found.line, found.what))?;
                }
                End::Open if level >= DEPTH => {
                    return Err(fault(line, format!("more than {DEPTH} blocks within blocks")));
                }
                End::Open => {
                    let mut within = Vec::new();
                    self.block(words, file, level + 1, &mut within)?;
                    directive.block = Some(within);
                }
            }
            into.push(directive);
        }
    }

    fn include(&self, directive: &Directive, into: &mut Vec<Directive>) -> Result<(), ConfError> {
        let [pattern] = directive.arguments() else {
            let what = "include takes one argument".to_owned();
            return Err(ConfError::Line(directive.place.clone(), what));
        };
        let path = self.beside.join(pattern);
        let within = Reading { beside: self.beside, depth: self.depth + 1, files: self.files };
        if !pattern.contains(['*', '?', '[']) {
            return within.file(&path, Some(directive.place.clone()), into);
        }
        // A pattern that nothing matches includes nothing, in nginx too.
        for path in glob::paths(&path) {
            within.file(&path, Some(directive.place.clone()), into)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of this test's own with these files; gone when dropped.
    struct Files(PathBuf);

    impl Files {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("chat-ring-{}-{name}", std::process::id()));
            for (file, text) in files {
                let file = path.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            Self(path)
        }

        fn read(&self) -> Result<Vec<String>, String> {
            let read = read(&self.0.join("nginx.conf"));
            let read = read.map_err(|error| error.to_string().replace(self.0.to_str().unwrap(), "."))?;
            Ok(read.iter().map(shown).collect())
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn shown(directive: &Directive) -> String {
        let within = directive.block.iter().flatten().map(shown).collect::<Vec<_>>().join(" ");
        let block = directive.block.as_ref().map(|_| format!("{{{within}}}"));
        format!("{}{}", directive.words.join(" "), block.unwrap_or(";".to_owned()))
    }

    #[test]
    fn what_is_included_stands_in_its_place() {
        let files = Files::new(
            "place",
            &[
                ("nginx.conf", "a; b { include more.conf; include conf.d/*.conf; include none/*.conf; }\nc;"),
                ("more.conf", "d { e; }"),
                ("conf.d/2.conf", "f2;"),
                // Beside the first file, not beside this one.
                ("conf.d/1.conf", "f1; include more.conf;"),
                ("conf.d/.hidden.conf", "g;"),
            ],
        );
        assert_eq!(files.read(), Ok(vec!["a;".into(), "b{d{e;} f1; d{e;} f2;}".into(), "c;".into()]));
    }

    #[test]
    fn lua_is_passed_over() {
        let files = Files::new("lua", &[("nginx.conf", "a { b_by_lua_block { x = {\"1\"} } c; }")]);
        assert_eq!(files.read(), Ok(vec!["a{b_by_lua_block; c;}".into()]));
    }

    #[test]
    fn each_mistake_is_told_with_its_place() {
        for (name, text, told) in [
            ("open", "a {\n b;", "./nginx.conf:2: the file ends where \"}\" has to come"),
            ("close", "a;\n}", "./nginx.conf:2: unexpected \"}\""),
            ("two", "include a b;", "./nginx.conf:1: include takes one argument"),
            (
                "none",
                "\ninclude none;",
                "./nginx.conf:2: ./none cannot be read: No such file or directory (os error 2)",
            ),
            (
                "own",
                "include nginx.conf;",
                "./nginx.conf:1: files are included 64 deep, or 100000 times: is this one its own?",
            ),
            (
                "twice",
                "include nginx.con?; include *.conf;",
                "./nginx.conf:1: files are included 64 deep, or 100000 times: is this one its own?",
            ),
        ] {
            assert_eq!(Files::new(name, &[("nginx.conf", text)]).read(), Err(told.to_owned()), "{text}");
        }
        let deep = format!("{}{}", "a {".repeat(65), "}".repeat(65));
        assert_eq!(
            Files::new("deep", &[("nginx.conf", &deep)]).read(),
            Err("./nginx.conf:1: more than 64 blocks within blocks".to_owned())
        );
    }
}
