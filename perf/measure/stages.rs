//! What the server says of its own stages: the only file that knows the shape of its `/histograms?format=json`.
//!
//! The document has counts since the server began, so it is read before and after a round and subtracted, which takes
//! the whole histograms (`v2`: base64 of HDR V2) and not the percentiles beside them.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::Deserializer;

use super::{Histogram, admin, histogram};
use crate::json::Json;

/// Histograms by name, over all cores, in the order in which the server tells them.
#[derive(Clone, Default, Debug)]
pub struct Stages {
    pub stages: Vec<(String, Histogram)>,
    pub paths: Vec<(String, Histogram)>,
}

impl Stages {
    /// Asks the admin address of a server.
    pub fn fetch(admin: SocketAddr) -> Result<Stages, String> {
        let body = admin::get(admin, "/histograms?format=json&core=all")?;
        Ok(Stages::read(&Json::read(&body)?))
    }

    /// Of the sum over all cores; nothing where there is none.
    fn read(document: &Json) -> Stages {
        let of = |kind: &str| {
            let named = document.at(&format!("merged/{kind}")).map(Json::fields).unwrap_or_default();
            named.iter().map(|(name, value)| (name.clone(), decoded(value))).collect()
        };
        Stages { stages: of("stages"), paths: of("paths") }
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

fn add(into: &mut Vec<(String, Histogram)>, name: &str, histogram: &Histogram) {
    match into.iter_mut().find(|(other, _)| other == name) {
        // Fails only above ten minutes, which no stage takes.
        Some((_, sum)) => drop(sum.add(histogram)),
        None => into.push((name.to_owned(), histogram.clone())),
    }
}

/// The histogram under `v2`; an empty one if there is none.
fn decoded(value: &Json) -> Histogram {
    let read = || {
        let bytes = STANDARD.decode(value.text_at("v2")?).ok()?;
        let decoded: Histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        let mut same_bounds = histogram();
        same_bounds.add(&decoded).ok()?;
        Some(same_bounds)
    };
    read().unwrap_or_else(histogram)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Serializer, V2Serializer};

    use super::*;

    fn encoded(values: &[u64]) -> String {
        let mut histogram = Histogram::new(3).unwrap();
        values.iter().for_each(|value| histogram.record(*value).unwrap());
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
        STANDARD.encode(bytes)
    }

    fn document(reads: &[u64], paths: &[u64]) -> Stages {
        let (reads, paths) = (encoded(reads), encoded(paths));
        let text = format!(
            r#"{{"unit":"ns","cores":2,"merged":{{"stages":{{"read":{{"count":1,"p50":7,"v2":"{reads}"}},
                "parsed":{{"count":0}}}},"paths":{{"same_core":{{"v2":"{paths}"}}}}}}}}"#
        );
        Stages::read(&Json::read(&text).unwrap())
    }

    #[test]
    fn earlier_ones_are_taken_off_and_rounds_added_up() {
        let before = document(&[100], &[]);
        let after = document(&[100, 200, 5_000], &[70]).since(&before);
        assert_eq!(after.stages.len(), 2);
        assert_eq!((after.stages[0].0.as_str(), after.stages[0].1.len()), ("read", 2));
        assert!((4_990..5_010).contains(&after.stages[0].1.max()));
        assert_eq!((after.stages[1].0.as_str(), after.stages[1].1.len()), ("parsed", 0));
        assert_eq!((after.paths[0].0.as_str(), after.paths[0].1.len()), ("same_core", 1));
        let twice = Stages::sum(Some(after.clone()), Some(&after)).unwrap();
        assert_eq!(twice.stages[0].1.len(), 4);
    }

    #[test]
    fn other_documents_have_no_stages() {
        for text in ["{}", "[]", "{\"merged\":3}", "{\"merged\":{\"stages\":[{\"no\":1}]}}"] {
            assert!(Stages::read(&Json::read(text).unwrap()).stages.is_empty());
        }
    }
}
