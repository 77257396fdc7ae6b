//! One frame to a flat list of fields. The only file that names simd-json.
//!
//! Owns the parser's reused buffers and tape: after warming up, a parse allocates nothing unless the
//! frame has lists or more than 16 fields. Knows nothing of which fields there are.

use simd_json::{Buffers, Node, StaticNode, Tape};

/// The value of a top-level field, as far as any request needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// A string, unescaped.
    Text(&'a str),
    /// A non-negative integer.
    Number(u64),
    /// `true` or `false`.
    Flag(bool),
    /// A list of nothing but strings: [`Fields::texts`] has them.
    Texts(Texts),
    /// A list of nothing but objects, one at least: [`Fields::records`] has them.
    Records(Records),
    /// -1: for ever, where a request may say that.
    MinusOne,
    /// Anything else; no request has a use for it.
    Other,
}

/// Where the strings of one list are among those of its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Texts {
    first: usize,
    len: usize,
}

/// Where the objects of one list are among those of its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Records {
    first: usize,
    len: usize,
}

/// Not one JSON object in valid UTF-8 of bounded depth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAnObject;

/// Reads frames, one after the other, with the same buffers.
pub struct Parser {
    buffers: Buffers,
    tape: Tape<'static>,
}

/// Fields that are kept in line; requests have at most seven that mean something.
const INLINE: usize = 16;

/// The top-level fields of one frame, in the order sent.
#[derive(Debug)]
pub struct Fields<'a> {
    inline: [(&'a str, Value<'a>); INLINE],
    len: usize,
    more: Vec<(&'a str, Value<'a>)>,
    /// The strings of all lists, one list after the other.
    texts: Vec<&'a str>,
    /// The fields of the objects of all lists, one object after the other.
    record_fields: Vec<(&'a str, Value<'a>)>,
    /// Where each object begins in `record_fields`.
    record_starts: Vec<usize>,
    repeated: Option<&'a str>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser with room for a usual frame; it grows to the largest frame seen.
    pub fn new() -> Self {
        Self { buffers: Buffers::new(4_096), tape: Tape::null() }
    }

    /// Reads `frame`, unescaping its strings in place.
    ///
    /// # Errors
    /// If it is not exactly one JSON object, is not UTF-8, or nests deeper than `depth`.
    pub fn parse<'a>(&mut self, frame: &'a mut [u8], depth: usize) -> Result<Fields<'a>, NotAnObject> {
        let mut tape: Tape<'a> = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(frame, &mut self.buffers, &mut tape);
        let fields = match parsed {
            Ok(()) => fields(&tape.0, depth),
            Err(_) => Err(NotAnObject),
        };
        self.tape = tape.reset();
        fields
    }
}

/// Walks the tape: every node is followed by its content, objects and arrays say how many nodes.
fn fields<'a>(nodes: &[Node<'a>], depth: usize) -> Result<Fields<'a>, NotAnObject> {
    let Some(&Node::Object { len, .. }) = nodes.first() else {
        return Err(NotAnObject);
    };
    if depth < 1 || !shallow(nodes, depth) {
        return Err(NotAnObject);
    }
    let mut fields = Fields::default();
    let mut at = 1;
    for _ in 0..len {
        let Some(&Node::String(key)) = nodes.get(at) else {
            return Err(NotAnObject);
        };
        let node = nodes.get(at + 1).ok_or(NotAnObject)?;
        let (value, nodes_within) = match *node {
            Node::Array { count, .. } => (fields.list(&nodes[at + 2..at + 2 + count]), count),
            Node::String(_) | Node::Static(_) | Node::Object { .. } => scalar(node),
        };
        fields.push(key, value);
        at += 2 + nodes_within;
    }
    fields.find_repeated();
    Ok(fields)
}

/// What a node is worth that is no list, and how many nodes lie within it.
fn scalar<'a>(node: &Node<'a>) -> (Value<'a>, usize) {
    match *node {
        Node::String(text) => (Value::Text(text), 0),
        Node::Static(StaticNode::U64(number)) => (Value::Number(number), 0),
        Node::Static(StaticNode::I64(-1)) => (Value::MinusOne, 0),
        Node::Static(StaticNode::I64(number)) => {
            (u64::try_from(number).map_or(Value::Other, Value::Number), 0)
        }
        Node::Static(StaticNode::Bool(flag)) => (Value::Flag(flag), 0),
        Node::Static(_) => (Value::Other, 0),
        Node::Array { count, .. } | Node::Object { count, .. } => (Value::Other, count),
    }
}

/// Whether no object or array lies deeper than `depth`, the outermost being at 1.
fn shallow(nodes: &[Node<'_>], depth: usize) -> bool {
    // Where each open object or array ends. A flat object, which every request is, never pushes.
    let mut ends: Vec<usize> = Vec::new();
    for (at, node) in nodes.iter().enumerate().skip(1) {
        if let Node::Object { count, .. } | Node::Array { count, .. } = node {
            while ends.last().is_some_and(|&end| end <= at) {
                ends.pop();
            }
            if ends.len() + 2 > depth {
                return false;
            }
            ends.push(at + 1 + count);
        }
    }
    true
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Self {
            inline: [("", Value::Other); INLINE],
            len: 0,
            more: Vec::new(),
            texts: Vec::new(),
            record_fields: Vec::new(),
            record_starts: Vec::new(),
            repeated: None,
        }
    }
}

impl<'a> Fields<'a> {
    /// The value of `name`, if the frame has such a field.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether the frame has such a field.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A key that the frame has more than once.
    pub fn repeated(&self) -> Option<&'a str> {
        self.repeated
    }

    /// The strings of a list of these fields, in the order sent.
    pub fn texts(&self, list: Texts) -> &[&'a str] {
        &self.texts[list.first..list.first + list.len]
    }

    /// The objects of a list of these fields, in the order sent, each with its own fields. What is a list or an object
    /// in one of them is of no use.
    pub fn records(&self, list: Records) -> impl Iterator<Item = Fields<'a>> + '_ {
        (list.first..list.first + list.len).map(|at| {
            let end = self.record_starts.get(at + 1).copied().unwrap_or(self.record_fields.len());
            let mut record = Fields::default();
            for &(key, value) in &self.record_fields[self.record_starts[at]..end] {
                record.push(key, value);
            }
            record.find_repeated();
            record
        })
    }

    /// Takes in a list, if it holds nothing but objects.
    fn record_list(&mut self, nodes: &[Node<'a>]) -> Value<'a> {
        let first = self.record_starts.len();
        let fields_before = self.record_fields.len();
        let mut at = 0;
        while at < nodes.len() {
            let Node::Object { len, count } = nodes[at] else {
                self.record_starts.truncate(first);
                self.record_fields.truncate(fields_before);
                return Value::Other;
            };
            self.record_starts.push(self.record_fields.len());
            let end = at + 1 + count;
            at += 1;
            for _ in 0..len {
                let (Some(&Node::String(key)), Some(node)) = (nodes.get(at), nodes.get(at + 1)) else {
                    break;
                };
                let (value, nodes_within) = scalar(node);
                self.record_fields.push((key, value));
                at += 2 + nodes_within;
            }
            at = end;
        }
        Value::Records(Records { first, len: self.record_starts.len() - first })
    }

    /// Takes in a list, if it holds nothing but strings, or nothing but objects.
    fn list(&mut self, nodes: &[Node<'a>]) -> Value<'a> {
        if let Some(Node::Object { .. }) = nodes.first() {
            return self.record_list(nodes);
        }
        let first = self.texts.len();
        for node in nodes {
            let Node::String(text) = *node else {
                self.texts.truncate(first);
                return Value::Other;
            };
            self.texts.push(text);
        }
        Value::Texts(Texts { first, len: nodes.len() })
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + '_ {
        self.inline[..self.len].iter().chain(&self.more).copied()
    }

    fn push(&mut self, key: &'a str, value: Value<'a>) {
        if self.len < INLINE {
            if self.inline[..self.len].iter().any(|(other, _)| *other == key) {
                self.repeated = Some(key);
            }
            self.inline[self.len] = (key, value);
            self.len += 1;
        } else {
            self.more.push((key, value));
        }
    }

    /// Keys beyond the inline ones are compared by sorting, so that no frame costs the square of
    /// its fields.
    fn find_repeated(&mut self) {
        if self.more.is_empty() || self.repeated.is_some() {
            return;
        }
        let mut keys: Vec<&str> = self.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        self.repeated = keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, check: impl FnOnce(Result<Fields<'_>, NotAnObject>)) {
        let mut bytes = text.as_bytes().to_vec();
        check(Parser::new().parse(&mut bytes, 4));
    }

    #[test]
    fn fields_come_out_unescaped_whatever_lies_between_them() {
        parse(
            r#"{"a":"x\"\u00e9\n","skip":[1,{"b":[]}],"n":7,"neg":-7,"f":7.0,"big":99999999999999999999,"o":{},"null":null}"#,
            |fields| {
                let fields = fields.unwrap();
                assert_eq!(fields.get("a"), Some(Value::Text("x\"é\n")));
                assert_eq!(fields.get("n"), Some(Value::Number(7)));
                for other in ["neg", "f", "big", "skip", "o", "null"] {
                    assert_eq!(fields.get(other), Some(Value::Other), "{other}");
                }
                assert_eq!(fields.get("b"), None);
                assert_eq!(fields.repeated(), None);
            },
        );
    }

    #[test]
    fn lists_of_strings_keep_their_order_and_other_lists_are_of_no_use() {
        let frame = r#"{"x":["1","\u0032"],"on":true,"mixed":["3",4],"deep":["5",["6"]],"none":[],"y":["7"],"off":false}"#;
        parse(frame, |fields| {
            let fields = fields.unwrap();
            let texts = |name: &str| match fields.get(name) {
                Some(Value::Texts(list)) => Some(fields.texts(list)),
                _ => None,
            };
            assert_eq!(texts("x"), Some(&["1", "2"][..]));
            assert_eq!(texts("y"), Some(&["7"][..]));
            assert_eq!(texts("none"), Some(&[][..]));
            assert_eq!((fields.get("mixed"), fields.get("deep")), (Some(Value::Other), Some(Value::Other)));
            assert_eq!(fields.get("on"), Some(Value::Flag(true)));
            assert_eq!(fields.get("off"), Some(Value::Flag(false)));
        });
    }

    #[test]
    fn lists_of_objects_have_their_own_fields_and_mixed_ones_are_of_no_use() {
        let frame = r#"{"since":[{"with":7,"after":3,"x":[1]},{},{"groupid":5,"after":0,"after":1}],"mixed":[{"a":1},2],"n":1}"#;
        parse(frame, |fields| {
            let fields = fields.unwrap();
            let Some(Value::Records(list)) = fields.get("since") else { panic!("a list of objects") };
            let records: Vec<Fields<'_>> = fields.records(list).collect();
            assert_eq!(records.len(), 3);
            assert_eq!(
                (records[0].get("with"), records[0].get("after")),
                (Some(Value::Number(7)), Some(Value::Number(3)))
            );
            assert_eq!(records[0].get("x"), Some(Value::Other));
            assert_eq!(records[1].get("with"), None);
            assert_eq!(records[2].repeated(), Some("after"));
            assert_eq!((fields.get("mixed"), fields.get("n")), (Some(Value::Other), Some(Value::Number(1))));
        });
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in [
            "",
            " ",
            "1",
            "[]",
            "[{}]",
            "null",
            "\"x\"",
            "{",
            "{}{}",
            "{} x",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\"}",
            "{\"a\":\"\u{1}\"}",
        ] {
            parse(text, |fields| assert_eq!(fields.err(), Some(NotAnObject), "{text}"));
        }
        assert!(Parser::new().parse(&mut b"{\"a\":\"\xff\"}".to_vec(), 4).is_err());
        assert!(Parser::new().parse(&mut br#"{"a":"\ud800"}"#.to_vec(), 4).is_err());
    }

    #[test]
    fn depth_is_bounded_exactly() {
        parse(r#"{"a":[[[]]],"b":[[{}]]}"#, |fields| assert!(fields.is_ok()));
        parse(r#"{"a":[[]],"b":[[[[]]]]}"#, |fields| assert!(fields.is_err()));
        parse(r#"{"a":[[],[],[[]],[{}]]}"#, |fields| assert!(fields.is_ok()));
        parse(r#"{"a":[{"x":[{}]}]}"#, |fields| assert!(fields.is_err()));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        parse(&deep, |fields| assert!(fields.is_err()));
    }

    #[test]
    fn a_repeated_key_is_found_among_few_and_many_and_however_it_is_spelt() {
        parse(r#"{"id":1,"x":2,"\u0069d":3}"#, |fields| assert_eq!(fields.unwrap().repeated(), Some("id")));
        let many: String = (0..5_000).map(|n| format!("\"k{n}\":{n},")).collect();
        parse(&format!("{{{many}\"z\":0}}"), |fields| assert_eq!(fields.unwrap().repeated(), None));
        parse(&format!("{{{many}\"k3\":0}}"), |fields| assert_eq!(fields.unwrap().repeated(), Some("k3")));
    }

    #[test]
    fn a_parser_forgets_the_last_frame() {
        let mut parser = Parser::new();
        assert!(parser.parse(&mut br#"{"a":1}"#.to_vec(), 4).unwrap().has("a"));
        assert!(parser.parse(&mut br#"{"a":"#.to_vec(), 4).is_err());
        assert!(!parser.parse(&mut br#"{"b":1}"#.to_vec(), 4).unwrap().has("a"));
    }
}
