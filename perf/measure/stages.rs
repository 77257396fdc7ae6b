//! What the server says of its own stages: the only file that knows the shape of its `/histograms?format=json`.
//!
//! The document has counts since the server began, so it is read before and after a round and subtracted, which takes
//! the whole histograms (base64 of HDR V2, plain or deflated) and not the percentiles beside them. It is read tolerantly:
//! `cores` is a list (or an object) of objects that hold `stages` and `paths`, each an object by name or a list of
//! objects with a `name` (`stage`, `path`); the histogram is the first text among its fields that is one. Without `cores`,
//! the document itself is taken for the one core.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hdrhistogram::serialization::Deserializer;

use super::{Histogram, histogram};
use crate::json::Json;

/// Histograms by name, over all cores, in the order in which the server tells them.
#[derive(Clone, Default, Debug)]
pub struct Stages {
    pub stages: Vec<(String, Histogram)>,
    pub paths: Vec<(String, Histogram)>,
}

const PATIENCE: Duration = Duration::from_secs(5);

impl Stages {
    /// Asks the admin address of a server.
    pub fn fetch(admin: SocketAddr) -> Result<Stages, String> {
        let ask = || -> std::io::Result<Vec<u8>> {
            let mut socket = TcpStream::connect_timeout(&admin, PATIENCE)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            write!(socket, "GET /histograms?format=json HTTP/1.0\r\nHost: {admin}\r\n\r\n")?;
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().map_err(|error| format!("cannot ask {admin} for its stages: {error}"))?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if head.split(' ').nth(1) != Some("200") {
            return Err(format!("{admin} has no /histograms: {}", head.lines().next().unwrap_or_default()));
        }
        Ok(Stages::read(&Json::read(body)?))
    }

    fn read(document: &Json) -> Stages {
        let mut stages = Stages::default();
        let cores: Vec<&Json> = match document.get("cores") {
            Some(Json::List(cores)) => cores.iter().collect(),
            Some(Json::Object(cores)) => cores.iter().map(|(_, core)| core).collect(),
            _ => vec![document],
        };
        for core in cores {
            take(core.get("stages"), &mut stages.stages);
            take(core.get("paths"), &mut stages.paths);
        }
        stages
    }

    /// What came after `earlier`.
    pub fn since(mut self, earlier: &Stages) -> Stages {
        let pairs = [(&mut self.stages, &earlier.stages), (&mut self.paths, &earlier.paths)];
        for (later, earlier) in pairs {
            for (name, histogram) in later {
                let before = earlier.iter().find(|(other, _)| other == name);
                if let Some((_, before)) = before {
                    // Refused if the server was restarted meanwhile: then all of it is new.
                    let _ = histogram.subtract(before);
                }
            }
        }
        self
    }

    /// Rounds added up; unknown only if all are.
    pub fn sum(one: Option<Stages>, other: Option<&Stages>) -> Option<Stages> {
        let (mut sum, other) = match (one, other) {
            (Some(one), Some(other)) => (one, other),
            (one, other) => return one.or_else(|| other.cloned()),
        };
        for (name, histogram) in &other.stages {
            add(&mut sum.stages, name, histogram);
        }
        for (name, histogram) in &other.paths {
            add(&mut sum.paths, name, histogram);
        }
        Some(sum)
    }
}

fn take(group: Option<&Json>, into: &mut Vec<(String, Histogram)>) {
    let name_of =
        |value: &Json| ["name", "stage", "path"].iter().find_map(|key| value.text_at(key)).map(str::to_owned);
    let named: Vec<(String, &Json)> = match group {
        Some(Json::Object(fields)) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Some(Json::List(values)) => {
            values.iter().filter_map(|value| Some((name_of(value)?, value))).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in named {
        add(into, &name, &decoded(value));
    }
}

fn add(into: &mut Vec<(String, Histogram)>, name: &str, histogram: &Histogram) {
    match into.iter_mut().find(|(other, _)| other == name) {
        // Fails only above ten minutes, which no stage takes.
        Some((_, sum)) => drop(sum.add(histogram)),
        None => into.push((name.to_owned(), histogram.clone())),
    }
}

/// The histogram among the fields; an empty one if there is none.
fn decoded(value: &Json) -> Histogram {
    let texts = value.fields().iter().filter_map(|(_, field)| field.text());
    let found = texts.filter_map(base64).find_map(|bytes| {
        let decoded: Histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        let mut same_bounds = histogram();
        same_bounds.add(&decoded).ok()?;
        Some(same_bounds)
    });
    found.unwrap_or_else(histogram)
}

/// Plain base64; `None` of anything else.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};

    use super::*;

    fn encoded(values: &[u64], mut serializer: impl FnMut(&Histogram, &mut Vec<u8>)) -> String {
        let mut histogram = Histogram::new(3).unwrap();
        values.iter().for_each(|value| histogram.record(*value).unwrap());
        let mut bytes = Vec::new();
        serializer(&histogram, &mut bytes);
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for three in bytes.chunks(3) {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - three.len()));
            for place in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
                text.push(if place > three.len() { '=' } else { char::from(letter) });
            }
        }
        text
    }

    fn plain(values: &[u64]) -> String {
        encoded(values, |histogram, bytes| {
            V2Serializer::new().serialize(histogram, bytes).unwrap();
        })
    }

    fn deflated(values: &[u64]) -> String {
        encoded(values, |histogram, bytes| {
            V2DeflateSerializer::new().serialize(histogram, bytes).unwrap();
        })
    }

    #[test]
    fn cores_are_added_up_and_earlier_ones_taken_off() {
        let document = |one: &[u64], two: &[u64]| {
            let text = format!(
                r#"{{"unit":"ns","cores":[{{"core":0,"stages":{{"read":{{"count":1,"hdr":"{}"}}}},
                    "paths":[{{"path":"same_core","hdr":"{}"}}]}},
                    {{"core":1,"stages":{{"read":{{"p50":7,"hdr_v2":"{}"}},"parsed":{{"count":0}}}}}}]}}"#,
                plain(one),
                plain(one),
                deflated(two)
            );
            Stages::read(&Json::read(&text).unwrap())
        };
        let before = document(&[100], &[]);
        let after = document(&[100, 200, 300], &[5_000]).since(&before);
        assert_eq!(after.stages.len(), 2);
        assert_eq!((after.stages[0].0.as_str(), after.stages[0].1.len()), ("read", 3));
        assert!((4_990..5_010).contains(&after.stages[0].1.max()));
        assert_eq!((after.stages[1].0.as_str(), after.stages[1].1.len()), ("parsed", 0));
        assert_eq!((after.paths[0].0.as_str(), after.paths[0].1.len()), ("same_core", 2));
        let twice = Stages::sum(Some(after.clone()), Some(&after)).unwrap();
        assert_eq!(twice.stages[0].1.len(), 6);
    }

    #[test]
    fn other_documents_have_no_stages() {
        for text in ["{}", "[]", "{\"cores\":3}", "{\"stages\":[{\"no\":1}]}"] {
            assert!(Stages::read(&Json::read(text).unwrap()).stages.is_empty());
        }
    }
}
