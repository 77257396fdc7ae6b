//! Text to statements, by the very rules of nginx's `ngx_conf_read_token`: what ends a word, what a
//! quote and a backslash mean where, and that `${` does not open a block.
//!
//! Knows no directive. Never reads a file.

/// Some words, and what came after them.
#[derive(Debug)]
pub struct Statement {
    /// Without their quotes. Empty only before [`End::Close`] and [`End::File`].
    pub words: Vec<String>,
    /// Where the first word begins.
    pub line: u32,
    /// What ended it.
    pub end: End,
}

/// What ends a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// `;`
    Semicolon,
    /// `{`
    Open,
    /// `}`
    Close,
    /// Nothing more.
    File,
}

/// What nginx would refuse, and where.
#[derive(PartialEq, Eq, Debug)]
pub struct Fault {
    /// The line in the text.
    pub line: u32,
    /// A sentence without its end.
    pub what: String,
}

/// A text that is being read.
#[derive(Debug)]
pub struct Words<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Words<'a> {
    /// The beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// The next statement.
    ///
    /// # Errors
    /// What nginx would refuse.
    pub fn next(&mut self) -> Result<Statement, Fault> {
        let mut statement = Statement { words: Vec::new(), line: self.line, end: End::File };
        loop {
            self.skip_space_and_comments();
            let Some(byte) = self.peek() else {
                return match statement.words.is_empty() {
                    true => Ok(statement),
                    false => self.fault("the file ends where \";\" or \"{\" has to come"),
                };
            };
            if statement.words.is_empty() {
                statement.line = self.line;
            }
            match (byte, statement.words.is_empty()) {
                (b';', false) => statement.end = End::Semicolon,
                (b'{', false) => statement.end = End::Open,
                (b'}', true) => statement.end = End::Close,
                (b';' | b'{' | b'}', _) => return self.fault(&format!("unexpected \"{}\"", byte as char)),
                (b'"' | b'\'', _) => {
                    statement.words.push(self.quoted(byte)?);
                    continue;
                }
                _ => {
                    statement.words.push(self.bare()?);
                    continue;
                }
            }
            self.at += 1;
            return Ok(statement);
        }
    }

    /// Passes over a block of another language (Lua) up to its end, braces counted.
    ///
    /// # Errors
    /// If it has none.
    pub fn skip_block(&mut self) -> Result<(), Fault> {
        let mut depth = 1;
        while let Some(byte) = self.peek() {
            self.step(byte);
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
        self.fault("the file ends within a block")
    }

    /// A word in quotes, after which a space has to come, or what ends a statement.
    fn quoted(&mut self, quote: u8) -> Result<String, Fault> {
        let line = self.line;
        self.at += 1;
        let from = self.at;
        while let Some(byte) = self.peek() {
            if byte == quote {
                let word = unescaped(&self.text[from..self.at]);
                self.at += 1;
                return match self.peek() {
                    // `)`: nginx allows `if ($a = "b")`.
                    None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')') => Ok(word),
                    Some(other) => self.fault(&format!("unexpected \"{}\" after a quote", other as char)),
                };
            }
            self.step_escaped(byte);
        }
        Err(Fault { line, what: format!("a {} is never closed", quote as char) })
    }

    /// A word without quotes around it; such as are within belong to it.
    fn bare(&mut self) -> Result<String, Fault> {
        let from = self.at;
        let mut is_variable = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'{' if is_variable => {}
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => {
                    return Ok(unescaped(&self.text[from..self.at]));
                }
                _ => {}
            }
            // `${`, of which the brace opens no block.
            is_variable = byte == b'$' || (byte == b'{' && is_variable);
            self.step_escaped(byte);
        }
        self.fault("the file ends where \";\" or \"{\" has to come")
    }

    fn skip_space_and_comments(&mut self) {
        let mut is_comment = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => is_comment = false,
                b' ' | b'\t' | b'\r' => {}
                b'#' => is_comment = true,
                _ if is_comment => {}
                _ => return,
            }
            self.step(byte);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self, byte: u8) {
        self.at += 1;
        self.line += u32::from(byte == b'\n');
    }

    /// Steps over a byte, and over the one after a backslash.
    fn step_escaped(&mut self, byte: u8) {
        self.step(byte);
        if let Some(next) = self.peek().filter(|_| byte == b'\\') {
            self.step(next);
        }
    }

    fn fault<T>(&self, what: &str) -> Result<T, Fault> {
        Err(Fault { line: self.line, what: what.to_owned() })
    }
}

/// A backslash stands for something before quotes, itself, `t`, `r` and `n`; else for itself.
fn unescaped(raw: &[u8]) -> String {
    let mut word = Vec::with_capacity(raw.len());
    let mut rest = raw;
    loop {
        let (byte, after) = match rest {
            [] => break,
            [b'\\', c @ (b'"' | b'\'' | b'\\'), after @ ..] => (*c, after),
            [b'\\', b't', after @ ..] => (b'\t', after),
            [b'\\', b'r', after @ ..] => (b'\r', after),
            [b'\\', b'n', after @ ..] => (b'\n', after),
            [byte, after @ ..] => (*byte, after),
        };
        word.push(byte);
        rest = after;
    }
    // Cut at ASCII from a text that is UTF-8.
    String::from_utf8_lossy(&word).into_owned()
}

/// A word as it has to be written so that nginx reads it back.
pub fn written(word: &str) -> String {
    let is_special = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '"' | '\'' | '\\');
    let opens = word.contains('{') && !word.match_indices('{').all(|(at, _)| word[..at].ends_with('$'));
    let begins = word.starts_with(['#', '}', '{']);
    if !word.is_empty() && !opens && !begins && !word.contains(is_special) {
        return word.to_owned();
    }
    let mut out = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Result<Vec<(Vec<String>, End)>, Fault> {
        let mut words = Words::new(text);
        let mut all = Vec::new();
        loop {
            let statement = words.next()?;
            if statement.end == End::File {
                return Ok(all);
            }
            all.push((statement.words, statement.end));
        }
    }

    #[test]
    fn words_are_what_nginx_takes_for_words() {
        for (text, words) in [
            ("a b\tc\r\nd;", &["a", "b", "c", "d"][..]),
            ("upstream a#b;", &["upstream", "a#b"]),
            ("a # b; }\n c;", &["a", "c"]),
            ("hash it's;", &["hash", "it's"]),
            ("hash a\"b;", &["hash", "a\"b"]),
            ("hash \"a b\" 'c \" d';", &["hash", "a b", "c \" d"]),
            (r#"hash "a\"b\tc\d\\";"#, &["hash", "a\"b\tc\\d\\"]),
            (r"hash a\ b k\;x;", &["hash", r"a\ b", r"k\;x"]),
            ("hash ${remote_addr}x;", &["hash", "${remote_addr}x"]),
            ("hash \"\";", &["hash", ""]),
            ("a b}c;", &["a", "b}c"]),
            ("if ($a = \"b\");", &["if", "($a", "=", "b", ")"]),
            ("a \"b\nc\";", &["a", "b\nc"]),
            ("ä \"ö\";", &["ä", "ö"]),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(statements(text), Ok(vec![(words, End::Semicolon)]), "{text}");
        }
    }

    #[test]
    fn blocks_open_and_close() {
        let shape =
            |text| statements(text).map(|all| all.into_iter().map(|(_, end)| end).collect::<Vec<_>>());
        use End::*;
        assert_eq!(shape("a { b; } c{d{}}"), Ok(vec![Open, Semicolon, Close, Open, Open, Close, Close]));
    }

    #[test]
    fn what_nginx_refuses_is_refused_with_its_line() {
        for (text, line, what) in [
            ("a;\n;", 2, "unexpected \";\""),
            ("a\n}", 2, "unexpected \"}\""),
            ("{", 1, "unexpected \"{\""),
            ("a \"x\"y;", 1, "unexpected \"y\" after a quote"),
            ("a;\nb \"c;\n\n", 2, "a \" is never closed"),
            ("a b", 1, "the file ends where \";\" or \"{\" has to come"),
            ("a b\\", 1, "the file ends where \";\" or \"{\" has to come"),
            ("a ", 1, "the file ends where \";\" or \"{\" has to come"),
        ] {
            assert_eq!(statements(text), Err(Fault { line, what: what.to_owned() }), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for word in
            ["a", "", "a b", "a;b", "#x", "a#b", "${a}b", "a{b", "{", "}", "a\"'\\b", "\\d", "\t\n", "it's"]
        {
            let text = format!("hash {};", written(word));
            let expected = vec![(vec!["hash".to_owned(), word.to_owned()], End::Semicolon)];
            assert_eq!(statements(&text), Ok(expected), "{text}");
        }
        assert_eq!(written("$remote_addr"), "$remote_addr");
    }

    #[test]
    fn no_text_makes_it_fall() {
        let pieces = ["a", "\"", "'", "\\", "{", "}", ";", "$", "#", "\n", " ", ")", "ä"];
        let mut n = 1u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..n % 12 {
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(n >> 33) as usize % pieces.len()]);
            }
            n = n.wrapping_add(1);
            let _ = statements(&text);
            let _ = Words::new(&text).skip_block();
        }
    }
}
