//! One frame to a flat list of fields. The only file that names simd-json.
//!
//! Owns the parser's reused buffers and tape: after warming up, a parse allocates nothing unless the
//! frame has lists or more than 16 fields. Knows nothing of which fields there are.

use super::text::string;
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
    /// An object: [`Fields::object`] has it.
    Object(Object),
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

/// Where an object is among those of its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    at: usize,
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
    /// The objects of its fields, as compact JSON; nothing where a key appears twice.
    objects: Vec<Option<Box<str>>>,
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
            Node::Object { count, .. } => (fields.keep_object(&nodes[at + 1..at + 2 + count]), count),
            Node::String(_) | Node::Static(_) => scalar(node),
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

/// Writes the first value of these nodes, compact; how many nodes it has. `None` for a number that JSON cannot say. Says
/// in `repeats` if a key appears twice in an object: whoever reads that takes one value or the other.
fn write(nodes: &[Node<'_>], out: &mut Vec<u8>, repeats: &mut bool) -> Option<usize> {
    let (first, within) = nodes.split_first()?;
    let (len, is_object) = match first {
        Node::String(text) => {
            string(out, text);
            return Some(1);
        }
        Node::Static(StaticNode::F64(number)) if !number.is_finite() => return None,
        // A double as Rust writes it is one of JSON.
        Node::Static(StaticNode::F64(number)) => {
            out.extend_from_slice(format!("{number:?}").as_bytes());
            return Some(1);
        }
        Node::Static(other) => {
            out.extend_from_slice(other.to_string().as_bytes());
            return Some(1);
        }
        Node::Object { len, .. } => (*len, true),
        Node::Array { len, .. } => (*len, false),
    };
    out.push(if is_object { b'{' } else { b'[' });
    let (mut at, mut keys) = (0, Vec::new());
    for number in 0..len {
        if number > 0 {
            out.push(b',');
        }
        if is_object {
            if let Some(Node::String(key)) = within.get(at) {
                keys.push(*key);
            }
            at += write(within.get(at..)?, out, repeats)?;
            out.push(b':');
        }
        at += write(within.get(at..)?, out, repeats)?;
    }
    keys.sort_unstable();
    *repeats |= keys.windows(2).any(|pair| pair[0] == pair[1]);
    out.push(if is_object { b'}' } else { b']' });
    Some(at + 1)
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
            objects: Vec::new(),
            repeated: None,
        }
    }
}

impl<'a> Fields<'a> {
    /// The value of `name`, if the frame has such a field.
    #[inline]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        // A frame is asked for a dozen names, most of which it does not have: lengths tell most of them apart.
        let is_it = |(key, _): &&(&str, Value<'a>)| key.len() == name.len() && *key == name;
        match self.inline[..self.len].iter().find(is_it) {
            Some(&(_, value)) => Some(value),
            None => self.more.iter().find(is_it).map(|&(_, value)| value),
        }
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

    /// An object of these fields as compact JSON, its keys in the order sent. What is in it was read as a number of 64 bits
    /// (an integer if it is written as one and fits, else a double) or as text, and nothing more is known of it. `None` if a
    /// key appears twice in it, or in an object within.
    pub fn object(&self, object: Object) -> Option<&str> {
        self.objects[object.at].as_deref()
    }

    /// Takes in an object.
    fn keep_object(&mut self, nodes: &[Node<'a>]) -> Value<'a> {
        let (mut out, mut repeats) = (Vec::new(), false);
        let written = write(nodes, &mut out, &mut repeats).and_then(|_| String::from_utf8(out).ok());
        let Some(written) = written else { return Value::Other };
        self.objects.push((!repeats).then(|| written.into()));
        Value::Object(Object { at: self.objects.len() - 1 })
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
mod tests;
